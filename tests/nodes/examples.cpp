#include "tests/nodes/examples.h"

#include <stdexcept>

#include "nodes/edit.h"
#include "tests/nodes/helpers.h"
#include "tests/source_dir.h"

namespace wiregrad::graph::testing {

namespace {

using Settings = std::vector<std::pair<std::string, ParamValue>>;

/// A network built from left to right.
class Builder {
  public:
    Builder(const std::string& id, Settings dataset)
        : data_(add(graph_, "Dataset", std::move(dataset), id)), last_(data_), port_("x") {}

    Builder& layer(const std::string& type, Settings params = {}) {
        const std::string id = add(graph_, type, std::move(params));
        wire(graph_, last_, port_, id, find_type(type)->inputs[0].id);
        last_ = id;
        port_ = "out";
        return *this;
    }
    /// Several inputs: the current end first, then the others.
    Builder& join(const std::string& type, const std::vector<std::string>& others,
                  Settings params = {}) {
        layer(type, std::move(params));
        for (const std::string& other : others)
            wire(graph_, other, "out", last_, "in");
        return *this;
    }
    const std::string& end() const { return last_; }
    Builder& from(const std::string& id) {
        last_ = id;
        return *this;
    }
    Builder& judge(const std::string& type, const std::string& id, const std::string& target,
                   Settings params = {}) {
        add(graph_, type, std::move(params), id);
        wire(graph_, last_, port_, id, "input");
        wire(graph_, data_, target, id, "target");
        return *this;
    }
    Graph finish(const std::string& optimizer, Settings params, Training training,
                 const std::string& title, const std::string& description) {
        const std::string id = add(graph_, optimizer, std::move(params));
        wire(graph_, "loss", "loss", id, "loss");
        apply(graph_, {SetTraining{training}});
        apply(graph_, {SetTitle{title, description}});
        for (const auto& [node, value] : graph_.nodes())
            apply(graph_, {Move{node, {}}});
        apply(graph_, layout_edit(graph_, {}, {}));
        graph_.check_consistency();
        return graph_;
    }

  private:
    Graph graph_;
    std::string data_, last_, port_;
};

Settings out(std::int64_t count) {
    return {{"out_features", whole(count)}};
}

Graph spirals() {
    Builder net("spirals", {{"source", "spirals"}});
    net.layer("Linear", out(16))
        .layer("Tanh")
        .layer("Linear", out(16))
        .layer("Tanh")
        .layer("Linear", out(1));
    net.judge("BCEWithLogitsLoss", "loss", "y").judge("Accuracy", "accuracy", "y");
    return net.finish(
        "Adam", {{"lr", 0.01}}, {.epochs = 60, .batch_size = 32}, "Two spirals",
        "Two spirals of points wind around each other. **Which one does a point belong to?**\n\n"
        "No straight line can part them. Two hidden layers of 16 units bend the plane until one "
        "can.\n\n"
        "* Set `out_features` of the hidden layers to 4: what can the network not do any more?\n"
        "* Replace Tanh by ReLU: the border gets corners.\n"
        "* Raise the noise of the data and watch the two accuracy curves drift apart.");
}

Graph digits_mlp() {
    Builder net("digits", {{"source", "digits"}, {"normalize", "standardize"}});
    net.layer("Flatten")
        .layer("Linear", out(512))
        .layer("ReLU")
        .layer("Linear", out(512))
        .layer("ReLU")
        .layer("Linear", out(10));
    net.judge("CrossEntropyLoss", "loss", "y").judge("Accuracy", "accuracy", "y");
    return net.finish(
        "Adam", {{"lr", 0.001}}, {.epochs = 5, .batch_size = 64}, "Digits with plain layers",
        "Handwritten-looking digits, 28 × 28 grey pixels. The picture is laid out in one row of "
        "784 numbers and goes "
        "through three **Linear** layers.\n\n"
        "* The network does not know that pixels have neighbours. Compare it with *Digits with a "
        "convolutional network*.\n"
        "* Give the Dataset the folder of the MNIST files to train on scanned digits.");
}

Graph digits_lenet() {
    Builder net("digits", {{"source", "digits"}, {"normalize", "standardize"}});
    net.layer("Conv2d",
              {{"out_channels", whole(6)}, {"kernel_size", list({5})}, {"padding", list({2})}})
        .layer("ReLU")
        .layer("MaxPool2d");
    net.layer("Conv2d", {{"out_channels", whole(16)}, {"kernel_size", list({5})}})
        .layer("ReLU")
        .layer("MaxPool2d")
        .layer("Flatten");
    net.layer("Linear", out(120))
        .layer("ReLU")
        .layer("Linear", out(84))
        .layer("ReLU")
        .layer("Linear", out(10));
    net.judge("CrossEntropyLoss", "loss", "y").judge("Accuracy", "accuracy", "y");
    return net.finish(
        "SGD", {{"lr", 0.02}, {"momentum", 0.9}}, {.epochs = 10, .batch_size = 64},
        "Digits with a convolutional network",
        "The classic **LeNet**: small filters look for strokes wherever they are, pooling makes "
        "the picture coarser, "
        "three Linear layers decide.\n\n"
        "* Look at the weights of `conv1` while it trains: six filters of 5 × 5 pixels.\n"
        "* Mute one of the ReLU nodes and train again.\n"
        "* Give the Dataset the folder of the MNIST files to train on scanned digits.");
}

Graph cnn_small() {
    Builder net("shapes", {{"source", "shapes"}, {"samples", whole(4000)}});
    for (const std::int64_t channels : {32, 64, 128}) {
        for (int i = 0; i < 2; ++i)
            net.layer("Conv2d",
                      {{"out_channels", whole(channels)}, {"padding", list({1})}, {"bias", false}})
                .layer("BatchNorm2d")
                .layer("ReLU");
        net.layer("MaxPool2d");
    }
    net.layer("Flatten").layer("Linear", out(10));
    net.judge("CrossEntropyLoss", "loss", "y").judge("Accuracy", "accuracy", "y");
    return net.finish("AdamW", {{"lr", 0.001}}, {.epochs = 10, .batch_size = 64}, "Coloured shapes",
                      "Ten kinds of shapes, 32 × 32 pixels in colour. Three stages, each of two "
                      "convolutions with **BatchNorm2d**; "
                      "from stage to stage the picture halves and the channels double.\n\n"
                      "* Remove the BatchNorm2d nodes (Ctrl+Delete joins their neighbours) and "
                      "compare the curves.\n"
                      "* Give the Dataset the folder of CIFAR-10 to train on photographs.");
}

Graph iris() {
    Builder net("iris", {{"source", "iris"}, {"normalize", "standardize"}});
    net.layer("Linear", out(16)).layer("ReLU").layer("Linear", out(3));
    net.judge("CrossEntropyLoss", "loss", "y").judge("Accuracy", "accuracy", "y");
    return net.finish(
        "Adam", {{"lr", 0.01}}, {.epochs = 50, .batch_size = 16}, "Iris flowers",
        "150 flowers of three species; four lengths in centimetres were measured of each. **Which "
        "species is it?**\n\n"
        "The smallest real table there is, and it trains in a blink.\n\n"
        "* Set `normalize` of the Dataset to *As they are*: how many more epochs does it take?\n"
        "* Give the Dataset a CSV file of your own; the last column is what is predicted.");
}

Graph autoencoder() {
    const auto conv = [](std::int64_t channels, std::int64_t kernel, std::int64_t stride,
                         std::int64_t padding) {
        return Settings{{"out_channels", whole(channels)},
                        {"kernel_size", list({kernel})},
                        {"stride", list({stride})},
                        {"padding", list({padding})}};
    };
    const auto larger = [&](std::int64_t channels) {
        Settings settings = conv(channels, 3, 2, 1);
        settings.emplace_back("output_padding", list({1}));
        return settings;
    };
    Builder net("digits", {{"source", "digits"}});
    net.layer("Conv2d", conv(16, 3, 2, 1))
        .layer("ReLU")
        .layer("Conv2d", conv(32, 3, 2, 1))
        .layer("ReLU")
        .layer("Conv2d", conv(64, 7, 1, 0))
        .layer("ReLU");
    net.layer("ConvTranspose2d", conv(32, 7, 1, 0))
        .layer("ReLU")
        .layer("ConvTranspose2d", larger(16))
        .layer("ReLU")
        .layer("ConvTranspose2d", larger(1))
        .layer("Sigmoid");
    net.judge("MSELoss", "loss", "x").judge("MeanAbsoluteError", "distance", "x");
    return net.finish("Adam", {{"lr", 0.001}}, {.epochs = 5, .batch_size = 64}, "Autoencoder",
                      "The network must draw the digit that it is shown, **through a bottleneck of "
                      "64 numbers**. Nobody tells it which digit "
                      "it is: the target is the picture itself.\n\n"
                      "* Look at the output of `sigmoid1` while it trains: from fog to strokes.\n"
                      "* Set `out_channels` of `conv3` to 2: which digits stay readable?");
}

/// Convolution without bias, BatchNorm2d and, unless it is the last before a sum, ReLU.
void conv_bn(Builder& net, std::int64_t channels, std::int64_t kernel, std::int64_t stride,
             bool relu = true) {
    net.layer("Conv2d", {{"out_channels", whole(channels)},
                         {"kernel_size", list({kernel})},
                         {"stride", list({stride})},
                         {"padding", list({kernel / 2})},
                         {"bias", false}})
        .layer("BatchNorm2d");
    if (relu) net.layer("ReLU");
}

Graph resnet18() {
    Builder net("shapes", {{"source", "shapes"}});
    conv_bn(net, 64, 3, 1);
    std::int64_t before = 64;
    for (const std::int64_t channels : {64, 128, 256, 512})
        for (int block = 0; block < 2; ++block) {
            const std::int64_t stride = block == 0 && channels > 64 ? 2 : 1;
            const std::string input = net.end();
            conv_bn(net, channels, 3, stride);
            conv_bn(net, channels, 3, 1, false);
            const std::string main = net.end();
            std::string skip = input;
            if (stride != 1 || before != channels) {
                net.from(input);
                conv_bn(net, channels, 1, stride, false);
                skip = net.end();
            }
            net.from(main).join("Add", {skip}).layer("ReLU");
            before = channels;
        }
    net.layer("AdaptiveAvgPool2d").layer("Flatten").layer("Linear", out(10));
    net.judge("CrossEntropyLoss", "loss", "y").judge("Accuracy", "accuracy", "y");
    return net.finish(
        "SGD", {{"lr", 0.1}, {"momentum", 0.9}, {"weight_decay", 5e-4}, {"schedule", "cosine"}},
        {.epochs = 10, .batch_size = 32}, "ResNet-18",
        "The network that made deep networks trainable: each block adds what it found to what came "
        "in, so that the gradient has a **short way back**. Eight blocks, 11 million weights.\n\n"
        "* Remove the wire of one skip connection: does it still train?\n"
        "* Give the Dataset the folder of CIFAR-10 to train on photographs.");
}

/// Two convolutions, each with BatchNorm2d and ReLU.
void double_conv(Builder& net, std::int64_t channels) {
    conv_bn(net, channels, 3, 1);
    conv_bn(net, channels, 3, 1);
}

Graph unet_small() {
    Builder net("cells", {{"source", "cells"}});
    constexpr std::int64_t kBase = 16;
    std::vector<std::string> levels;
    for (int level = 0; level < 3; ++level) {
        double_conv(net, kBase << level);
        levels.push_back(net.end());
        net.layer("MaxPool2d");
    }
    double_conv(net, kBase << 3);
    for (int level = 2; level >= 0; --level) {
        net.layer("ConvTranspose2d", {{"out_channels", whole(kBase << level)},
                                      {"kernel_size", list({2})},
                                      {"stride", list({2})}})
            .join("Concat", {levels[static_cast<std::size_t>(level)]});
        double_conv(net, kBase << level);
    }
    net.layer("Conv2d", {{"out_channels", whole(2)}, {"kernel_size", list({1})}});
    net.judge("CrossEntropyLoss", "loss", "y").judge("Accuracy", "accuracy", "y");
    return net.finish(
        "Adam", {{"lr", 0.001}}, {.epochs = 10, .batch_size = 8}, "Cells with a U-Net",
        "**Which pixels belong to a cell?** The picture is made coarser three times, "
        "then finer again, and on each level the finer picture is joined with the one "
        "from the way down.\n\n"
        "* Remove the wires into one Concat: the borders become blurred.\n"
        "* Look at the output of `conv15` while it trains.");
}

constexpr std::int64_t kCharacters = 65; // of the little tales, and of most English texts

Graph char_lstm() {
    Builder net("tales", {{"source", "tales"}});
    net.layer("Embedding", {{"num_embeddings", whole(kCharacters)}, {"embedding_dim", whole(64)}})
        .layer("LSTM", {{"hidden_size", whole(256)}})
        .layer("Linear", out(kCharacters))
        .layer("Permute", {{"dims", list({0, 2, 1})}});
    net.judge("CrossEntropyLoss", "loss", "y").judge("Accuracy", "accuracy", "y");
    return net.finish(
        "Adam", {{"lr", 0.003}}, {.epochs = 10, .batch_size = 32}, "Characters with an LSTM",
        "The network reads a text letter by letter and guesses **the next letter**. "
        "It learns words first, then sentences, though nobody told it what a word "
        "is.\n\n"
        "* Give the Dataset a text file of your own (65 different characters at most, "
        "or make Embedding and Linear larger).\n"
        "* Replace the LSTM by an RNN: what does it forget?");
}

Graph char_gpt() {
    Builder net("tales", {{"source", "tales"}});
    const auto drop = [&] { net.layer("Dropout", {{"p", 0.1}}); };
    net.layer("Embedding", {{"num_embeddings", whole(kCharacters)}, {"embedding_dim", whole(128)}})
        .layer("PositionalEncoding", {{"kind", "learned"}});
    drop();
    for (int block = 0; block < 4; ++block) {
        const std::string input = net.end();
        net.layer("LayerNorm")
            .layer("MultiheadAttention",
                   {{"num_heads", whole(4)}, {"dropout", 0.1}, {"is_causal", true}});
        drop();
        net.join("Add", {input});
        const std::string middle = net.end();
        net.layer("LayerNorm").layer("Linear", out(512)).layer("GELU").layer("Linear", out(128));
        drop();
        net.join("Add", {middle});
    }
    net.layer("LayerNorm")
        .layer("Linear", {{"out_features", whole(kCharacters)}, {"bias", false}})
        .layer("Permute", {{"dims", list({0, 2, 1})}});
    net.judge("CrossEntropyLoss", "loss", "y").judge("Accuracy", "accuracy", "y");
    return net.finish(
        "AdamW", {{"lr", 0.001}}, {.epochs = 10, .batch_size = 32}, "Characters with a small GPT",
        "The kind of network behind the large language models, small enough for a "
        "laptop: four blocks in which every letter **looks back at all letters before "
        "it**.\n\n"
        "* Switch `is_causal` of one MultiheadAttention off: the network cheats, as it "
        "sees the answer.\n"
        "* Mute PositionalEncoding: what does a network know that has no order?");
}

} // namespace

std::vector<Example> examples() {
    return {{"spirals", spirals()},
            {"digits-mlp", digits_mlp()},
            {"digits-lenet", digits_lenet()},
            {"cnn-small", cnn_small()},
            {"iris", iris()},
            {"autoencoder", autoencoder()},
            {"resnet18", resnet18()},
            {"unet-small", unet_small()},
            {"char-lstm", char_lstm()},
            {"char-gpt", char_gpt()}};
}

Graph example(const std::string& name) {
    for (Example& candidate : examples())
        if (candidate.name == name) return candidate.graph;
    throw std::invalid_argument(name);
}

std::string example_path(const std::string& name) {
    return source_dir() + "/resources/examples/" + name + ".wiregrad";
}

} // namespace wiregrad::graph::testing
