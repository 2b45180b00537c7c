// Chains of elementwise instructions: each group of them runs as one loop at the place of its last
// member. Exact: every element sees the same operations in the same order.
#include <algorithm>
#include <map>

#include "engine/program/chain.h"
#include "engine/program/passes.h"

namespace wiregrad::program {
namespace {

constexpr std::size_t kMaxOperands = 24; ///< of a chain
constexpr std::size_t kMaxSteps = 24;

struct Group {
    std::vector<std::size_t> members; ///< instructions, ascending
    std::vector<int> inputs;          ///< values from outside, at most
};

class Fuser {
  public:
    explicit Fuser(Program& program)
        : program_(program), group_of_(program.instructions.size(), -1),
          maker_(program.values.size(), -1) {}

    void run() {
        for (std::size_t i = 0; i < program_.instructions.size(); ++i) {
            const Instruction& instruction = program_.instructions[i];
            if (!instruction.is_view())
                for (const int id : instruction.outputs)
                    maker_[static_cast<std::size_t>(program_.root(id))] = static_cast<int>(i);
            if (instruction.is_view() || !instruction.chain.empty() ||
                !chainable(program_, instruction) || !plain(instruction))
                continue;
            if (!join(i)) {
                group_of_[i] = static_cast<int>(groups_.size());
                groups_.push_back({{i}, instruction.inputs});
            }
        }
        emit();
    }

  private:
    bool plain(const Instruction& instruction) const {
        for (const auto* list : {&instruction.inputs, &instruction.outputs})
            for (const int id : *list)
                if (!program_.value(id).layout.plain()) return false;
        return true;
    }

    /// Puts instruction `i` to a group that makes one of its inputs, if that is allowed.
    bool join(std::size_t i) {
        const Instruction& instruction = program_.instructions[i];
        std::vector<int> candidates;
        for (const int id : instruction.inputs) {
            const int maker = maker_[static_cast<std::size_t>(program_.root(id))];
            // A view of a result shows it in another order or shape.
            if (maker < 0 || program_.value(id).base >= 0) continue;
            const int group = group_of_[static_cast<std::size_t>(maker)];
            if (group >= 0) candidates.push_back(group);
        }
        std::sort(candidates.rbegin(), candidates.rend());
        for (const int candidate : candidates) {
            Group& group = groups_[static_cast<std::size_t>(candidate)];
            if (!may_join(group, i)) continue;
            group.members.push_back(i);
            group.inputs.insert(group.inputs.end(), instruction.inputs.begin(),
                                instruction.inputs.end());
            group_of_[i] = candidate;
            return true;
        }
        return false;
    }

    bool may_join(const Group& group, std::size_t i) const {
        const Instruction& instruction = program_.instructions[i];
        const Instruction& first = program_.instructions[group.members.front()];
        const Shape& shape = program_.value(instruction.outputs[0]).meta.shape;
        if (shape != program_.value(first.outputs[0]).meta.shape ||
            instruction.update != first.update || group.members.size() >= kMaxSteps ||
            group.inputs.size() + instruction.inputs.size() > kMaxOperands)
            return false;
        // The group would run here: nobody between may need its results, or write what it reads.
        // Within the group a result is read element by element, not through another view.
        const auto made_by_group = [&](int id) {
            if (id < 0) return false;
            const int maker = maker_[static_cast<std::size_t>(program_.root(id))];
            return maker >= 0 && std::binary_search(group.members.begin(), group.members.end(),
                                                    static_cast<std::size_t>(maker));
        };
        for (const int id : instruction.inputs)
            if (made_by_group(id) && program_.value(id).base >= 0) return false;
        for (std::size_t j = group.members.front() + 1; j < i; ++j) {
            if (std::binary_search(group.members.begin(), group.members.end(), j)) continue;
            const Instruction& between = program_.instructions[j];
            if (between.is_view()) continue;
            for (std::size_t k = 0; k < between.inputs.size(); ++k) {
                const int id = between.inputs[k];
                if (id < 0) continue;
                if (made_by_group(id)) return false;
                if (!writes(between, k)) continue;
                for (const int read : group.inputs)
                    if (read >= 0 && program_.root(read) == program_.root(id)) return false;
            }
        }
        return true;
    }

    void emit() {
        // Who uses a value outside of the group that makes it.
        std::vector<bool> outside(program_.values.size(), false);
        for (std::size_t i = 0; i < program_.instructions.size(); ++i) {
            const Instruction& instruction = program_.instructions[i];
            if (instruction.is_view()) continue;
            for (const int id : instruction.inputs) {
                if (id < 0) continue;
                const auto root = static_cast<std::size_t>(program_.root(id));
                const int maker = maker_[root];
                const int made_in = maker < 0 ? -1 : group_of_[static_cast<std::size_t>(maker)];
                if (made_in < 0 || made_in != group_of_[i]) outside[root] = true;
            }
        }
        for (const Output& output : program_.outputs)
            outside[static_cast<std::size_t>(program_.root(output.value))] = true;

        std::vector<Instruction> result;
        for (std::size_t i = 0; i < program_.instructions.size(); ++i) {
            const int at = group_of_[i];
            const Group* group = at < 0 ? nullptr : &groups_[static_cast<std::size_t>(at)];
            if (group == nullptr || group->members.size() == 1)
                result.push_back(std::move(program_.instructions[i]));
            else if (group->members.back() == i)
                result.push_back(chain_of(*group, outside));
        }
        order_views(result);
        program_.instructions = std::move(result);
    }

    Instruction chain_of(const Group& group, const std::vector<bool>& outside) const {
        static const Op& elementwise = find_op("elementwise");
        Instruction chain;
        chain.op = &elementwise;
        std::map<int, int> step_of, input_of; // by value
        for (const std::size_t member : group.members) {
            const Instruction& instruction = program_.instructions[member];
            chain.origin = instruction.origin;
            chain.backward = instruction.backward;
            chain.update = instruction.update;
            ChainStep step = as_chain(program_, instruction)[0];
            step.output = -1;
            for (std::size_t a = 0; a < instruction.inputs.size(); ++a) {
                const int id = instruction.inputs[a];
                if (const auto made = step_of.find(id); made != step_of.end()) {
                    step.arguments[a] = -1 - made->second;
                    continue;
                }
                const auto [entry, added] =
                    input_of.emplace(id, static_cast<int>(chain.inputs.size()));
                if (added) chain.inputs.push_back(id);
                step.arguments[a] = entry->second;
            }
            const int made = instruction.outputs[0];
            step_of[made] = static_cast<int>(chain.chain.size());
            if (outside[static_cast<std::size_t>(made)]) {
                step.output = static_cast<int>(chain.outputs.size());
                chain.outputs.push_back(made);
            }
            chain.chain.push_back(std::move(step));
        }
        return chain;
    }

    /// A view of a result that moved back must stand behind it.
    void order_views(std::vector<Instruction>& list) const {
        std::vector<bool> made(program_.values.size(), false);
        for (std::size_t id = 0; id < program_.values.size(); ++id)
            made[id] = program_.values[id].role != Role::Temp;
        std::vector<Instruction> result, waiting;
        for (Instruction& instruction : list) {
            if (instruction.is_view() && !made[static_cast<std::size_t>(instruction.inputs[0])]) {
                waiting.push_back(std::move(instruction));
                continue;
            }
            for (const int id : instruction.outputs)
                made[static_cast<std::size_t>(id)] = true;
            result.push_back(std::move(instruction));
            for (bool again = true; again;) {
                again = false;
                for (std::size_t w = 0; w < waiting.size(); ++w) {
                    if (!made[static_cast<std::size_t>(waiting[w].inputs[0])]) continue;
                    made[static_cast<std::size_t>(waiting[w].outputs[0])] = true;
                    waiting[w].update = result.back().update;
                    result.push_back(std::move(waiting[w]));
                    waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(w));
                    again = true;
                    break;
                }
            }
        }
        list = std::move(result);
    }

    Program& program_;
    std::vector<Group> groups_;
    std::vector<int> group_of_; ///< by instruction
    std::vector<int> maker_;    ///< by root: the instruction that wrote it last
};

} // namespace

void fuse_elementwise(Program& program) {
    Fuser(program).run();
    remove_dead(program);
}

} // namespace wiregrad::program
