// Graphs to test with, built through edits as a person would.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "nodes/edit.h"
#include "nodes/graph.h"

namespace wiregrad::graph::testing {

/// Adds a node with the given parameters; the id comes from the type unless given.
inline std::string add(Graph& graph, const std::string& type,
                       std::vector<std::pair<std::string, ParamValue>> params = {},
                       std::string id = {}) {
    Node node = make_node(graph, type, {static_cast<double>(graph.nodes().size()) * 200, 0});
    if (!id.empty()) node.id = id;
    for (auto& [name, value] : params)
        node.params[name] = value;
    apply(graph, {AddNode{node}});
    return node.id;
}

inline void wire(Graph& graph, const std::string& from, const std::string& from_port,
                 const std::string& to, const std::string& to_port) {
    apply(graph, {Connect{{from, from_port, to, to_port}}});
}

inline void set(Graph& graph, const std::string& node, const std::string& param, ParamValue value) {
    apply(graph, {SetParam{node, param, std::move(value)}});
}

/// Dataset -> layers in a row -> loss -> optimizer.
inline Graph
chain(const std::string& source,
      const std::vector<std::pair<std::string, std::vector<std::pair<std::string, ParamValue>>>>&
          layers,
      const std::string& loss = "CrossEntropyLoss", const std::string& optimizer = "SGD") {
    Graph graph;
    const std::string data = add(graph, "Dataset", {{"source", source}}, "data");
    std::string last = data, port = "x";
    for (const auto& [type, params] : layers) {
        const std::string id = add(graph, type, params);
        wire(graph, last, port, id, "in");
        last = id;
        port = "out";
    }
    add(graph, loss, {}, "loss");
    wire(graph, last, port, "loss", "input");
    wire(graph, data, "y", "loss", "target");
    add(graph, optimizer, {}, "optimizer");
    wire(graph, "loss", "loss", "optimizer", "loss");
    return graph;
}

inline ParamValue whole(std::int64_t value) {
    return value;
}
inline ParamValue list(std::vector<std::int64_t> value) {
    return value;
}

} // namespace wiregrad::graph::testing
