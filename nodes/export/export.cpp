#include "nodes/export/export.h"

#include <filesystem>

#include "engine/io/atomic_file.h"
#include "engine/io/hdf5.h"
#include "engine/io/npz.h"
#include "engine/io/safetensors.h"
#include "nodes/export/certificate.h"
#include "nodes/export/outline.h"
#include "nodes/picture.h"
#include "nodes/project.h"

namespace wiregrad::graph {

namespace {

/// Weights under the names that a script of this graph has.
std::vector<nn::NamedTensor> named_weights(const Graph& graph, const ExportOptions& options) {
    const Outline outline(graph);
    const auto model = compile_model(graph);
    if (!options.weights.empty()) model->module().load(options.weights);
    std::vector<nn::NamedTensor> result;
    for (const nn::NamedTensor& weight : model->module().state())
        result.push_back(
            {member_weight(outline, weight.name), weight.tensor.detach().contiguous()});
    return result;
}

std::vector<ExportFile> export_npz(const Graph& graph, const ExportOptions& options) {
    return {{options.path, io::encode_npz(named_weights(graph, options)), "weights"}};
}

std::vector<ExportFile> export_safetensors(const Graph& graph, const ExportOptions& options) {
    io::SafeTensors file;
    file.tensors = named_weights(graph, options);
    file.metadata = {{"format", "pt"}, {"wiregrad_graph_hash", graph_hash(graph)}};
    return {{options.path, io::encode_safetensors(file), "weights"}};
}

/// Our own layout: a group for each node, PyTorch's names inside.
std::vector<ExportFile> export_hdf5(const Graph& graph, const ExportOptions& options) {
    io::Hdf5File file;
    for (nn::NamedTensor weight : named_weights(graph, options)) {
        for (char& c : weight.name)
            if (c == '.') c = '/';
        file.tensors.push_back(std::move(weight));
    }
    file.attributes = {{"wiregrad_graph_hash", graph_hash(graph)}};
    return {{options.path, io::encode_hdf5(file), "weights"}};
}

std::vector<ExportFile> export_svg(const Graph& graph, const ExportOptions& options) {
    return {{options.path, bytes_of(svg_picture(graph)), "drawing"}};
}

} // namespace

const std::vector<ExportTarget>& export_targets() {
    static const std::vector<ExportTarget> targets{
        {"pytorch", "PyTorch script", ".py", export_pytorch, false, preview_pytorch},
        {"jax", "JAX script", ".py", export_jax, false, preview_jax},
        {"keras", "Keras 3 script", ".py", export_keras, false, preview_keras},
        {"onnx", "ONNX model", ".onnx", export_onnx},
        {"cpp", "C++ source", ".cpp", export_cpp, false, preview_cpp},
        {"safetensors", "Weights, safetensors", ".safetensors", export_safetensors},
        {"npz", "Weights, NumPy", ".npz", export_npz},
        {"hdf5", "Weights, HDF5", ".h5", export_hdf5},
        {"svg", "Drawing", ".svg", export_svg, true},
    };
    return targets;
}

const ExportTarget* find_export_target(const std::string& id) {
    for (const ExportTarget& target : export_targets())
        if (id == target.id) return &target;
    return nullptr;
}

void write_export(const std::vector<ExportFile>& files) {
    std::vector<io::FileBytes> all;
    for (const ExportFile& file : files)
        all.push_back({file.path, file.bytes});
    io::write_files(all);
}

std::string file_beside(const std::string& path, const std::string& suffix) {
    return std::filesystem::path(path).replace_extension().string() + suffix;
}

std::vector<std::byte> bytes_of(const std::string& text) {
    const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
    return {bytes.begin(), bytes.end()};
}

} // namespace wiregrad::graph
