#include "nodes/transplant.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "engine/autograd/tape.h"
#include "nodes/analysis.h"
#include "nodes/infer.h"

namespace wiregrad::graph {

namespace {

bool is_any(const std::string& type, std::initializer_list<const char*> list) {
    return std::any_of(list.begin(), list.end(), [&](const char* one) { return type == one; });
}

/// Layers whose units stand one after another in their weights: they can be widened.
bool resizable(const std::string& type) {
    return is_any(type, {"Linear", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d",
                         "ConvTranspose2d", "ConvTranspose3d", "BatchNorm1d", "BatchNorm2d",
                         "BatchNorm3d", "LayerNorm", "GroupNorm", "RMSNorm", "InstanceNorm1d",
                         "InstanceNorm2d", "InstanceNorm3d", "PReLU", "Embedding"});
}

bool is_batch_norm(const std::string& type) {
    return is_any(type, {"BatchNorm1d", "BatchNorm2d", "BatchNorm3d"});
}

/// Gives zeros for zeros, and has no weights.
bool keeps_zero(const std::string& type) {
    return is_any(type, {"ReLU", "Tanh", "GELU", "SiLU", "LeakyReLU", "ELU", "Mish", "Hardswish",
                         "Identity", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "Flatten",
                         "MaxPool2d", "AvgPool2d", "MaxPool1d", "AvgPool1d"});
}

bool can_be_silent(const std::string& type) {
    return is_any(type, {"Linear", "Conv1d", "Conv2d", "Conv3d", "BatchNorm1d", "BatchNorm2d",
                         "BatchNorm3d", "LayerNorm", "MultiheadAttention"});
}

std::string title_of(const Inferred& inferred) {
    return inferred.node->name.empty() ? inferred.node->id : inferred.node->name;
}

std::set<std::string> running(const Inference& inference) {
    std::vector<std::string> roots;
    for (const auto& [id, node] : inference.nodes)
        if (node.type && !node.node->muted && node.facts.known &&
            (node.type->role == Role::Loss || node.type->role == Role::Metric))
            roots.push_back(id);
    std::set<std::string> nodes = upstream(inference, roots);
    for (const auto& [id, node] : inference.nodes)
        if (node.type && !node.node->muted && node.type->role == Role::Optimizer) nodes.insert(id);
    return nodes;
}

/// Whether the layer can hand on what it gets.
bool can_be_identity(const Inferred& node) {
    if (node.inputs.size() != 1 || node.facts.outputs.size() != 1) return false;
    if (node.inputs[0].shape != node.facts.outputs[0].shape) return false;
    if (is_any(node.type->id, {"Linear", "PReLU"})) return true;
    if (!is_any(node.type->id, {"Conv1d", "Conv2d", "Conv3d"})) return false;
    for (const auto& [name, shape] : node.facts.weight_shapes)
        if (name == "weight")
            for (int d = 2; d < shape.size(); ++d)
                if (shape[d] % 2 == 0) return false;
    const auto stride = node.node->params.find("stride");
    if (stride != node.node->params.end())
        if (const auto* steps = std::get_if<std::vector<std::int64_t>>(&stride->second))
            return std::all_of(steps->begin(), steps->end(), [](auto s) { return s == 1; });
    return true;
}

class Planner {
  public:
    Planner(const Inference& before, const Lineage::Numbers& old_numbers, const Inference& after,
            const Lineage::Numbers& new_numbers, const std::set<std::uint64_t>& trained)
        : before_(before), after_(after), old_numbers_(old_numbers), new_numbers_(new_numbers),
          trained_(trained), runs_(running(after)), ran_(running(before)) {
        for (const std::string& path : ran_)
            if (const auto number = number_of(old_numbers_, path)) old_runs_.insert(number);
    }

    Transplant plan() {
        plan_.before = old_numbers_;
        for (const auto& [path, number] : new_numbers_) {
            Transplant::Heir heir;
            heir.number = number;
            const auto it = after_.nodes.find(path);
            if (it != after_.nodes.end()) heir.type = it->second.node->type;
            plan_.heirs[path] = std::move(heir);
        }
        for (const std::string& path : after_.order)
            if (runs_.contains(path)) plan_.order.push_back(path);
        plan_.changes =
            signature(before_, ran_, old_numbers_) != signature(after_, runs_, new_numbers_);
        look_at_data();
        if (!plan_.refusal.empty()) return std::move(plan_);
        for (const std::string& path : plan_.order)
            if (after_.at(path).node->type == "Add") look_at_sum(path);
        for (const std::string& path : plan_.order)
            begin(path);
        say_what_is_lost();
        return std::move(plan_);
    }

  private:
    static std::uint64_t number_of(const Lineage::Numbers& numbers, const std::string& path) {
        const auto it = numbers.find(path);
        return it == numbers.end() ? 0 : it->second;
    }
    bool is_new(const std::string& path) const {
        return !old_runs_.contains(number_of(new_numbers_, path));
    }
    bool has_new_weights(const std::string& path) const {
        return after_.at(path).facts.weights > 0 && !after_.flat.shared.contains(path) &&
               !trained_.contains(number_of(new_numbers_, path));
    }

    static std::map<std::string, std::string> signature(const Inference& inference,
                                                        const std::set<std::string>& nodes,
                                                        const Lineage::Numbers& numbers) {
        std::map<std::string, std::string> result;
        for (const std::string& path : nodes) {
            const Inferred& node = inference.at(path);
            std::string text = fmt::format("{} {}", number_of(numbers, path), node.node->type);
            for (const auto& [name, value] : node.node->params)
                text += fmt::format("|{}={}", name, value_text(value));
            for (const Source& source : node.sources)
                text += fmt::format("|{}:{}", source.node, source.output);
            result[path] = std::move(text);
        }
        return result;
    }

    /// A run goes through one stream of batches: another one is another run. While the network is
    /// not whole nothing comes from the data, which is no reason yet.
    void look_at_data() {
        std::set<std::uint64_t> was;
        for (const std::string& path : ran_) {
            const Inferred& node = before_.at(path);
            if (node.type->role != Role::Dataset) continue;
            const std::uint64_t number = number_of(old_numbers_, path);
            was.insert(number);
            bool same = false;
            for (const auto& [now, other] : new_numbers_)
                if (other == number && after_.nodes.contains(now))
                    same = after_.at(now).node->params == node.node->params;
            if (!same) plan_.refusal = "Other data make another run";
        }
        for (const std::string& path : runs_)
            if (after_.at(path).type->role == Role::Dataset &&
                !was.contains(number_of(new_numbers_, path)))
                plan_.refusal = "Other data make another run";
    }

    /// The first node that ran before, going up first inputs from `path`; empty: none.
    std::string origin(std::string path) const {
        while (is_new(path)) {
            const Inferred& node = after_.at(path);
            if (node.sources.empty() || node.sources[0].node.empty()) return {};
            path = node.sources[0].node;
        }
        return path;
    }

    void look_at_sum(const std::string& path) {
        const Inferred& sum = after_.at(path);
        std::set<std::uint64_t> was;
        if (!is_new(path))
            for (const auto& [old, number] : old_numbers_)
                if (number == number_of(new_numbers_, path) && before_.nodes.contains(old))
                    for (const Source& source : before_.at(old).sources)
                        was.insert(number_of(old_numbers_, source.node));
        const bool direct = std::any_of(sum.sources.begin(), sum.sources.end(), [&](const auto& s) {
            return !s.node.empty() && !is_new(s.node);
        });
        bool spared = direct || !is_new(path); // something goes on as it was
        for (const Source& source : sum.sources) {
            if (source.node.empty() || !is_new(source.node)) continue;
            const std::string from = origin(source.node);
            if (!is_new(path) && !from.empty() && was.contains(number_of(new_numbers_, from)))
                continue; // put into a branch that was there
            if (!spared) {
                spared = true;
                continue;
            }
            silence(source.node);
        }
    }

    void silence(const std::string& end) {
        std::string path = end;
        while (is_new(path)) {
            const Inferred& node = after_.at(path);
            if (has_new_weights(path) && can_be_silent(node.type->id)) {
                plan_.heirs[path].begin = Begin::Silent;
                plan_.begins.push_back(title_of(node) +
                                       " begins with zeros, so its branch adds nothing yet");
                mark_branch(path);
                return;
            }
            if (node.facts.weights > 0 || !keeps_zero(node.type->id) || node.sources.empty() ||
                node.sources[0].node.empty())
                return;
            in_branch_.insert(path);
            path = node.sources[0].node;
        }
    }

    /// What feeds a silent layer may begin as it likes.
    void mark_branch(const std::string& path) {
        std::vector<std::string> open{path};
        while (!open.empty()) {
            const std::string id = open.back();
            open.pop_back();
            if (!is_new(id) || !in_branch_.insert(id).second) continue;
            for (const Source& source : after_.at(id).sources)
                if (!source.node.empty()) open.push_back(source.node);
        }
    }

    void begin(const std::string& path) {
        const Inferred& node = after_.at(path);
        if (node.type->role != Role::Layer || !is_new(path) || in_branch_.contains(path)) return;
        if (node.facts.weights == 0) {
            if (!is_any(node.type->id, {"Identity", "Add"}))
                plan_.begins.push_back(title_of(node) + " acts at once");
            return;
        }
        if (!has_new_weights(path)) return; // it had left, and comes back
        Transplant::Heir& heir = plan_.heirs[path];
        if (can_be_identity(node)) {
            heir.begin = Begin::Identity;
            plan_.begins.push_back(title_of(node) + " begins as identity");
        } else if (is_batch_norm(node.type->id) && !node.sources.empty() &&
                   after_.nodes.contains(node.sources[0].node)) {
            const Inferred& source = after_.at(node.sources[0].node);
            heir.begin = Begin::FromBatch;
            if (const auto eps = node.node->params.find("eps"); eps != node.node->params.end())
                heir.eps = std::get<double>(eps->second);
            heir.source = node.sources[0].node;
            heir.source_port = source.type->outputs[node.sources[0].output].id;
            plan_.begins.push_back(title_of(node) +
                                   " begins with what undoes it on the next batch");
        } else {
            plan_.begins.push_back(title_of(node) +
                                   " cannot begin as identity: it begins with fresh weights");
        }
    }

    void say_what_is_lost() {
        std::set<std::uint64_t> here;
        for (const auto& [path, number] : new_numbers_)
            here.insert(number);
        std::int64_t leaving = 0;
        std::vector<std::string> names;
        for (const std::string& path : before_.order) {
            if (!ran_.contains(path)) continue;
            const Inferred& node = before_.at(path);
            const std::uint64_t number = number_of(old_numbers_, path);
            if (node.type->role == Role::Optimizer) {
                if (!here.contains(number))
                    plan_.losses.push_back("what " + title_of(node) +
                                           " remembers of the gradients goes");
                continue;
            }
            if (node.facts.weights == 0 || before_.flat.shared.contains(path)) continue;
            if (!here.contains(number)) {
                leaving += node.facts.weights;
                names.push_back(title_of(node));
                continue;
            }
            compare_shapes(node, number);
        }
        if (!names.empty()) {
            std::string list;
            for (std::size_t i = 0; i < names.size() && i < 4; ++i)
                list += (i > 0 ? ", " : "") + names[i];
            if (names.size() > 4) list += fmt::format(" and {} more", names.size() - 4);
            plan_.losses.push_back(
                fmt::format("{} trained weights of {} leave the run", leaving, list));
        }
    }

    void compare_shapes(const Inferred& old, std::uint64_t number) {
        for (const std::string& path : plan_.order) {
            if (number_of(new_numbers_, path) != number || after_.flat.shared.contains(path))
                continue;
            const Inferred& now = after_.at(path);
            if (now.facts.weight_shapes == old.facts.weight_shapes) return;
            std::int64_t lost = 0;
            bool other = !resizable(now.type->id);
            for (const auto& [name, shape] : old.facts.weight_shapes) {
                std::int64_t all = 1, kept = 1;
                bool found = false;
                for (const auto& [other_name, next] : now.facts.weight_shapes)
                    if (other_name == name) {
                        found = true;
                        other = other || next.size() != shape.size();
                        for (int d = 0; d < shape.size(); ++d) {
                            all *= shape[d];
                            kept *= d < next.size() ? std::min(shape[d], next[d]) : 1;
                        }
                    }
                if (found) lost += all - kept;
            }
            if (other)
                plan_.losses.push_back(title_of(now) +
                                       " begins anew: its weights get other shapes");
            else if (lost > 0)
                plan_.losses.push_back(
                    fmt::format("{} trained weights of {} are cut off", lost, title_of(now)));
            else
                plan_.begins.push_back(title_of(now) + " grows; what was trained stays");
            return;
        }
    }

    const Inference &before_, &after_;
    const Lineage::Numbers &old_numbers_, &new_numbers_;
    const std::set<std::uint64_t>& trained_;
    std::set<std::string> runs_, ran_, in_branch_;
    std::set<std::uint64_t> old_runs_;
    Transplant plan_;
};

// --- the state

/// "block.0.fc1.weight" is "weight" of the node "block.0.fc1".
template <class Map>
bool split(const Map& nodes, const std::string& name, std::string& node, std::string& rest) {
    for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
        if (nodes.contains(name.substr(0, dot))) {
            node = name.substr(0, dot);
            rest = name.substr(dot + 1);
            return true;
        }
    return false;
}

/// Row-major numbers of a float32 or float64 tensor, changed by `f(index, value)`.
template <class F> void each(Tensor& tensor, const F& f) {
    const std::int64_t count = tensor.numel();
    const auto run = [&](auto* data) {
        for (std::int64_t i = 0; i < count; ++i)
            data[i] = static_cast<std::remove_pointer_t<decltype(data)>>(
                f(i, static_cast<double>(data[i])));
    };
    if (tensor.dtype() == DType::Float32)
        run(tensor.data_mut<float>());
    else if (tensor.dtype() == DType::Float64)
        run(tensor.data_mut<double>());
}

/// `old` in the leading corner of a copy of `base`. `silent_axis`: what belongs to new inputs of
/// old units is zero; -1: nothing is.
Tensor with_corner(const Tensor& base, const Tensor& old, int silent_axis) {
    Tensor result = base.clone();
    const Shape shape = result.shape();
    const std::vector<double> values = old.to_vector();
    Shape index = shape;
    each(result, [&](std::int64_t i, double value) {
        for (int d = result.dim(); d-- > 0;) {
            index[d] = i % shape[d];
            i /= shape[d];
        }
        std::int64_t at = 0;
        bool inside = true, silent = silent_axis >= 0;
        for (int d = 0; d < result.dim(); ++d) {
            const bool old_here = index[d] < old.size(d);
            inside = inside && old_here;
            silent = silent && old_here == (d != silent_axis);
            at = at * old.size(d) + index[d];
        }
        return inside ? values[static_cast<std::size_t>(at)] : silent ? 0 : value;
    });
    return result;
}

/// Weight of an output unit's own input, in the middle of the kernel.
Tensor identity_like(const Tensor& weight) {
    Tensor result = weight.clone();
    const Shape shape = result.shape();
    std::int64_t field = 1, centre = 0;
    for (int d = 2; d < result.dim(); ++d) {
        centre = centre * shape[d] + shape[d] / 2;
        field *= shape[d];
    }
    const std::int64_t inputs = shape[1]; // of the unit's group
    each(result, [&](std::int64_t i, double) {
        const std::int64_t out = i / (inputs * field), in = i / field % inputs;
        return in == out % inputs && i % field == centre ? 1.0 : 0.0;
    });
    return result;
}

Tensor filled(const Tensor& like, double value) {
    Tensor result = like.clone();
    result.fill_(value);
    return result;
}

/// Mean and variance of each channel of a value in forward.
class ChannelTap final : public train::Tap {
  public:
    ChannelTap(std::string node, std::string port)
        : node_(std::move(node)), port_(std::move(port)) {}
    bool wants(const std::string& node, const std::string& port) const override {
        return node == node_ && port == port_;
    }
    void see(const std::string&, const std::string&, const Tensor& value) override {
        if (value.dim() < 2) return;
        const std::vector<double> numbers = value.contiguous().to_vector();
        const auto channels = static_cast<std::size_t>(value.size(1));
        const std::size_t field = numbers.size() / std::max<std::size_t>(1, channels) /
                                  std::max<std::size_t>(1, static_cast<std::size_t>(value.size(0)));
        mean.assign(channels, 0);
        variance.assign(channels, 0);
        const double count = static_cast<double>(numbers.size()) / static_cast<double>(channels);
        for (std::size_t i = 0; i < numbers.size(); ++i)
            mean[i / field % channels] += numbers[i] / count;
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            const double off = numbers[i] - mean[i / field % channels];
            variance[i / field % channels] += off * off / count;
        }
    }
    std::vector<double> mean, variance;

  private:
    std::string node_, port_;
};

class Carrier {
  public:
    Carrier(const Transplant& plan, const train::Exchange& exchange, Attic& attic)
        : plan_(plan), exchange_(exchange), attic_(attic) {
        for (const auto& [path, number] : plan_.before)
            old_path_.emplace(number, path);
        for (const auto& [path, heir] : plan_.heirs)
            new_paths_.emplace(heir.number, path);
    }

    train::Checkpoint carry() {
        moment_ = exchange_.now; // step, epoch, sums
        moment_.weights.clear();
        moment_.optimizers.clear();
        for (const nn::NamedTensor& weight : exchange_.now.weights)
            old_.emplace(weight.name, weight.tensor);
        for (const nn::NamedTensor& fresh : exchange_.fresh.weights)
            moment_.weights.push_back({fresh.name, weight(fresh)});
        undo_normalizations();
        for (const auto& [name, state] : exchange_.fresh.optimizers)
            optimizer(name, state);
        for (const auto& [name, tensor] : old_)
            put_away(moment_.weights, "", name, tensor, "");
        return std::move(moment_);
    }

  private:
    const Transplant::Heir* heir_of(const std::string& name, std::string& rest) const {
        std::string path;
        return split(plan_.heirs, name, path, rest) ? &plan_.heirs.at(path) : nullptr;
    }

    /// What the run has under the old name, or the attic; undefined: neither.
    Tensor found(const Transplant::Heir& heir, const std::string& rest, const Shape& shape,
                 std::map<std::string, Tensor>& old, const std::string& prefix,
                 const std::string& drawer, const Tensor& fresh) {
        if (const auto path = old_path_.find(heir.number); path != old_path_.end()) {
            const auto it = old.find(prefix + path->second + "." + rest);
            if (it != old.end()) {
                if (it->second.shape() == shape && it->second.dtype() == fresh.dtype())
                    return it->second;
                if (resizable(heir.type) && it->second.dim() == fresh.dim()) {
                    const Tensor* kept = attic_.find(heir.number, drawer + rest, shape);
                    const bool weight = drawer.empty() && shape.size() >= 2;
                    const int axis = kept || !weight || heir.type == "Embedding" ? -1
                                     : heir.type.starts_with("ConvTranspose")    ? 0
                                                                                 : 1;
                    return with_corner(kept ? *kept : fresh, it->second, axis);
                }
            }
        }
        const Tensor* kept = attic_.find(heir.number, drawer + rest, shape);
        return kept ? *kept : Tensor();
    }

    Tensor weight(const nn::NamedTensor& fresh) {
        std::string rest;
        const Transplant::Heir* heir = heir_of(fresh.name, rest);
        if (!heir) return fresh.tensor;
        if (Tensor old = found(*heir, rest, fresh.tensor.shape(), old_, "", "", fresh.tensor);
            old.defined())
            return old;
        const bool is_weight = rest == "weight" || rest == "bias";
        if (heir->begin == Begin::Silent && (is_weight || rest.starts_with("out_proj.")))
            return filled(fresh.tensor, 0);
        if (heir->begin == Begin::Identity && rest == "bias") return filled(fresh.tensor, 0);
        if (heir->begin == Begin::Identity && rest == "weight")
            return fresh.tensor.dim() < 2 ? filled(fresh.tensor, 1) : identity_like(fresh.tensor);
        return fresh.tensor;
    }

    void undo_normalizations() {
        if (!exchange_.next) return;
        for (const std::string& path : plan_.order) {
            const Transplant::Heir& heir = plan_.heirs.at(path);
            if (heir.begin != Begin::FromBatch) continue;
            exchange_.after.module().load(moment_.weights);
            ChannelTap tap(heir.source, heir.source_port);
            train::losses_without_trace(exchange_.after, *exchange_.next, exchange_.context, &tap);
            const auto set = [&](const char* name, const auto& value) {
                for (nn::NamedTensor& weight : moment_.weights)
                    if (weight.name == path + "." + name &&
                        weight.tensor.numel() == static_cast<std::int64_t>(tap.mean.size())) {
                        weight.tensor = weight.tensor.clone();
                        each(weight.tensor, [&](std::int64_t i, double) {
                            return value(static_cast<std::size_t>(i));
                        });
                    }
            };
            set("weight", [&](std::size_t i) { return std::sqrt(tap.variance[i] + heir.eps); });
            set("bias", [&](std::size_t i) { return tap.mean[i]; });
            set("running_mean", [&](std::size_t i) { return tap.mean[i]; });
            set("running_var", [&](std::size_t i) { return tap.variance[i]; });
        }
    }

    void optimizer(const std::string& name, const std::vector<nn::NamedTensor>& fresh) {
        constexpr std::string_view kAverage = "average.";
        const auto self = plan_.heirs.find(name);
        const std::uint64_t number = self == plan_.heirs.end() ? 0 : self->second.number;
        const std::string drawer = fmt::format("{}:", number);
        std::map<std::string, Tensor> old;
        if (const auto path = old_path_.find(number); path != old_path_.end())
            for (const auto& [old_name, state] : exchange_.now.optimizers)
                if (old_name == path->second)
                    for (const nn::NamedTensor& entry : state)
                        old.emplace(entry.name, entry.tensor);
        std::vector<nn::NamedTensor> state;
        for (const nn::NamedTensor& entry : fresh) {
            const bool average = entry.name.starts_with(kAverage);
            const std::string prefix(average ? kAverage : "");
            const std::string own = entry.name.substr(prefix.size());
            std::string rest;
            Tensor value = entry.tensor;
            if (const Transplant::Heir* heir = heir_of(own, rest)) {
                if (Tensor kept = found(*heir, rest, entry.tensor.shape(), old, prefix,
                                        drawer + prefix, entry.tensor);
                    kept.defined())
                    value = kept;
                else if (average) // of a weight that begins now
                    for (const nn::NamedTensor& weight : moment_.weights)
                        if (weight.name == own) value = weight.tensor;
            } else if (const auto it = old.find(entry.name);
                       it != old.end() && it->second.shape() == entry.tensor.shape()) {
                value = it->second; // a schedule's
            }
            state.push_back({entry.name, value});
        }
        for (const auto& [entry, tensor] : old) {
            const std::string prefix(entry.starts_with(kAverage) ? kAverage : "");
            put_away(state, prefix, entry.substr(prefix.size()), tensor, drawer);
        }
        moment_.optimizers.emplace_back(name, std::move(state));
    }

    /// What the changed run has no place for waits for its undo.
    void put_away(const std::vector<nn::NamedTensor>& now, const std::string& prefix,
                  const std::string& name, const Tensor& tensor, const std::string& drawer) {
        std::string path, rest;
        if (!split(plan_.before, name, path, rest)) return;
        const std::uint64_t number = plan_.before.at(path);
        const auto [first, last] = new_paths_.equal_range(number);
        for (auto it = first; it != last; ++it) {
            const std::string wanted = prefix + it->second + "." + rest;
            for (const nn::NamedTensor& entry : now)
                if (entry.name == wanted && entry.tensor.shape() == tensor.shape()) return;
        }
        attic_.of(number)[drawer + prefix + rest] = tensor;
    }

    const Transplant& plan_;
    const train::Exchange& exchange_;
    Attic& attic_;
    train::Checkpoint moment_;
    std::map<std::uint64_t, std::string> old_path_;
    std::multimap<std::uint64_t, std::string> new_paths_;
    std::map<std::string, Tensor> old_;
};

} // namespace

const Tensor* Attic::find(std::uint64_t number, const std::string& what, const Shape& shape) const {
    const auto node = things_.find(number);
    if (node == things_.end()) return nullptr;
    const auto it = node->second.find(what);
    return it == node->second.end() || it->second.shape() != shape ? nullptr : &it->second;
}

std::set<std::string> trained_nodes(const Graph& graph) {
    const Inference inference = infer(graph);
    std::set<std::string> result;
    for (const std::string& path : running(inference))
        if (inference.at(path).facts.weights > 0) {
            const auto shared = inference.flat.shared.find(path);
            result.insert(shared == inference.flat.shared.end() ? path : shared->second);
        }
    return result;
}

Transplant plan_transplant(const Graph& before, const Lineage::Numbers& old_numbers,
                           const Graph& after, const Lineage::Numbers& new_numbers,
                           const std::set<std::uint64_t>& trained) {
    const Training &was = before.training(), &is = after.training();
    Transplant refused;
    if (was.seed != is.seed)
        refused.refusal = "Another seed makes another run";
    else if (was.batch_size != is.batch_size)
        refused.refusal = "Another batch size makes another run";
    else if (was.device != is.device)
        refused.refusal = "A run stays on its device";
    if (!refused.refusal.empty()) return refused;
    const Inference old_inference = infer(before), new_inference = infer(after);
    Transplant plan =
        Planner(old_inference, old_numbers, new_inference, new_numbers, trained).plan();
    plan.changes = plan.changes || was.epochs != is.epochs;
    return plan;
}

train::Checkpoint carry(const Transplant& plan, const train::Exchange& exchange, Attic& attic) {
    const autograd::NoGrad scope;
    return Carrier(plan, exchange, attic).carry();
}

} // namespace wiregrad::graph
