// How each op of the engine is said in ONNX's operators (opset 17): one row an op that is more than
// a rename. For nodes/export/onnx.cpp.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/io/onnx.h"
#include "nodes/export/trace.h"

namespace wiregrad::graph {

/// The model while it grows. Values are names; constants are shared where they are equal.
class OnnxBuilder {
  public:
    using Attributes = std::vector<std::pair<std::string, io::OnnxAttribute>>;

    explicit OnnxBuilder(const Trace& trace) : trace(trace) {}

    /// Appends a node and gives the name of its (first) output.
    std::string node(const std::string& op, std::vector<std::string> inputs,
                     Attributes attributes = {});
    /// The same, its output being value `target` of the trace.
    void result(int target, const std::string& op, std::vector<std::string> inputs,
                Attributes attributes = {});
    std::string constant(const Tensor& value);
    std::string integers(const std::vector<std::int64_t>& values);
    std::string number(double value, DType dtype);
    /// A list of sizes, with the batch's size read from the input where it is needed.
    std::string sizes(const Sizes& sizes);
    std::string name(int value) const; ///< "" for -1
    DType dtype(int value) const { return trace.values[static_cast<std::size_t>(value)].dtype; }
    const Sizes& shape(int value) const {
        return trace.values[static_cast<std::size_t>(value)].shape;
    }
    std::string weight(int value); ///< name, and the initialiser where it is one

    const Trace& trace;
    io::OnnxModel model;
    std::string scope; ///< member of the node whose ops are written

  private:
    std::string batch();
    std::map<std::string, int> counts_;
    std::map<std::string, std::string> constants_; ///< bytes -> name
    std::map<int, bool> weights_;
    std::string batch_;
};

using OnnxRule = void (*)(OnnxBuilder&, const TracedOp&);
/// Null: there is none.
OnnxRule find_onnx_rule(std::string_view op);
OnnxRule find_onnx_sequence_rule(std::string_view op); ///< recurrent layers, attention
/// The network in evaluation mode; weights empty: initial ones. Throws ValueError naming the node
/// that has no ONNX form.
io::OnnxModel to_onnx(const Outline& outline, const std::vector<nn::NamedTensor>& weights);
/// Ops that an ONNX file can hold, for the documentation and tests.
std::vector<std::string> onnx_rule_names();

} // namespace wiregrad::graph
