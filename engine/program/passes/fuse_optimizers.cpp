// One instruction for all weights of an optimizer: one pass over memory, one start of threads.
#include "engine/program/passes.h"

namespace wiregrad::program {
namespace {

struct Kind {
    std::string_view single, multi;
    std::size_t hyper; ///< the input that all share
};
constexpr Kind kKinds[] = {{"sgd_step_", "sgd_step_multi_", 3},
                           {"adam_step_", "adam_step_multi_", 5}};

const Kind* kind_of(const Instruction& instruction) {
    for (const Kind& kind : kKinds)
        if (instruction.op->name == kind.single) return &kind;
    return nullptr;
}

} // namespace

void fuse_optimizers(Program& program) {
    std::vector<Instruction> result;
    std::size_t open = 0; ///< position in `result` after the step that may take more; 0: none
    for (Instruction& instruction : program.instructions) {
        if (instruction.is_view()) {
            result.push_back(std::move(instruction));
            continue;
        }
        const Kind* kind = kind_of(instruction);
        for (const int id : instruction.inputs)
            if (id >= 0 && !program.value(id).contiguous()) kind = nullptr;
        if (kind == nullptr) {
            open = 0;
            result.push_back(std::move(instruction));
            continue;
        }
        const std::size_t each = instruction.inputs.size();
        const auto same_dtype = [&](const Instruction& other) {
            return program.value(other.inputs[0]).meta.dtype ==
                       program.value(instruction.inputs[0]).meta.dtype &&
                   program.value(other.inputs[0]).meta.device ==
                       program.value(instruction.inputs[0]).meta.device;
        };
        if (open > 0) {
            Instruction& earlier = result[open - 1];
            const bool fits = earlier.op->name == kind->multi &&
                              earlier.attrs.integer("each") == static_cast<std::int64_t>(each) &&
                              earlier.inputs[kind->hyper] == instruction.inputs[kind->hyper] &&
                              same_dtype(earlier);
            if (fits) {
                for (const int id : instruction.inputs)
                    earlier.inputs.push_back(id);
                // Views between the two were made for this one; they stand before it already.
                if (open != result.size()) {
                    Instruction moved = std::move(earlier);
                    result.erase(result.begin() + static_cast<std::ptrdiff_t>(open - 1));
                    result.push_back(std::move(moved));
                    open = result.size();
                }
                continue;
            }
        }
        Instruction multi = std::move(instruction);
        multi.attrs.set("each", static_cast<std::int64_t>(each));
        multi.op = &find_op(kind->multi);
        multi.origin = 0;
        result.push_back(std::move(multi));
        open = result.size();
    }
    program.instructions = std::move(result);
}

} // namespace wiregrad::program
