#include "nodes/compile.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "datasets/loader.h"
#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/core/recorder.h"
#include "engine/nn/autocast.h"
#include "engine/nn/generator.h"
#include "engine/program/recorded.h"
#include "nodes/analysis.h"
#include "nodes/infer.h"
#include "nodes/initial.h"
#include "nodes/optimizers.h"
#include "nodes/problems.h"
#include "nodes/project.h"

namespace wiregrad::graph {

namespace {

constexpr int kNoSlot = -1;

/// Rethrows the error in flight as the same type with `node` as its place, unless it has one.
[[noreturn]] void rethrow_at(const std::string& node) {
    try {
        throw;
    } catch (const Error& error) {
        if (!error.where().empty()) throw;
        if (dynamic_cast<const ShapeError*>(&error)) throw ShapeError(error.text(), node);
        if (dynamic_cast<const DTypeError*>(&error)) throw DTypeError(error.text(), node);
        if (dynamic_cast<const ValueError*>(&error)) throw ValueError(error.text(), node);
        if (dynamic_cast<const AutogradError*>(&error)) throw AutogradError(error.text(), node);
        if (dynamic_cast<const DeviceError*>(&error)) throw DeviceError(error.text(), node);
        if (dynamic_cast<const OutOfMemory*>(&error)) throw OutOfMemory(error.text(), node);
        if (dynamic_cast<const FileError*>(&error)) throw FileError(error.text(), node);
        if (dynamic_cast<const DataError*>(&error)) throw DataError(error.text(), node);
        if (dynamic_cast<const Cancelled*>(&error)) throw Cancelled(error.text(), node);
        throw Error(error.text(), node);
    } catch (const std::bad_alloc&) {
        throw OutOfMemory("there is not enough memory", node);
    }
}

/// Factor on the learning rate of a layer's weights.
double lr_scale(const Node& node) {
    const auto it = node.params.find("lr_scale");
    return it == node.params.end() ? 1.0 : std::get<double>(it->second);
}

/// One node of the run: a module between value slots.
struct Step {
    std::string id;
    Role role = Role::Layer;
    std::shared_ptr<nn::Module> module; ///< null for sources
    std::size_t field = 0; ///< of a transform: where batches for training hold its output; 0: none
    std::vector<int> inputs, outputs; ///< slots
    std::vector<std::string> ports;   ///< output port ids
    /// Of a Metric: makes its value of several sums.
    std::shared_ptr<const std::function<double(const std::vector<double>&)>> finish;
    std::vector<int> last_uses; ///< slots that nobody needs after this step
};

/// All weights, by node.
class Weights final : public nn::Module {
  public:
    void adopt(const std::string& node, const std::shared_ptr<nn::Module>& module) {
        add_child(node, module);
    }
    Tensors forward(std::span<const Tensor> inputs, const nn::ForwardContext& context) override {
        return run(inputs[0], context);
    }
    std::function<Tensors(const Tensor&, const nn::ForwardContext&)> run;
};

class GraphModel final : public CompiledModel {
  public:
    GraphModel(const Graph& graph, const Inference& inference, const CompileOptions& options)
        : autocast_(options.autocast), record_predictions_(options.program) {
        const std::set<std::string> wanted = choose(inference);
        for (const std::string& id : inference.order)
            if (wanted.contains(id)) add_step(inference.at(id), inference.flat);
        find_outputs(inference);
        find_last_uses();
        weights_.run = [this](const Tensor& x, const nn::ForwardContext& context) {
            Tensors results;
            for (auto& [id, value] : predict_with(x, context))
                results.push_back(std::move(value));
            return results;
        };
        initialise(inference, graph.training().seed, options.torch_init);
    }

    nn::Module& module() override { return weights_; }
    const std::vector<std::string>& loss_names() const override { return losses_; }
    const std::vector<std::string>& metric_names() const override { return metrics_; }
    const std::vector<std::string>& class_names() const override { return class_names_; }
    bool predicts_classes(const std::string& node) const override {
        return class_scores_.contains(node);
    }

    train::StepValues forward(const train::Batch& batch, const nn::ForwardContext& context,
                              train::Tap* tap) override {
        std::optional<nn::Autocast> scope;
        if (autocast_) scope.emplace();
        std::vector<Tensor> slots(static_cast<std::size_t>(slot_count_));
        train::StepValues result;
        for (const Step& step : steps_) {
            if (!step.module) {
                if (step.role == Role::Input || batch.fields.size() < step.outputs.size())
                    throw DataError(fmt::format("a batch of {} tensors came for {} outputs",
                                                batch.fields.size(), step.outputs.size()),
                                    step.id);
                for (std::size_t i = 0; i < step.outputs.size(); ++i)
                    slot(slots, step.outputs[i]) = batch.fields[i];
                report(step, slots, tap);
                continue;
            }
            if (step.field > 0 && step.field < batch.fields.size()) {
                slot(slots, step.outputs[0]) = batch.fields[step.field];
                report(step, slots, tap);
                continue;
            }
            if (step.role == Role::Metric) {
                const autograd::NoGrad scope;
                const Tensors values = run(step, slots, context);
                result.metrics.emplace_back(values[0], values[1], step.finish);
            } else {
                Tensors values = run(step, slots, context);
                if (step.role == Role::Loss) result.losses.push_back(values[0]);
                for (std::size_t i = 0; i < step.outputs.size(); ++i)
                    slot(slots, step.outputs[i]) = std::move(values[i]);
                report(step, slots, tap);
            }
            // The tape keeps what backward needs; everything else may go.
            for (int unused : step.last_uses)
                slot(slots, unused) = {};
        }
        return result;
    }

    std::vector<std::pair<std::string, Tensor>> predict(const Tensor& x) override {
        if (!record_predictions_) {
            const autograd::NoGrad scope;
            return predict_with(x, evaluation());
        }
        const Tensors& results = predictions_({x}, revision(), [this](const Tensors& in) {
            Tensors values;
            predicted_.clear();
            for (auto& [id, value] : predict_with(in[0], evaluation())) {
                predicted_.push_back(id);
                values.push_back(std::move(value));
            }
            return values;
        });
        std::vector<std::pair<std::string, Tensor>> named;
        for (std::size_t i = 0; i < results.size(); ++i) // the recording's memory is used again
            named.emplace_back(predicted_[i],
                               predictions_.program() ? results[i].clone() : results[i]);
        return named;
    }

    Tensor value(const std::string& node, const std::string& port, const Tensor& x) override {
        const autograd::NoGrad scope;
        int wanted = kNoSlot;
        for (const Step& step : steps_)
            for (std::size_t i = 0; i < step.ports.size(); ++i)
                if (step.id == node && step.ports[i] == port) wanted = step.outputs[i];
        if (wanted == kNoSlot)
            throw ValueError(fmt::format("\"{}\" is no value of this run", port), node);
        const std::vector<Tensor> slots = run_until({wanted}, x, evaluation());
        if (!slots[static_cast<std::size_t>(wanted)].defined())
            throw ValueError("this value needs labels, and only samples are given", node);
        return slots[static_cast<std::size_t>(wanted)];
    }

    /// The transforms between the dataset and the layers, for the loader of training samples; from
    /// now on forward() takes what they made from the batch, where it is there.
    std::vector<data::Stage> take_stages(const Inference& inference,
                                         const std::vector<data::Field>& fields) {
        std::vector<data::Stage> stages;
        for (Step& step : steps_) {
            const Inferred& node = inference.at(step.id);
            if (!node.type->transform) continue;
            const Source& from = node.sources[0];
            data::Stage stage;
            stage.input = from.output;
            for (const Step& other : steps_)
                if (other.id == from.node && other.field > 0) stage.input = other.field;
            const BuildContext context{node.node->params, node.inputs, node.counts,
                                       stream_of(step.id)};
            stage.change = node.type->transform(context);
            stage.stream = static_cast<std::uint64_t>(context.stream);
            stage.shape = node.facts.outputs[0].shape;
            stage.shape.erase(0);
            step.field = fields.size() + stages.size();
            stages.push_back(std::move(stage));
        }
        return stages;
    }

    /// Named weights of the nodes that the losses `ids` depend on.
    std::vector<nn::NamedTensor> weights_before(const Inference& inference,
                                                const std::vector<std::string>& ids) const {
        const std::set<std::string> nodes = upstream(inference, ids);
        std::vector<nn::NamedTensor> result;
        std::set<std::string> wanted; // ids of nodes in groups have dots, too
        for (const Step& step : steps_)
            if (step.module && nodes.contains(step.id))
                for (const nn::NamedTensor& weight : step.module->parameters())
                    wanted.insert(step.id + "." + weight.name);
        for (const nn::NamedTensor& weight : weights_.parameters())
            if (wanted.contains(weight.name) && weight.tensor.requires_grad())
                result.push_back(weight);
        return result;
    }

    /// What the node that owns a weight says of its learning rate.
    double lr_scale_of(const Inference& inference, const std::string& weight) const {
        for (const Step& step : steps_)
            if (step.module && weight.starts_with(step.id + "."))
                for (const nn::NamedTensor& own : step.module->parameters())
                    if (weight == step.id + "." + own.name)
                        return lr_scale(*inference.at(step.id).node);
        return 1;
    }

  private:
    static Tensor& slot(std::vector<Tensor>& slots, int index) {
        return slots[static_cast<std::size_t>(index)];
    }

    static nn::ForwardContext evaluation() {
        nn::ForwardContext context;
        context.training = false;
        context.state.random = Tensor::zeros({2}, DType::Int64);
        return context;
    }

    /// What takes part: everything before losses and metrics; without a loss, every layer that can
    /// run.
    static std::set<std::string> choose(const Inference& inference) {
        std::vector<std::string> roots;
        bool has_loss = false;
        for (const auto& [id, node] : inference.nodes)
            has_loss = has_loss || (node.type && !node.node->muted &&
                                    node.type->role == Role::Loss && node.facts.known);
        for (const auto& [id, node] : inference.nodes) {
            if (!node.type || node.node->muted || !node.facts.known) continue;
            const Role role = node.type->role;
            if (role == Role::Loss || role == Role::Metric || (!has_loss && role == Role::Layer))
                roots.push_back(id);
        }
        return upstream(inference, roots);
    }

    void add_step(const Inferred& node, const Flat& flat) {
        Step step;
        step.id = node.node->id;
        step.role = node.type->role;
        for (const PortSpec& port : node.type->outputs)
            step.ports.push_back(port.id);
        for (const Source& source : node.sources)
            step.inputs.push_back(slot_of_.at({source.node, source.output}));
        if (step.role == Role::Dataset)
            step.ports.resize(std::min(step.ports.size(), node.fields.size()));
        else if (step.role == Role::Layer)
            step.ports.resize(std::min(step.ports.size(), node.facts.outputs.size()));
        // A repetition that shares weights is the same module once more.
        const auto shared = flat.shared.find(step.id);
        if (shared != flat.shared.end())
            for (const Step& other : steps_)
                if (other.id == shared->second) step.module = other.module;
        // What has no weights has nothing to share: each repetition draws masks of its own.
        if (step.module && step.module->state().empty()) step.module = nullptr;
        if (step.role != Role::Dataset && step.role != Role::Input && !step.module) {
            try {
                const BuildContext context{node.node->params, node.inputs, node.counts,
                                           stream_of(step.id)};
                step.module = node.type->build(context);
                if (node.type->finish)
                    step.finish =
                        std::make_shared<const std::function<double(const std::vector<double>&)>>(
                            node.type->finish(context));
            } catch (...) {
                rethrow_at(step.id);
            }
            weights_.adopt(step.id, step.module);
        }
        if (step.role == Role::Loss) losses_.push_back(step.id);
        if (step.role == Role::Metric) metrics_.push_back(step.id);
        if (step.role == Role::Dataset && node.fields.size() > 1)
            class_names_ = node.fields[1].class_names;
        for (std::size_t i = 0; i < step.ports.size(); ++i) {
            slot_of_[{step.id, i}] = slot_count_;
            step.outputs.push_back(slot_count_++);
        }
        steps_.push_back(std::move(step));
    }

    /// What predictions are: what the losses look at, or what no layer uses further.
    void find_outputs(const Inference& inference) {
        std::vector<int> slots;
        for (const Step& step : steps_)
            if (step.role == Role::Loss && !step.inputs.empty()) slots.push_back(step.inputs[0]);
        if (slots.empty()) {
            std::set<int> used;
            for (const Step& step : steps_)
                if (step.role == Role::Layer) used.insert(step.inputs.begin(), step.inputs.end());
            for (const Step& step : steps_)
                if (step.role == Role::Layer && !step.outputs.empty() &&
                    !used.contains(step.outputs[0]))
                    slots.push_back(step.outputs[0]);
        }
        for (const Step& step : steps_)
            if (step.role == Role::Loss && inference.at(step.id).type->id == "CrossEntropyLoss")
                class_scores_.insert(inference.at(step.id).sources[0].node);
        for (int wanted : slots)
            for (const Step& step : steps_)
                if (std::find(step.outputs.begin(), step.outputs.end(), wanted) !=
                        step.outputs.end() &&
                    inference.at(step.id).type->role == Role::Layer &&
                    std::find(outputs_.begin(), outputs_.end(), std::pair(step.id, wanted)) ==
                        outputs_.end())
                    outputs_.emplace_back(step.id, wanted);
    }

    void find_last_uses() {
        std::set<int> seen;
        for (auto step = steps_.rbegin(); step != steps_.rend(); ++step)
            for (const std::vector<int>* list : {&step->inputs, &step->outputs})
                for (int index : *list)
                    if (seen.insert(index).second) step->last_uses.push_back(index);
    }

    /// Layer by layer, as PyTorch draws when the layers are made one behind the other. Or each from
    /// its own id, so that adding one leaves the others' initial weights as they were.
    void initialise(const Inference& inference, std::uint64_t seed, bool torch_init) {
        nn::Generator generator(seed);
        std::set<const nn::Module*> done; // repetitions may share one
        for (const Step& step : steps_) {
            if (!step.module || !done.insert(step.module.get()).second) continue;
            if (!torch_init)
                generator.manual_seed(seed ^ static_cast<std::uint64_t>(stream_of(step.id)));
            step.module->reset_parameters(generator);
            try {
                apply_initial(*inference.at(step.id).node, *step.module, generator);
            } catch (...) {
                rethrow_at(step.id);
            }
        }
    }

    Tensors run(const Step& step, const std::vector<Tensor>& slots,
                const nn::ForwardContext& context) const {
        Tensors inputs;
        inputs.reserve(step.inputs.size());
        for (int index : step.inputs)
            inputs.push_back(slots[static_cast<std::size_t>(index)]);
        const Origin origin(step.id);
        try {
            return step.module->forward(inputs, context);
        } catch (...) {
            rethrow_at(step.id);
        }
    }

    void report(const Step& step, std::vector<Tensor>& slots, train::Tap* tap) const {
        if (!tap) return;
        for (std::size_t i = 0; i < step.ports.size(); ++i)
            if (tap->wants(step.id, step.ports[i]))
                tap->see(step.id, step.ports[i], slot(slots, step.outputs[i]));
    }

    /// Runs what `wanted` depends on, with `x` at every source's first output. Values that need
    /// labels stay undefined.
    std::vector<Tensor> run_until(const std::vector<int>& wanted, const Tensor& x,
                                  const nn::ForwardContext& context) const {
        std::optional<nn::Autocast> scope;
        if (autocast_) scope.emplace();
        std::vector<bool> needed(static_cast<std::size_t>(slot_count_), false);
        for (int index : wanted)
            needed[static_cast<std::size_t>(index)] = true;
        std::vector<bool> runs(steps_.size(), false);
        for (std::size_t i = steps_.size(); i-- > 0;)
            for (int output : steps_[i].outputs)
                if (needed[static_cast<std::size_t>(output)] && !runs[i]) {
                    runs[i] = true;
                    for (int input : steps_[i].inputs)
                        needed[static_cast<std::size_t>(input)] = true;
                }
        std::vector<Tensor> slots(static_cast<std::size_t>(slot_count_));
        for (std::size_t i = 0; i < steps_.size(); ++i) {
            const Step& step = steps_[i];
            if (!runs[i]) continue;
            if (!step.module) {
                slot(slots, step.outputs[0]) = x;
                continue;
            }
            const bool complete =
                std::all_of(step.inputs.begin(), step.inputs.end(), [&](int index) {
                    return slots[static_cast<std::size_t>(index)].defined();
                });
            if (!complete) continue;
            Tensors values = run(step, slots, context);
            for (std::size_t k = 0; k < step.outputs.size(); ++k)
                slot(slots, step.outputs[k]) = std::move(values[k]);
        }
        return slots;
    }

    std::vector<std::pair<std::string, Tensor>>
    predict_with(const Tensor& x, const nn::ForwardContext& context) const {
        std::vector<int> wanted;
        for (const auto& [id, index] : outputs_)
            wanted.push_back(index);
        const std::vector<Tensor> slots = run_until(wanted, x, context);
        std::vector<std::pair<std::string, Tensor>> result;
        for (const auto& [id, index] : outputs_)
            if (slots[static_cast<std::size_t>(index)].defined())
                result.emplace_back(id, slots[static_cast<std::size_t>(index)]);
        return result;
    }

    bool autocast_ = false, record_predictions_ = false;
    program::Recorded predictions_;
    std::vector<std::string> predicted_; ///< nodes of its results
    Weights weights_;
    std::vector<Step> steps_;
    int slot_count_ = 0;
    std::map<std::pair<std::string, std::size_t>, int> slot_of_;
    std::vector<std::pair<std::string, int>> outputs_;
    std::vector<std::string> losses_, metrics_, class_names_;
    std::set<std::string> class_scores_; ///< nodes that feed a cross-entropy loss
};

/// Batches of random numbers in the shapes of a dataset: for measuring.
class RandomBatches final : public train::BatchSource {
  public:
    RandomBatches(const std::vector<data::Field>& fields, std::int64_t batch_size,
                  std::uint64_t seed)
        : size_(batch_size) {
        nn::Generator generator(seed);
        for (std::int64_t k = 0; k < kDistinct; ++k) {
            train::Batch batch;
            for (const data::Field& field : fields) {
                Shape shape = field.shape;
                shape.insert(0, batch_size);
                Tensor values =
                    Tensor::empty(shape, is_floating(field.dtype) ? field.dtype : DType::Float32);
                generator.uniform_(
                    values, 0,
                    is_floating(field.dtype)
                        ? 1
                        : static_cast<double>(std::max<std::int64_t>(field.classes, 1)));
                Tensor tensor = values;
                if (!is_floating(field.dtype)) {
                    tensor = Tensor::empty(shape, field.dtype);
                    tensor.copy_(values);
                }
                batch.fields.push_back(tensor);
            }
            for (std::int64_t i = 0; i < batch_size; ++i)
                batch.samples.push_back(k * batch_size + i);
            batches_.push_back(std::move(batch));
        }
    }
    std::int64_t batches_per_epoch() const override { return kBatches; }
    std::int64_t samples_per_epoch() const override { return kBatches * size_; }
    train::Batch batch(std::int64_t, std::int64_t index) override {
        return batches_[static_cast<std::size_t>(index % kDistinct)];
    }

  private:
    static constexpr std::int64_t kDistinct = 4, kBatches = 1000;
    std::int64_t size_;
    std::vector<train::Batch> batches_;
};

} // namespace

data::DatasetSpec dataset_spec(const Graph&, const Node& node) {
    const std::vector<TensorMeta> none;
    const std::vector<int> counts;
    const BuildContext params{node.params, none, counts};
    data::DatasetSpec spec;
    spec.path = params.text("path");
    spec.source =
        spec.path.empty() && params.text("source") != "file" ? params.text("source") : "auto";
    spec.samples = params.integer("samples");
    spec.noise = params.real("noise");
    spec.seed = static_cast<std::uint64_t>(params.integer("seed"));
    spec.validation_fraction = params.real("validation_fraction");
    spec.test_fraction = params.real("test_fraction");
    const std::string& normalize = params.text("normalize");
    spec.normalize = normalize == "standardize" ? data::Normalize::Standardize
                     : normalize == "minmax"    ? data::Normalize::MinMax
                                                : data::Normalize::None;
    spec.label_column = params.text("label_column");
    spec.regression = params.flag("regression");
    spec.image_size = params.integer("image_size");
    spec.grey = params.flag("grey");
    spec.window = params.integer("window");
    const std::string& tokens = params.text("tokens");
    spec.tokens = tokens == "bytes"   ? data::TokenKind::Bytes
                  : tokens == "pairs" ? data::TokenKind::Pairs
                                      : data::TokenKind::Characters;
    spec.vocabulary = params.integer("vocabulary");
    spec.missing =
        params.text("missing") == "drop" ? data::Missing::DropRow : data::Missing::Refuse;
    spec.x_name = params.text("x_name");
    spec.y_name = params.text("y_name");
    spec.classes = params.integer("classes");
    spec.folds = params.integer("folds");
    spec.fold = params.integer("fold");
    return spec;
}

std::unique_ptr<CompiledModel> compile_model(const Graph& graph, const CompileOptions& options) {
    const Inference inference = infer(graph);
    // What the run needs must be whole; that nothing is trained yet does not matter here.
    for (const Problem& problem : find_problems(graph, inference))
        if (problem.severity == Severity::Error &&
            (!inference.nodes.contains(problem.node) || !inference.at(problem.node).facts.known) &&
            problem.code != "no-loss" && problem.code != "no-optimizer")
            throw ValueError(problem.text, problem.node);
    return std::make_unique<GraphModel>(graph, inference, options);
}

namespace {

/// What a run's steps depend on besides the layers and the seed. Where the data lie may change, how
/// many samples they are may not.
train::Settings settings_of(const Graph& graph, const Inference& inference,
                            const data::Splits& splits) {
    train::Settings settings{{"batch size", std::to_string(graph.training().batch_size)}};
    if (splits.train)
        settings.emplace_back("training samples", std::to_string(splits.train->size()));
    for (const std::string& id : inference.order) {
        const Inferred& node = inference.at(id);
        if (!node.type || node.node->muted) continue;
        const Role role = node.type->role;
        if (role != Role::Dataset && role != Role::Loss && role != Role::Optimizer) continue;
        for (const auto& [param, value] : node.node->params)
            if (const ParamSpec* spec = node.type->param(param);
                spec && spec->kind != ParamKind::Path)
                settings.emplace_back(id + '.' + param, value_text(value));
    }
    return settings;
}

} // namespace

train::TrainPlan compile(const Graph& graph, const CompileOptions& options) {
    for (const Problem& problem : analyze(graph, false).problems)
        if (problem.severity == Severity::Error) throw ValueError(problem.text, problem.node);
    const Training& training = graph.training();
    if (training.device == "cuda")
        throw DeviceError(
            "there is no CUDA device in this installation: set the device to auto or cpu");

    // Only the dataset that the losses see is opened; analyze() made sure that it is one.
    Inference inference = infer(graph);
    std::vector<std::string> roots;
    for (const auto& [id, node] : inference.nodes)
        if (node.type && !node.node->muted &&
            (node.type->role == Role::Loss || node.type->role == Role::Metric) && node.facts.known)
            roots.push_back(id);
    data::Splits splits;
    std::vector<data::Field> fields;
    bool drop_last = false;
    for (const std::string& id : upstream(inference, roots))
        if (const Inferred& node = inference.at(id);
            node.type && node.type->role == Role::Dataset) {
            fields = node.fields;
            drop_last = std::get<bool>(node.node->params.at("drop_last"));
            if (options.random_data) break;
            try {
                splits = options.data
                             ? *options.data
                             : data::open(dataset_spec(graph, *node.node), options.progress);
                if (options.opened) options.opened(splits);
            } catch (...) {
                rethrow_at(id);
            }
            inference = infer(graph, {{id, splits.fields}});
            break;
        }

    auto model = std::make_unique<GraphModel>(graph, inference, options);
    train::TrainPlan plan;
    plan.epochs = training.epochs;
    plan.seed = training.seed;
    plan.threads = options.threads;
    plan.program = options.program;
    plan.graph_hash = graph_hash(graph);
    for (const std::string& id : inference.order) {
        const Inferred& node = inference.at(id);
        if (!node.type || node.type->role != Role::Optimizer || node.node->muted) continue;
        std::vector<std::size_t> indices;
        std::vector<std::string> losses;
        for (const Source& source : node.sources) {
            const auto& names = model->loss_names();
            const auto found = std::find(names.begin(), names.end(), source.node);
            if (found == names.end()) continue;
            indices.push_back(static_cast<std::size_t>(found - names.begin()));
            losses.push_back(source.node);
        }
        if (losses.empty()) continue;
        try {
            std::vector<nn::NamedTensor> weights = model->weights_before(inference, losses);
            std::vector<double> scales;
            for (const nn::NamedTensor& weight : weights)
                scales.push_back(model->lr_scale_of(inference, weight.name));
            train::OptimizerPlan optimizer = optimizer_plan(*node.node, std::move(weights), scales);
            optimizer.losses = std::move(indices);
            plan.optimizers.push_back(std::move(optimizer));
        } catch (...) {
            rethrow_at(id);
        }
        plan.accumulate =
            std::max(plan.accumulate, std::get<std::int64_t>(node.node->params.at("accumulate")));
    }

    if (options.random_data) {
        plan.train = std::make_shared<RandomBatches>(fields, training.batch_size, training.seed);
        plan.model = std::move(model);
        return plan;
    }
    plan.settings = settings_of(graph, inference, splits);
    if (options.data) {
        model->take_stages(inference, fields); // the batches have passed through them
        plan.model = std::move(model);
        return plan;
    }
    data::LoaderOptions loader;
    loader.batch_size = training.batch_size;
    loader.seed = training.seed;
    loader.prefetch = options.prefetch ? loader.prefetch : 0;
    loader.drop_last = drop_last;
    loader.stages = model->take_stages(inference, fields);
    plan.train = std::make_shared<data::Loader>(splits.train, loader);
    loader.shuffle = loader.drop_last = false;
    loader.stages.clear();
    if (splits.validation)
        plan.validation = std::make_shared<data::Loader>(splits.validation, loader);
    if (splits.test) plan.test = std::make_shared<data::Loader>(splits.test, loader);
    plan.model = std::move(model);
    return plan;
}

} // namespace wiregrad::graph
