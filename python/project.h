// A project as a notebook uses it: forward, steps, epochs, weights that share memory with the
// model. Training is the trainer's own, paused between the calls. Knows nothing of Python; any
// thread, one call at a time.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/error.h"
#include "engine/train/trainer.h"
#include "nodes/compile.h"
#include "nodes/graph.h"

namespace wiregrad::python {

/// A run that ended with an error.
struct RunError : Error {
    using Error::Error;
};

struct LoadOptions {
    std::string weights;           ///< empty: those beside the project, or initial ones
    std::vector<std::string> set;  ///< NODE.PARAM=VALUE
    std::vector<std::string> data; ///< NODE=PATH
    std::optional<std::int64_t> epochs, batch_size, seed;
    bool with_data = true; ///< false: the data are not opened; only forward works
};

/// Called every now and then while a call waits; true: the person wants it to end.
using Interrupted = std::function<bool()>;
using Values = std::vector<std::pair<std::string, double>>; ///< "loss" -> 0.41, in order

class Project {
  public:
    Project(const std::string& path, const LoadOptions& options);
    ~Project(); ///< stops a run

    const graph::Graph& graph() const { return graph_; }
    /// Weights and buffers; the tensors are the model's own memory.
    const std::vector<nn::NamedTensor>& state() const { return state_; }
    std::vector<std::string> trained() const; ///< names of those that an optimizer moves
    /// From now on somebody else may write to the weights between two calls.
    void share_weights() { shared_ = true; }
    /// All at once or, with a ShapeError listing what does not fit, none.
    void load_state(const std::vector<nn::NamedTensor>& tensors);
    void load_weights(const std::string& path);
    void save_weights(const std::string& path) const; ///< empty: beside the project

    /// Outputs by node, in evaluation mode.
    std::vector<std::pair<std::string, Tensor>> forward(Tensor x);
    Tensor value(const std::string& node, const std::string& port, Tensor x);
    /// One update on the project's next batch, or on `fields` (x, y, ...): losses and metrics
    /// before it.
    Values train_step(std::vector<Tensor> fields, const Interrupted& interrupted);
    /// To the end of the epoch: means of losses and metrics, of the validation data where there
    /// are some.
    Values train_epoch(const Interrupted& interrupted);
    Values evaluate(const std::string& split);
    std::int64_t step() const { return last_.step; }
    std::int64_t epoch() const { return epochs_done_; }
    std::int64_t epochs() const { return epochs_; }
    bool finished() const { return ended_; }
    std::vector<std::string> export_to(const std::string& target, const std::string& path);

  private:
    class Report;
    class Feed;
    /// Runs `task` with the model where the model may be used now.
    void with_model(const std::function<void(graph::CompiledModel&)>& task);
    void begin();
    /// Until `arrived` holds and the run pauses, or has ended.
    void wait(const std::function<bool()>& arrived, const Interrupted& interrupted);
    Values named(const std::vector<double>& losses, const std::vector<double>& metrics) const;
    void check_fields(std::vector<Tensor>& fields) const;
    void refresh_weights();

    std::string path_;
    graph::Graph graph_;
    std::string no_data_; ///< why there is nothing to train on; empty: there is
    std::unique_ptr<graph::CompiledModel> alone_;
    train::TrainPlan plan_; ///< until the run begins
    std::shared_ptr<Feed> feed_;
    std::shared_ptr<train::BatchSource> validation_, test_;
    std::vector<data::Field> fields_;
    std::vector<nn::NamedTensor> state_;
    std::vector<std::string> trained_, loss_names_, metric_names_;
    graph::CompiledModel* model_ = nullptr;
    std::shared_ptr<Report> report_;
    std::unique_ptr<train::Trainer> trainer_;
    train::StepRecord last_;
    std::int64_t epochs_done_ = 0, epochs_ = 0;
    bool shared_ = false, ended_ = false;
};

} // namespace wiregrad::python
