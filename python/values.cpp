#include "python/values.h"

#include <fmt/core.h>

#include <algorithm>

#include "engine/core/error.h"
#include "engine/op/ops.h"

namespace wiregrad::python {

namespace py = pybind11;

namespace {

// DLPack's binary interface, version 0: https://dmlc.github.io/dlpack/latest/c_api.html
struct DLDevice {
    std::int32_t device_type, device_id;
};
struct DLDataType {
    std::uint8_t code, bits;
    std::uint16_t lanes;
};
struct DLTensor {
    void* data;
    DLDevice device;
    std::int32_t ndim;
    DLDataType dtype;
    std::int64_t *shape, *strides;
    std::uint64_t byte_offset;
};
struct DLManagedTensor {
    DLTensor dl_tensor;
    void* manager_ctx;
    void (*deleter)(DLManagedTensor*);
};
constexpr std::int32_t kCpu = 1;
constexpr std::uint8_t kInt = 0, kUInt = 1, kFloat = 2, kBfloat = 4, kBool = 6;

struct Row {
    DType dtype;
    const char* format; ///< of the buffer protocol; bfloat16 shows its bits
    std::uint8_t code, bits;
};
constexpr Row kRows[] = {
    {DType::Float32, "f", kFloat, 32},    {DType::Float64, "d", kFloat, 64},
    {DType::Float16, "e", kFloat, 16},    {DType::BFloat16, "H", kBfloat, 16},
    {DType::Int64, "q", kInt, 64},        {DType::Int32, "i", kInt, 32},
    {DType::UInt8, "B", kUInt, 8},        {DType::Bool, "?", kBool, 8},
};
const Row& row_of(DType dtype) {
    return *std::find_if(std::begin(kRows), std::end(kRows),
                         [&](const Row& row) { return row.dtype == dtype; });
}

/// Holds a Python object; let go of under the GIL, from whichever thread.
std::shared_ptr<void> holding(py::object object) {
    return {object.release().ptr(), [](void* held) {
                const py::gil_scoped_acquire gil;
                Py_DECREF(static_cast<PyObject*>(held));
            }};
}

/// A view with these strides, in elements; empty: row by row.
Tensor view_of(void* data, const std::vector<std::int64_t>& sizes,
               const std::vector<std::int64_t>& strides, DType dtype,
               std::shared_ptr<void> keep) {
    const Shape shape(sizes);
    std::int64_t extent = 1, expected = 1;
    bool plain = true;
    for (std::size_t i = sizes.size(); i-- > 0;) {
        if (sizes[i] == 0) return Tensor::empty(shape, dtype);
        const std::int64_t stride = strides.empty() ? expected : strides[i];
        if (stride < 0) return {};
        plain = plain && (stride == expected || sizes[i] == 1);
        extent += (sizes[i] - 1) * stride;
        expected *= sizes[i];
    }
    if (plain) return Tensor::wrap(data, shape, dtype, std::move(keep));
    return Tensor::wrap(data, {extent}, dtype, std::move(keep))
        .as_strided(shape, Strides(strides), 0);
}

DType dtype_of_format(std::string format, std::size_t bytes) {
    if (!format.empty() && (format[0] == '<' || format[0] == '=' || format[0] == '@'))
        format.erase(0, 1);
    if (format == "l" || format == "q") return bytes == 8 ? DType::Int64 : DType::Int32;
    for (const Row& row : kRows)
        if (row.dtype != DType::BFloat16 && format == row.format) return row.dtype;
    throw DTypeError(fmt::format("numbers of the kind \"{}\" have no tensor; there are float16, "
                                 "float32, float64, int32, int64, uint8 and bool",
                                 format));
}

struct Exported {
    Tensor tensor;
    std::vector<std::int64_t> shape, strides;
    DLManagedTensor managed{};
};

py::capsule to_dlpack(const Tensor& tensor) {
    auto* own = new Exported{tensor, {}, {}, {}};
    for (int d = 0; d < tensor.dim(); ++d) {
        own->shape.push_back(tensor.size(d));
        own->strides.push_back(tensor.strides()[d]);
    }
    const Row& row = row_of(tensor.dtype());
    own->managed.dl_tensor = {own->tensor.raw_mut(),
                              {kCpu, 0},
                              static_cast<std::int32_t>(own->shape.size()),
                              {row.code, row.bits, 1},
                              own->shape.data(),
                              own->strides.data(),
                              0};
    own->managed.manager_ctx = own;
    own->managed.deleter = [](DLManagedTensor* managed) {
        delete static_cast<Exported*>(managed->manager_ctx);
    };
    return py::capsule(&own->managed, "dltensor", [](PyObject* capsule) {
        if (!PyCapsule_IsValid(capsule, "dltensor")) return; // somebody took it over
        auto* managed =
            static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule, "dltensor"));
        managed->deleter(managed);
    });
}

} // namespace

Tensor tensor_from_dlpack(const py::object& value) {
    py::object capsule = value;
    if (py::hasattr(value, "__dlpack__")) capsule = value.attr("__dlpack__")();
    if (!PyCapsule_IsValid(capsule.ptr(), "dltensor"))
        throw ValueError("this is no DLPack tensor, or it was taken over already");
    auto* managed = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule.ptr(), "dltensor"));
    const DLTensor& from = managed->dl_tensor;
    if (from.device.device_type != kCpu)
        throw DeviceError("the tensor lies on another device than the CPU");
    const auto row = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& each) {
        return each.code == from.dtype.code && each.bits == from.dtype.bits &&
               from.dtype.lanes == 1;
    });
    if (row == std::end(kRows)) throw DTypeError("the tensor's kind of numbers has no tensor here");
    const std::vector<std::int64_t> shape(from.shape, from.shape + from.ndim);
    const std::vector<std::int64_t> strides =
        from.strides ? std::vector<std::int64_t>(from.strides, from.strides + from.ndim)
                     : std::vector<std::int64_t>{};
    PyCapsule_SetName(capsule.ptr(), "used_dltensor");
    const std::shared_ptr<void> keep(managed, [](void* held) {
        const py::gil_scoped_acquire gil;
        auto* used = static_cast<DLManagedTensor*>(held);
        if (used->deleter) used->deleter(used);
    });
    const Tensor view = view_of(static_cast<std::byte*>(from.data) + from.byte_offset, shape,
                                strides, row->dtype, keep);
    if (!view) throw ValueError("the tensor runs backwards: make a copy of it first");
    return view;
}

Tensor tensor_from(const py::object& value, bool copy) {
    if (py::isinstance<Tensor>(value)) {
        const auto& tensor = value.cast<const Tensor&>();
        return copy ? tensor.detach().clone() : tensor;
    }
    if (!PyObject_CheckBuffer(value.ptr()) && py::hasattr(value, "__dlpack__")) {
        const Tensor tensor = tensor_from_dlpack(value);
        return copy ? tensor.clone() : tensor;
    }
    // Lists and numbers become arrays first.
    py::object holder = value;
    if (!PyObject_CheckBuffer(value.ptr())) {
        holder = py::array::ensure(value);
        if (!holder) {
            PyErr_Clear();
            throw DTypeError("this is no array of numbers");
        }
    }
    const auto buffer = py::reinterpret_borrow<py::buffer>(holder).request();
    const DType dtype =
        dtype_of_format(buffer.format, static_cast<std::size_t>(buffer.itemsize));
    std::vector<std::int64_t> shape(buffer.shape.begin(), buffer.shape.end()), strides;
    bool even = true;
    for (const py::ssize_t stride : buffer.strides) {
        even = even && stride % buffer.itemsize == 0;
        strides.push_back(stride / buffer.itemsize);
    }
    if (even)
        if (const Tensor view = view_of(buffer.ptr, shape, strides, dtype, holding(holder)))
            return copy ? view.clone() : view;
    if (!py::isinstance<py::array>(holder)) throw ValueError("its elements lie in no regular order");
    return tensor_from(holder.attr("copy")(), false);
}

void bind_tensor(py::module_& module) {
    py::class_<Tensor>(module, "Tensor", py::buffer_protocol(),
                       "Numbers in Wiregrad's memory. numpy.asarray(t), numpy.from_dlpack(t) and "
                       "torch.from_dlpack(t) look at the same memory.")
        .def_buffer([](Tensor& tensor) {
            const Row& row = row_of(tensor.dtype());
            std::vector<py::ssize_t> shape, strides;
            const auto size = static_cast<py::ssize_t>(size_of(tensor.dtype()));
            for (int d = 0; d < tensor.dim(); ++d) {
                shape.push_back(tensor.size(d));
                strides.push_back(tensor.strides()[d] * size);
            }
            Tensor plain = tensor.detach();
            return py::buffer_info(plain.raw_mut(), size, row.format, tensor.dim(), shape, strides);
        })
        .def("__dlpack__",
             [](const Tensor& tensor, const py::object&) { return to_dlpack(tensor.detach()); },
             py::arg("stream") = py::none())
        .def("__dlpack_device__", [](const Tensor&) { return py::make_tuple(kCpu, 0); })
        .def("numpy", [](const py::object& self) {
            return py::module_::import("numpy").attr("asarray")(self);
        }, "The same memory as a NumPy array.")
        .def("to_float32", [](const Tensor& tensor) {
            return to(tensor.detach(), DType::Float32).contiguous();
        })
        .def_property_readonly("shape", [](const Tensor& tensor) {
            py::tuple shape(tensor.dim());
            for (int d = 0; d < tensor.dim(); ++d)
                shape[static_cast<std::size_t>(d)] = tensor.size(d);
            return shape;
        })
        .def_property_readonly("dtype", [](const Tensor& tensor) {
            return std::string(name_of(tensor.dtype()));
        })
        .def("__len__", [](const Tensor& tensor) {
            if (tensor.dim() == 0) throw py::type_error("a single number has no length");
            return tensor.size(0);
        })
        .def("__float__", [](const Tensor& tensor) { return tensor.item(); })
        .def("__repr__", [](const Tensor& tensor) { return "wiregrad.Tensor " + tensor.str(); });
}

} // namespace wiregrad::python
