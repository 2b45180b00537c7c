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

} // namespace

std::vector<NodeType> layer_types() {
    return {linear_type(), embedding_type(), dropout_type(), identity_type()};
}

} // namespace wiregrad::graph::types
