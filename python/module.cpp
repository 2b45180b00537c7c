// The Python module `wiregrad`: a wired network in a notebook. The GIL is let go while the engine
// computes; errors arrive as exceptions with the engine's sentences.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <memory>
#include <mutex>

#include "app/cli/commands.h"
#include "engine/op/ops.h"
#include "python/project.h"
#include "python/values.h"

namespace wiregrad::python {

namespace py = pybind11;

namespace {

/// Calls from several Python threads take turns; nobody holds the GIL while waiting.
class Handle {
  public:
    Handle(const std::string& path, const LoadOptions& options)
        : project_(std::make_unique<Project>(path, options)) {}
    ~Handle() {
        const py::gil_scoped_release released; // the run's thread may have to let go of arrays
        project_.reset();
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    template <class F> auto call(F task) {
        const py::gil_scoped_release released;
        const std::lock_guard lock(mutex_);
        return task(*project_);
    }
    Project& project() const { return *project_; }

  private:
    std::unique_ptr<Project> project_;
    std::mutex mutex_;
};

/// Ctrl+C in Python ends a call that waits; the exception is raised when it returns.
bool interrupted() {
    const py::gil_scoped_acquire gil;
    return PyErr_CheckSignals() != 0;
}
template <class T> T unless_interrupted(T result) {
    if (PyErr_Occurred()) throw py::error_already_set();
    return result;
}

py::dict dict_of(const Values& values) {
    py::dict result;
    for (const auto& [name, value] : values)
        result[py::str(name)] = value;
    return result;
}

/// What a network takes: float64, as NumPy makes it, becomes float32.
Tensor input_from(const py::object& value) {
    Tensor tensor = tensor_from(value);
    if (tensor.dtype() == DType::Float64) tensor = to(tensor, DType::Float32);
    return tensor;
}

py::object outputs_of(const std::vector<std::pair<std::string, Tensor>>& outputs) {
    if (outputs.size() == 1) return py::cast(outputs[0].second);
    py::dict result;
    for (const auto& [node, tensor] : outputs)
        result[py::str(node)] = tensor;
    return result;
}

std::string as_text(const py::handle& value) {
    if (py::isinstance<py::bool_>(value)) return value.cast<bool>() ? "true" : "false";
    if (py::isinstance<py::list>(value) || py::isinstance<py::tuple>(value)) {
        std::string text;
        for (const py::handle each : value)
            text += (text.empty() ? "" : ", ") + py::str(each).cast<std::string>();
        return text;
    }
    return py::str(value).cast<std::string>();
}

std::unique_ptr<Handle> load(const std::string& path, const std::string& weights,
                             std::optional<std::int64_t> epochs,
                             std::optional<std::int64_t> batch_size,
                             std::optional<std::int64_t> seed, const py::dict& set,
                             const py::dict& data, bool with_data) {
    LoadOptions options{weights, {}, {}, epochs, batch_size, seed, with_data};
    for (const auto& [name, value] : set)
        options.set.push_back(as_text(name) + "=" + as_text(value));
    for (const auto& [name, value] : data)
        options.data.push_back(as_text(name) + "=" + as_text(value));
    const py::gil_scoped_release released;
    return std::make_unique<Handle>(path, options);
}

py::dict named_tensors(Handle& self, bool trained) {
    self.project().share_weights();
    py::dict result;
    const std::vector<std::string> names = self.project().trained();
    for (const nn::NamedTensor& weight : self.project().state())
        if (!trained || std::find(names.begin(), names.end(), weight.name) != names.end())
            result[py::str(weight.name)] = weight.tensor.detach();
    return result;
}

void bind_errors(py::module_& module) {
    static py::exception<Error> base(module, "Error", PyExc_RuntimeError);
    static py::exception<ShapeError> shape(module, "ShapeError", base.ptr());
    static py::exception<DTypeError> dtype(module, "DTypeError", base.ptr());
    static py::exception<ValueError> value(module, "ValueError", base.ptr());
    static py::exception<FileError> file(module, "FileError", base.ptr());
    static py::exception<DataError> data(module, "DataError", base.ptr());
    static py::exception<DeviceError> device(module, "DeviceError", base.ptr());
    static py::exception<OutOfMemory> memory(module, "OutOfMemory", base.ptr());
    static py::exception<RunError> run(module, "RunError", base.ptr());
    py::register_exception_translator([](std::exception_ptr pointer) {
        try {
            if (pointer) std::rethrow_exception(pointer);
        } catch (const ShapeError& error) {
            shape(error.what());
        } catch (const DTypeError& error) {
            dtype(error.what());
        } catch (const ValueError& error) {
            value(error.what());
        } catch (const FileError& error) {
            file(error.what());
        } catch (const DataError& error) {
            data(error.what());
        } catch (const DeviceError& error) {
            device(error.what());
        } catch (const OutOfMemory& error) {
            memory(error.what());
        } catch (const RunError& error) {
            run(error.what());
        } catch (const Error& error) {
            base(error.what());
        }
    });
}

} // namespace

PYBIND11_MODULE(wiregrad, module) {
    module.doc() = "Wiregrad's networks in Python: load a project, run it, train it, look at its "
                   "weights without a copy.";
    module.attr("__version__") = WIREGRAD_VERSION;
    bind_errors(module);
    bind_tensor(module);

    py::class_<Handle>(module, "Project", "A project with its network; made by load().")
        .def_property_readonly(
            "title", [](const Handle& self) { return self.project().graph().title(); })
        .def_property_readonly(
            "nodes",
            [](const Handle& self) {
                py::dict result;
                for (const auto& [id, node] : self.project().graph().nodes())
                    result[py::str(id)] = node.type;
                return result;
            },
            "Node ids and their types.")
        .def("parameters", [](Handle& self) { return named_tensors(self, true); },
             "The weights that are trained, by name: the model's own memory.")
        .def("state", [](Handle& self) { return named_tensors(self, false); },
             "All weights and running statistics, by name: the model's own memory.")
        .def(
            "load_state",
            [](Handle& self, const py::dict& tensors) {
                std::vector<nn::NamedTensor> state;
                for (const auto& [name, value] : tensors)
                    state.push_back({name.cast<std::string>(),
                                     tensor_from(py::reinterpret_borrow<py::object>(value))});
                self.call([&](Project& project) { project.load_state(state); });
            },
            py::arg("tensors"),
            "Copies weights by name, for example a PyTorch state_dict; all of them or none.")
        .def(
            "load_weights",
            [](Handle& self, const std::string& path) {
                self.call([&](Project& project) { project.load_weights(path); });
            },
            py::arg("path"), "Weights from HDF5, Keras, safetensors or NPZ.")
        .def(
            "save_weights",
            [](Handle& self, const std::string& path) {
                self.call([&](Project& project) { project.save_weights(path); });
            },
            py::arg("path") = "", "Beside the project, where Wiregrad looks for them.")
        .def(
            "forward",
            [](Handle& self, const py::object& x) {
                const Tensor input = input_from(x);
                return outputs_of(
                    self.call([&](Project& project) { return project.forward(input); }));
            },
            py::arg("x"),
            "What the network says of a batch, in evaluation mode: a Tensor, or a dict by node.")
        .def("__call__",
             [](Handle& self, const py::object& x) {
                 const Tensor input = input_from(x);
                 return outputs_of(
                     self.call([&](Project& project) { return project.forward(input); }));
             })
        .def(
            "value",
            [](Handle& self, const std::string& node, const py::object& x,
               const std::string& port) {
                const Tensor input = input_from(x);
                return self.call(
                    [&](Project& project) { return project.value(node, port, input); });
            },
            py::arg("node"), py::arg("x"), py::arg("port") = "",
            "What comes out of one node for a batch.")
        .def(
            "train_step",
            [](Handle& self, const py::args& fields) {
                std::vector<Tensor> batch;
                for (const py::handle field : fields)
                    batch.push_back(tensor_from(py::reinterpret_borrow<py::object>(field)));
                return dict_of(unless_interrupted(self.call([&](Project& project) {
                    return project.train_step(batch, interrupted);
                })));
            },
            "One update on the given batch (x, y), or without arguments on the project's next one. "
            "Gives losses and metrics before it.")
        .def(
            "train_epoch",
            [](Handle& self) {
                return dict_of(unless_interrupted(self.call(
                    [](Project& project) { return project.train_epoch(interrupted); })));
            },
            "To the end of the epoch. Gives means of losses and metrics over the validation data, "
            "or without them over the epoch.")
        .def(
            "evaluate",
            [](Handle& self, const std::string& split) {
                return dict_of(
                    self.call([&](Project& project) { return project.evaluate(split); }));
            },
            py::arg("split") = "test")
        .def_property_readonly("step", [](const Handle& self) { return self.project().step(); })
        .def_property_readonly("epoch", [](const Handle& self) { return self.project().epoch(); })
        .def_property_readonly("epochs", [](const Handle& self) { return self.project().epochs(); })
        .def_property_readonly("finished",
                               [](const Handle& self) { return self.project().finished(); })
        .def(
            "export",
            [](Handle& self, const std::string& target, const std::string& path) {
                return self.call(
                    [&](Project& project) { return project.export_to(target, path); });
            },
            py::arg("target"), py::arg("path"),
            "As `wiregrad export`: pytorch, jax, keras, onnx, cpp, safetensors, ... Gives the "
            "files written.")
        .def("__repr__", [](const Handle& self) {
            return "wiregrad.Project \"" + self.project().graph().title() + "\"";
        });

    module.def("load", &load, py::arg("path"), py::kw_only(), py::arg("weights") = "",
               py::arg("epochs") = py::none(), py::arg("batch_size") = py::none(),
               py::arg("seed") = py::none(), py::arg("set") = py::dict(),
               py::arg("data") = py::dict(), py::arg("with_data") = true,
               "Opens a .wiregrad file with its weights. set={\"adam.lr\": 0.01} changes "
               "parameters, data={\"digits\": \"folder\"} where data come from.");
    module.def("example", &cli::example_path, py::arg("name"),
               "The file of a built-in example, such as \"digits-lenet\".");
    module.def("examples", &cli::example_names);
    module.def(
        "tensor",
        [](const py::object& value, bool copy) { return tensor_from(value, copy); },
        py::arg("value"), py::arg("copy") = false,
        "A Tensor over the memory of an array, without a copy where that is possible.");
    module.def("from_dlpack", &tensor_from_dlpack, py::arg("value"));
}

} // namespace wiregrad::python
