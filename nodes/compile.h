// From a graph to what the engine runs. The result holds no reference to the graph.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datasets/dataset.h"
#include "engine/train/trainer.h"
#include "nodes/graph.h"

namespace wiregrad::graph {

struct CompileOptions {
    bool torch_init = true; ///< initial weights as torch.manual_seed(seed) would give
    bool prefetch = true;
    int threads = 0;
    bool random_data =
        false; ///< batches of random numbers in the described shapes instead of the data (bench)
    bool program =
        false; ///< steps, evaluation and prediction are recorded and replayed, where they can be
    bool autocast = false; ///< products and convolutions in bfloat16, weights in float32
    /// Called while datasets are opened: what is done, fraction 0..1; returns false to cancel.
    std::function<bool(const std::string&, double)> progress{};
    std::function<void(const data::Splits&)> opened{}; ///< called with the run's data
    /// The run's data, opened before: a plan for a run that goes on, without batches of its own.
    std::optional<data::Splits> data{};
};

/// The compiled graph.
class CompiledModel : public train::Model {
  public:
    /// Outputs of the layers that feed losses (or, without losses, of the last layers), for `x`
    /// given to each dataset or input node's data port. Eval mode, no recording. Returns (node id,
    /// tensor) pairs.
    virtual std::vector<std::pair<std::string, Tensor>> predict(const Tensor& x) = 0;
    /// The value of one output port for `x`, eval mode (surgery, pinned samples).
    virtual Tensor value(const std::string& node, const std::string& port, const Tensor& x) = 0;
    /// Whether what predict() gives for `node` are scores of classes (it feeds a cross-entropy
    /// loss).
    virtual bool predicts_classes(const std::string& node) const = 0;
    /// Class names of the labels, when the dataset has them.
    virtual const std::vector<std::string>& class_names() const = 0;
};

/// Model only, with initial weights; datasets are only described, not loaded. Throws Error with the
/// node in where().
std::unique_ptr<CompiledModel> compile_model(const Graph& graph,
                                             const CompileOptions& options = {});
/// Model, optimizers and loaders, ready for a Trainer. Throws on the first error of analyze().
train::TrainPlan compile(const Graph& graph, const CompileOptions& options = {});
/// The dataset a Dataset node stands for.
data::DatasetSpec dataset_spec(const Graph& graph, const Node& node);

} // namespace wiregrad::graph
