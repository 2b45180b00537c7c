// Out of Wiregrad: a graph with its weights as files for other programs. Everything is made in
// memory first; nothing is written when anything is wrong. Any thread that may compute.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/nn/module.h"
#include "nodes/export/source.h"
#include "nodes/graph.h"

namespace wiregrad::graph {

struct ExportOptions {
    std::string path;                     ///< the main file; others stand beside it with its stem
    std::string project;                  ///< name of the project file, for the head of a script
    std::vector<nn::NamedTensor> weights; ///< by node id; empty: initial weights
    bool with_data = true;                ///< scripts: store the samples beside
};

struct ExportFile {
    std::string path;
    std::vector<std::byte> bytes;
    std::string what; ///< "script", "weights", "samples", "data"
};

/// One file format. `make` throws typed errors that name the node.
struct ExportTarget {
    const char* id; ///< "pytorch"
    const char* label;
    const char* extension; ///< ".py"
    std::vector<ExportFile> (*make)(const Graph& graph, const ExportOptions& options);
    bool drawing = false; ///< no weights in it, and an unfinished network has one too
    /// The source as text, each line with its node: no proof, no data, initial weights. Throws like
    /// an export. Null: not a source.
    SourceText (*preview)(const Graph& graph) = nullptr;
};
const std::vector<ExportTarget>& export_targets();
/// Null when there is none of that id.
const ExportTarget* find_export_target(const std::string& id);

/// Problems that stop an export, each in one sentence; empty: none.
std::vector<std::string> export_problems(const Graph& graph);
/// All files or none: each is written aside before the first is renamed. Throws FileError.
void write_export(const std::vector<ExportFile>& files);

// --- for the files of this folder
std::vector<ExportFile> export_pytorch(const Graph& graph, const ExportOptions& options);
std::vector<ExportFile> export_onnx(const Graph& graph, const ExportOptions& options);
std::vector<ExportFile> export_cpp(const Graph& graph, const ExportOptions& options);
std::vector<ExportFile> export_jax(const Graph& graph, const ExportOptions& options);
std::vector<ExportFile> export_keras(const Graph& graph, const ExportOptions& options);
SourceText preview_pytorch(const Graph& graph);
SourceText preview_jax(const Graph& graph);
SourceText preview_keras(const Graph& graph);
SourceText preview_cpp(const Graph& graph);
std::string file_beside(const std::string& path, const std::string& suffix);
std::vector<std::byte> bytes_of(const std::string& text);

} // namespace wiregrad::graph
