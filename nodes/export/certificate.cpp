#include "nodes/export/certificate.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "datasets/io/checksum.h"
#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/nn/generator.h"
#include "engine/op/ops.h"
#include "engine/train/update.h"
#include "nodes/edit.h"
#include "nodes/export/names.h"

namespace wiregrad::graph {

namespace {

/// Random masks cannot be compared between programs: within the scope dropout hands its input on.
/// Remembers other random ops.
class WithoutDropout final : public Interpreter {
  public:
    Tensors run(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs) override {
        if (attrs.has("dropout_p")) { // attention drops its weights itself
            Attrs without = attrs;
            without.set("dropout_p", 0.0);
            return below(op, inputs, without);
        }
        if ((op.flags & kRandom) != 0) {
            if (op.name.find("dropout") != std::string_view::npos) return {inputs[0]};
            random = std::string(op.name);
        }
        return below(op, inputs, attrs);
    }
    std::string random;
};

/// Keeps every value of a forward pass.
class KeepAll final : public train::Tap {
  public:
    bool wants(const std::string&, const std::string&) const override { return true; }
    void see(const std::string& node, const std::string& port, const Tensor& value) override {
        values[{node, port}] = value;
    }
    std::map<std::pair<std::string, std::string>, Tensor> values;
};

nn::ForwardContext forward_context(bool training, std::uint64_t seed) {
    nn::ForwardContext context;
    context.training = training;
    context.state.random =
        Tensor::from(std::vector<std::int64_t>{static_cast<std::int64_t>(seed), 0}, {2});
    return context;
}

/// The first samples of an epoch, one tensor a field.
std::vector<Tensor> first_samples(train::BatchSource& source, std::int64_t count) {
    std::vector<std::vector<Tensor>> fields;
    std::int64_t have = 0;
    for (std::int64_t i = 0; have < count; ++i) {
        const train::Batch batch = source.batch(0, i % source.batches_per_epoch());
        fields.resize(batch.fields.size());
        for (std::size_t f = 0; f < batch.fields.size(); ++f)
            fields[f].push_back(batch.fields[f].clone());
        have += batch.fields.at(0).size(0);
    }
    std::vector<Tensor> result;
    for (const std::vector<Tensor>& parts : fields)
        result.push_back(slice(parts.size() == 1 ? parts[0] : cat(parts), 0, 0, count).clone());
    return result;
}

/// Numbers in the form of what an Input node takes.
Tensor made_up(const TensorMeta& meta, std::int64_t count) {
    Shape shape = meta.shape;
    shape[0] = count;
    Tensor values = Tensor::empty(shape, DType::Float32);
    nn::Generator generator(0);
    generator.uniform_(values, -1, 1);
    return meta.dtype == DType::Float32 ? values : to(values, meta.dtype);
}

train::Batch part(const std::vector<Tensor>& samples, std::int64_t step) {
    train::Batch batch;
    for (const Tensor& field : samples)
        batch.fields.push_back(
            slice(field, 0, step * kCertifiedSamples, (step + 1) * kCertifiedSamples).clone());
    for (std::int64_t i = 0; i < kCertifiedSamples; ++i)
        batch.samples.push_back(step * kCertifiedSamples + i);
    return batch;
}

/// The gradients of each optimizer's weights, of its own losses: as the trainer does it.
void differentiate(train::TrainPlan& plan, const train::StepValues& values) {
    for (train::OptimizerPlan& own : plan.optimizers)
        own.optimizer->zero_grad();
    for (std::size_t i = 0; i < plan.optimizers.size(); ++i) {
        const train::OptimizerPlan& own = plan.optimizers[i];
        std::vector<Tensor> roots, weights;
        for (const std::size_t loss : own.losses)
            roots.push_back(values.losses[loss]);
        if (plan.optimizers.size() == 1) return autograd::backward(roots);
        for (const nn::NamedTensor& weight : own.optimizer->parameters())
            weights.push_back(weight.tensor);
        autograd::BackwardOptions options;
        options.retain_graph = i + 1 < plan.optimizers.size();
        const std::vector<Tensor> gradients = autograd::grad(roots, weights, {}, options);
        for (std::size_t w = 0; w < weights.size(); ++w)
            weights[w].set_grad(gradients[w]);
    }
}

void certify_training(const Outline& outline, Exported& result,
                      const std::vector<Tensor>& samples) {
    train::TrainPlan& plan = result.plan;
    Certificate& certificate = result.certificate;
    const nn::ForwardContext context = forward_context(true, plan.seed);
    const std::vector<nn::NamedTensor> weights = plan.model->module().parameters();
    std::vector<Tensor> before;
    for (const nn::NamedTensor& weight : weights)
        before.push_back(weight.tensor.detach().clone());
    std::vector<train::Update> updates;
    for (train::OptimizerPlan& own : plan.optimizers)
        updates.emplace_back(own);
    for (std::int64_t step = 0; step < kCertifiedSteps; ++step) {
        train::StepValues values;
        {
            WithoutDropout interpreter;
            const PushInterpreter scope(interpreter);
            values = plan.model->forward(part(samples, step), context, nullptr);
            if (!interpreter.random.empty()) {
                certificate.left_out = fmt::format(
                    "{} draws random numbers that PyTorch draws differently", interpreter.random);
                certificate.losses.clear();
                return;
            }
        }
        double total = 0;
        for (const Tensor& loss : values.losses)
            total += loss.item();
        certificate.losses.push_back(total);
        differentiate(plan, values);
        values = {};
        std::vector<Tensor> gradients;
        if (step == 0)
            for (const nn::NamedTensor& weight : weights)
                gradients.push_back(weight.tensor.grad().defined() ? weight.tensor.grad().clone()
                                                                   : Tensor());
        for (train::Update& update : updates)
            update.step({0, plan.epochs, step, plan.train->batches_per_epoch()});
        if (step > 0) continue;
        // A bias before a normalisation has no effect: its gradient is rounding, and an optimizer
        // that divides by the gradient's size makes whole steps of it.
        double largest = 0;
        for (const Tensor& gradient : gradients)
            if (gradient.defined())
                largest = std::max(largest, fingerprint(gradient).norm /
                                                std::sqrt(double(gradient.numel())));
        for (std::size_t w = 0; w < weights.size(); ++w) {
            if (!gradients[w].defined()) continue;
            const Fingerprint gradient = fingerprint(gradients[w]);
            if (gradient.norm / std::sqrt(double(gradient.size)) <= 1e-6 * largest) continue;
            const std::string name = member_weight(outline, weights[w].name);
            certificate.gradients.emplace_back(name, gradient);
            const autograd::NoGrad scope;
            certificate.updates.emplace_back(
                name, fingerprint(sub(weights[w].tensor.detach(), before[w])));
        }
    }
}

} // namespace

Fingerprint fingerprint(const Tensor& tensor) {
    Fingerprint result;
    double squares = 0;
    for (const double value : tensor.to_vector()) {
        squares += value * value;
        result.mix += value * std::cos(static_cast<double>(result.size++));
    }
    result.norm = std::sqrt(squares);
    return result;
}

std::string digest(const Tensor& tensor) {
    const Tensor whole = tensor.contiguous();
    data::Sha256 sha;
    sha.add({static_cast<const std::byte*>(whole.raw()), whole.nbytes()});
    return sha.hex().substr(0, 16);
}

std::string member_weight(const Outline& outline, const std::string& weight) {
    // Ids of nodes in groups have dots, too: the longest that is a node.
    for (std::size_t dot = weight.rfind('.'); dot != std::string::npos && dot > 0;
         dot = weight.rfind('.', dot - 1))
        if (const auto found = outline.members.find(weight.substr(0, dot));
            found != outline.members.end())
            return found->second + weight.substr(dot);
    return weight;
}

Exported certify(const Outline& outline, const std::vector<nn::NamedTensor>& weights) {
    Exported result;
    Certificate& certificate = result.certificate;
    Graph graph = outline.graph;
    if (graph.training().device != "auto") {
        Training training = graph.training(); // the script runs elsewhere; the proof runs here
        training.device = "auto";
        apply(graph, {SetTraining{training}});
    }
    std::unique_ptr<CompiledModel> alone;
    CompileOptions options;
    options.prefetch = false;
    const bool trains = outline.trains();
    const bool has_data =
        trains &&
        std::all_of(outline.batch.begin(), outline.batch.end(), [&](const Argument& argument) {
            return outline.inference.at(argument.value.node).type->role == Role::Dataset;
        });
    if (has_data)
        result.plan = compile(graph, options);
    else
        alone = compile_model(graph, options);
    auto& model = has_data ? dynamic_cast<CompiledModel&>(*result.plan.model) : *alone;
    if (!weights.empty()) model.module().load(weights);
    data::Sha256 all;
    for (const nn::NamedTensor& weight : model.module().state()) {
        const Tensor copy = weight.tensor.detach().clone();
        const std::string name = member_weight(outline, weight.name);
        if (is_floating(copy.dtype()) && !std::isfinite(fingerprint(copy).norm))
            throw ValueError(fmt::format("the weight {} holds NaN or infinity", name));
        certificate.weights.emplace_back(name, digest(copy));
        const std::string line = name + "=" + certificate.weights.back().second + "\n";
        all.add(std::as_bytes(std::span(line.data(), line.size())));
        result.weights.push_back({name, copy});
    }
    certificate.hash = all.hex();

    const std::int64_t count = kCertifiedSamples * kCertifiedSteps;
    std::vector<Tensor> samples;
    if (has_data) {
        samples = first_samples(*result.plan.train, count);
    } else {
        for (const Argument& argument : outline.batch)
            samples.push_back(made_up(argument.meta, count));
    }
    for (std::size_t i = 0; i < outline.batch.size() && i < samples.size(); ++i)
        certificate.samples.push_back({outline.batch[i].name, samples[i]});

    KeepAll tap;
    {
        const autograd::NoGrad scope;
        const train::Batch batch = part(samples, 0);
        if (has_data)
            model.forward(batch, forward_context(false, 0), &tap);
        else
            for (const Statement& layer : outline.layers)
                for (std::size_t i = 0; i < layer.outputs; ++i) {
                    const std::string& port = layer.node->type->outputs[i].id;
                    tap.values[{layer.id, port}] = model.value(layer.id, port, batch.fields.at(0));
                }
    }
    for (const Statement& layer : outline.layers) {
        if (layer.shared) continue; // a hook sees the first call
        std::vector<Fingerprint> values;
        for (std::size_t i = 0; i < layer.outputs; ++i) {
            const auto found = tap.values.find({layer.id, layer.node->type->outputs[i].id});
            if (found == tap.values.end()) continue;
            values.push_back(fingerprint(found->second));
            if (!std::isfinite(values.back().norm))
                throw ValueError("its output holds NaN or infinity with these weights", layer.id);
        }
        certificate.outputs.emplace_back(layer.member, std::move(values));
    }
    if (has_data) certify_training(outline, result, samples);
    return result;
}

std::string certificate_json(const Certificate& certificate) {
    const auto number = [](double value) { return fmt::format("{:.10g}", value); };
    const auto print = [&](const Fingerprint& print) {
        return fmt::format("[{}, {}, {}]", print.size, number(print.norm), number(print.mix));
    };
    const auto table = [](const std::vector<std::string>& rows) {
        std::string text = "{\n";
        for (std::size_t i = 0; i < rows.size(); ++i)
            text += "        " + rows[i] + (i + 1 < rows.size() ? ",\n" : "\n");
        return text + "    }";
    };
    std::vector<std::string> outputs, gradients, updates, weights;
    for (const auto& [name, values] : certificate.outputs) {
        std::string list;
        for (const Fingerprint& value : values)
            list += (list.empty() ? "" : ", ") + print(value);
        outputs.push_back(quoted(name) + ": [" + list + "]");
    }
    for (const auto& [name, value] : certificate.gradients)
        gradients.push_back(quoted(name) + ": " + print(value));
    for (const auto& [name, value] : certificate.updates)
        updates.push_back(quoted(name) + ": " + print(value));
    for (const auto& [name, value] : certificate.weights)
        weights.push_back(quoted(name) + ": " + quoted(value));
    std::string losses;
    for (const double loss : certificate.losses)
        losses += (losses.empty() ? "" : ", ") + number(loss);
    return fmt::format("{{\n    \"hash\": {},\n    \"samples\": {},\n    \"weights\": {},\n"
                       "    \"outputs\": {},\n    \"gradients\": {},\n    \"updates\": {},\n"
                       "    \"losses\": [{}],\n    \"left_out\": {}\n}}",
                       quoted(certificate.hash), kCertifiedSamples, table(weights), table(outputs),
                       table(gradients), table(updates), losses, quoted(certificate.left_out));
}

} // namespace wiregrad::graph
