// PyTorch's own test instances of its modules, each built as a node from the constructor's
// arguments: outputs and gradients in float64. Needs python3-torch.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include <fmt/core.h>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/op/ops.h"
#include "nodes/node_type.h"
#include "tests/nodes/torch.h"

namespace wiregrad::graph {
namespace {

using nlohmann::json;

/// Why an instance has no node, in words; it is counted, not hidden.
struct Skip {
    std::string reason;
};

ParamValue value_of(const ParamSpec& spec, const json& value) {
    if (value.is_boolean()) return value.get<bool>();
    if (value.is_number_integer()) return conform(spec, value.get<std::int64_t>());
    if (value.is_number()) return value.get<double>();
    if (value.is_string()) return value.get<std::string>();
    if (value.is_array()) {
        std::vector<std::int64_t> numbers;
        for (const json& one : value) {
            if (!one.is_number_integer()) throw Skip{spec.id + " is no list of whole numbers"};
            numbers.push_back(one.get<std::int64_t>());
        }
        return numbers;
    }
    throw Skip{spec.id + " is none"};
}

/// Parameters that our nodes say otherwise.
bool translated(const std::string& name, const json& value, const NodeType& type, Params& params) {
    if (name == "padding" && value.is_string()) { // Conv: "same", "valid"
        if (value == "same")
            params.at("same") = true;
        else
            params.at("padding") = conform(*type.param("padding"), std::int64_t{0});
        return true;
    }
    if (name == "normalized_shape" && type.param("dims")) {
        params.at("dims") = static_cast<std::int64_t>(value.is_array() ? value.size() : 1);
        return true;
    }
    if (name == "momentum" && value.is_null() && type.param("cumulative")) {
        params.at("cumulative") = true;
        return true;
    }
    if (name == "eps" && value.is_null()) return true; // RMSNorm: its own
    if (name == "num_parameters") {
        params.at(name) = std::string(value == 1 ? "one" : "channels");
        return true;
    }
    return false;
}

Params params_of(const NodeType& type, const json& arguments) {
    Params params = default_params(type);
    for (const auto& [name, pair] : arguments.items()) {
        const json &value = pair[0], &standard = pair[1];
        if (translated(name, value, type, params)) continue;
        const ParamSpec* spec = type.param(name);
        if (!spec) {
            if (value == standard) continue;
            throw Skip{"no parameter " + name};
        }
        if (value.is_null()) continue; // none: what the node does without it
        params.at(name) = value_of(*spec, value);
        if (const std::string wrong = check_value(*spec, params.at(name)); !wrong.empty())
            throw Skip{"outside our range: " + wrong};
    }
    return params;
}

/// How many tolerances apart: those of float64, or of float32 where the node computes in it.
double apart(const Tensor& mine, const Tensor& theirs) {
    const bool single = mine.dtype() == DType::Float32;
    const double rtol = single ? 1.3e-6 : 1e-7, atol = single ? 1e-5 : 1e-7;
    if (mine.numel() != theirs.numel()) return INFINITY;
    const auto a = mine.to_vector(), b = theirs.to_vector();
    double worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (std::isnan(a[i]) && std::isnan(b[i])) continue;
        if (a[i] == b[i]) continue;
        const double away = std::abs(a[i] - b[i]) / (atol + rtol * std::abs(b[i]));
        worst = std::isnan(away) ? INFINITY : std::max(worst, away);
    }
    return worst;
}

Tensor cosines(const Tensor& like) {
    std::vector<double> values(static_cast<std::size_t>(like.numel()));
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = std::cos(static_cast<double>(i));
    return Tensor::from(values, like.shape());
}

/// What differs; empty: nothing.
std::string compare(const json& one, const std::string& numbers) {
    const std::string name = one.at("type");
    const NodeType* type = find_type(name);
    if (!type || !type->build) throw Skip{"no node " + name};
    const auto at = [&](const std::string& kind, std::size_t i) {
        const json& all = one.at("tensors");
        const auto found = all.find(fmt::format("{}/{}", kind, i));
        if (found == all.end()) return Tensor();
        Shape shape;
        for (const json& size : (*found)[1])
            shape.push_back(size.get<std::int64_t>());
        const DType dtype = (*found)[0] == "float64" ? DType::Float64 : DType::Int64;
        Tensor tensor = Tensor::empty(shape, dtype);
        const auto offset = (*found)[2].get<std::size_t>();
        if (offset + tensor.nbytes() > numbers.size()) throw std::runtime_error("too few numbers");
        std::memcpy(tensor.raw_mut(), numbers.data() + offset, tensor.nbytes());
        return tensor;
    };
    const Params params = params_of(*type, one.at("arguments"));
    if (type->check)
        if (const std::string wrong = type->check(params); !wrong.empty()) throw Skip{wrong};
    std::vector<Tensor> inputs;
    std::vector<TensorMeta> metas;
    for (std::size_t i = 0; i < one.at("inputs"); ++i) {
        inputs.push_back(at("input", i));
        if (inputs.back().numel() == 0) throw Skip{"an empty batch"};
        metas.push_back({inputs[i].shape(), inputs[i].dtype()});
    }
    std::vector<int> counts(type->inputs.size(), 0);
    if (inputs.size() > counts.size()) throw Skip{"more inputs than the node has"};
    std::fill_n(counts.begin(), inputs.size(), 1);
    const BuildContext context{params, metas, counts, 3};
    std::shared_ptr<nn::Module> module;
    try {
        module = type->build(context);
    } catch (const ShapeError& error) {
        // Nodes always have the batch as the first dimension.
        const std::string what = one.at("name");
        const bool rank = error.text().find("-D") != std::string::npos;
        if (rank || what.find("no_batch_dim") != std::string::npos)
            throw Skip{"without a batch, or of another rank"};
        if (error.text().find("equal shapes") != std::string::npos ||
            error.text().find("one shape") != std::string::npos)
            throw Skip{"inputs of two shapes, which the editor refuses to broadcast"};
        return error.text();
    } catch (const DTypeError& error) {
        throw Skip{"a dtype that the node refuses"};
    } catch (const ValueError& error) {
        throw Skip{"refused: " + error.text().substr(0, 40)};
    }
    std::vector<nn::NamedTensor> state;
    for (std::size_t i = 0; i < one.at("weights").size(); ++i)
        state.push_back({one.at("weights")[i], at("weight", i)});
    try {
        module->load(state);
    } catch (const Error& error) {
        return error.text();
    }
    for (Tensor& input : inputs)
        if (is_floating(input.dtype())) input.set_requires_grad(true);
    nn::ForwardContext forward;
    forward.training = one.at("training");
    forward.state.random = Tensor::zeros({2}, DType::Int64);
    const Tensors outputs = module->forward(inputs, forward);
    if (outputs.empty()) return "no output";
    const std::size_t shared = std::min<std::size_t>(outputs.size(), one.at("outputs"));
    Tensor total;
    for (std::size_t k = 0; k < shared; ++k) {
        const Tensor theirs = at("output", k);
        if (const double away = apart(outputs[k], theirs); away > 1)
            return fmt::format("output {} is {:.3g} tolerances away", k, away);
        if (!is_floating(outputs[k].dtype())) continue;
        const Tensor part = sum(mul(outputs[k], cosines(outputs[k])));
        total = total.defined() ? add(total, part) : part;
    }
    if (shared < one.at("outputs") || one.at("gradients") == 0 || !total.defined() ||
        !total.requires_grad())
        return "";
    autograd::backward(total);
    std::size_t k = 0;
    const auto check = [&](const Tensor& tensor, const std::string& what) -> std::string {
        const Tensor theirs = at("gradient", k++);
        const Tensor grad = tensor.grad();
        if (!theirs.defined() && !grad.defined()) return "";
        const Tensor zero = zeros_like(tensor.detach());
        const double away = apart(grad.defined() ? grad : zero, theirs.defined() ? theirs : zero);
        return away <= 1 ? "" : fmt::format("gradient of {} is {:.3g} tolerances away", what, away);
    };
    for (std::size_t i = 0; i < inputs.size(); ++i)
        if (is_floating(inputs[i].dtype()))
            if (auto wrong = check(inputs[i], fmt::format("input {}", i)); !wrong.empty())
                return wrong;
    std::map<std::string, Tensor> weights;
    for (const nn::NamedTensor& weight : module->parameters())
        weights[weight.name] = weight.tensor;
    for (const json& weight : one.at("parameters")) {
        const auto found = weights.find(weight.get<std::string>());
        if (found == weights.end()) return "no weight " + weight.get<std::string>();
        if (auto wrong = check(found->second, weight); !wrong.empty()) return wrong;
    }
    return "";
}

TEST(Modules, of_PyTorchs_own_test_lists_compute_the_same_live) {
    if (!testing::torch_installed()) GTEST_SKIP() << "python3-torch is not installed";
    const char* kept = std::getenv("WIREGRAD_MODULES"); // made before
    const std::string path = kept ? kept
                                  : std::filesystem::temp_directory_path() /
                                        ("wiregrad_modules_" + std::to_string(::getpid()));
    if (!kept) {
        const std::string command = "OPENBLAS_CORETYPE=SkylakeX /usr/bin/python3 '" + source_dir() +
                                    "/tests/nodes/torch_modules.py' '" + path + "' > /dev/null";
        ASSERT_EQ(std::system(command.c_str()), 0);
    }
    std::ifstream file(path + ".bin", std::ios::binary);
    const std::string numbers{std::istreambuf_iterator<char>(file), {}};
    std::ifstream list(path + ".json");
    const json described = json::parse(list);
    struct Row {
        int run = 0, passed = 0, skipped = 0;
    };
    std::map<std::string, Row> rows;
    std::map<std::string, int> reasons;
    for (const json& one : described.at("cases")) {
        Row& row = rows[one.at("type")];
        try {
            const std::string wrong = compare(one, numbers);
            ++row.run;
            row.passed += wrong.empty() ? 1 : 0;
            EXPECT_EQ(wrong, "") << one.at("name") << " " << one.at("arguments").dump();
        } catch (const Skip& skip) {
            ++row.skipped;
            ++reasons[skip.reason];
        }
    }
    for (const json& one : described.at("skipped"))
        ++reasons[one[1]];
    int run = 0, passed = 0, skipped = 0, kinds = 0;
    for (const auto& [name, row] : rows) {
        if (std::getenv("WIREGRAD_TABLE"))
            fmt::print("{:26} {:4} run {:4} passed {:4} skipped\n", name, row.run, row.passed,
                       row.skipped);
        run += row.run;
        passed += row.passed;
        skipped += row.skipped;
        kinds += row.run > 0 ? 1 : 0;
    }
    if (std::getenv("WIREGRAD_TABLE"))
        for (const auto& [reason, count] : reasons)
            fmt::print("  {:4} skipped: {}\n", count, reason);
    fmt::print("{} modules, {} instances run, {} passed, {} skipped\n", kinds, run, passed,
               skipped);
    EXPECT_GE(kinds, 70);
    EXPECT_GE(run, 250);
    if (!kept) {
        std::filesystem::remove(path + ".bin");
        std::filesystem::remove(path + ".json");
    }
}

} // namespace
} // namespace wiregrad::graph
