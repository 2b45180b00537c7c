// Small documents for tests of the window: built through edits, as a person would.
#pragma once

#include <QtTest>

#include <string>

#include "nodes/edit.h"
#include "session/document.h"

namespace wiregrad::studio::testing {

inline std::string add(Document& document, const std::string& type) {
    const graph::Node node = graph::make_node(document.graph(), type, {});
    return document.apply({graph::AddNode{node}}) ? node.id : std::string();
}

inline bool wire(Document& document, const std::string& from, const std::string& fromPort,
                 const std::string& to, const std::string& toPort) {
    return document.apply({graph::Connect{graph::Wire{from, fromPort, to, toPort}}});
}

inline const graph::ParamValue& param(const Document& document, const std::string& node,
                                      const std::string& name) {
    return document.graph().node(node)->params.at(name);
}

struct Classifier {
    std::string data, layer, loss, metric, optimizer;
};

/// Iris, one Linear layer, cross-entropy, accuracy, SGD: starts at once and takes a step in well
/// under a millisecond.
inline Classifier addClassifier(Document& document, std::int64_t epochs) {
    Classifier net;
    net.data = add(document, "Dataset");
    document.apply({graph::SetParam{net.data, "source", std::string("iris")}});
    net.layer = add(document, "Linear");
    document.apply({graph::SetParam{net.layer, "out_features", std::int64_t(3)}});
    net.loss = add(document, "CrossEntropyLoss");
    net.metric = add(document, "Accuracy");
    net.optimizer = add(document, "SGD");
    const auto port = [&](const std::string& node, std::size_t at) {
        return graph::find_type(document.graph().node(node)->type)->inputs.at(at).id;
    };
    const std::string out = graph::find_type("Linear")->outputs.at(0).id;
    wire(document, net.data, "x", net.layer, port(net.layer, 0));
    for (const std::string& judge : {net.loss, net.metric}) {
        wire(document, net.layer, out, judge, port(judge, 0));
        wire(document, net.data, "y", judge, port(judge, 1));
    }
    wire(document, net.loss, graph::find_type("CrossEntropyLoss")->outputs.at(0).id, net.optimizer,
         port(net.optimizer, 0));
    graph::Training training = document.graph().training();
    training.epochs = epochs;
    training.batch_size = 16;
    document.apply({graph::SetTraining{training}});
    return net;
}

} // namespace wiregrad::studio::testing
