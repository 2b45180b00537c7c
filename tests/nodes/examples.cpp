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
        wire(graph_, last_, port_, id, "in");
        last_ = id;
        port_ = "out";
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

} // namespace

std::vector<Example> examples() {
    return {{"spirals", spirals()},
            {"digits-mlp", digits_mlp()},
            {"digits-lenet", digits_lenet()},
            {"cnn-small", cnn_small()},
            {"iris", iris()},
            {"autoencoder", autoencoder()}};
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
