#include "tests/parity/run.h"

#include <fmt/core.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"

namespace wiregrad::parity {
namespace {

using nlohmann::json;

struct Pack {
    std::ifstream lines;
    std::vector<char> data;

    explicit Pack(const std::string& path) : lines(path + ".jsonl") {
        std::ifstream file(path + ".bin", std::ios::binary);
        if (!lines || !file) throw FileError("there is no pack of samples", path);
        data.assign(std::istreambuf_iterator<char>(file), {});
    }
    Tensor tensor(const json& described) {
        Shape shape;
        for (const json& size : described[1])
            shape.push_back(size.get<std::int64_t>());
        const std::string name = described[0];
        for (int i = 0; i < kDTypeCount; ++i) {
            const auto dtype = static_cast<DType>(i);
            if (name_of(dtype) != name) continue;
            const auto at = described[2].get<std::size_t>();
            const std::size_t bytes = static_cast<std::size_t>(numel(shape)) * size_of(dtype);
            if (at + bytes > data.size()) throw FileError("the pack is cut short");
            Tensor value = Tensor::empty(shape, dtype);
            std::memcpy(value.raw_mut(), data.data() + at, bytes); // not aligned there
            return value;
        }
        throw FileError("the pack holds a tensor of " + name);
    }
};

/// Every second element of a larger tensor, whose others are NaN.
Tensor spread(const Tensor& x) {
    if (x.dim() == 0) return x;
    Shape wide = x.shape();
    wide.push_back(2);
    Tensor whole = Tensor::full(
        wide, is_floating(x.dtype()) ? std::numeric_limits<double>::quiet_NaN() : 1, x.dtype());
    Strides strides = whole.strides();
    strides.erase(strides.size() - 1);
    Tensor view = whole.as_strided(x.shape(), strides, 0);
    view.copy_(x);
    return view;
}

Tensor cosines(const Tensor& like, int start) {
    std::vector<double> values(static_cast<std::size_t>(like.numel()));
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = std::cos(static_cast<double>(i) + start);
    return to(Tensor::from(values, like.shape()), like.dtype());
}

struct Tolerance {
    double rtol, atol;
};

/// Empty, or what differs, in PyTorch's words.
std::string difference(const Tensor& mine, const Tensor& theirs, Tolerance t) {
    if (mine.shape() != theirs.shape())
        return "shape " + mine.shape().str() + " instead of " + theirs.shape().str();
    const std::vector<double> a = mine.to_vector(), e = theirs.to_vector();
    std::size_t wrong = 0, at = 0;
    double worst = 0, relative = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (a[i] == e[i] || (std::isnan(a[i]) && std::isnan(e[i]))) continue;
        const double gap = std::abs(a[i] - e[i]);
        if (gap <= t.atol + t.rtol * std::abs(e[i])) continue;
        if (wrong++ == 0 || !(gap <= worst)) {
            worst = gap;
            relative = gap / std::abs(e[i]);
            at = i;
        }
    }
    if (wrong == 0) return "";
    return fmt::format("mismatched elements {} / {}, greatest absolute difference {:.3g}, relative "
                       "{:.3g}, at element {} ({:.9g} instead of {:.9g})",
                       wrong, a.size(), worst, relative, at, a[at], e[at]);
}

enum class Mode { Double, Spread, Single };

class Sample {
  public:
    Sample(const Entry& entry, const json& line, Pack& pack, Tally& tally)
        : entry_(entry), line_(line), pack_(pack), tally_(tally) {
        for (const json& described : line["t"])
            inputs_.push_back(pack.tensor(described));
    }

    /// Empty, or why it failed.
    std::string check() {
        for (const Mode mode : {Mode::Double, Mode::Spread, Mode::Single}) {
            if (mode == Mode::Single && (line_.contains("no32") || !any_floating())) continue;
            const std::string problem = check_mode(mode);
            if (!problem.empty()) {
                static const char* names[] = {"float64", "float64, spread in memory", "float32"};
                return std::string(names[static_cast<int>(mode)]) + ": " + problem;
            }
        }
        return "";
    }

  private:
    bool any_floating() const {
        for (const Tensor& input : inputs_)
            if (input.dtype() == DType::Float64) return true;
        return false;
    }

    std::string check_mode(Mode mode) {
        Tensors inputs, leaves;
        for (const Tensor& input : inputs_) {
            Tensor one = mode == Mode::Single && input.dtype() == DType::Float64
                             ? to(input, DType::Float32)
                             : input.clone();
            inputs.push_back(mode == Mode::Spread ? spread(one) : one);
        }
        for (const json& k : line_["diff"]) {
            Tensor& leaf = inputs[k.get<std::size_t>()];
            leaf.set_requires_grad(true);
            leaves.push_back(leaf);
        }
        const Call call(line_, inputs);
        const Tensors outputs = entry_.run(call);
        const json& expected = line_["out"];
        if (outputs.size() != expected.size())
            return fmt::format("{} outputs instead of {}", outputs.size(), expected.size());
        const bool single = mode == Mode::Single;
        const Tolerance tolerance = single
                                        ? Tolerance{entry_.rtol32 > 0 ? entry_.rtol32 : 1.3e-6,
                                                    entry_.atol32 > 0 ? entry_.atol32 : 1e-5}
                                        : Tolerance{entry_.rtol64 > 0 ? entry_.rtol64 : 1e-7, 1e-7};
        Tensors roots, seeds;
        for (std::size_t i = 0; i < outputs.size(); ++i) {
            const Tensor theirs = pack_.tensor(expected[i]);
            const bool floating = is_floating(theirs.dtype());
            const DType wanted =
                single && theirs.dtype() == DType::Float64 ? DType::Float32 : theirs.dtype();
            if (outputs[i].dtype() != wanted && !(single && floating))
                return fmt::format("output {} is {} instead of {}", i, name_of(outputs[i].dtype()),
                                   name_of(wanted));
            const Tolerance usual =
                theirs.dtype() == DType::Float32 ? Tolerance{1.3e-6, 1e-5} : tolerance;
            const std::string problem =
                difference(outputs[i], theirs, floating ? usual : Tolerance{0, 0});
            if (!problem.empty() && !(single && excused(line_["bad_out"], i)))
                return fmt::format("output {}: {}", i, problem);
            if (floating && outputs[i].requires_grad()) {
                roots.push_back(outputs[i]);
                seeds.push_back(cosines(outputs[i], 0));
            }
        }
        if (leaves.empty() || !entry_.no_gradient.empty()) return "";
        const bool twice =
            mode == Mode::Double && line_.contains("twice") && entry_.no_twice.empty();
        Tensors grads(leaves.size());
        if (!roots.empty()) grads = autograd::grad(roots, leaves, seeds, {.create_graph = twice});
        Tensors again, weights;
        for (std::size_t i = 0; i < leaves.size(); ++i) {
            const json& described = line_["grads"][i];
            const std::string problem = compare_gradient(grads[i], described, leaves[i], tolerance);
            if (!problem.empty() && !(single && excused(line_["bad_grad"], i)))
                return fmt::format("gradient {}: {}", i, problem);
            if (twice && grads[i].defined() && grads[i].requires_grad() && !described.is_null()) {
                again.push_back(grads[i]);
                weights.push_back(cosines(grads[i], 1));
            }
        }
        if (!twice) return "";
        Tensors second(leaves.size());
        if (!again.empty()) second = autograd::grad(again, leaves, weights);
        for (std::size_t i = 0; i < leaves.size(); ++i) {
            const std::string problem =
                compare_gradient(second[i], line_["twice"][i], leaves[i], tolerance);
            if (!problem.empty()) return fmt::format("second gradient {}: {}", i, problem);
        }
        return "";
    }

    /// An absent gradient is a gradient of zeros.
    std::string compare_gradient(const Tensor& mine, const json& described, const Tensor& leaf,
                                 Tolerance tolerance) {
        const Tensor zeros = Tensor::zeros(leaf.shape(), leaf.dtype());
        const Tensor theirs = described.is_null() ? zeros : pack_.tensor(described);
        return difference(mine.defined() ? mine : zeros, theirs, tolerance);
    }

    bool excused(const json& flags, std::size_t i) {
        if (i >= flags.size() || !flags[i].get<bool>()) return false;
        ++tally_.beyond;
        return true;
    }

    const Entry& entry_;
    const json& line_;
    Pack& pack_;
    Tally& tally_;
    Tensors inputs_;
};

void check_refusal(const Entry& entry, const json& line, Pack& pack, Tally& tally) {
    if (line["error"].get<std::string>().empty()) {
        ++tally.skipped["error input: about Python's kinds of arguments"];
        return;
    }
    if (line["kwargs"].contains("out")) {
        ++tally.skipped["error input: about an out argument"];
        return;
    }
    Tensors inputs;
    for (const json& described : line["t"])
        inputs.push_back(pack.tensor(described));
    const std::string what = fmt::format("error input {}", line["i"].get<int>());
    try {
        entry.run(Call(line, inputs));
    } catch (const Unsupported& reason) {
        ++tally.skipped[std::string("error input: ") + reason.what()];
        return;
    } catch (const Error& error) {
        ++tally.errors;
        if (std::string(error.what()).size() > 10)
            ++tally.refused;
        else
            tally.failures.push_back(what + ": refused without a reason");
        return;
    } catch (const std::exception& error) {
        ++tally.errors;
        tally.failures.push_back(what + ": no typed error, but " + error.what());
        return;
    }
    ++tally.errors;
    tally.failures.push_back(what + ": not refused; PyTorch says " + line["error"].dump());
}

void check_line(const Entry& entry, const json& line, Pack& pack, Tally& tally) {
    if (line.contains("skip")) {
        ++tally.skipped[line["skip"].get<std::string>()];
        return;
    }
    if (line.contains("error")) {
        check_refusal(entry, line, pack, tally);
        return;
    }
    if (!entry.only_floats.empty()) {
        bool whole = true;
        for (const json& described : line["t"])
            whole = whole && described[0] != "float64";
        if (whole) {
            ++tally.skipped["integers: " + entry.only_floats];
            return;
        }
    }
    std::string problem;
    try {
        problem = Sample(entry, line, pack, tally).check();
    } catch (const Unsupported& reason) {
        ++tally.skipped[reason.what()];
        return;
    } catch (const std::exception& error) {
        problem = std::string("threw: ") + error.what();
    }
    ++tally.run;
    if (problem.empty()) {
        ++tally.passed;
        return;
    }
    std::string shapes;
    for (const json& described : line["t"])
        shapes +=
            (shapes.empty() ? "" : ", ") + described[0].get<std::string>() + described[1].dump();
    tally.failures.push_back(fmt::format("sample {} ({}) {}: {}", line["i"].get<int>(), shapes,
                                         line["kwargs"].dump(), problem));
}

} // namespace

std::map<std::string, Tally> run_pack(const std::string& path, const std::string& only) {
    std::map<std::string, const Entry*> by_name;
    for (const Entry& entry : entries())
        by_name[entry.name] = &entry;
    Pack pack(path);
    std::map<std::string, Tally> result;
    std::string text;
    while (std::getline(pack.lines, text)) {
        const json line = json::parse(text);
        const auto found = by_name.find(line["as"].get<std::string>());
        const std::string op = line["op"];
        if (found == by_name.end() || (!only.empty() && op != only)) continue;
        check_line(*found->second, line, pack, result[op]);
    }
    return result;
}

bool print_table(const std::map<std::string, Tally>& tallies, bool verbose) {
    Tally all;
    int skipped = 0;
    fmt::print("{:<52} {:>7} {:>7} {:>8} {:>8}  {}\n", "op", "samples", "passed", "skipped",
               "refused", "reasons");
    for (const auto& [name, tally] : tallies) {
        std::string reasons;
        int left = 0;
        for (const auto& [reason, count] : tally.skipped) {
            left += count;
            reasons += fmt::format("{}{} x {}", reasons.empty() ? "" : "; ", count, reason);
        }
        if (tally.beyond > 0)
            reasons += fmt::format("{}{} float32 parts beyond PyTorch's own float32",
                                   reasons.empty() ? "" : "; ", tally.beyond);
        fmt::print("{:<52} {:>7} {:>7} {:>8} {:>8}  {}\n", name, tally.run, tally.passed, left,
                   fmt::format("{}/{}", tally.refused, tally.errors), reasons);
        const std::size_t shown = verbose ? tally.failures.size() : 3;
        for (std::size_t i = 0; i < tally.failures.size() && i < shown; ++i)
            fmt::print("    {}\n", tally.failures[i]);
        all.run += tally.run;
        all.passed += tally.passed;
        all.errors += tally.errors;
        all.refused += tally.refused;
        all.beyond += tally.beyond;
        skipped += left;
    }
    fmt::print("\n{} ops, {} samples run, {} passed ({:.2f} %), {} skipped; {} of {} error inputs "
               "refused; {} float32 parts that PyTorch's float32 misses as well\n",
               tallies.size(), all.run, all.passed,
               all.run > 0 ? 100.0 * all.passed / all.run : 0.0, skipped, all.refused, all.errors,
               all.beyond);
    for (const Entry& entry : entries()) {
        if (!entry.reason.empty()) fmt::print("tolerance of {}: {}\n", entry.name, entry.reason);
        if (!entry.no_gradient.empty())
            fmt::print("no gradient of {}: {}\n", entry.name, entry.no_gradient);
        if (!entry.no_twice.empty())
            fmt::print("no second gradient of {}: {}\n", entry.name, entry.no_twice);
        if (!entry.only_floats.empty())
            fmt::print("no integers of {}: {}\n", entry.name, entry.only_floats);
    }
    return all.run == all.passed && all.errors == all.refused;
}

} // namespace wiregrad::parity
