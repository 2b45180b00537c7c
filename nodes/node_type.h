// The declaration of a node type: everything the palette, property editor, file format, catalogue,
// docs and exporters know of it, as data, in one place. Immutable after start-up; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "engine/nn/module.h"

namespace wiregrad::data {
struct Picture;
class SampleRandom;
using Transform = std::function<void(Picture&, SampleRandom&)>;
} // namespace wiregrad::data

namespace wiregrad::graph {

/// A parameter's value. Int lists hold kernel sizes, strides, shapes.
using ParamValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>>;
using Params = std::map<std::string, ParamValue>;

enum class ParamKind : std::uint8_t { Bool, Int, Real, Choice, Text, Path, IntList };

struct Choice {
    std::string value; ///< what the file stores
    std::string label; ///< what a person reads
};

/// One parameter of a node: type, range, unit, default, help, visibility.
struct ParamSpec {
    std::string id; ///< PyTorch's argument name where there is one
    std::string label;
    std::string help; ///< one or two sentences
    ParamKind kind = ParamKind::Real;
    ParamValue standard;              ///< the default
    double min = -1e300, max = 1e300; ///< of numbers and of list elements
    bool min_excluded = false, max_excluded = false;
    std::string unit{};       ///< "epochs", "px", ""
    bool logarithmic = false; ///< scrubbing multiplies
    std::vector<Choice> choices{};
    int list_min = 0, list_max = 0; ///< lengths of an IntList
    /// Left out of files and hashes while it is at its default: a parameter that came later, so
    /// that older files mean the same and come back byte for byte.
    bool later = false;
    std::function<bool(const Params&)> visible{}; ///< null: always
};

/// Kinds that may be wired to each other; also the colour of a wire.
enum class PortKind : std::uint8_t { Tensor, Labels, Loss };

struct PortSpec {
    std::string id;
    std::string label;
    std::string help{};
    PortKind kind = PortKind::Tensor;
    bool optional = false;
    bool many =
        false; ///< an input that takes several wires, in the order wired (Concat, Add, Optimizer)
    bool hidden = false; ///< of a group: not on its face while nothing is wired to it
};

enum class Role : std::uint8_t {
    Dataset,
    Input,
    Layer,
    Loss,
    Metric,
    Optimizer,
    Note,
    Group,    ///< an instance of a definition; ports and parameters are the definition's
    GroupPort ///< GroupInput, GroupOutput: a port of the definition they stand in
};

/// Categories in palette order; each has a colour and a shape in the theme.
inline constexpr const char* kCategories[] = {
    "Data", "Layers", "Convolution", "Pooling",   "Normalization", "Activation", "Shape",
    "Math", "Loss",   "Metric",      "Optimizer", "Groups",        "Notes"};

/// What `build` is given: checked parameters (defaults filled in) and what arrives at the inputs.
/// For a `many` input its metas follow each other; `counts` says how many wires each input port
/// has.
struct BuildContext {
    const Params& params;
    std::span<const TensorMeta> inputs;
    std::span<const int> counts;
    std::int64_t stream =
        0; ///< number of this node's random ops: derived from its id, so that other edits leave it

    bool flag(const std::string& id) const;
    std::int64_t integer(const std::string& id) const;
    double real(const std::string& id) const;
    const std::string& text(const std::string& id) const;
    Dims dims(const std::string& id) const;
};

/// Brings the parameters of version `from` to from + 1.
struct Migration {
    int from = 1;
    std::function<void(Params&)> apply;
};

/// One line of generated source: `init` in the constructor (may be empty), `call` in forward.
struct Emitted {
    std::string init; ///< e.g. "nn.Linear(784, 512)"
    std::string call; ///< e.g. "{self}({0})"; {0}, {1} are inputs, {self} the member
};

struct NodeType {
    std::string id; ///< "Conv2d"
    int version = 1;
    std::string category; ///< one of kCategories
    std::string label;    ///< "Conv2d"
    std::string help;     ///< what it does, for a person who never saw one, one to three sentences
    std::string formula{};
    std::vector<std::string> synonyms{}; ///< "dense", "fc": found by search
    Role role = Role::Layer;
    std::vector<PortSpec> inputs{};
    std::vector<PortSpec> outputs{};
    std::vector<ParamSpec> params{};
    /// Makes the engine module: a pure function of context; sizes are inferred from the inputs.
    /// Layers and losses have one; a Metric's module returns {sum, count}. Errors are typed and
    /// name sizes, not the node (the caller adds it).
    std::function<std::shared_ptr<nn::Module>(const BuildContext&)> build{};
    /// Of a Metric that is no ratio of two sums: makes the value of all numbers of the module's
    /// first output, summed over the batches, followed by the sum of its second.
    std::function<std::function<double(const std::vector<double>&)>(const BuildContext&)> finish{};
    /// Of a node that changes samples while they are read for training: what it does to one. Its
    /// module is what validation, prediction and export do in its place.
    std::function<data::Transform(const BuildContext&)> transform{};
    /// PyTorch source of this node, given the same context. Null: no counterpart.
    std::function<Emitted(const BuildContext&)> pytorch{};
    std::vector<Migration> migrations{};
    /// What is wrong with parameters that are each in their range, together; empty: nothing. Null:
    /// no such rule.
    std::function<std::string(const Params&)> check{};

    const ParamSpec* param(const std::string& id) const;
    const PortSpec* input(const std::string& id) const;
    const PortSpec* output(const std::string& id) const;
};

/// All node types, in palette order. Explicit arrays, one per file in nodes/types/.
std::span<const NodeType> node_types();
/// Null when there is none of that id.
const NodeType* find_type(const std::string& id);
/// Defaults of all parameters.
Params default_params(const NodeType& type);
/// An output of kind `from` may feed an input of kind `to`: the same kind, or labels where any
/// tensor will do.
bool kinds_fit(PortKind from, PortKind to);
/// `value` in the kind that `spec` stores: an integer given for a real becomes a real, a whole real
/// an integer, a single integer a list. Anything else comes back as it is.
ParamValue conform(const ParamSpec& spec, const ParamValue& value);
/// Empty when `value` is allowed for `spec`, else a sentence: "kernel_size must be at least 1, got
/// 0".
std::string check_value(const ParamSpec& spec, const ParamValue& value);
/// Parses what a person typed or the command line gave ("0.01", "3*64", "3,3", "true"); throws
/// ValueError with a sentence.
ParamValue parse_value(const ParamSpec& spec, const std::string& text);
std::string value_text(const ParamValue& value); ///< the inverse of parse_value

/// A search hit in the palette; the best first. Fuzzy, knows synonyms; `compatible` filters by port
/// kind when dragging a wire.
struct SearchHit {
    const NodeType* type = nullptr;
    double score = 0;
};
std::vector<SearchHit> search_types(const std::string& text,
                                    const std::vector<std::string>& recents = {});

} // namespace wiregrad::graph
