#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "engine/autograd/node.h"
#include "engine/core/error.h"
#include "engine/core/half.h"
#include "engine/core/memory.h"
#include "engine/core/recorder.h"
#include "engine/core/tensor_body.h"
#include "engine/kernel/loop.h"
#include "engine/op/op.h"

namespace wiregrad {
namespace {

std::atomic<std::int64_t> g_live_tensors{0};
thread_local bool t_shape_only = false;

bool contiguous_geometry(const Shape& shape, const Strides& strides) {
    if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return true;
    std::int64_t expected = 1;
    for (int i = shape.size() - 1; i >= 0; --i) {
        if (shape[i] != 1 && strides[i] != expected) return false;
        expected *= shape[i];
    }
    return true;
}

std::shared_ptr<TensorBody> make_body(const Shape& shape, DType dtype, Device device) {
    auto body = std::make_shared<TensorBody>();
    body->shape = shape;
    body->strides = contiguous_strides(shape);
    body->numel = numel(shape);
    body->dtype = dtype;
    body->device = device;
    return body;
}

std::size_t checked_bytes(const TensorBody& body) {
    std::int64_t bytes = 0;
    if (__builtin_mul_overflow(body.numel, static_cast<std::int64_t>(size_of(body.dtype)),
                               &bytes)) {
        throw OutOfMemory("A tensor of shape " + body.shape.str() + " does not fit in memory.");
    }
    return static_cast<std::size_t>(bytes);
}

double load(const std::byte* at, DType dtype) {
    const auto read = [at]<class T>(T value) {
        std::memcpy(&value, at, sizeof value);
        return value;
    };
    switch (dtype) {
    case DType::Bool:
        return read(std::uint8_t{}) != 0 ? 1 : 0;
    case DType::UInt8:
        return read(std::uint8_t{});
    case DType::Int32:
        return read(std::int32_t{});
    case DType::Int64:
        return static_cast<double>(read(std::int64_t{}));
    case DType::Float16:
        return to_float(read(Half{}));
    case DType::BFloat16:
        return to_float(read(BFloat16{}));
    case DType::Float32:
        return read(0.0F);
    case DType::Float64:
        return read(0.0);
    }
    return 0;
}

Tensor on_cpu(const Tensor& tensor) {
    if (tensor.device().type == DeviceType::Cpu) return tensor;
    Tensor copy = Tensor::empty(tensor.shape(), tensor.dtype());
    copy.copy_(tensor);
    return copy;
}

const TensorBody& need(const std::shared_ptr<TensorBody>& body) {
    if (body == nullptr) throw ValueError("An undefined tensor was used.");
    return *body;
}

/// What depends on values cannot be replayed with others.
void refuse_in_trace(const char* what) {
    if (recorder() != nullptr)
        throw ValueError(std::string(what) +
                         " reads values of a step that is traced for its shapes only.");
}

const TensorBody& need_data(const std::shared_ptr<TensorBody>& body) {
    if (need(body).storage == nullptr) {
        throw ValueError("A tensor of shape " + body->shape.str() +
                         " has no data: it was made in shape-only mode.");
    }
    return *body;
}

} // namespace

Storage::Storage(std::size_t bytes, Device device)
    : data_(static_cast<std::byte*>(allocate(bytes, device))), bytes_(bytes), device_(device),
      owned_(true) {}

Storage::Storage(void* data, std::size_t bytes, std::shared_ptr<void> keep_alive)
    : data_(static_cast<std::byte*>(data)), bytes_(bytes), owned_(false),
      keep_alive_(std::move(keep_alive)) {}

Storage::~Storage() {
    if (owned_) release(data_, bytes_, device_);
}

TensorBody::TensorBody() {
    g_live_tensors.fetch_add(1, std::memory_order_relaxed);
}

TensorBody::TensorBody(const TensorBody& other)
    : shape(other.shape), strides(other.strides), numel(other.numel), offset(other.offset),
      dtype(other.dtype), device(other.device), contiguous(other.contiguous), traced(other.traced),
      storage(other.storage) {
    g_live_tensors.fetch_add(1, std::memory_order_relaxed);
}

TensorBody::~TensorBody() {
    g_live_tensors.fetch_sub(1, std::memory_order_relaxed);
}

bool shape_only_active() {
    return t_shape_only;
}

bool set_shape_only(bool value) {
    return std::exchange(t_shape_only, value);
}

Tensor shape_only_tensor(const Shape& shape, DType dtype, Device device) {
    return Tensor(make_body(shape, dtype, device));
}

std::int64_t live_tensor_count() {
    return g_live_tensors.load(std::memory_order_relaxed);
}

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device) {
    auto body = make_body(shape, dtype, device);
    const std::size_t bytes = checked_bytes(*body);
    if (!t_shape_only) body->storage = std::make_shared<Storage>(bytes, device);
    return Tensor(std::move(body));
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device device) {
    return full(shape, 0, dtype, device);
}

Tensor Tensor::full(const Shape& shape, double value, DType dtype, Device device) {
    Tensor result = empty(shape, dtype, device);
    if (!result.has_data()) {
        if (Recorder* const watching = recorder()) watching->filled(result, value);
        return result;
    }
    if (device.type == DeviceType::Cpu) {
        if (value == 0 && !std::signbit(value)) {
            std::memset(result.body_->data(), 0, result.nbytes());
        } else {
            TensorBody source;
            source.dtype = DType::Float64;
            source.storage = std::make_shared<Storage>(&value, sizeof value, nullptr);
            kernel::copy_elements(*result.body_, source);
        }
    } else {
        result.fill_(value);
    }
    return result;
}

Tensor Tensor::scalar(double value, DType dtype) {
    return full({}, value, dtype);
}

Tensor Tensor::from_bytes(const void* values, std::size_t count, const Shape& shape, DType dtype) {
    if (static_cast<std::int64_t>(count) != wiregrad::numel(shape)) {
        throw ShapeError("Shape " + shape.str() + " has " + std::to_string(wiregrad::numel(shape)) +
                         " elements, but " + std::to_string(count) + " values were given.");
    }
    // A traced step keeps such a tensor as a constant, so it needs its data.
    const bool shapes = t_shape_only;
    if (recorder() != nullptr) t_shape_only = false;
    struct Restore {
        bool value;
        ~Restore() { t_shape_only = value; }
    } const restore{shapes};
    Tensor result = empty(shape, dtype);
    if (result.has_data() && count > 0) std::memcpy(result.body_->data(), values, result.nbytes());
    return result;
}

Tensor Tensor::wrap(void* data, const Shape& shape, DType dtype, std::shared_ptr<void> keep_alive) {
    auto body = make_body(shape, dtype, {});
    const std::size_t bytes = checked_bytes(*body);
    body->storage = std::make_shared<Storage>(data, bytes, std::move(keep_alive));
    return Tensor(std::move(body));
}

const Shape& Tensor::shape() const {
    return need(body_).shape;
}

const Strides& Tensor::strides() const {
    return need(body_).strides;
}

int Tensor::dim() const {
    return need(body_).shape.size();
}

std::int64_t Tensor::size(std::int64_t dim) const {
    const Shape& sizes = shape();
    if (sizes.empty())
        throw ShapeError("A 0-dim tensor has no sizes; dimension " + std::to_string(dim) +
                         " was asked for.");
    return sizes[wrap_dim(dim, sizes.size())];
}

std::int64_t Tensor::numel() const {
    return need(body_).numel;
}

DType Tensor::dtype() const {
    return need(body_).dtype;
}

Device Tensor::device() const {
    return need(body_).device;
}

bool Tensor::is_contiguous() const {
    return need(body_).contiguous;
}

bool Tensor::has_data() const {
    return need(body_).storage != nullptr;
}

const void* Tensor::raw() const {
    return need_data(body_).data();
}

void* Tensor::raw_mut() {
    need_data(body_);
    body_->storage->raise_version();
    return body_->data();
}

const void* Tensor::raw_data(DType expected) const {
    const TensorBody& body = need_data(body_);
    if (body.dtype != expected) {
        throw DTypeError("A " + str() + " tensor was read as " + std::string(name_of(expected)) +
                         ".");
    }
    if (body.device.type != DeviceType::Cpu)
        throw DeviceError("A tensor on " + body.device.str() +
                          " was read as if it were on the CPU.");
    return body.data();
}

void* Tensor::raw_data_mut(DType expected) {
    raw_data(expected);
    return raw_mut();
}

std::uint32_t Tensor::version() const {
    return has_data() ? body_->storage->version() : 0;
}

double Tensor::item() const {
    if (numel() != 1)
        throw ShapeError("item() needs a tensor with one element; this one has shape " +
                         shape().str() + ".");
    need_data(body_);
    refuse_in_trace("item()");
    const Tensor here = on_cpu(*this);
    return load(here.body_->data(), dtype());
}

std::vector<double> Tensor::to_vector() const {
    need_data(body_);
    refuse_in_trace("to_vector()");
    Tensor doubles = empty(shape(), DType::Float64);
    kernel::copy_elements(*doubles.body_, *on_cpu(*this).body_);
    const auto* first = static_cast<const double*>(doubles.raw());
    return {first, first + numel()};
}

void Tensor::copy_(const Tensor& source) {
    if (shape() != source.shape()) {
        throw ShapeError("copy_ needs equal shapes: the target has " + shape().str() +
                         ", the source " + source.shape().str() + ".");
    }
    const autograd::NoGrad no_grad;
    if (device() == source.device() || !has_data()) {
        static const Op& op = find_op("copy_");
        const Tensor inputs[] = {*this, source};
        call(op, inputs);
        return;
    }
    need_data(source.body_);
    // Between devices: the bytes travel contiguous and in one dtype, converted on whichever side is
    // at hand.
    Tensor from = source.contiguous();
    if (from.dtype() != dtype()) {
        Tensor converted = empty(shape(), dtype(), from.device());
        converted.copy_(from);
        from = converted;
    }
    Tensor to = is_contiguous() ? *this : empty(shape(), dtype(), device());
    const DeviceType other =
        device().type != DeviceType::Cpu ? device().type : source.device().type;
    device_memory(other).copy(to.raw_mut(), device(), from.raw(), from.device(), nbytes());
    if (!to.same_body(*this)) copy_(to);
}

void Tensor::fill_(double value) {
    const autograd::NoGrad no_grad;
    static const Op& op = find_op("fill_");
    const Tensor inputs[] = {*this};
    call(op, inputs, {{"value", value}});
}

Tensor Tensor::clone() const {
    Tensor result = empty(shape(), dtype(), device());
    result.copy_(*this);
    return result;
}

Tensor Tensor::contiguous() const {
    return is_contiguous() ? *this : clone();
}

Tensor Tensor::as_strided(const Shape& shape, const Strides& strides,
                          std::int64_t offset_elements) const {
    const TensorBody& source = need(body_);
    if (shape.size() != strides.size()) {
        throw ShapeError("as_strided: shape " + shape.str() + " and strides " + strides.str() +
                         " have different lengths.");
    }
    const std::int64_t count = wiregrad::numel(shape);
    std::int64_t last = offset_elements;
    bool inside = offset_elements >= 0;
    for (int i = 0; i < shape.size() && count > 0; ++i) {
        std::int64_t reach = 0;
        inside = inside && strides[i] >= 0 &&
                 !__builtin_mul_overflow(shape[i] - 1, strides[i], &reach) &&
                 !__builtin_add_overflow(last, reach, &last);
    }
    if (source.storage != nullptr) {
        const auto held =
            static_cast<std::int64_t>(source.storage->bytes() / size_of(source.dtype));
        inside = inside && (count == 0 ? offset_elements <= held : last < held);
    }
    if (!inside) {
        throw ShapeError("as_strided: shape " + shape.str() + " with strides " + strides.str() +
                         " from element " + std::to_string(offset_elements) +
                         " reaches outside the storage.");
    }
    auto body = std::make_shared<TensorBody>(source);
    body->shape = shape;
    body->strides = strides;
    body->numel = count;
    body->offset = offset_elements;
    body->contiguous = contiguous_geometry(shape, strides);
    return Tensor(std::move(body));
}

std::int64_t Tensor::storage_offset() const {
    return need(body_).offset;
}

Tensor Tensor::detach() const {
    return Tensor(std::make_shared<TensorBody>(need(body_)));
}

std::string Tensor::str() const {
    if (!defined()) return "undefined";
    std::string text = std::string(name_of(dtype())) + shape().str();
    if (!has_data() || numel() > 16) return text;
    text += " {";
    const char* separator = "";
    for (const double value : to_vector()) {
        char digits[32];
        std::snprintf(digits, sizeof digits, "%s%.6g", separator, value);
        text += digits;
        separator = ", ";
    }
    return text + "}";
}

} // namespace wiregrad
