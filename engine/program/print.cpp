// A program as text, one instruction a line.
#include <fmt/format.h>

#include "engine/core/recorder.h"
#include "engine/program/program.h"

namespace wiregrad::program {
namespace {

std::string reference(const Program& program, int id) {
    if (id < 0) return "none";
    const Value& value = program.value(id);
    const Value& root = program.value(program.root(id));
    if (value.role == Role::Constant) return fmt::format("{}", value.fill);
    if (value.base < 0 && !root.name.empty()) return root.name;
    return fmt::format("%{}", id);
}

std::string type_of(const Value& value) {
    std::string text = std::string(name_of(value.meta.dtype)) + value.meta.shape.str();
    if (!value.layout.plain())
        text += " " + value.layout.name();
    else if (!value.contiguous())
        text += " strides " + value.strides.str();
    return text;
}

std::string chain_text(const Instruction& instruction, std::span<const std::string> inputs) {
    std::string text;
    for (std::size_t s = 0; s < instruction.chain.size(); ++s) {
        const ChainStep& step = instruction.chain[s];
        text += fmt::format("{}t{} = {}(", s == 0 ? "" : "; ", s, step.op->name);
        for (std::size_t a = 0; a < step.arguments.size(); ++a) {
            const int from = step.arguments[a];
            text += (a == 0 ? "" : ", ") + (from < 0 ? fmt::format("t{}", -1 - from)
                                                     : inputs[static_cast<std::size_t>(from)]);
        }
        const std::string attrs = step.attrs.str();
        text += (attrs.empty() ? "" : " " + attrs) + ")";
        if (step.output >= 0) text += fmt::format(" -> {}", step.output);
    }
    return text;
}

} // namespace

std::string print(const Program& program, const Instruction& instruction) {
    std::string text;
    for (std::size_t i = 0; i < instruction.outputs.size(); ++i) {
        const int id = instruction.outputs[i];
        text += (i == 0 ? "" : ", ") + reference(program, id);
        if (!instruction.in_place()) text += ": " + type_of(program.value(id));
    }
    std::vector<std::string> inputs;
    for (const int id : instruction.inputs)
        inputs.push_back(reference(program, id));
    text += " = " + std::string(instruction.op->name) + "(";
    if (instruction.chain.empty()) {
        for (std::size_t i = 0; i < inputs.size(); ++i)
            text += (i == 0 ? "" : ", ") + inputs[i];
        const std::string attrs = instruction.attrs.str();
        if (!attrs.empty()) text += (inputs.empty() ? "" : "; ") + attrs;
    } else {
        text += chain_text(instruction, inputs);
    }
    text += ")";
    if (const std::string& node = Origin::name(instruction.origin); !node.empty())
        text += "   # " + node + (instruction.backward ? " backward" : "");
    return text;
}

std::string print(const Program& program) {
    return print(program, std::vector<std::string>{});
}

std::string print(const Program& program, const std::vector<std::string>& implementations) {
    std::string text;
    for (const Value& value : program.values)
        if (value.role == Role::Input) text += "input " + value.name + ": " + type_of(value) + "\n";
    bool update = false;
    for (std::size_t i = 0; i < program.instructions.size(); ++i) {
        const Instruction& instruction = program.instructions[i];
        if (instruction.update && !update) text += "update:\n";
        update = update || instruction.update;
        text += print(program, instruction);
        if (i < implementations.size() && !implementations[i].empty())
            text += "   [" + implementations[i] + "]";
        text += "\n";
    }
    for (const Output& output : program.outputs)
        text += "output " + output.name + " = " + reference(program, output.value) + "\n";
    return text;
}

} // namespace wiregrad::program
