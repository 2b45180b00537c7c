#include "engine/kernel/loop.h"

#include <algorithm>
#include <array>

namespace wiregrad::kernel {
namespace {

/// The loop's dimensions after dropping those of size 1 and merging neighbours that lie one behind
/// the other.
struct Plan {
    int rank = 0;
    int operands = 0;
    std::array<std::int64_t, kMaxDims> sizes{};
    std::array<std::array<std::int64_t, kMaxOperands>, kMaxDims>
        strides{}; ///< [dimension][operand], bytes
};

Plan plan_for(const Shape& shape, std::span<const Operand> operands) {
    Plan plan;
    plan.operands = static_cast<int>(operands.size());
    for (int d = 0; d < shape.size(); ++d) {
        if (shape[d] == 1) continue;
        bool merges = plan.rank > 0;
        if (merges) {
            const auto& previous = plan.strides[static_cast<std::size_t>(plan.rank - 1)];
            for (std::size_t i = 0; i < operands.size(); ++i)
                merges = merges && previous[i] == operands[i].strides[d] * shape[d];
        }
        if (!merges) plan.sizes[static_cast<std::size_t>(plan.rank++)] = 1;
        const auto last = static_cast<std::size_t>(plan.rank - 1);
        plan.sizes[last] *= shape[d];
        for (std::size_t i = 0; i < operands.size(); ++i)
            plan.strides[last][i] = operands[i].strides[d];
    }
    if (plan.rank == 0) {
        plan.rank = 1;
        plan.sizes[0] = 1;
    }
    return plan;
}

/// Elements [begin, end) of the loop in row-major order.
void run_range(InnerLoop loop, const Plan& plan, const std::array<char*, kMaxOperands>& base,
               std::int64_t begin, std::int64_t end, const Params& params) {
    const int inner = plan.rank - 1;
    std::array<std::int64_t, kMaxDims> index{};
    std::array<char*, kMaxOperands> pointers = base;
    std::int64_t rest = begin;
    for (int d = inner; d >= 0; --d) {
        const auto at = static_cast<std::size_t>(d);
        index[at] = rest % plan.sizes[at];
        rest /= plan.sizes[at];
        for (int i = 0; i < plan.operands; ++i) {
            pointers[static_cast<std::size_t>(i)] +=
                index[at] * plan.strides[at][static_cast<std::size_t>(i)];
        }
    }
    const auto& inner_strides = plan.strides[static_cast<std::size_t>(inner)];
    for (std::int64_t done = begin; done < end;) {
        const std::int64_t count = std::min(plan.sizes[static_cast<std::size_t>(inner)] -
                                                index[static_cast<std::size_t>(inner)],
                                            end - done);
        loop(pointers.data(), inner_strides.data(), count, params);
        done += count;
        if (done >= end) return;
        // Only a full row gets here: step back to its start and on to the next one.
        for (int i = 0; i < plan.operands; ++i) {
            const auto o = static_cast<std::size_t>(i);
            pointers[o] -= index[static_cast<std::size_t>(inner)] * inner_strides[o];
        }
        index[static_cast<std::size_t>(inner)] = 0;
        for (int d = inner - 1; d >= 0; --d) {
            const auto at = static_cast<std::size_t>(d);
            const bool carry = ++index[at] == plan.sizes[at];
            for (int i = 0; i < plan.operands; ++i) {
                const auto o = static_cast<std::size_t>(i);
                pointers[o] +=
                    carry ? -(plan.sizes[at] - 1) * plan.strides[at][o] : plan.strides[at][o];
            }
            if (!carry) break;
            index[at] = 0;
        }
    }
}

} // namespace

Operand operand(const TensorBody& body, const Shape& shape) {
    Operand result;
    result.data =
        reinterpret_cast<char*>(const_cast<std::byte*>(body.data())); // only operand 0 is written
    const auto item = static_cast<std::int64_t>(size_of(body.dtype));
    const int lead = shape.size() - body.shape.size();
    result.strides = Dims::filled(shape.size(), 0);
    for (int i = 0; i < body.shape.size(); ++i) {
        result.strides[lead + i] = body.shape[i] == 1 ? 0 : body.strides[i] * item;
    }
    return result;
}

void run_loop(InnerLoop loop, const Shape& shape, std::span<const Operand> operands,
              const Params& params) {
    const std::int64_t count = numel(shape);
    if (count == 0) return;
    const Plan plan = plan_for(shape, operands);
    std::array<char*, kMaxOperands> base{};
    for (std::size_t i = 0; i < operands.size(); ++i)
        base[i] = operands[i].data;
    // Ranges are cut at multiples of 64 elements, so that two threads never write one cache line.
    const std::int64_t blocks = (count + 63) / 64;
    parallel_for(blocks, kParallelElements / 64, [&](std::int64_t first, std::int64_t last) {
        run_range(loop, plan, base, first * 64, std::min(last * 64, count), params);
    });
}

void copy_elements(TensorBody& target, const TensorBody& source) {
    const InnerLoop loop =
        table()
            .cast[static_cast<std::size_t>(source.dtype)][static_cast<std::size_t>(target.dtype)];
    const std::array<Operand, 2> operands{operand(target, target.shape),
                                          operand(source, target.shape)};
    run_loop(loop, target.shape, operands);
}

} // namespace wiregrad::kernel
