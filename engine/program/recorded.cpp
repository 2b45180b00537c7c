#include "engine/program/recorded.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/autograd/tape.h"
#include "engine/core/config.h"
#include "engine/core/error.h"
#include "engine/program/passes.h"
#include "engine/program/trace.h"

namespace wiregrad::program {

void add_to_key(std::vector<std::int64_t>& key, const Tensor& input) {
    key.push_back(static_cast<std::int64_t>(input.dtype()));
    key.push_back(input.dim());
    key.insert(key.end(), input.shape().begin(), input.shape().end());
}

void Recorded::record(Kind& kind, const Tensors& inputs, const Function& function) {
    try {
        Tracer tracer;
        Tensors stand_ins;
        for (std::size_t i = 0; i < inputs.size(); ++i)
            stand_ins.push_back(tracer.input(fmt::format("input.{}", i), inputs[i]));
        std::size_t count = 0;
        {
            const Tracer::Scope scope(tracer);
            for (const Tensor& result : function(stand_ins))
                tracer.output(fmt::format("output.{}", count++), result);
        }
        Program program = tracer.finish();
        OptimizeOptions options;
#ifdef WIREGRAD_DEBUG
        options.check = true;
#endif
        optimize(program, options);
        kind.program = std::make_unique<Executable>(
            std::move(program),
            ExecuteOptions{.threads = num_threads(), .trial = !deterministic()});
        for (std::size_t i = 0; i < count; ++i)
            kind.outputs.push_back(kind.program->output(fmt::format("output.{}", i)));
    } catch (const Error& error) {
        kind.program = nullptr;
        kind.outputs.clear();
        kind.refused = error.what();
    }
}

const Tensors& Recorded::operator()(const Tensors& inputs, std::uint64_t revision,
                                    const Function& function) {
    const autograd::NoGrad no_grad;
    const auto eagerly = [&](const std::string& reason) -> const Tensors& {
        reason_ = reason;
        program_ = nullptr;
        eager_ = function(inputs);
        return eager_;
    };
    key_.assign({static_cast<std::int64_t>(revision), num_threads()});
    for (const Tensor& input : inputs) {
        if (!input.is_contiguous()) return eagerly("an input is not contiguous");
        add_to_key(key_, input);
    }
    auto kind = std::find_if(kinds_.begin(), kinds_.end(),
                             [&](const Kind& known) { return known.key == key_; });
    if (kind == kinds_.end()) {
        if (kinds_.size() >= kKinds)
            kinds_.erase(
                std::min_element(kinds_.begin(), kinds_.end(),
                                 [](const Kind& a, const Kind& b) { return a.used < b.used; }));
        kinds_.push_back({key_, nullptr, {}, "", 0});
        kind = kinds_.end() - 1;
    }
    kind->used = ++clock_;
    if (kind->program == nullptr && kind->refused.empty()) record(*kind, inputs, function);
    if (kind->program == nullptr) return eagerly(kind->refused);
    for (std::size_t i = 0; i < inputs.size(); ++i)
        kind->program->set_input(fmt::format("input.{}", i), inputs[i]);
    kind->program->run();
    reason_.clear();
    eager_.clear();
    program_ = kind->program.get();
    return kind->outputs;
}

} // namespace wiregrad::program
