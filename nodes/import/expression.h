// Activations that ONNX spells out in several operators (GELU with an error function, SiLU as
// x * sigmoid(x), ...) found again. Pure; any thread.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "engine/io/onnx.h"
#include "nodes/node_type.h"

namespace wiregrad::graph {

struct Spelled {
    std::string type;  ///< node type
    Params params;     ///< those that differ from the defaults
    std::string input; ///< the ONNX value that it acts on
};

/// Reads expressions over the elementwise operators of one model.
class Expressions {
  public:
    explicit Expressions(const io::OnnxModel& model);
    /// What the value `name` spells, if it is an activation of more than one operator.
    std::optional<Spelled> find(const std::string& name) const;

  private:
    struct Term;
    std::string text(const std::string& name, const std::string& root, int depth,
                     std::vector<double>& numbers) const;
    std::optional<double> scalar(const std::string& name) const;
    std::map<std::string, const io::OnnxNode*> makers_;
    std::map<std::string, const Tensor*> constants_;
};

} // namespace wiregrad::graph
