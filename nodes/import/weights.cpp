#include "nodes/import/weights.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "engine/core/error.h"
#include "engine/io/atomic_file.h"
#include "engine/io/hdf5.h"
#include "engine/io/npz.h"
#include "engine/io/safetensors.h"
#include "engine/op/ops.h"
#include "nodes/compile.h"
#include "nodes/export/names.h"

namespace wiregrad::graph {

namespace {

bool starts(const std::vector<std::byte>& bytes, std::string_view magic) {
    return bytes.size() >= magic.size() &&
           std::equal(magic.begin(), magic.end(), bytes.begin(),
                      [](char a, std::byte b) { return static_cast<std::byte>(a) == b; });
}

/// Keras's words for PyTorch's.
std::string from_keras_word(const std::string& word) {
    static const std::map<std::string, std::string> words{
        {"kernel", "weight"},
        {"gamma", "weight"},
        {"beta", "bias"},
        {"moving_mean", "running_mean"},
        {"moving_variance", "running_var"},
        {"embeddings", "weight"},
        {"depthwise_kernel", "weight"},
    };
    const auto found = words.find(word);
    return found == words.end() ? word : found->second;
}

std::vector<std::string> split(const std::string& text, const char* separators) {
    std::vector<std::string> parts;
    std::size_t start = 0;
    for (;;) {
        const std::size_t end = text.find_first_of(separators, start);
        if (end != start) parts.push_back(text.substr(start, end - start));
        if (end == std::string::npos) return parts;
        start = end + 1;
    }
}

/// A name of a file as "node.weight", whether it speaks Keras, and for Keras's numbered variables
/// which one it is (else -1).
struct Spoken {
    std::string layer, weight;
    bool keras = false;
    int variable = -1;
};
Spoken spoken(const std::string& name) {
    Spoken result;
    std::vector<std::string> parts = split(name, "./");
    while (parts.size() > 2 &&
           (parts[0] == "module" || parts[0] == "_orig_mod" || parts[0] == "model_weights" ||
            parts[0] == "layers" || parts[0] == "net" || parts[0] == "model"))
        parts.erase(parts.begin());
    if (parts.size() < 2) {
        result.layer = name;
        return result;
    }
    std::string last = parts.back();
    if (const std::size_t colon = last.find(':'); colon != std::string::npos) {
        last.resize(colon); // "kernel:0"
        result.keras = true;
    }
    parts.pop_back();
    if (parts.back() == "vars" && parts.size() > 1 && !last.empty() && last.size() < 3 &&
        std::all_of(last.begin(), last.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        result.keras = true;
        result.variable = std::stoi(last);
        parts.pop_back();
    }
    const std::string word = from_keras_word(last);
    result.keras = result.keras || word != last;
    if (result.keras && parts.size() > 1 && parts[parts.size() - 1] == parts[parts.size() - 2])
        parts.pop_back(); // "dense/dense/kernel:0"
    result.weight = word;
    for (const std::string& part : parts)
        result.layer += (result.layer.empty() ? "" : ".") + part;
    return result;
}

/// What Keras keeps as [in, out] or [h, w, in, out] in PyTorch's order; other tensors unchanged.
Tensor turned(const Tensor& tensor, const std::string& weight) {
    if (!weight.ends_with("weight")) return tensor;
    if (tensor.dim() == 2) return transpose(tensor, 0, 1).clone();
    if (tensor.dim() == 3) return permute(tensor, {2, 1, 0}).clone();
    if (tensor.dim() == 4) return permute(tensor, {3, 2, 0, 1}).clone();
    return tensor;
}
Shape turned_shape(const Shape& shape, const std::string& weight) {
    if (!weight.ends_with("weight")) return shape;
    if (shape.size() == 2) return {shape[1], shape[0]};
    if (shape.size() == 3) return {shape[2], shape[1], shape[0]};
    if (shape.size() == 4) return {shape[3], shape[2], shape[0], shape[1]};
    return shape;
}

std::vector<nn::NamedTensor> state_of(const Graph& graph) {
    return compile_model(graph)->module().state();
}

std::string listed(const char* what, const std::vector<std::string>& names) {
    if (names.empty()) return {};
    std::string text = fmt::format("{} {}: ", names.size(), what);
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (i == 8) {
            text += fmt::format(" and {} more", names.size() - i);
            break;
        }
        text += (i == 0 ? "" : ", ") + names[i];
    }
    return text;
}

WeightMatch match(const Graph& graph, const std::vector<nn::NamedTensor>& state,
                  const std::vector<nn::NamedTensor>& tensors,
                  const std::vector<std::pair<std::string, std::string>>& renames) {
    const std::map<std::string, std::string> members = member_names(graph);
    std::map<std::string, std::size_t> by_name;
    std::map<std::string, std::string> layers; // member or id -> id
    for (const auto& [id, member] : members)
        layers[member] = id;
    for (const auto& [id, member] : members)
        layers[id] = id;
    // Under every spelling, our name; the file's own comes first.
    std::map<std::string, std::size_t> ours_to_theirs;
    std::set<std::string> named;
    for (const nn::NamedTensor& weight : state)
        named.insert(weight.name);
    std::vector<bool> used(tensors.size(), false);
    for (std::size_t i = 0; i < tensors.size(); ++i)
        by_name.emplace(tensors[i].name, i);
    const std::map<std::string, std::string> wanted(renames.begin(), renames.end());
    WeightMatch result;
    std::map<std::string, bool> keras;
    for (const auto& [ours, theirs] : renames)
        if (const auto found = by_name.find(theirs); found != by_name.end() && named.contains(ours))
            ours_to_theirs[ours] = found->second, keras[ours] = spoken(theirs).keras;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        const Spoken name = spoken(tensors[i].name);
        // The longest part of the path that is a node; the rest is the weight's.
        auto layer = layers.find(name.layer);
        std::string rest;
        for (std::size_t dot = name.layer.rfind('.');
             layer == layers.end() && dot != std::string::npos && dot > 0;
             dot = name.layer.rfind('.', dot - 1)) {
            layer = layers.find(name.layer.substr(0, dot));
            rest = name.layer.substr(dot + 1) + ".";
        }
        if (layer == layers.end()) continue;
        std::string ours = layer->second + "." + rest + name.weight;
        if (name.variable >= 0) { // Keras 3 numbers them in the order in which they were made
            std::vector<std::string> own;
            for (const nn::NamedTensor& weight : state)
                if (weight.name.starts_with(layer->second + ".") &&
                    !weight.name.ends_with("num_batches_tracked"))
                    own.push_back(weight.name);
            if (static_cast<std::size_t>(name.variable) >= own.size()) continue;
            ours = own[static_cast<std::size_t>(name.variable)];
        }
        if (named.contains(ours) && ours_to_theirs.emplace(ours, i).second)
            keras[ours] = name.keras;
    }
    for (const nn::NamedTensor& weight : state) {
        const auto found = ours_to_theirs.find(weight.name);
        if (found == ours_to_theirs.end()) {
            // A counter that only PyTorch keeps is not worth refusing a file for.
            if (!weight.name.ends_with("num_batches_tracked"))
                result.missing.push_back(weight.name);
            continue;
        }
        const nn::NamedTensor& theirs = tensors[found->second];
        used[found->second] = true;
        const Shape& shape = theirs.tensor.shape();
        bool turn = keras[weight.name] ||
                    (wanted.contains(weight.name) && !(shape == weight.tensor.shape()));
        if (turn && !(turned_shape(shape, weight.name) == weight.tensor.shape())) turn = false;
        if (!turn && !(shape == weight.tensor.shape())) {
            result.misshaped.push_back(fmt::format("{} is {}, the file has {}", weight.name,
                                                   weight.tensor.shape().str(), shape.str()));
            continue;
        }
        result.pairs.push_back({weight.name, theirs.name, turn});
    }
    for (std::size_t i = 0; i < tensors.size(); ++i)
        if (!used[i] && !tensors[i].name.ends_with("num_batches_tracked"))
            result.extra.push_back(tensors[i].name);
    return result;
}

} // namespace

std::string WeightMatch::text() const {
    std::string result;
    for (const std::string& part : {listed("missing", missing), listed("unknown", extra),
                                    listed("of another shape", misshaped)})
        if (!part.empty()) result += (result.empty() ? "" : "; ") + part;
    return result;
}

std::vector<nn::NamedTensor> read_weights_file(const std::string& path) {
    const std::vector<std::byte> bytes = io::read_file(path);
    if (starts(bytes, "\x89HDF\r\n\x1a\n")) return io::read_hdf5(path).tensors;
    if (starts(bytes, "PK\x03\x04") || starts(bytes, "PK\x05\x06")) {
        if (path.ends_with(".pt") || path.ends_with(".pth"))
            throw FileError("a PyTorch file of pickled objects, which may run code: save its "
                            "state_dict as safetensors or .npz",
                            path);
        return io::parse_npz(bytes, path);
    }
    if (bytes.size() > 8 && bytes[8] == std::byte{'{'})
        return io::parse_safetensors(bytes, path).tensors;
    throw FileError("no weights file: Wiregrad reads HDF5, safetensors and .npz", path);
}

WeightMatch match_weights(const Graph& graph, const std::vector<nn::NamedTensor>& tensors,
                          const std::vector<std::pair<std::string, std::string>>& renames) {
    return match(graph, state_of(graph), tensors, renames);
}

bool shapes_fit(const nn::NamedTensor& ours, const nn::NamedTensor& theirs) {
    return theirs.tensor.shape() == ours.tensor.shape() ||
           turned_shape(theirs.tensor.shape(), ours.name) == ours.tensor.shape();
}

std::vector<std::pair<std::string, std::string>>
suggest_renames(const Graph& graph, const std::vector<nn::NamedTensor>& tensors,
                const std::vector<std::pair<std::string, std::string>>& renames) {
    const std::vector<nn::NamedTensor> state = state_of(graph);
    const WeightMatch known = match(graph, state, tensors, renames);
    const auto kept = [](const std::vector<std::string>& names,
                         const std::vector<nn::NamedTensor>& from) {
        std::vector<const nn::NamedTensor*> result; // in the order of the file, or of the network
        for (const nn::NamedTensor& tensor : from)
            if (std::find(names.begin(), names.end(), tensor.name) != names.end())
                result.push_back(&tensor);
        return result;
    };
    const auto ours = kept(known.missing, state), theirs = kept(known.extra, tensors);
    std::vector<std::pair<std::string, std::string>> result;
    bool in_order = ours.size() == theirs.size();
    for (std::size_t i = 0; i < ours.size() && in_order; ++i)
        in_order = shapes_fit(*ours[i], *theirs[i]);
    for (std::size_t i = 0; i < ours.size(); ++i) {
        if (in_order) {
            result.emplace_back(ours[i]->name, theirs[i]->name);
            continue;
        }
        std::vector<const nn::NamedTensor*> fitting;
        for (const nn::NamedTensor* tensor : theirs)
            if (shapes_fit(*ours[i], *tensor)) fitting.push_back(tensor);
        if (fitting.size() == 1 &&
            std::count_if(ours.begin(), ours.end(), [&](const nn::NamedTensor* other) {
                return shapes_fit(*other, *fitting[0]);
            }) == 1)
            result.emplace_back(ours[i]->name, fitting[0]->name);
    }
    return result;
}

std::vector<nn::NamedTensor>
take_weights(const Graph& graph, const std::vector<nn::NamedTensor>& tensors,
             const std::vector<std::pair<std::string, std::string>>& renames) {
    const std::vector<nn::NamedTensor> state = state_of(graph);
    const WeightMatch found = match(graph, state, tensors, renames);
    if (!found.complete()) throw ShapeError("the weights do not fit this project: " + found.text());
    std::map<std::string, const Tensor*> theirs;
    for (const nn::NamedTensor& tensor : tensors)
        theirs[tensor.name] = &tensor.tensor;
    std::map<std::string, Tensor> taken;
    for (const WeightMatch::Pair& pair : found.pairs) {
        const Tensor& tensor = *theirs.at(pair.theirs);
        taken[pair.ours] = pair.from_keras ? turned(tensor, pair.ours) : tensor;
    }
    std::vector<nn::NamedTensor> result;
    for (const nn::NamedTensor& weight : state) {
        const auto found_tensor = taken.find(weight.name);
        const Tensor source =
            found_tensor == taken.end() ? weight.tensor.detach() : found_tensor->second;
        result.push_back({weight.name, to(source, weight.tensor.dtype())});
    }
    return result;
}

} // namespace wiregrad::graph
