#include "nodes/catalogue.h"

#include "engine/core/error.h"

namespace wiregrad::graph {

namespace {

constexpr std::int64_t kBatch = 8;

/// What usually comes in: pictures, rows, sequences, volumes, whole numbers.
std::vector<TensorMeta> usual_inputs() {
    return {{{kBatch, 16, 32, 32}, DType::Float32},
            {{kBatch, 64}, DType::Float32},
            {{kBatch, 32, 64}, DType::Float32},
            {{kBatch, 8, 16, 16, 16}, DType::Float32},
            {{kBatch, 32}, DType::Int64}};
}

/// Sequences first where the help of the input says so, rows where a layer of numbers is meant.
std::vector<TensorMeta> ordered_inputs(const NodeType& type) {
    std::vector<TensorMeta> all = usual_inputs();
    const bool pictures = type.category == "Convolution" || type.category == "Pooling" ||
                          type.category == "Shape" || type.category == "Normalization";
    if (!pictures) std::swap(all[0], all[1]);
    return all;
}

std::optional<TypeExample> tried(const NodeType& type, const std::vector<TensorMeta>& inputs,
                                 const std::vector<int>& counts) {
    const Params params = default_params(type);
    const BuildContext context{params, inputs, counts};
    try {
        const ShapeOnly scope;
        TypeExample example;
        example.inputs = inputs;
        if (type.build) {
            const std::shared_ptr<nn::Module> module = type.build(context);
            Tensors tensors;
            for (const TensorMeta& meta : inputs)
                tensors.push_back(Tensor::empty(meta.shape, meta.dtype));
            nn::ForwardContext forward;
            forward.state.random = Tensor::empty({2}, DType::Int64);
            for (const Tensor& out : module->forward(tensors, forward))
                example.outputs.push_back({out.shape(), out.dtype()});
            for (const nn::NamedTensor& weight : module->parameters())
                example.weights += weight.tensor.numel();
        }
        if (type.pytorch) example.pytorch = type.pytorch(context);
        return example;
    } catch (const Error&) {
        return std::nullopt;
    }
}

} // namespace

std::optional<TypeExample> example_of(const NodeType& type) {
    if (type.role == Role::Optimizer) return tried(type, {}, {});
    if (!type.build) return std::nullopt;
    std::size_t required = 0;
    for (const PortSpec& port : type.inputs)
        required += port.optional ? 0 : port.many ? 2 : 1;
    std::vector<int> counts;
    for (const PortSpec& port : type.inputs)
        counts.push_back(port.optional ? 0 : port.many ? 2 : 1);
    for (const TensorMeta& first : ordered_inputs(type)) {
        // The further inputs like the first; or labels: one for each place, or for each sample.
        Shape places = first.shape;
        if (places.size() > 1) places.erase(1);
        for (const TensorMeta& other :
             {first, TensorMeta{places, DType::Int64}, TensorMeta{{kBatch}, DType::Int64},
              TensorMeta{first.shape, DType::Int64}}) {
            std::vector<TensorMeta> inputs(required, other);
            if (required > 0) inputs[0] = first;
            if (auto example = tried(type, inputs, counts)) return example;
        }
    }
    return std::nullopt;
}

} // namespace wiregrad::graph
