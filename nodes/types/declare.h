// Words to declare node types with: parameters, ports, modules made of a function, lines of
// PyTorch. For the files in nodes/types/ only.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "engine/core/error.h"
#include "engine/op/ops.h"
#include "nodes/node_type.h"
#include "nodes/types/types.h"

namespace wiregrad::graph::types {

// --- parameters

ParamSpec bool_param(std::string id, std::string label, bool standard, std::string help);
ParamSpec int_param(std::string id, std::string label, std::int64_t standard, double min,
                    double max, std::string help);
ParamSpec real_param(std::string id, std::string label, double standard, double min, double max,
                     std::string help);
/// A rate: scrubbing multiplies; the lower end is 0, excluded.
ParamSpec rate_param(std::string id, std::string label, double standard, double max,
                     std::string help);
ParamSpec choice_param(std::string id, std::string label, std::string standard,
                       std::vector<Choice> choices, std::string help);
ParamSpec text_param(std::string id, std::string label, std::string help);
ParamSpec path_param(std::string id, std::string label, std::string help);
/// One number for both directions, or height and width.
ParamSpec pair_param(std::string id, std::string label, std::int64_t standard, double min,
                     double max, std::string help);
ParamSpec list_param(std::string id, std::string label, std::vector<std::int64_t> standard,
                     int list_min, int list_max, double min, double max, std::string help);
ParamSpec shown_if(ParamSpec spec, std::function<bool(const Params&)> visible);
/// A parameter that a type got after files with it were written: not written while at its default.
ParamSpec later(ParamSpec spec);
ParamSpec with_unit(ParamSpec spec, std::string unit);

/// [3] -> {3, 3}; [3, 5] -> {3, 5}.
Dims pair_of(const BuildContext& context, const std::string& id);
/// [3] -> `count` times 3; as many numbers as `count` as they are. ValueError for others.
Dims sizes_of(const BuildContext& context, const std::string& id, int count);

// --- ports

PortSpec tensor_port(std::string id, std::string help = {});
std::vector<PortSpec> one_in();  ///< "in"
std::vector<PortSpec> one_out(); ///< "out"

// --- building

/// A module without weights whose forward is `function(inputs, context)`.
using Function = std::function<Tensors(std::span<const Tensor>, const nn::ForwardContext&)>;
std::shared_ptr<nn::Module> make_function(Function function);
/// The same for one input and one output that do not depend on the context.
std::shared_ptr<nn::Module> make_unary(std::function<Tensor(const Tensor&)> function);

/// Throws ShapeError unless the first input has `rank` dimensions: `Conv2d needs a 4-D input (N × C
/// × H × W), got ...`.
void need_rank(const BuildContext& context, int rank, const std::string& who,
               const std::string& form);
/// Throws DTypeError unless the first input is floating.
void need_floating(const BuildContext& context, const std::string& who);

/// One tensor an input port: undefined where an optional port is not wired.
Tensors spread_inputs(std::span<const Tensor> inputs, std::span<const int> counts);
/// Settings of layers with weights: how they begin (where `initial`), and how they learn.
void add_training_params(NodeType& type, bool initial = true);

// --- PyTorch source

std::string py(bool value);
std::string py(double value);
std::string py(std::int64_t value);
/// "3" when all are equal and `collapse`, else "(3, 5)".
std::string py(const Dims& value, bool collapse = false);

/// Arguments of a call; those at PyTorch's own default are left out.
class Arguments {
  public:
    Arguments& positional(const std::string& text);
    Arguments& option(const std::string& name, bool value, bool standard);
    Arguments& option(const std::string& name, std::int64_t value, std::int64_t standard);
    Arguments& option(const std::string& name, double value, double standard);
    Arguments& option(const std::string& name, const Dims& value, std::int64_t standard); ///< pairs
    Arguments& option(const std::string& name, const std::string& quoted_value);
    std::string call(const std::string& function) const;

  private:
    std::string text_;
};

/// "{self}({0})" with this constructor.
Emitted module_line(std::string init);

} // namespace wiregrad::graph::types
