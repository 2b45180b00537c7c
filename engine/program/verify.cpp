// The rules that every program keeps, executed after each pass in tests.
#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "engine/core/error.h"
#include "engine/core/tensor_body.h"
#include "engine/program/program.h"

namespace wiregrad::program {
namespace {

class Verifier {
  public:
    explicit Verifier(const Program& program)
        : program_(program), defined_(program.values.size(), false) {}

    void run() {
        for (std::size_t id = 0; id < program_.values.size(); ++id)
            check_value(static_cast<int>(id));
        bool update = false;
        for (std::size_t i = 0; i < program_.instructions.size(); ++i) {
            at_ = i;
            const Instruction& instruction = program_.instructions[i];
            if (instruction.op == nullptr) refuse("has no op");
            if (update && !instruction.update) refuse("computes after the update has begun");
            update = instruction.update;
            check_instruction(instruction);
        }
        at_ = program_.instructions.size();
        for (const Output& output : program_.outputs) {
            if (!known(output.value)) refuse(fmt::format("output '{}' is no value", output.name));
            if (!is_defined(output.value))
                refuse(fmt::format("output '{}' is never computed", output.name));
        }
    }

  private:
    [[noreturn]] void refuse(const std::string& why) const {
        if (at_ >= program_.instructions.size()) throw Error("The program is not valid: " + why);
        const Instruction& instruction = program_.instructions[at_];
        const std::string text = instruction.op == nullptr ? "" : print(program_, instruction);
        throw Error(fmt::format("The program is not valid: instruction {} {}: {}", at_, why, text));
    }
    bool known(int id) const { return id >= 0 && id < static_cast<int>(program_.values.size()); }
    bool is_defined(int id) const {
        const Value& root = program_.value(program_.root(id));
        return root.role != Role::Temp || defined_[static_cast<std::size_t>(program_.root(id))];
    }

    void check_value(int id) const {
        const Value& value = program_.value(id);
        if (value.base >= 0 && (!known(value.base) || program_.value(value.base).base >= 0))
            refuse(fmt::format("value %{} is a view of a view or of nothing", id));
        if (value.role == Role::State && value.base < 0 && !value.tensor.defined())
            refuse(fmt::format("state '{}' has no tensor", value.name));
        if (value.base < 0) return;
        const Value& root = program_.value(value.base);
        std::int64_t last = value.offset;
        for (int d = 0; d < value.meta.shape.size(); ++d) {
            if (value.meta.shape[d] == 0) return;
            last += (value.meta.shape[d] - 1) * value.strides[d];
        }
        if (root.layout.plain() && last >= numel(root.meta.shape))
            refuse(fmt::format("value %{} reaches outside of %{}", id, value.base));
    }

    void check_instruction(const Instruction& instruction) {
        if (instruction.inputs.empty() && instruction.outputs.empty()) refuse("does nothing");
        for (const int id : instruction.inputs) {
            if (id == -1) continue;
            if (!known(id)) refuse(fmt::format("uses %{}, which is no value", id));
            const bool filled = instruction.in_place() && id == instruction.inputs[0] &&
                                instruction.op->name == "fill_" && program_.value(id).base < 0;
            if (!filled && !is_defined(id))
                refuse(fmt::format("uses %{} before it is computed", id));
        }
        for (const int id : instruction.outputs)
            if (!known(id)) refuse(fmt::format("makes %{}, which is no value", id));
        if (instruction.in_place()) {
            if (instruction.outputs.empty() || instruction.outputs[0] != instruction.inputs[0])
                refuse("works in place but its output is not its input 0");
            if (program_.value(instruction.inputs[0]).role == Role::Constant)
                refuse("writes to a constant");
            define(instruction.outputs[0]);
            check_rule(instruction);
            return;
        }
        if (instruction.is_view()) {
            check_view(instruction);
            return;
        }
        for (const int id : instruction.outputs) {
            const Value& value = program_.value(id);
            if (value.role != Role::Temp || value.base >= 0)
                refuse(fmt::format("makes %{}, which is not a value of its own", id));
            if (defined_[static_cast<std::size_t>(id)])
                refuse(fmt::format("makes %{} a second time", id));
            define(id);
        }
        check_rule(instruction);
    }
    void define(int id) { defined_[static_cast<std::size_t>(program_.root(id))] = true; }

    void check_rule(const Instruction& instruction) const {
        if (!instruction.chain.empty()) {
            check_chain(instruction);
            return;
        }
        if (instruction.op->shape == nullptr) return;
        Mask present = 0;
        const Metas inputs = input_metas(program_, instruction, present);
        Metas expected;
        try {
            expected = instruction.op->shape({*instruction.op, instruction.attrs, inputs, present});
        } catch (const Error& error) {
            refuse("is refused by its shape rule (" + error.text() + ")");
        }
        if (instruction.in_place()) return;
        if (expected.size() != instruction.outputs.size())
            refuse(fmt::format("has {} outputs, its rule gives {}", instruction.outputs.size(),
                               expected.size()));
        for (std::size_t i = 0; i < expected.size(); ++i)
            check_meta(instruction.outputs[i], expected[i]);
    }
    void check_meta(int id, const TensorMeta& expected) const {
        const TensorMeta& meta = program_.value(id).meta;
        if (meta.shape != expected.shape || meta.dtype != expected.dtype)
            refuse(fmt::format("makes %{} as {}{}, its rule gives {}{}", id, name_of(meta.dtype),
                               meta.shape.str(), name_of(expected.dtype), expected.shape.str()));
    }

    void check_view(const Instruction& instruction) const {
        const Value& from = program_.value(instruction.inputs[0]);
        const Value& made = program_.value(instruction.outputs[0]);
        if (program_.root(instruction.outputs[0]) != program_.root(instruction.inputs[0]) &&
            from.role != Role::Constant)
            refuse("is a view of another value than its input");
        const Tensor source = shape_only_tensor(from.meta.shape, from.meta.dtype, from.meta.device)
                                  .as_strided(from.meta.shape, from.strides, from.offset);
        Tensor none;
        const Tensor view =
            instruction.op->view({*instruction.op, instruction.attrs, {&source, 1}, {&none, 1}});
        if (view.shape() != made.meta.shape || view.strides() != made.strides ||
            view.storage_offset() != made.offset)
            refuse(fmt::format("makes another view than its rule gives: {} strides {} from {}",
                               view.shape().str(), view.strides().str(), view.storage_offset()));
    }

    void check_chain(const Instruction& instruction) const {
        const auto steps = static_cast<int>(instruction.chain.size());
        std::vector<bool> kept(instruction.outputs.size(), false);
        Metas results;
        for (int s = 0; s < steps; ++s) {
            const ChainStep& step = instruction.chain[static_cast<std::size_t>(s)];
            Metas inputs;
            Mask present = 0;
            for (const int from : step.arguments) {
                if (from < 0 ? -1 - from >= s : from >= static_cast<int>(instruction.inputs.size()))
                    refuse(
                        fmt::format("step {} uses argument {}, which is not there yet", s, from));
                present |= Mask{1} << inputs.size();
                inputs.push_back(
                    from < 0
                        ? results[static_cast<std::size_t>(-1 - from)]
                        : program_.value(instruction.inputs[static_cast<std::size_t>(from)]).meta);
            }
            results.push_back(step.op->shape({*step.op, step.attrs, inputs, present}).at(0));
            if (results.back().dtype != step.dtype)
                refuse(fmt::format("step {} gives {}", s, name_of(results.back().dtype)));
            if (step.output < 0) continue;
            if (step.output >= static_cast<int>(kept.size()))
                refuse(fmt::format("step {} has no output {}", s, step.output));
            check_meta(instruction.outputs[static_cast<std::size_t>(step.output)], results.back());
            kept[static_cast<std::size_t>(step.output)] = true;
        }
        if (std::find(kept.begin(), kept.end(), false) != kept.end())
            refuse("has an output that no step makes");
    }

    const Program& program_;
    std::vector<bool> defined_;
    std::size_t at_ = ~std::size_t{0};
};

} // namespace

void verify(const Program& program) {
    Verifier(program).run();
}

} // namespace wiregrad::program
