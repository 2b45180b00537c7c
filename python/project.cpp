#include "python/project.h"

#include <fmt/core.h>

#include <chrono>
#include <filesystem>
#include <future>

#include "app/cli/commands.h"
#include "engine/op/ops.h"
#include "nodes/edit.h"
#include "nodes/export/export.h"
#include "nodes/import/weights.h"
#include "nodes/infer.h"
#include "nodes/project.h"

namespace wiregrad::python {

/// What the trainer says, kept for the thread that waits.
class Project::Report final : public train::Sink {
  public:
    void on_state(train::RunState value) override {
        const std::lock_guard lock(mutex);
        state = value;
        changed.notify_all();
    }
    void on_step(const train::StepRecord& record) override {
        const std::lock_guard lock(mutex);
        step = record;
    }
    void on_epoch(const train::EpochRecord& record) override {
        const std::lock_guard lock(mutex);
        epoch = record;
    }
    void on_done(const train::DoneRecord& record) override {
        const std::lock_guard lock(mutex);
        done = record;
        changed.notify_all();
    }

    std::mutex mutex;
    std::condition_variable changed;
    train::RunState state = train::RunState::Idle;
    train::StepRecord step;
    train::EpochRecord epoch;
    std::optional<train::DoneRecord> done;
};

/// The project's batches, or the one that a person gave.
class Project::Feed final : public train::BatchSource {
  public:
    explicit Feed(std::shared_ptr<train::BatchSource> own) : own_(std::move(own)) {}
    std::int64_t batches_per_epoch() const override { return own_->batches_per_epoch(); }
    std::int64_t samples_per_epoch() const override { return own_->samples_per_epoch(); }
    train::Batch batch(std::int64_t epoch, std::int64_t index) override {
        {
            const std::lock_guard lock(mutex_);
            if (given_) return *given_;
        }
        return own_->batch(epoch, index);
    }
    void give(std::optional<train::Batch> batch) {
        const std::lock_guard lock(mutex_);
        given_ = std::move(batch);
    }

  private:
    std::shared_ptr<train::BatchSource> own_;
    std::mutex mutex_;
    std::optional<train::Batch> given_;
};

Project::Project(const std::string& path, const LoadOptions& options) : path_(path) {
    cli::ProjectOptions opening;
    opening.file = path;
    opening.set = options.set;
    opening.data = options.data;
    graph_ = cli::open_project(opening);
    graph::Training training = graph_.training();
    if (options.epochs) training.epochs = *options.epochs;
    if (options.batch_size) training.batch_size = *options.batch_size;
    if (options.seed) training.seed = static_cast<std::uint64_t>(*options.seed);
    if (!(training == graph_.training())) graph::apply(graph_, {graph::SetTraining{training}});
    epochs_ = training.epochs;

    if (!options.with_data) {
        no_data_ = "the project was loaded without its data (with_data=False)";
    } else {
        try {
            plan_ = graph::compile(graph_);
        } catch (const Error& error) {
            no_data_ = error.what(); // forward may work all the same
        }
    }
    if (plan_.model) {
        model_ = dynamic_cast<graph::CompiledModel*>(plan_.model.get());
        feed_ = std::make_shared<Feed>(plan_.train);
        plan_.train = feed_;
        validation_ = plan_.validation;
        test_ = plan_.test;
        for (const train::OptimizerPlan& own : plan_.optimizers)
            for (const nn::NamedTensor& weight : own.optimizer->parameters())
                trained_.push_back(weight.name);
        const graph::Inference inference = graph::infer(graph_);
        for (const auto& [id, node] : inference.nodes)
            if (fields_.empty()) fields_ = node.fields;
    } else {
        alone_ = graph::compile_model(graph_);
        model_ = alone_.get();
    }
    state_ = model_->module().state();
    loss_names_ = model_->loss_names();
    metric_names_ = model_->metric_names();
    const std::string weights =
        options.weights.empty() ? graph::weights_path(path) : options.weights;
    if (!options.weights.empty() || std::filesystem::exists(weights)) load_weights(weights);
}

Project::~Project() {
    if (!trainer_) return;
    trainer_->stop();
    trainer_->wait();
}

std::vector<std::string> Project::trained() const {
    return trained_;
}

void Project::load_state(const std::vector<nn::NamedTensor>& tensors) {
    const std::vector<nn::NamedTensor> taken = graph::take_weights(graph_, tensors);
    with_model([&](graph::CompiledModel& model) { model.module().load(taken); });
}

void Project::load_weights(const std::string& path) {
    load_state(graph::read_weights_file(path));
}

void Project::save_weights(const std::string& path) const {
    std::vector<nn::NamedTensor> copies;
    for (const nn::NamedTensor& weight : state_)
        copies.push_back({weight.name, weight.tensor.detach().clone()});
    graph::save_weights(path.empty() ? graph::weights_path(path_) : path, copies, graph_);
}

/// What reads the weights may keep something made from them: a new version says that they changed.
void Project::refresh_weights() {
    if (!shared_) return;
    for (nn::NamedTensor& weight : state_)
        weight.tensor.detach().raw_mut();
}

void Project::with_model(const std::function<void(graph::CompiledModel&)>& task) {
    refresh_weights();
    if (!trainer_ || ended_) return task(*model_);
    // What the task throws belongs to its caller, not to the run.
    std::promise<void> answer;
    std::future<void> done = answer.get_future();
    const bool taken = trainer_->post([&](train::Model&) {
        try {
            task(*model_);
            answer.set_value();
        } catch (...) {
            answer.set_exception(std::current_exception());
        }
    });
    if (!taken) return task(*model_);
    done.get();
}

std::vector<std::pair<std::string, Tensor>> Project::forward(Tensor x) {
    std::vector<std::pair<std::string, Tensor>> result;
    with_model([&](graph::CompiledModel& model) {
        for (auto& [node, value] : model.predict(x))
            result.emplace_back(node, value.detach().contiguous());
    });
    return result;
}

Tensor Project::value(const std::string& node, const std::string& port, Tensor x) {
    const graph::Node* found = graph_.find(node);
    const std::string id = found ? found->id : node;
    const graph::NodeType* type = found ? graph_.type_of(*found) : nullptr;
    Tensor result;
    with_model([&](graph::CompiledModel& model) {
        result = model
                     .value(id, port.empty() && type && !type->outputs.empty()
                                    ? type->outputs[0].id
                                    : port,
                            x)
                     .detach()
                     .contiguous();
    });
    return result;
}

void Project::begin() {
    if (!no_data_.empty()) throw DataError("there is nothing to train on: " + no_data_);
    if (ended_)
        throw RunError(fmt::format("the run has ended after {} epochs; load the project again, "
                                   "with epochs=N for more",
                                   epochs_done_));
    if (trainer_) return;
    report_ = std::make_shared<Report>();
    trainer_ = std::make_unique<train::Trainer>(std::move(plan_), report_);
    trainer_->pause();
    trainer_->start();
}

void Project::wait(const std::function<bool()>& arrived, const Interrupted& interrupted) {
    std::unique_lock lock(report_->mutex);
    const auto there = [&] {
        return report_->done || (arrived() && report_->state == train::RunState::Paused);
    };
    while (!report_->changed.wait_for(lock, std::chrono::milliseconds(50), there)) {
        lock.unlock();
        if (interrupted && interrupted()) {
            trainer_->pause(); // after this step, which is waited for
            lock.lock();
            report_->changed.wait(lock, [&] {
                return report_->done || report_->state == train::RunState::Paused;
            });
            break;
        }
        lock.lock();
    }
    last_ = report_->step;
    epochs_done_ = report_->epoch.epoch;
    if (!report_->done) return;
    ended_ = true;
    const train::DoneRecord done = *report_->done;
    lock.unlock();
    trainer_->wait();
    if (!done.error.empty()) throw RunError(done.error, done.error_node);
}

Values Project::named(const std::vector<double>& losses,
                      const std::vector<double>& metrics) const {
    Values result;
    for (std::size_t i = 0; i < losses.size(); ++i)
        result.emplace_back(loss_names_.at(i), losses[i]);
    for (std::size_t i = 0; i < metrics.size(); ++i)
        result.emplace_back(metric_names_.at(i), metrics[i]);
    return result;
}

void Project::check_fields(std::vector<Tensor>& fields) const {
    if (fields.size() != fields_.size())
        throw ValueError(fmt::format("a batch of this project has {} fields, {} were given",
                                     fields_.size(), fields.size()));
    const auto samples = [](const Tensor& tensor) {
        return tensor.dim() > 0 ? tensor.size(0) : std::int64_t{0};
    };
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const data::Field& field = fields_[i];
        Shape wanted = field.shape;
        wanted.insert(0, samples(fields[0]));
        if (samples(fields[0]) < 1 || !(fields[i].shape() == wanted))
            throw ShapeError(fmt::format("the field {} of a batch of {} is {}, got {}", field.name,
                                         samples(fields[0]), wanted.str(),
                                         fields[i].shape().str()));
        if (fields[i].dtype() != field.dtype) {
            if (is_floating(fields[i].dtype()) != is_floating(field.dtype))
                throw DTypeError(fmt::format("the field {} is {}, got {}", field.name,
                                             name_of(field.dtype), name_of(fields[i].dtype())));
            fields[i] = to(fields[i], field.dtype);
        }
        if (field.classes > 0 && !is_floating(field.dtype))
            for (const double value : fields[i].to_vector())
                if (value < 0 || value >= static_cast<double>(field.classes))
                    throw ValueError(fmt::format("the field {} holds {:.0f}, its classes are 0 to "
                                                 "{}",
                                                 field.name, value, field.classes - 1));
    }
}

Values Project::train_step(std::vector<Tensor> fields, const Interrupted& interrupted) {
    std::optional<train::Batch> batch;
    if (!fields.empty()) {
        if (no_data_.empty()) check_fields(fields);
        batch.emplace();
        for (std::int64_t i = 0; i < fields[0].size(0); ++i)
            batch->samples.push_back(i);
        batch->fields = std::move(fields);
    }
    begin();
    refresh_weights();
    const std::int64_t before = last_.step;
    feed_->give(std::move(batch));
    trainer_->step_once();
    try {
        wait([&] { return report_->step.step > before; }, interrupted);
    } catch (...) {
        feed_->give({});
        throw;
    }
    feed_->give({});
    return named(last_.losses, last_.metrics);
}

Values Project::train_epoch(const Interrupted& interrupted) {
    begin();
    refresh_weights();
    const std::int64_t before = epochs_done_;
    trainer_->step_epoch();
    wait([&] { return report_->epoch.epoch > before; }, interrupted);
    if (epochs_done_ == before) return {}; // interrupted
    const train::EpochRecord& epoch = report_->epoch;
    return epoch.losses.empty() ? named(epoch.train_losses, epoch.train_metrics)
                                : named(epoch.losses, epoch.metrics);
}

Values Project::evaluate(const std::string& split) {
    if (!no_data_.empty()) throw DataError("there is nothing to evaluate on: " + no_data_);
    const auto source = split == "train"        ? std::static_pointer_cast<train::BatchSource>(feed_)
                        : split == "validation" ? validation_
                        : split == "test"       ? test_
                                                : nullptr;
    if (!source)
        throw ValueError(fmt::format("the project has no split \"{}\"; there are train, "
                                     "validation and test, where the dataset has them",
                                     split));
    train::EvalRecord record;
    with_model([&](graph::CompiledModel& model) {
        record = train::evaluate(model, *source, split);
    });
    return named(record.losses, record.metrics);
}

std::vector<std::string> Project::export_to(const std::string& target, const std::string& path) {
    const graph::ExportTarget* found = graph::find_export_target(target);
    if (!found) {
        std::string known;
        for (const graph::ExportTarget& each : graph::export_targets())
            known += (known.empty() ? "" : ", ") + std::string(each.id);
        throw ValueError(fmt::format("there is no export to \"{}\"; there is {}", target, known));
    }
    graph::ExportOptions options;
    options.path = path;
    options.project = std::filesystem::path(path_).filename().string();
    for (const nn::NamedTensor& weight : state_)
        options.weights.push_back({weight.name, weight.tensor.detach().clone()});
    const std::vector<graph::ExportFile> files = found->make(graph_, options);
    graph::write_export(files);
    std::vector<std::string> names;
    for (const graph::ExportFile& file : files)
        names.push_back(file.path);
    return names;
}

} // namespace wiregrad::python
