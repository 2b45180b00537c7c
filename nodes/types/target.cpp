#include "nodes/types/target.h"

#include <fmt/core.h>

namespace wiregrad::graph::types {

Tensor Target::apply(const Tensor& target, DType dtype) const {
    Tensor result = convert ? to(target, dtype) : target;
    return unsqueeze ? wiregrad::unsqueeze(result, -1) : result;
}

std::string Target::python(const std::string& name) const {
    return name + (convert ? ".float()" : "") + (unsqueeze ? ".unsqueeze(-1)" : "");
}

Target fit_target(const BuildContext& context, const std::string& who) {
    const TensorMeta& input = context.inputs[0];
    const TensorMeta& target = context.inputs[1];
    Target result;
    result.convert = target.dtype != input.dtype;
    Shape shape = target.shape;
    if (shape.size() + 1 == input.shape.size() && input.shape.back() == 1) {
        shape.push_back(1);
        result.unsqueeze = true;
    }
    if (!(shape == input.shape))
        throw ShapeError(fmt::format("{} compares number by number: input {} and target {} differ",
                                     who, input.shape.str(), target.shape.str()));
    return result;
}

} // namespace wiregrad::graph::types
