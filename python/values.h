// Tensors for Python: the buffer protocol and DLPack both ways, without a copy. Under the GIL.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "engine/core/tensor.h"

namespace wiregrad::python {

/// A tensor over the memory of whatever has the buffer protocol or DLPack, kept alive by it; a copy
/// only where its elements or strides have no tensor. `copy` forces one.
Tensor tensor_from(const pybind11::object& value, bool copy = false);
Tensor tensor_from_dlpack(const pybind11::object& value);
/// Adds the class Tensor to the module.
void bind_tensor(pybind11::module_& module);

} // namespace wiregrad::python
