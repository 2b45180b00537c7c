// Comparing analytic gradients with central differences.
#include <cmath>
#include <cstdio>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/op/ops.h"

namespace wiregrad::autograd {
namespace {

using Function = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.9g", value);
    return text;
}

/// A fixed direction without symmetry, so that errors of opposite sign do not cancel.
Tensor direction(const Tensor& like, std::size_t output) {
    std::vector<double> values(static_cast<std::size_t>(like.numel()));
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = std::cos(static_cast<double>(i) + 0.7 * static_cast<double>(output)) + 0.1;
    return to(Tensor::from(values, like.shape()), like.dtype());
}

std::vector<Tensor> leaves(const std::vector<Tensor>& inputs, std::uint32_t subset) {
    std::vector<Tensor> result;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        Tensor leaf = inputs[i].defined() ? inputs[i].clone() : Tensor();
        if (((subset >> i) & 1U) != 0) leaf.set_requires_grad(true);
        result.push_back(leaf);
    }
    return result;
}

/// Sum over the floating outputs of output * direction.
double projected(const Function& function, const std::vector<Tensor>& inputs) {
    const std::vector<Tensor> outputs = function(inputs);
    double total = 0;
    for (std::size_t k = 0; k < outputs.size(); ++k) {
        if (!outputs[k].defined() || !is_floating(outputs[k].dtype())) continue;
        const std::vector<double> values = outputs[k].to_vector();
        const std::vector<double> weights = direction(outputs[k], k).to_vector();
        for (std::size_t i = 0; i < values.size(); ++i)
            total += values[i] * weights[i];
    }
    return total;
}

std::vector<std::vector<double>> numeric_gradients(const Function& function,
                                                   const std::vector<Tensor>& inputs,
                                                   std::uint32_t wanted, double eps) {
    std::vector<std::vector<double>> result(inputs.size());
    std::vector<Tensor> work = leaves(inputs, 0);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (((wanted >> i) & 1U) == 0) continue;
        for (std::int64_t k = 0; k < inputs[i].numel(); ++k) {
            const double value = work[i].data<double>()[k];
            work[i].data_mut<double>()[k] = value + eps;
            const double above = projected(function, work);
            work[i].data_mut<double>()[k] = value - eps;
            const double below = projected(function, work);
            work[i].data_mut<double>()[k] = value;
            result[i].push_back((above - below) / (2 * eps));
        }
    }
    return result;
}

/// Gradients of the projection for the inputs in `subset`; zeros where unconnected.
std::vector<std::vector<double>> analytic_gradients(const Function& function,
                                                    const std::vector<Tensor>& inputs,
                                                    std::uint32_t subset, std::string& problem) {
    const std::vector<Tensor> args = leaves(inputs, subset);
    const std::vector<Tensor> outputs = function(args);
    std::vector<Tensor> roots, seeds, wanted;
    for (std::size_t k = 0; k < outputs.size(); ++k) {
        if (!outputs[k].defined() || !outputs[k].requires_grad()) continue;
        roots.push_back(outputs[k]);
        seeds.push_back(direction(outputs[k], k));
    }
    for (const Tensor& arg : args) {
        if (arg.requires_grad()) wanted.push_back(arg);
    }
    std::vector<std::vector<double>> result(inputs.size());
    std::vector<Tensor> first(wanted.size());
    if (!roots.empty()) {
        first = grad(roots, wanted, seeds, {.retain_graph = true});
        const std::vector<Tensor> second = grad(roots, wanted, seeds);
        for (std::size_t i = 0; i < first.size(); ++i) {
            if (first[i].defined() != second[i].defined() ||
                (first[i].defined() && first[i].to_vector() != second[i].to_vector())) {
                // NaN differs from itself: compared by bits
                const auto same = [](double a, double b) {
                    return a == b || (std::isnan(a) && std::isnan(b));
                };
                const auto a = first[i].defined() ? first[i].to_vector() : std::vector<double>();
                const auto b = second[i].defined() ? second[i].to_vector() : std::vector<double>();
                bool equal = a.size() == b.size();
                for (std::size_t k = 0; equal && k < a.size(); ++k)
                    equal = same(a[k], b[k]);
                if (!equal)
                    problem = "two backward passes gave different gradients for input " +
                              std::to_string(i);
            }
        }
    }
    std::size_t next = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (!args[i].requires_grad()) continue;
        const Tensor& gradient = first[next++];
        if (gradient.defined())
            result[i] = gradient.to_vector();
        else
            result[i].assign(static_cast<std::size_t>(inputs[i].numel()), 0.0);
    }
    return result;
}

std::string check_subset(const Function& function, const std::vector<Tensor>& inputs,
                         std::uint32_t subset, const std::vector<std::vector<double>>& numeric,
                         const GradCheckOptions& options) {
    const std::int64_t alive = live_tensor_count();
    std::string problem;
    const auto analytic = analytic_gradients(function, inputs, subset, problem);
    if (!problem.empty()) return problem;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        for (std::size_t k = 0; k < analytic[i].size(); ++k) {
            const double a = analytic[i][k], n = numeric[i][k];
            if (std::abs(a - n) <= options.atol + options.rtol * std::abs(n))
                continue; // false for NaN
            return "input " + std::to_string(i) + ", element " + std::to_string(k) + ": analytic " +
                   number(a) + ", numeric " + number(n);
        }
    }
    const std::int64_t left = live_tensor_count() - alive;
    return left == 0 ? "" : std::to_string(left) + " tensors were left alive";
}

std::string subset_text(std::uint32_t subset, std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
        if (((subset >> i) & 1U) != 0) text += (text.empty() ? "" : ", ") + std::to_string(i);
    }
    return "with a gradient for inputs {" + text + "}: ";
}

std::string check(const Function& function, const std::vector<Tensor>& inputs,
                  const GradCheckOptions& options, bool all_subsets) {
    std::uint32_t floating = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (!inputs[i].defined() || !is_floating(inputs[i].dtype())) continue;
        if (inputs[i].dtype() != DType::Float64) {
            throw DTypeError("gradcheck needs float64 inputs; input " + std::to_string(i) + " is " +
                             std::string(name_of(inputs[i].dtype())) + ".");
        }
        floating |= std::uint32_t{1} << i;
    }
    if (floating == 0) throw ValueError("gradcheck: no input can have a gradient.");
    const auto numeric = numeric_gradients(function, inputs, floating, options.eps);
    if (!all_subsets) {
        const std::string text = check_subset(function, inputs, floating, numeric, options);
        return text.empty() ? text : subset_text(floating, inputs.size()) + text;
    }
    for (std::uint32_t subset = floating; subset != 0;
         subset = (subset - 1) & floating) { // every non-empty subset
        const std::string text = check_subset(function, inputs, subset, numeric, options);
        if (!text.empty()) return subset_text(subset, inputs.size()) + text;
    }
    return "";
}

} // namespace

std::string
gradcheck(const std::function<std::vector<Tensor>(const std::vector<Tensor>&)>& function,
          const std::vector<Tensor>& inputs, GradCheckOptions options) {
    std::string problem = check(function, inputs, options, true);
    if (!problem.empty() || !options.double_backward) return problem;

    // The gradient as a function of inputs and seeds, checked in its turn.
    std::vector<Tensor> extended = inputs;
    {
        const std::vector<Tensor> outputs = function(leaves(inputs, 0));
        for (std::size_t k = 0; k < outputs.size(); ++k) {
            if (outputs[k].defined() && is_floating(outputs[k].dtype()))
                extended.push_back(direction(outputs[k], k + 3));
        }
    }
    const auto first_gradients = [&function,
                                  count = inputs.size()](const std::vector<Tensor>& args) {
        const EnableGrad enable;
        std::vector<Tensor> own, wanted, roots, seeds;
        for (std::size_t i = 0; i < count; ++i) {
            Tensor arg = args[i];
            if (arg.defined() && is_floating(arg.dtype())) {
                if (!arg.requires_grad()) arg = arg.detach().set_requires_grad(true);
                wanted.push_back(arg);
            }
            own.push_back(arg);
        }
        std::size_t next = count;
        for (const Tensor& output : function(own)) {
            if (!output.defined() || !is_floating(output.dtype())) continue;
            const Tensor& seed = args[next++];
            if (!output.requires_grad()) continue;
            roots.push_back(output);
            seeds.push_back(seed);
        }
        if (roots.empty()) return std::vector<Tensor>();
        return grad(roots, wanted, seeds, {.create_graph = true});
    };
    problem = check(first_gradients, extended, options, false);
    return problem.empty() ? problem : "second derivative, " + problem;
}

} // namespace wiregrad::autograd
