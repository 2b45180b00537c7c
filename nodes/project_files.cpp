// Projects and weights on disk.
#include <fmt/core.h>

#include "engine/core/error.h"
#include "engine/io/atomic_file.h"
#include "engine/io/hdf5.h"
#include "nodes/project.h"

namespace wiregrad::graph {

namespace {

constexpr std::uint64_t kMaxProjectBytes = 64U << 20;
constexpr const char* kHashAttribute = "wiregrad_graph_hash";
constexpr const char* kFormatAttribute = "wiregrad_weights";

} // namespace

void save_project(const std::string& path, const Graph& graph) {
    io::write_file(path, std::string_view(to_text(graph)));
}

Graph load_project(const std::string& path) {
    const std::vector<std::byte> bytes = io::read_file(path, kMaxProjectBytes);
    return from_text(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), path);
}

void save_weights(const std::string& path, const std::vector<nn::NamedTensor>& weights,
                  const Graph& graph) {
    io::Hdf5File file;
    file.tensors = weights;
    file.attributes = {{kFormatAttribute, "1"}, {kHashAttribute, graph_hash(graph)}};
    io::write_hdf5(path, file);
}

std::vector<nn::NamedTensor> load_weights(const std::string& path, std::string* hash) {
    io::Hdf5File file = io::read_hdf5(path);
    std::string found, format;
    for (const auto& [name, value] : file.attributes) {
        if (name == kHashAttribute) found = value;
        if (name == kFormatAttribute) format = value;
    }
    if (format.empty()) throw FileError("an HDF5 file, but not one with Wiregrad's weights", path);
    if (format != "1")
        throw FileError(
            fmt::format("weights made by a newer Wiregrad (format {}; this one reads 1)",
                        format.substr(0, 20)),
            path);
    if (hash) *hash = found;
    return std::move(file.tensors);
}

} // namespace wiregrad::graph
