#include "engine/program/program.h"

#include <algorithm>
#include <set>

namespace wiregrad::program {

std::size_t Value::bytes() const {
    if (layout.opaque() != nullptr) return layout.opaque()->bytes();
    return static_cast<std::size_t>(numel(meta.shape)) * size_of(meta.dtype);
}

int Program::add(Value value) {
    if (value.strides.empty()) value.strides = contiguous_strides(value.meta.shape);
    values.push_back(std::move(value));
    return static_cast<int>(values.size()) - 1;
}

int Program::find(const std::string& name) const {
    for (std::size_t i = 0; i < values.size(); ++i)
        if (values[i].name == name && values[i].base < 0) return static_cast<int>(i);
    return -1;
}

int Program::output(const std::string& name) const {
    for (const Output& output : outputs)
        if (output.name == name) return output.value;
    return -1;
}

bool writes(const Instruction& instruction, std::size_t input) {
    if (instruction.inputs[input] < 0) return false;
    if (instruction.attrs.has("each")) // several of one kind, one after the other
        input %= static_cast<std::size_t>(instruction.attrs.integer("each"));
    if (input == 0 && instruction.in_place()) return true;
    if (input >= 32 || ((instruction.op->writes >> input) & 1U) == 0) return false;
    // Normalisation with fixed statistics only reads them.
    return !instruction.attrs.has("training") || instruction.attrs.flag("training");
}

Metas input_metas(const Program& program, const Instruction& instruction, Mask& present) {
    Metas metas;
    present = 0;
    for (std::size_t i = 0; i < instruction.inputs.size(); ++i) {
        const int id = instruction.inputs[i];
        metas.push_back(id < 0 ? TensorMeta{} : program.value(id).meta);
        if (id >= 0 && i < 32) present |= Mask{1} << i;
    }
    return metas;
}

Cost Program::cost() const {
    Cost total;
    for (const Instruction& instruction : instructions) {
        if (instruction.is_view()) continue;
        Mask present = 0;
        const Metas metas = input_metas(*this, instruction, present);
        Metas results;
        for (const int id : instruction.outputs)
            results.push_back(value(id).meta);
        if (instruction.op->cost != nullptr) {
            const Cost own =
                instruction.op->cost({*instruction.op, instruction.attrs, metas, present}, results);
            total.flops += own.flops;
            total.bytes += own.bytes;
            continue;
        }
        const auto steps = static_cast<double>(std::max<std::size_t>(1, instruction.chain.size()));
        for (const TensorMeta& meta : results) {
            total.flops += steps * static_cast<double>(numel(meta.shape));
            total.bytes +=
                static_cast<double>(numel(meta.shape)) * static_cast<double>(size_of(meta.dtype));
        }
        for (const int id : instruction.inputs)
            if (id >= 0) total.bytes += static_cast<double>(value(id).bytes());
    }
    return total;
}

std::unique_ptr<Bound> ask_backend(const Program& program, const Instruction& instruction,
                                   int threads, bool trial, std::vector<BindValue>& in,
                                   std::vector<BindValue>& out,
                                   const std::function<bool(int)>& may_choose) {
    const Device device = program.value(instruction.outputs[0]).meta.device;
    const BindRule rule = instruction.op->bind[static_cast<std::size_t>(device.type)];
    if (rule == nullptr) return nullptr;
    const auto described = [&](int id) {
        if (id < 0) return BindValue{};
        const Value& value = program.value(id);
        return BindValue{value.meta, value.strides, value.layout, may_choose(id), false};
    };
    Mask present = 0;
    in.clear();
    out.clear();
    for (std::size_t i = 0; i < instruction.inputs.size(); ++i) {
        if (i < 32 && instruction.inputs[i] >= 0) present |= Mask{1} << i;
        in.push_back(described(instruction.inputs[i]));
    }
    for (const int id : instruction.outputs)
        out.push_back(described(id));
    BindCall call{*instruction.op, instruction.attrs, in, out, present, threads, trial};
    return rule(call);
}

std::vector<std::string> effects(const Program& program) {
    std::set<std::string> result;
    for (const Output& output : program.outputs)
        result.insert("output " + output.name);
    for (const Instruction& instruction : program.instructions)
        for (std::size_t i = 0; i < instruction.inputs.size(); ++i) {
            if (!writes(instruction, i)) continue;
            const Value& root = program.value(program.root(instruction.inputs[i]));
            if (root.role != Role::Temp) result.insert("write " + root.name);
        }
    return {result.begin(), result.end()};
}

} // namespace wiregrad::program
