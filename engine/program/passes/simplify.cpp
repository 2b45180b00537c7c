// Algebra without a change of bits: constants, copies, equal and unused instructions.
#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "engine/program/passes.h"

namespace wiregrad::program {
namespace {

bool is_constant(const Program& program, int id) {
    return id >= 0 && program.value(id).role == Role::Constant;
}

/// Lets everything that used `from` use `to`.
void replace(Program& program, int from, int to, std::size_t first) {
    for (std::size_t i = first; i < program.instructions.size(); ++i)
        for (int& id : program.instructions[i].inputs)
            if (id == from) id = to;
    for (Output& output : program.outputs)
        if (output.value == from) output.value = to;
}

/// An elementwise op of values that are the same number everywhere is the same number everywhere.
std::optional<double> folded(const Program& program, const Instruction& instruction) {
    if (instruction.op->functor.kind == Functor::Kind::None || instruction.in_place() ||
        instruction.outputs.size() != 1 || !instruction.chain.empty())
        return std::nullopt;
    Tensors scalars;
    for (const int id : instruction.inputs) {
        if (!is_constant(program, id)) return std::nullopt;
        scalars.push_back(Tensor::full({}, program.value(id).fill, program.value(id).meta.dtype));
    }
    if (scalars.empty()) return std::nullopt;
    Tensors result{Tensor::empty({}, program.value(instruction.outputs[0]).meta.dtype)};
    instruction.op->kernel[0]({*instruction.op, instruction.attrs, scalars, result});
    return result[0].item();
}

void fold_constants(Program& program) {
    std::vector<Instruction> kept;
    for (Instruction& instruction : program.instructions) {
        if (const auto number = folded(program, instruction)) {
            Value& value = program.value(instruction.outputs[0]);
            value.role = Role::Constant;
            value.fill = *number;
            for (Value& view : program.values)
                if (view.base == instruction.outputs[0]) {
                    view.role = Role::Constant;
                    view.fill = *number;
                }
            continue;
        }
        kept.push_back(std::move(instruction));
    }
    program.instructions = std::move(kept);
}

/// For each root: at which instructions it is written and read.
struct Uses {
    std::vector<std::vector<int>> reads, writes;
    explicit Uses(const Program& program)
        : reads(program.values.size()), writes(program.values.size()) {
        const auto end = static_cast<int>(program.instructions.size());
        for (int i = 0; i < end; ++i) {
            const Instruction& instruction = program.instructions[static_cast<std::size_t>(i)];
            if (instruction.is_view()) continue;
            for (std::size_t k = 0; k < instruction.inputs.size(); ++k) {
                const int id = instruction.inputs[k];
                if (id < 0) continue;
                const auto root = static_cast<std::size_t>(program.root(id));
                reads[root].push_back(i);
                if (program::writes(instruction, k)) writes[root].push_back(i);
            }
            for (const int id : instruction.outputs)
                if (!instruction.in_place())
                    writes[static_cast<std::size_t>(program.root(id))].push_back(i);
        }
        for (const Output& output : program.outputs)
            reads[static_cast<std::size_t>(program.root(output.value))].push_back(end);
    }
};

/// What this instruction only passes on, or -1: copies of contiguous values, products with one.
int passed_on(const Program& program, const Instruction& instruction) {
    if (instruction.outputs.size() != 1 || !instruction.chain.empty()) return -1;
    const std::string_view name = instruction.op->name;
    const Value& out = program.value(instruction.outputs[0]);
    const auto fits = [&](int id) {
        const Value& value = program.value(id);
        return value.contiguous() && value.meta.shape == out.meta.shape &&
               value.meta.dtype == out.meta.dtype && value.meta.device == out.meta.device &&
               value.layout == out.layout && value.role != Role::Constant;
    };
    const auto is_one = [&](int id) {
        return is_constant(program, id) && program.value(id).fill == 1;
    };
    if (name == "contiguous" || name == "to")
        return fits(instruction.inputs[0]) ? instruction.inputs[0] : -1;
    if (name == "mul") {
        for (const int side : {0, 1})
            if (is_one(instruction.inputs[static_cast<std::size_t>(1 - side)]) &&
                fits(instruction.inputs[static_cast<std::size_t>(side)]))
                return instruction.inputs[static_cast<std::size_t>(side)];
        return -1;
    }
    if ((name == "div" && is_one(instruction.inputs[1])) ||
        ((name == "mul_scalar" || name == "div_scalar") && instruction.attrs.real("other") == 1))
        return fits(instruction.inputs[0]) ? instruction.inputs[0] : -1;
    // The forward pass has computed the gradient for a loss gradient of one.
    if (name == "cross_entropy_backward" && is_one(instruction.inputs[0]))
        return fits(instruction.inputs[2]) ? instruction.inputs[2] : -1;
    return -1;
}

/// Drops instructions that only pass a value on, where nobody can tell the copy from the original:
/// neither is written while the other is still read.
void forward_copies(Program& program) {
    for (std::size_t i = 0; i < program.instructions.size();) {
        const Instruction& instruction = program.instructions[i];
        const int source = passed_on(program, instruction);
        if (source < 0) {
            ++i;
            continue;
        }
        const int made = instruction.outputs[0];
        const auto from = static_cast<std::size_t>(program.root(source)),
                   to = static_cast<std::size_t>(made);
        const Uses uses(program);
        const int at = static_cast<int>(i);
        const auto last = [&](const std::vector<int>& list) {
            return list.empty() ? -1 : *std::max_element(list.begin(), list.end());
        };
        bool same = true;
        for (const int w : uses.writes[from])
            same = same && (w <= at || last(uses.reads[to]) <= w);
        for (const int w : uses.writes[to])
            same = same && (w == at || (last(uses.reads[from]) <= w &&
                                        program.value(static_cast<int>(from)).role == Role::Temp));
        // A view of the copy would have to become a view of a view with other strides.
        if (program.value(source).base >= 0)
            for (const Value& value : program.values)
                same = same && value.base != made;
        // What a run is given and what lives outside is not handed out as a result of the step.
        for (const Output& output : program.outputs)
            if (program.root(output.value) == made)
                same = same && program.value(static_cast<int>(from)).role == Role::Temp;
        if (!same) {
            ++i;
            continue;
        }
        program.instructions.erase(program.instructions.begin() + at);
        replace(program, made, source, i);
        for (Instruction& later : program.instructions)
            for (int& id : later.outputs)
                if (id == made && later.in_place()) id = source;
        for (Value& value : program.values)
            if (value.base == made) {
                value.base = static_cast<int>(from);
                value.role = program.value(static_cast<int>(from)).role;
            }
    }
}

/// Two instructions with the same op, attributes and inputs give the same result, as long as no
/// input was written between them.
void share_equal(Program& program) {
    std::map<std::string, std::size_t> seen;
    std::vector<int> version(program.values.size(), 0);
    const Uses uses(program);
    for (std::size_t i = 0; i < program.instructions.size();) {
        Instruction& instruction = program.instructions[i];
        bool pure = !instruction.in_place() && instruction.chain.empty() && !instruction.is_view();
        std::string key =
            fmt::format("{} {}", static_cast<const void*>(instruction.op), instruction.attrs.str());
        for (std::size_t k = 0; k < instruction.inputs.size(); ++k) {
            const int id = instruction.inputs[k];
            if (id < 0) {
                key += " none";
                continue;
            }
            pure = pure && !writes(instruction, k);
            const Value& value = program.value(id);
            if (value.role == Role::Constant)
                key += fmt::format(" {}{}{}", value.fill, name_of(value.meta.dtype),
                                   value.meta.shape.str());
            else
                key += fmt::format(" {}:{}:{}{}@{}", program.root(id),
                                   version[static_cast<std::size_t>(program.root(id))],
                                   value.meta.shape.str(), value.strides.str(), value.offset);
        }
        for (const int id : instruction.outputs) // a result that is changed later stays on its own
            pure = pure && uses.writes[static_cast<std::size_t>(program.root(id))].size() <= 1;
        if (pure) {
            const auto [entry, added] = seen.emplace(key, i);
            if (!added && program.instructions[entry->second].update == instruction.update) {
                const Instruction first = program.instructions[entry->second];
                const std::vector<int> gone = instruction.outputs;
                program.instructions.erase(program.instructions.begin() +
                                           static_cast<std::ptrdiff_t>(i));
                for (std::size_t k = 0; k < gone.size(); ++k) {
                    replace(program, gone[k], first.outputs[k], i);
                    for (Value& value : program.values)
                        if (value.base == gone[k]) value.base = first.outputs[k];
                }
                continue;
            }
        }
        for (std::size_t k = 0; k < instruction.inputs.size(); ++k)
            if (writes(instruction, k))
                ++version[static_cast<std::size_t>(program.root(instruction.inputs[k]))];
        ++i;
    }
}

} // namespace

void remove_dead(Program& program) {
    std::vector<bool> wanted(program.values.size(), false);
    const auto want = [&](int id) {
        if (id < 0) return;
        wanted[static_cast<std::size_t>(id)] = true;
        wanted[static_cast<std::size_t>(program.root(id))] = true;
    };
    for (const Output& output : program.outputs)
        want(output.value);
    std::vector<Instruction> kept;
    for (std::size_t i = program.instructions.size(); i-- > 0;) {
        Instruction& instruction = program.instructions[i];
        bool needed = false;
        for (std::size_t k = 0; k < instruction.inputs.size(); ++k)
            if (writes(instruction, k)) {
                const int root = program.root(instruction.inputs[k]);
                needed = needed || program.value(root).role != Role::Temp ||
                         wanted[static_cast<std::size_t>(root)];
            }
        for (const int id : instruction.outputs)
            needed = needed ||
                     (instruction.is_view() ? wanted[static_cast<std::size_t>(id)]
                                            : wanted[static_cast<std::size_t>(program.root(id))]);
        if (!needed) continue;
        for (const int id : instruction.inputs)
            want(id);
        kept.push_back(std::move(instruction));
    }
    std::reverse(kept.begin(), kept.end());
    program.instructions = std::move(kept);

    // Values that nothing mentions go, and the others move together.
    std::vector<int> place(program.values.size(), -1);
    std::vector<bool> mentioned(program.values.size(), false);
    const auto mention = [&](int id) {
        if (id < 0) return;
        mentioned[static_cast<std::size_t>(id)] = true;
        mentioned[static_cast<std::size_t>(program.root(id))] = true;
    };
    for (const Instruction& instruction : program.instructions)
        for (const auto* list : {&instruction.inputs, &instruction.outputs})
            for (const int id : *list)
                mention(id);
    for (const Output& output : program.outputs)
        mention(output.value);
    std::vector<Value> values;
    for (std::size_t id = 0; id < program.values.size(); ++id)
        if (mentioned[id] || program.values[id].role == Role::Input) {
            place[id] = static_cast<int>(values.size());
            values.push_back(std::move(program.values[id]));
        }
    const auto move = [&](int& id) {
        if (id >= 0) id = place[static_cast<std::size_t>(id)];
    };
    for (Value& value : values)
        move(value.base);
    for (Instruction& instruction : program.instructions)
        for (auto* list : {&instruction.inputs, &instruction.outputs})
            for (int& id : *list)
                move(id);
    for (Output& output : program.outputs)
        move(output.value);
    program.values = std::move(values);
}

void simplify(Program& program) {
    remove_dead(program);
    fold_constants(program);
    forward_copies(program);
    share_equal(program);
    remove_dead(program);
}

} // namespace wiregrad::program
