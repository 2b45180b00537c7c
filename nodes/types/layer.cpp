#include "engine/nn/functional.h"
#include "engine/nn/layers.h"

#include <fmt/core.h>

#include "nodes/types/declare.h"

namespace wiregrad::graph::types {

namespace {

NodeType layer(std::string id, std::vector<std::string> synonyms, std::string help) {
    NodeType type;
    type.id = type.label = std::move(id);
    type.category = "Layers";
    type.synonyms = std::move(synonyms);
    type.help = std::move(help);
    type.inputs = one_in();
    type.outputs = one_out();
    return type;
}

NodeType linear_type() {
    NodeType type =
        layer("Linear", {"dense", "fc", "fully connected", "perceptron", "mlp", "affine"},
              "Every output is a weighted sum of all inputs, plus a bias. The basic layer.");
    type.formula = "y = x @ weight.T + bias";
    type.params = {int_param("out_features", "Outputs", 128, 1, 1000000,
                             "How many numbers come out: the width of the layer."),
                   bool_param("bias", "Bias", true, "Add a trained number to each output.")};
    add_training_params(type);
    type.build = [](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        need_floating(context, "Linear");
        const Shape& shape = context.inputs[0].shape;
        if (shape.size() < 2)
            throw ShapeError(
                fmt::format("Linear needs features to weigh (N × features), got {}-D {}",
                            shape.size(), shape.str()));
        return std::make_shared<nn::Linear>(shape.back(), context.integer("out_features"),
                                            context.flag("bias"), context.inputs[0].dtype);
    };
    type.pytorch = [](const BuildContext& context) {
        return module_line(Arguments()
                               .positional(py(context.inputs[0].shape.back()))
                               .positional(py(context.integer("out_features")))
                               .option("bias", context.flag("bias"), true)
                               .call("nn.Linear"));
    };
    return type;
}

NodeType embedding_type() {
    NodeType type = layer(
        "Embedding", {"lookup", "word vectors", "token"},
        "Looks up a trained row of numbers for each whole number, such as a character or a word.");
    type.formula = "y = weight[x]";
    type.params = {
        int_param("num_embeddings", "Entries", 256, 1, 100000000,
                  "How many different numbers can come in."),
        int_param("embedding_dim", "Width", 64, 1, 1000000, "How many numbers stand for each."),
        int_param("padding_idx", "Padding entry", -1, -1, 100000000,
                  "An entry that stays zero and is not trained; -1: none.")};
    add_training_params(type);
    type.build = [](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        if (!is_integral(context.inputs[0].dtype))
            throw DTypeError(fmt::format("Embedding looks up whole numbers, got {}",
                                         name_of(context.inputs[0].dtype)));
        const std::int64_t entries = context.integer("num_embeddings"),
                           padding = context.integer("padding_idx");
        if (padding >= entries)
            throw ValueError(fmt::format(
                "Embedding has {} entries, padding_idx {} is not one of them", entries, padding));
        return std::make_shared<nn::Embedding>(entries, context.integer("embedding_dim"),
                                               padding < 0 ? std::nullopt
                                                           : std::optional<std::int64_t>(padding));
    };
    type.pytorch = [](const BuildContext& context) {
        return module_line(
            Arguments()
                .positional(py(context.integer("num_embeddings")))
                .positional(py(context.integer("embedding_dim")))
                .option("padding_idx", context.integer("padding_idx"), std::int64_t{-1})
                .call("nn.Embedding"));
    };
    return type;
}

NodeType dropout_type() {
    NodeType type = layer("Dropout", {"regularization", "drop"},
                          "While training, sets a random part of the numbers to zero, so that no "
                          "unit relies on another. Works against overfitting.");
    type.formula = "y = x * mask / (1 - p)";
    type.params = {real_param("p", "Part", 0.5, 0, 1, "How much is dropped: 0.5 is half.")};
    type.build = [](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        need_floating(context, "Dropout");
        return std::make_shared<nn::Dropout>(context.real("p"), context.stream);
    };
    type.pytorch = [](const BuildContext& context) {
        return module_line(Arguments().option("p", context.real("p"), 0.5).call("nn.Dropout"));
    };
    return type;
}

NodeType identity_type() {
    NodeType type = layer("Identity", {"pass", "nothing", "noop"},
                          "Passes its input on unchanged. Handy as a named place in the network.");
    type.formula = "y = x";
    type.build = [](const BuildContext&) { return make_unary([](const Tensor& x) { return x; }); };
    type.pytorch = [](const BuildContext&) { return module_line("nn.Identity()"); };
    return type;
}

/// Dropout of whole channels, and AlphaDropout.
NodeType special_dropout(std::string id, int rank, const char* form, std::string help) {
    NodeType type = layer(id, {"regularization", "drop"}, std::move(help));
    type.formula = rank > 0 ? "y = x * mask of its channel / (1 - p)"
                            : "y = a * (x where kept, else -1.758) + b";
    type.params = {real_param("p", "Part", 0.5, 0, 1, "How much is dropped: 0.5 is half.")};
    type.build = [id, rank, form](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        need_floating(context, id);
        if (rank > 0) need_rank(context, rank + 2, id, form);
        return make_function([p = context.real("p"), stream = context.stream,
                              rank](std::span<const Tensor> xs, const nn::ForwardContext& state) {
            if (!state.training || p == 0) return Tensors{xs[0]};
            return Tensors{rank > 0 ? nn::channel_dropout(xs[0], p, state.state.random, stream)
                                    : nn::alpha_dropout(xs[0], p, state.state.random, stream)};
        });
    };
    type.pytorch = [id](const BuildContext& context) {
        return module_line(Arguments().option("p", context.real("p"), 0.5).call("nn." + id));
    };
    return type;
}

NodeType embedding_bag_type() {
    NodeType type =
        layer("EmbeddingBag", {"lookup", "bag of words", "token"},
              "Looks up a trained row for each whole number of a sample and joins the rows to one: "
              "a text as the sum or mean of its words.");
    type.formula = "y = mean of weight[x[i]] over i";
    type.params = {
        int_param("num_embeddings", "Entries", 256, 1, 100000000,
                  "How many different numbers can come in."),
        int_param("embedding_dim", "Width", 64, 1, 1000000, "How many numbers stand for each."),
        choice_param("mode", "Joined by", "mean",
                     {{"mean", "Mean"}, {"sum", "Sum"}, {"max", "Largest"}},
                     "How the rows of a sample become one.")};
    add_training_params(type);
    type.build = [](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        need_rank(context, 2, "EmbeddingBag", "N × entries");
        if (!is_integral(context.inputs[0].dtype))
            throw DTypeError(fmt::format("EmbeddingBag looks up whole numbers, got {}",
                                         name_of(context.inputs[0].dtype)));
        class Bag : public nn::Embedding {
          public:
            Bag(std::int64_t entries, std::int64_t width, std::string mode)
                : Embedding(entries, width), mode_(std::move(mode)) {}
            Tensors forward(std::span<const Tensor> xs, const nn::ForwardContext& c) override {
                const Tensor rows = Embedding::forward(xs, c).front();
                if (mode_ == "sum") return {sum(rows, {1})};
                if (mode_ == "mean") return {mean(rows, {1})};
                return {squeeze(gather(rows, 1, argmax(rows, 1, true)), 1)};
            }

          private:
            std::string mode_;
        };
        return std::make_shared<Bag>(context.integer("num_embeddings"),
                                     context.integer("embedding_dim"), context.text("mode"));
    };
    type.pytorch = [](const BuildContext& context) {
        Arguments arguments;
        arguments.positional(py(context.integer("num_embeddings")))
            .positional(py(context.integer("embedding_dim")));
        if (context.text("mode") != "mean")
            arguments.option("mode", "\"" + context.text("mode") + "\"");
        return module_line(arguments.call("nn.EmbeddingBag"));
    };
    return type;
}

std::vector<PortSpec> two_in() {
    return {tensor_port("x1"), tensor_port("x2")};
}

NodeType bilinear_type() {
    NodeType type = layer("Bilinear", {"product of two", "interaction"},
                          "Every output is a weighted sum of all products of a number of the first "
                          "input and one of the second.");
    type.formula = "y[o] = x1 @ weight[o] @ x2 + bias[o]";
    type.inputs = two_in();
    type.params = {
        int_param("out_features", "Outputs", 32, 1, 1000000, "How many numbers come out."),
        bool_param("bias", "Bias", true, "Add a trained number to each output.")};
    add_training_params(type);
    type.build = [](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        need_floating(context, "Bilinear");
        const Shape &a = context.inputs[0].shape, &b = context.inputs[1].shape;
        bool fits = a.size() == b.size() && a.size() >= 2;
        for (int d = 0; fits && d + 1 < a.size(); ++d)
            fits = a[d] == b[d];
        if (!fits)
            throw ShapeError(fmt::format("Bilinear: inputs {} and {} may differ in the last size "
                                         "only",
                                         a.str(), b.str()));
        return std::make_shared<nn::Bilinear>(a.back(), b.back(), context.integer("out_features"),
                                              context.flag("bias"), context.inputs[0].dtype);
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{Arguments()
                           .positional(py(context.inputs[0].shape.back()))
                           .positional(py(context.inputs[1].shape.back()))
                           .positional(py(context.integer("out_features")))
                           .option("bias", context.flag("bias"), true)
                           .call("nn.Bilinear"),
                       "{self}({0}, {1})"};
    };
    return type;
}

void need_alike(const BuildContext& context, const std::string& who) {
    need_floating(context, who);
    if (!(context.inputs[0].shape == context.inputs[1].shape))
        throw ShapeError(fmt::format("{} compares equal shapes, got {} and {}", who,
                                     context.inputs[0].shape.str(), context.inputs[1].shape.str()));
}

NodeType cosine_similarity_type() {
    NodeType type = layer("CosineSimilarity", {"angle", "similarity", "dot product"},
                          "How much two vectors point the same way: 1 the same, 0 at right angles, "
                          "-1 opposite.");
    type.formula = "x1 . x2 / (max(|x1|, eps) * max(|x2|, eps))";
    type.inputs = two_in();
    type.params = {int_param("dim", "Dimension", 1, 1, 7, "Along which dimension the vectors lie."),
                   rate_param("eps", "Epsilon", 1e-8, 1, "Shorter vectors count as this long.")};
    type.build = [](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        need_alike(context, "CosineSimilarity");
        const std::int64_t dim = context.integer("dim");
        if (dim >= context.inputs[0].shape.size())
            throw ValueError(fmt::format("CosineSimilarity: there is no dimension {} in {}", dim,
                                         context.inputs[0].shape.str()));
        return make_function([dim, eps = context.real("eps")](std::span<const Tensor> xs,
                                                              const nn::ForwardContext&) {
            const auto length = [&](const Tensor& x) {
                const Tensor size = sqrt(sum(square(x), {dim}));
                return maximum(size, Tensor::full(Shape{}, eps, x.dtype(), x.device()));
            };
            return Tensors{div(sum(mul(xs[0], xs[1]), {dim}), mul(length(xs[0]), length(xs[1])))};
        });
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{Arguments()
                           .option("dim", context.integer("dim"), std::int64_t{1})
                           .option("eps", context.real("eps"), 1e-8)
                           .call("nn.CosineSimilarity"),
                       "{self}({0}, {1})"};
    };
    return type;
}

NodeType pairwise_distance_type() {
    NodeType type =
        layer("PairwiseDistance", {"distance", "norm", "metric learning"},
              "How far each row of the first input is from the same row of the second.");
    type.formula = "(sum of |x1 - x2 + eps|^p over the last dimension)^(1/p)";
    type.inputs = two_in();
    type.params = {
        real_param("p", "Power", 2, 1, 64,
                   "2 is the straight distance, 1 around the "
                   "block."),
        rate_param("eps", "Epsilon", 1e-6, 1, "Added to each difference."),
        bool_param("keepdim", "Keep as 1", false, "Leave the last dimension there with size 1.")};
    type.build = [](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        need_alike(context, "PairwiseDistance");
        return make_function([p = context.real("p"), eps = context.real("eps"),
                              keep = context.flag("keepdim")](std::span<const Tensor> xs,
                                                              const nn::ForwardContext&) {
            const Tensor away = add(sub(xs[0], xs[1]), eps);
            if (p == 2) return Tensors{sqrt(sum(square(away), {-1}, keep))};
            if (p == 1) return Tensors{sum(abs(away), {-1}, keep)};
            return Tensors{pow(sum(pow(abs(away), p), {-1}, keep), 1 / p)};
        });
    };
    type.pytorch = [](const BuildContext& context) {
        return Emitted{Arguments()
                           .option("p", context.real("p"), 2.0)
                           .option("eps", context.real("eps"), 1e-6)
                           .option("keepdim", context.flag("keepdim"), false)
                           .call("nn.PairwiseDistance"),
                       "{self}({0}, {1})"};
    };
    return type;
}

} // namespace

std::vector<NodeType> layer_types() {
    return {linear_type(),
            embedding_type(),
            dropout_type(),
            special_dropout("Dropout1d", 1, "N × C × L",
                            "While training, sets whole channels of sequences to zero."),
            special_dropout("Dropout2d", 2, "N × C × H × W",
                            "While training, sets whole channels of pictures to zero, because "
                            "neighbouring pixels tell the same."),
            special_dropout("Dropout3d", 3, "N × C × D × H × W",
                            "While training, sets whole channels of volumes to zero."),
            special_dropout("AlphaDropout", 0, "",
                            "Dropout for networks with SELU: mean and deviation stay as they are."),
            identity_type(),
            embedding_bag_type(),
            bilinear_type(),
            cosine_similarity_type(),
            pairwise_distance_type()};
}

} // namespace wiregrad::graph::types
