#include "engine/nn/init.h"
#include "engine/nn/layers.h"

#include <fmt/core.h>

#include <limits>

#include "nodes/types/declare.h"

namespace wiregrad::graph::types {

namespace {

NodeType normalization(std::string id, std::vector<std::string> synonyms, std::string help) {
    NodeType type;
    type.id = type.label = std::move(id);
    type.category = "Normalization";
    type.formula = "y = (x - mean) / sqrt(var + eps) * weight + bias";
    type.synonyms = std::move(synonyms);
    type.help = std::move(help);
    type.inputs = one_in();
    type.outputs = one_out();
    return type;
}

ParamSpec eps() {
    return rate_param("eps", "Epsilon", 1e-5, 1,
                      "Keeps the division safe where everything is equal.");
}

template <class Layer>
NodeType batch_norm_type(std::string id, int min_rank, int max_rank, const char* form,
                         std::string help) {
    NodeType type = normalization(id, {"batch normalization", "bn", "normalize"}, std::move(help));
    type.params = {
        eps(),
        real_param("momentum", "Momentum", 0.1, 0, 1,
                   "How quickly the running statistics, used after training, follow the batches."),
        bool_param("affine", "Scale and shift", true,
                   "Train a scale and a shift for each channel."),
        bool_param("track_running_stats", "Running statistics", true,
                   "Keep statistics for use after training; off: always the batch's own."),
        later(bool_param("cumulative", "Plain average", false,
                         "The running statistics are averages over all batches (PyTorch's "
                         "momentum=None); the momentum has no meaning then."))};
    add_training_params(type, false);
    type.build = [=](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        const Shape& shape = context.inputs[0].shape;
        if (shape.size() < min_rank || shape.size() > max_rank)
            throw ShapeError(fmt::format("{} needs a {} input, got {}-D {}", id, form, shape.size(),
                                         shape.str()));
        need_floating(context, id);
        nn::BatchNormOptions options;
        options.num_features = shape[1];
        options.eps = context.real("eps");
        options.momentum = context.real("momentum");
        options.cumulative = context.flag("cumulative");
        options.affine = context.flag("affine");
        options.track_running_stats = context.flag("track_running_stats");
        options.dtype = context.inputs[0].dtype;
        return std::make_shared<Layer>(options);
    };
    type.pytorch = [id](const BuildContext& context) {
        Arguments arguments;
        arguments.positional(py(context.inputs[0].shape[1]))
            .option("eps", context.real("eps"), 1e-5);
        if (context.flag("cumulative"))
            arguments.option("momentum", std::string("None"));
        else
            arguments.option("momentum", context.real("momentum"), 0.1);
        return module_line(
            arguments.option("affine", context.flag("affine"), true)
                .option("track_running_stats", context.flag("track_running_stats"), true)
                .call("nn." + id));
    };
    return type;
}

/// The last `dims` sizes of a sample.
Dims normalized_shape(const BuildContext& context) {
    const Shape& shape = context.inputs[0].shape;
    const int count = static_cast<int>(context.integer("dims"));
    if (shape.size() < count + 1)
        throw ShapeError(fmt::format(
            "LayerNorm over the last {} dimensions needs {} dimensions with the batch, got {}-D {}",
            count, count + 1, shape.size(), shape.str()));
    Dims result;
    for (int i = shape.size() - count; i < shape.size(); ++i)
        result.push_back(shape[i]);
    return result;
}

NodeType layer_norm_type() {
    NodeType type = normalization("LayerNorm", {"layer normalization", "ln", "normalize"},
                                  "Brings the numbers of each sample to mean 0 and deviation 1. "
                                  "Does not depend on the other samples; usual in transformers.");
    type.params = {
        int_param(
            "dims", "Dimensions", 1, 1, 7,
            "Over how many of the last dimensions; their sizes are PyTorch's normalized_shape."),
        eps(),
        bool_param("elementwise_affine", "Scale and shift", true,
                   "Train a scale and a shift for each number.")};
    add_training_params(type, false);
    type.build = [](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        need_floating(context, "LayerNorm");
        nn::LayerNormOptions options;
        options.normalized_shape = normalized_shape(context);
        options.eps = context.real("eps");
        options.elementwise_affine = context.flag("elementwise_affine");
        options.dtype = context.inputs[0].dtype;
        return std::make_shared<nn::LayerNorm>(options);
    };
    type.pytorch = [](const BuildContext& context) {
        const Dims shape = normalized_shape(context);
        return module_line(
            Arguments()
                .positional(shape.size() == 1 ? py(shape[0]) : py(shape))
                .option("eps", context.real("eps"), 1e-5)
                .option("elementwise_affine", context.flag("elementwise_affine"), true)
                .call("nn.LayerNorm"));
    };
    return type;
}

/// A scale and a shift for each channel, or neither, around a function.
class Affine : public nn::Module {
  public:
    using Function =
        std::function<Tensor(const Tensor& x, const Tensor& weight, const Tensor& bias)>;
    Affine(const Shape& shape, bool weight, bool bias, DType dtype, Function function)
        : function_(std::move(function)) {
        if (weight) weight_ = &add_parameter("weight", Tensor::full(shape, 1, dtype));
        if (bias) bias_ = &add_parameter("bias", Tensor::zeros(shape, dtype));
    }
    Tensors forward(std::span<const Tensor> inputs, const nn::ForwardContext&) override {
        return {function_(inputs[0], weight_ ? *weight_ : Tensor(), bias_ ? *bias_ : Tensor())};
    }
    void reset_parameters(nn::Generator&) override {
        if (weight_) nn::init::ones(*weight_);
        if (bias_) nn::init::zeros(*bias_);
    }

  private:
    Function function_;
    Tensor* weight_ = nullptr;
    Tensor* bias_ = nullptr;
};

NodeType group_norm_type() {
    NodeType type = normalization("GroupNorm", {"group normalization", "gn", "normalize"},
                                  "Brings groups of channels of each sample to mean 0 and "
                                  "deviation 1. Does not depend on the batch, for small batches.");
    type.params = {int_param("num_groups", "Groups", 8, 1, 1000000,
                             "The channels are split into so many groups."),
                   eps(),
                   bool_param("affine", "Scale and shift", true,
                              "Train a scale and a shift for each channel.")};
    add_training_params(type, false);
    type.build = [](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        const Shape& shape = context.inputs[0].shape;
        need_floating(context, "GroupNorm");
        const std::int64_t groups = context.integer("num_groups");
        if (shape.size() < 2 || shape[1] % groups != 0)
            throw ValueError(fmt::format("GroupNorm: the channels of {} cannot be split into {} "
                                         "groups",
                                         shape.str(), groups));
        const bool affine = context.flag("affine");
        return std::make_shared<Affine>(
            Shape{shape[1]}, affine, affine, context.inputs[0].dtype,
            [groups, eps = context.real("eps")](const Tensor& x, const Tensor& w, const Tensor& b) {
                return group_norm(x, groups, w, b, eps);
            });
    };
    type.pytorch = [](const BuildContext& context) {
        return module_line(Arguments()
                               .positional(py(context.integer("num_groups")))
                               .positional(py(context.inputs[0].shape[1]))
                               .option("eps", context.real("eps"), 1e-5)
                               .option("affine", context.flag("affine"), true)
                               .call("nn.GroupNorm"));
    };
    return type;
}

NodeType instance_norm_type(int rank, const char* form) {
    const std::string id = fmt::format("InstanceNorm{}d", rank);
    NodeType type = normalization(id, {"instance normalization", "style", "normalize"},
                                  "Brings each channel of each sample to mean 0 and deviation 1: "
                                  "contrast and colour go, forms stay. Common for style transfer.");
    type.params = {eps(), bool_param("affine", "Scale and shift", false,
                                     "Train a scale and a shift for each channel.")};
    add_training_params(type, false);
    type.build = [id, rank, form](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        need_rank(context, rank + 2, id, form);
        need_floating(context, id);
        const bool affine = context.flag("affine");
        return std::make_shared<Affine>(
            Shape{context.inputs[0].shape[1]}, affine, affine, context.inputs[0].dtype,
            [eps = context.real("eps")](const Tensor& x, const Tensor& w, const Tensor& b) {
                return instance_norm(x, {}, {}, w, b, true, 0.1, eps);
            });
    };
    type.pytorch = [id](const BuildContext& context) {
        return module_line(Arguments()
                               .positional(py(context.inputs[0].shape[1]))
                               .option("eps", context.real("eps"), 1e-5)
                               .option("affine", context.flag("affine"), false)
                               .call("nn." + id));
    };
    return type;
}

NodeType rms_norm_type() {
    NodeType type = normalization("RMSNorm", {"root mean square", "normalize", "llama"},
                                  "Brings the numbers of each sample to a common size without "
                                  "moving their mean. As LayerNorm, and cheaper.");
    type.formula = "y = x / sqrt(mean(x * x) + eps) * weight";
    ParamSpec own_eps = real_param("eps", "Epsilon", 0, 0, 1,
                                   "Keeps the division safe. 0: the smallest step of the number "
                                   "type, as PyTorch's None.");
    type.params = {
        int_param("dims", "Dimensions", 1, 1, 7, "Over how many of the last dimensions."), own_eps,
        bool_param("elementwise_affine", "Scale", true, "Train a scale for each number.")};
    add_training_params(type, false);
    const auto eps_of = [](const BuildContext& context) {
        const double given = context.real("eps");
        if (given > 0) return given;
        return context.inputs[0].dtype == DType::Float64
                   ? std::numeric_limits<double>::epsilon()
                   : static_cast<double>(std::numeric_limits<float>::epsilon());
    };
    type.build = [eps_of](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        need_floating(context, "RMSNorm");
        return std::make_shared<Affine>(normalized_shape(context),
                                        context.flag("elementwise_affine"), false,
                                        context.inputs[0].dtype,
                                        [dims = normalized_shape(context), eps = eps_of(context)](
                                            const Tensor& x, const Tensor& w, const Tensor&) {
                                            return rms_norm(x, dims, w, eps);
                                        });
    };
    // As operations: torch.nn.RMSNorm came with PyTorch 2.4.
    type.pytorch = [eps_of](const BuildContext& context) {
        std::string dims;
        for (std::int64_t d = 1; d <= context.integer("dims"); ++d)
            dims += fmt::format("{}-{}", d == 1 ? "" : ", ", d);
        const std::string normal =
            fmt::format("{{0}} * torch.rsqrt({{0}}.pow(2).mean(({},), keepdim=True) + {})", dims,
                        py(eps_of(context)));
        if (!context.flag("elementwise_affine")) return Emitted{"", "(" + normal + ")"};
        const Dims shape = normalized_shape(context);
        return Emitted{fmt::format("nn.ParameterDict({{\"weight\": nn.Parameter(torch.ones({}))}})",
                                   py(shape)),
                       "(" + normal + " * {self}[\"weight\"])"};
    };
    return type;
}

NodeType local_response_norm_type() {
    NodeType type = normalization("LocalResponseNorm", {"lrn", "alexnet", "normalize"},
                                  "Makes numbers smaller where neighbouring channels are loud, as "
                                  "in AlexNet.");
    type.formula = "y = x / (k + alpha * mean of x * x over size channels)^beta";
    type.params = {
        int_param("size", "Channels", 5, 1, 10000, "How many channels are neighbours."),
        real_param("alpha", "Alpha", 1e-4, 0, 1000, "How strongly neighbours count."),
        real_param("beta", "Beta", 0.75, 0, 100, "The power of the sum that it is divided by."),
        real_param("k", "K", 1, 0, 1000, "What is there without neighbours.")};
    type.build = [](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        need_floating(context, "LocalResponseNorm");
        if (context.inputs[0].shape.size() < 3)
            throw ShapeError(fmt::format("LocalResponseNorm needs channels and places (3-D or "
                                         "more), got {}",
                                         context.inputs[0].shape.str()));
        return make_unary([size = context.integer("size"), alpha = context.real("alpha"),
                           beta = context.real("beta"), k = context.real("k")](const Tensor& x) {
            return local_response_norm(x, size, alpha, beta, k);
        });
    };
    type.pytorch = [](const BuildContext& context) {
        return module_line(Arguments()
                               .positional(py(context.integer("size")))
                               .option("alpha", context.real("alpha"), 1e-4)
                               .option("beta", context.real("beta"), 0.75)
                               .option("k", context.real("k"), 1.0)
                               .call("nn.LocalResponseNorm"));
    };
    return type;
}

} // namespace

std::vector<NodeType> normalization_types() {
    return {batch_norm_type<nn::BatchNorm1d>("BatchNorm1d", 2, 3, "2-D (N × C) or 3-D (N × C × L)",
                                             "Brings each feature to mean 0 and deviation 1 over "
                                             "the batch. Training becomes quicker and steadier."),
            batch_norm_type<nn::BatchNorm2d>(
                "BatchNorm2d", 4, 4, "4-D (N × C × H × W)",
                "Brings each channel of pictures to mean 0 and deviation 1 over the batch. "
                "Training becomes quicker and steadier."),
            layer_norm_type(),
            batch_norm_type<nn::BatchNorm3d>("BatchNorm3d", 5, 5, "5-D (N × C × D × H × W)",
                                             "Brings each channel of volumes to mean 0 and "
                                             "deviation 1 over the batch."),
            group_norm_type(),
            instance_norm_type(1, "N × C × L"),
            instance_norm_type(2, "N × C × H × W"),
            instance_norm_type(3, "N × C × D × H × W"),
            rms_norm_type(),
            local_response_norm_type()};
}

} // namespace wiregrad::graph::types
