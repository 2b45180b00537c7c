#include "engine/program/plan.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "engine/core/error.h"
#include "engine/core/recorder.h"
#include "engine/program/chain.h"

namespace wiregrad::program {
namespace {

constexpr std::size_t kLine = 64;

std::size_t whole_lines(std::size_t bytes) {
    return std::max(kLine, (bytes + kLine - 1) / kLine * kLine);
}

bool alive_together(const Block& a, const Block& b) {
    // Where one takes the other's place, it begins when the other ends.
    if ((b.over >= 0 && b.over == a.value && b.first == a.last) ||
        (a.over >= 0 && a.over == b.value && a.first == b.last))
        return false;
    return a.first <= b.last && b.first <= a.last;
}

} // namespace

const Block* MemoryPlan::block_of(int root) const {
    const auto found = std::find_if(blocks.begin(), blocks.end(),
                                    [&](const Block& block) { return block.value == root; });
    return found == blocks.end() ? nullptr : &*found;
}

MemoryPlan plan_memory(const Program& program, const std::vector<std::size_t>& scratch) {
    MemoryPlan plan;
    const auto end = static_cast<int>(program.instructions.size());
    std::vector<int> block_at(program.values.size(), -1);
    const auto touch = [&](int id, int at) {
        if (id < 0) return;
        const int root = program.root(id);
        if (program.value(root).role != Role::Temp) return;
        int& index = block_at[static_cast<std::size_t>(root)];
        if (index < 0) {
            index = static_cast<int>(plan.blocks.size());
            plan.blocks.push_back({root, at, at, -1, whole_lines(program.value(root).bytes()), 0});
        }
        plan.blocks[static_cast<std::size_t>(index)].last = at;
    };
    for (int i = 0; i < end; ++i) {
        const Instruction& instruction = program.instructions[static_cast<std::size_t>(i)];
        if (instruction.is_view()) continue;
        for (const int id : instruction.inputs)
            touch(id, i);
        for (const int id : instruction.outputs)
            touch(id, i);
        const auto at = static_cast<std::size_t>(i);
        if (at < scratch.size() && scratch[at] > 0)
            plan.blocks.push_back({-1, i, i, -1, whole_lines(scratch[at]), 0});
    }
    for (const Output& output : program.outputs)
        touch(output.value, end);

    // A result of an elementwise instruction takes the place of an operand that ends there. Of such
    // a row of values, the first one stands for all.
    std::vector<std::size_t> head(plan.blocks.size());
    std::iota(head.begin(), head.end(), std::size_t{0});
    std::vector<int> until(plan.blocks.size());
    for (std::size_t k = 0; k < plan.blocks.size(); ++k)
        until[k] = plan.blocks[k].last;
    for (int i = 0; i < end; ++i) {
        const Instruction& instruction = program.instructions[static_cast<std::size_t>(i)];
        if (instruction.is_view() || !chainable(program, instruction)) continue;
        std::vector<bool> taken(instruction.inputs.size(), false);
        for (std::size_t o = 0; o < instruction.outputs.size(); ++o) {
            const int made = instruction.outputs[o];
            for (std::size_t k = 0; k < instruction.inputs.size(); ++k) {
                const int index = block_at[static_cast<std::size_t>(instruction.inputs[k])];
                if (taken[k] || index < 0 ||
                    plan.blocks[static_cast<std::size_t>(index)].last != i ||
                    !may_overwrite(program, instruction, k, o))
                    continue;
                const auto at = static_cast<std::size_t>(block_at[static_cast<std::size_t>(made)]);
                plan.blocks[at].over = instruction.inputs[k];
                head[at] = head[static_cast<std::size_t>(index)];
                until[head[at]] = plan.blocks[at].last;
                taken[k] = true;
                break;
            }
        }
    }

    // The largest first, each at the lowest place that is free during its life.
    std::vector<std::size_t> order;
    for (std::size_t k = 0; k < plan.blocks.size(); ++k)
        if (head[k] == k) order.push_back(k);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return plan.blocks[a].bytes > plan.blocks[b].bytes;
    });
    std::vector<std::size_t> placed; // by offset
    for (const std::size_t index : order) {
        Block& block = plan.blocks[index];
        std::size_t offset = 0;
        for (const std::size_t other : placed) {
            const Block& neighbour = plan.blocks[other];
            if (block.first > until[other] || neighbour.first > until[index]) continue;
            if (neighbour.offset >= offset + block.bytes) break;
            offset = std::max(offset, neighbour.offset + neighbour.bytes);
        }
        block.offset = offset;
        plan.arena_bytes = std::max(plan.arena_bytes, offset + block.bytes);
        placed.insert(std::upper_bound(placed.begin(), placed.end(), offset,
                                       [&](std::size_t at, std::size_t other) {
                                           return at < plan.blocks[other].offset;
                                       }),
                      index);
    }
    for (std::size_t k = 0; k < plan.blocks.size(); ++k)
        plan.blocks[k].offset = plan.blocks[head[k]].offset;
    for (const Value& value : program.values) {
        if (value.base >= 0) continue;
        if (value.role == Role::State) plan.state_bytes += value.tensor.nbytes();
        if (value.role == Role::Input) plan.input_bytes += value.bytes();
    }
    return plan;
}

std::vector<std::string> largest_values(const Program& program, const MemoryPlan& plan,
                                        std::size_t count) {
    // The instruction at which the most is alive.
    std::vector<std::size_t> alive(program.instructions.size() + 1, 0);
    for (const Block& block : plan.blocks)
        for (int i = block.first + (block.over >= 0 ? 1 : 0); i <= block.last; ++i)
            alive[static_cast<std::size_t>(i)] += block.bytes;
    const auto peak =
        static_cast<int>(std::max_element(alive.begin(), alive.end()) - alive.begin());
    std::vector<const Block*> there;
    for (const Block& block : plan.blocks)
        if (block.value >= 0 && block.first <= peak && peak <= block.last) there.push_back(&block);
    std::sort(there.begin(), there.end(),
              [](const Block* a, const Block* b) { return a->bytes > b->bytes; });
    if (there.size() > count) there.resize(count);
    std::vector<std::string> result;
    for (const Block* block : there) {
        const TensorMeta& meta = program.value(block->value).meta;
        std::string node;
        for (const Instruction& instruction : program.instructions)
            if (std::find(instruction.outputs.begin(), instruction.outputs.end(), block->value) !=
                instruction.outputs.end()) {
                node = Origin::name(instruction.origin);
                if (instruction.backward) node += " (backward)";
                break;
            }
        result.push_back(fmt::format("{} {}{} {:.1f} MB", node.empty() ? "optimizer" : node,
                                     name_of(meta.dtype), meta.shape.str(),
                                     static_cast<double>(block->bytes) / 1e6));
    }
    return result;
}

void verify(const Program& program, const MemoryPlan& plan) {
    for (std::size_t i = 0; i < plan.blocks.size(); ++i)
        for (std::size_t j = i + 1; j < plan.blocks.size(); ++j) {
            const Block &a = plan.blocks[i], &b = plan.blocks[j];
            if (alive_together(a, b) && a.offset < b.offset + b.bytes &&
                b.offset < a.offset + a.bytes)
                throw Error(fmt::format("The memory plan is not valid: %{} and %{} overlap while "
                                        "both are in use.",
                                        a.value, b.value));
        }
    for (const Block& block : plan.blocks)
        if (block.offset + block.bytes > plan.arena_bytes ||
            (block.value >= 0 && block.bytes < program.value(block.value).bytes()))
            throw Error(fmt::format("The memory plan is not valid: %{} has no room.", block.value));
}

} // namespace wiregrad::program
