// Weights of other programs into a graph: found by name and shape, all or nothing. Reads HDF5 (ours
// and Keras's layouts), safetensors and NPZ. Any thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/nn/module.h"
#include "nodes/graph.h"

namespace wiregrad::graph {

/// Every tensor of a weights file under the file's own names, the format found by looking at it.
/// Throws FileError.
std::vector<nn::NamedTensor> read_weights_file(const std::string& path);

/// Which tensor of a file belongs to which weight of a graph.
struct WeightMatch {
    struct Pair {
        std::string ours, theirs;
        bool from_keras = false; ///< kernel: axes are to be turned
    };
    std::vector<Pair> pairs;
    std::vector<std::string> missing; ///< weights of the graph that the file does not have
    std::vector<std::string> extra;   ///< tensors of the file that the graph does not have
    std::vector<std::string>
        misshaped; ///< "conv1.weight is [6, 1, 5, 5], the file has [6, 1, 3, 3]"
    bool complete() const { return missing.empty() && extra.empty() && misshaped.empty(); }
    std::string text() const; ///< the lists in one sentence
};

/// `renames`: ours -> theirs, for weights whose names differ. Names match by node id, by the member
/// of an exported script, with PyTorch's "module." before them, and in Keras's words.
WeightMatch match_weights(const Graph& graph, const std::vector<nn::NamedTensor>& tensors,
                          const std::vector<std::pair<std::string, std::string>>& renames = {});

/// For what no name matches: pairs ours -> theirs by shape. All of it in order where both sides
/// have the same shapes in the same order, else only what no other has the shape of.
std::vector<std::pair<std::string, std::string>>
suggest_renames(const Graph& graph, const std::vector<nn::NamedTensor>& tensors,
                const std::vector<std::pair<std::string, std::string>>& renames = {});
/// A tensor of the file may be this weight: the same shape, as it is or turned as Keras's kernels
/// are.
bool shapes_fit(const nn::NamedTensor& ours, const nn::NamedTensor& theirs);

/// All weights of `graph` by node id, from `tensors`. Throws ShapeError listing what is missing,
/// too much or of another shape; nothing is taken over then.
std::vector<nn::NamedTensor>
take_weights(const Graph& graph, const std::vector<nn::NamedTensor>& tensors,
             const std::vector<std::pair<std::string, std::string>>& renames = {});

} // namespace wiregrad::graph
