// What is fuzzed: the readers of projects, ONNX models and weights, and what is made of whatever
// they accept. They may do nothing but succeed or throw one of our errors. libFuzzer calls them
// through the entry points of this folder, and tests feed them mutations in every run.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <span>
#include <string>

#include "engine/core/error.h"
#include "engine/io/npz.h"
#include "engine/io/onnx.h"
#include "engine/io/safetensors.h"
#include "nodes/analysis.h"
#include "nodes/import/onnx.h"
#include "nodes/import/weights.h"
#include "nodes/project.h"

namespace wiregrad::graph::fuzz {

/// Whether the text was accepted. Stops the process when what was read is not whole, or is not
/// written as it was read.
inline bool project(const std::string& text) {
    Graph graph;
    try {
        graph = from_text(text, "fuzz.wiregrad");
    } catch (const FileError&) {
        return false;
    }
    graph.check_consistency();
    const std::string written = to_text(graph);
    if (to_text(from_text(written)) != written) std::abort();
    // Problems, but not of files that a path happens to name.
    const Graph read = graph;
    for (const auto& [id, node] : read.nodes())
        if (node.type == "Dataset")
            apply(graph, {Batch{{{SetParam{id, "path", std::string()}},
                                 {SetParam{id, "source", std::string("iris")}}}}});
    analyze(graph, graph.nodes().size() < 20);
    return true;
}

/// Whether the model was taken over as a graph.
inline bool onnx(std::span<const std::byte> bytes) {
    io::OnnxModel model;
    try {
        model = io::parse_onnx(bytes, "fuzz.onnx");
    } catch (const FileError&) {
        return false;
    }
    if (model.nodes.size() > 64) return false; // slow is not wrong
    try {
        const ImportedModel imported = from_onnx(model);
        imported.graph.check_consistency();
        if (to_text(from_text(to_text(imported.graph))) != to_text(imported.graph)) std::abort();
        return true;
    } catch (const Error&) {
        return false; // operators without counterpart, sizes that do not fit
    }
}

/// Weights into a small graph: all of them or none.
inline bool weights(const std::vector<nn::NamedTensor>& tensors, const Graph& graph) {
    try {
        take_weights(graph, tensors);
        return true;
    } catch (const Error&) {
        return false;
    }
}
inline bool npz(std::span<const std::byte> bytes, const Graph& graph) {
    std::vector<nn::NamedTensor> tensors;
    try {
        tensors = io::parse_npz(bytes, "fuzz.npz", std::uint64_t{1} << 24);
    } catch (const FileError&) {
        return false;
    }
    return weights(tensors, graph);
}
inline bool safetensors(std::span<const std::byte> bytes, const Graph& graph) {
    std::vector<nn::NamedTensor> tensors;
    try {
        tensors = io::parse_safetensors(bytes, "fuzz.safetensors").tensors;
    } catch (const FileError&) {
        return false;
    }
    return weights(tensors, graph);
}

} // namespace wiregrad::graph::fuzz
