// Formulas that a person types, such as x * sigmoid(beta * x): read once, then computed with ops,
// so that gradients come along, or written out as PyTorch. Immutable after parsing; any thread.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/tensor.h"

namespace wiregrad::graph {

struct FormulaNode;

class Formula {
  public:
    /// Throws ValueError that names the column, counted from 1: unknown names and functions, wrong
    /// numbers of arguments, unfinished or too deep expressions.
    static Formula parse(std::string_view text, const std::vector<std::string>& names);

    /// `values` in the order of the names given to parse.
    Tensor compute(std::span<const Tensor> values) const;
    /// `spelled` stands for the names: "{0}", "{self}['beta']".
    std::string python(const std::vector<std::string>& spelled) const;
    /// Whether the name of this number occurs.
    bool uses(int name) const;

  private:
    std::shared_ptr<const FormulaNode> root_;
};

/// Names separated by commas: letters, digits and _, each once. Throws ValueError naming what is
/// wrong; `what` says whose names they are.
std::vector<std::string> parse_names(std::string_view text, const std::string& what);
/// "beta = 1, gamma = -0.5": names and numbers.
std::vector<std::pair<std::string, double>> parse_settings(std::string_view text);
/// The functions that formulas know, for help texts: "abs, exp, ...".
std::string formula_functions();

} // namespace wiregrad::graph
