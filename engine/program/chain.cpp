#include "engine/program/chain.h"

#include <algorithm>
#include <array>

#include "engine/kernel/loop.h"

namespace wiregrad::program {
namespace {

using kernel::InnerLoop;
using kernel::Params;

constexpr std::int64_t kBlock = 1024; ///< elements of an intermediate result
constexpr std::size_t kMaxArguments = 3;
constexpr std::size_t kSlotBytes = kBlock * 8;

Params params_of(const Attrs& attrs) {
    Params params;
    std::size_t next = 0;
    for (const auto& [name, value] : attrs.values())
        if (const double* number = std::get_if<double>(&value); number != nullptr && next < 4)
            params.v[next++] = *number;
    return params;
}

/// The loop of a functor for inputs of these dtypes; null when there is none.
InnerLoop loop_of(const Op& op, std::span<const DType> inputs, DType result) {
    const kernel::Table& table = kernel::table();
    const auto last = static_cast<std::size_t>(inputs.back());
    switch (op.functor.kind) {
    case Functor::Kind::Unary:
        return table.unary[op.functor.code][last];
    case Functor::Kind::Binary:
        return table.binary[op.functor.code][last];
    case Functor::Kind::Where:
        return table.where[last];
    case Functor::Kind::MaskedFill:
        return table.masked_fill[static_cast<std::size_t>(inputs[0])];
    case Functor::Kind::Cast:
        return table.cast[last][static_cast<std::size_t>(result)];
    case Functor::Kind::None:
        break;
    }
    return nullptr;
}

/// A step ready to run. Places: operand k of the loop, or slot k of the working space.
struct Step {
    struct Place {
        bool slot = false;
        std::size_t index = 0;
    };
    InnerLoop loop = nullptr;
    Params params;
    std::size_t arguments = 0;
    Place result;
    std::int64_t result_size = 0;
    std::array<Place, kMaxArguments> from;
    std::array<std::int64_t, kMaxArguments> slot_size{};
};

class Chain final : public Bound {
  public:
    Chain(const Program& program, const Instruction& instruction, std::vector<ChainStep> steps,
          int threads)
        : inputs_(instruction.inputs.size()), outputs_(instruction.outputs.size()) {
        collapse(program, instruction);
        place(program, instruction, steps);
        const std::int64_t grain =
            std::max<std::int64_t>(kernel::kParallelElements / (1 + count_of(steps) / 2), 4096);
        threads_ =
            static_cast<int>(std::clamp<std::int64_t>(count_ / grain, 1, std::max(threads, 1)));
        name_ = steps.size() == 1 ? "loop" : "chain of " + std::to_string(steps.size());
    }

    std::size_t scratch_bytes() const override {
        return slots_ * kSlotBytes * static_cast<std::size_t>(threads_);
    }
    std::string name() const override { return name_; }

    void run(const void* const* in, void* const* out, void* scratch) override {
        if (count_ == 0) return;
        if (threads_ == 1) {
            range(in, out, static_cast<char*>(scratch), 0, count_);
            return;
        }
        const std::int64_t lines = (count_ + 63) / 64; // no cache line is written by two threads
#pragma omp parallel for num_threads(threads_) schedule(static, 1)
        for (int t = 0; t < threads_; ++t)
            range(in, out,
                  static_cast<char*>(scratch) + static_cast<std::size_t>(t) * slots_ * kSlotBytes,
                  lines * t / threads_ * 64, std::min(lines * (t + 1) / threads_ * 64, count_));
    }

  private:
    static std::int64_t count_of(const std::vector<ChainStep>& steps) {
        return static_cast<std::int64_t>(steps.size());
    }

    /// Strides in bytes of all operands over the loop's dimensions, after dropping those of size 1
    /// and merging neighbours.
    void collapse(const Program& program, const Instruction& instruction) {
        if (!program.value(instruction.outputs[0]).layout.plain()) {
            in_storage_order(program, instruction);
            return;
        }
        const Shape& shape = program.value(instruction.outputs[0]).meta.shape;
        count_ = numel(shape);
        const std::size_t operands = inputs_ + outputs_;
        std::vector<Strides> strides;
        for (std::size_t k = 0; k < operands; ++k) {
            const int id = k < inputs_ ? instruction.inputs[k] : instruction.outputs[k - inputs_];
            const Value& value = program.value(id);
            const auto item = static_cast<std::int64_t>(size_of(value.meta.dtype));
            Strides own = Dims::filled(shape.size(), 0);
            const int lead = shape.size() - value.meta.shape.size();
            for (int d = 0; d < value.meta.shape.size(); ++d)
                own[lead + d] = value.meta.shape[d] == 1 ? 0 : value.strides[d] * item;
            if (value.role == Role::Constant) own = Dims::filled(shape.size(), 0);
            strides.push_back(own);
        }
        for (int d = 0; d < shape.size(); ++d) {
            if (shape[d] == 1) continue;
            bool merges = !sizes_.empty();
            for (std::size_t k = 0; merges && k < operands; ++k)
                merges = strides_[(sizes_.size() - 1) * operands + k] == strides[k][d] * shape[d];
            if (!merges) {
                sizes_.push_back(1);
                strides_.resize(sizes_.size() * operands);
            }
            sizes_.back() *= shape[d];
            for (std::size_t k = 0; k < operands; ++k)
                strides_[(sizes_.size() - 1) * operands + k] = strides[k][d];
        }
        if (sizes_.empty()) {
            sizes_.push_back(1);
            strides_.assign(operands, 0);
        }
    }

    /// All operands lie in one dense layout, or are one number.
    void in_storage_order(const Program& program, const Instruction& instruction) {
        count_ = numel(program.value(instruction.outputs[0]).meta.shape);
        sizes_.push_back(count_);
        for (const auto* list : {&instruction.inputs, &instruction.outputs})
            for (const int id : *list) {
                const Value& value = program.value(id);
                strides_.push_back(value.layout.plain()
                                       ? 0
                                       : static_cast<std::int64_t>(size_of(value.meta.dtype)));
            }
    }

    /// Gives each result that is not kept a slot, and slots back after the last use.
    void place(const Program& program, const Instruction& instruction,
               const std::vector<ChainStep>& steps) {
        std::vector<int> last_use(steps.size(), -1);
        for (std::size_t s = 0; s < steps.size(); ++s)
            for (const int from : steps[s].arguments)
                if (from < 0) last_use[static_cast<std::size_t>(-1 - from)] = static_cast<int>(s);
        std::vector<std::size_t> free;
        std::vector<Step::Place> places(steps.size());
        for (std::size_t s = 0; s < steps.size(); ++s) {
            const ChainStep& given = steps[s];
            Step step;
            step.params = params_of(given.attrs);
            step.arguments = given.arguments.size();
            std::vector<DType> dtypes;
            for (std::size_t a = 0; a < given.arguments.size(); ++a) {
                const int from = given.arguments[a];
                const auto earlier = static_cast<std::size_t>(-1 - from);
                const DType dtype =
                    from < 0 ? steps[earlier].dtype
                             : program.value(instruction.inputs[static_cast<std::size_t>(from)])
                                   .meta.dtype;
                dtypes.push_back(dtype);
                step.from[a] =
                    from < 0 ? places[earlier] : Step::Place{false, static_cast<std::size_t>(from)};
                step.slot_size[a] = static_cast<std::int64_t>(size_of(dtype));
            }
            step.loop = loop_of(*given.op, dtypes, given.dtype);
            step.result_size = static_cast<std::int64_t>(size_of(given.dtype));
            if (given.output >= 0) {
                places[s] = {false, inputs_ + static_cast<std::size_t>(given.output)};
            } else {
                if (free.empty()) free.push_back(slots_++);
                places[s] = {true, free.back()};
                free.pop_back();
            }
            step.result = places[s];
            steps_.push_back(step);
            for (std::size_t earlier = 0; earlier <= s; ++earlier)
                if (last_use[earlier] == static_cast<int>(s) && places[earlier].slot)
                    free.push_back(places[earlier].index);
        }
    }

    /// Elements [begin, end) in row-major order.
    void range(const void* const* in, void* const* out, char* slots, std::int64_t begin,
               std::int64_t end) const {
        const std::size_t operands = inputs_ + outputs_, inner = sizes_.size() - 1;
        constexpr std::size_t kOperands = 32;
        std::array<char*, kOperands> at{};
        std::array<std::int64_t, kMaxDims> index{};
        const auto base = [&](std::size_t k) {
            return k < inputs_ ? static_cast<char*>(const_cast<void*>(in[k]))
                               : static_cast<char*>(out[k - inputs_]);
        };
        const std::int64_t* const step = strides_.data() + inner * operands;
        while (begin < end) {
            std::int64_t rest = begin;
            for (std::size_t d = sizes_.size(); d-- > 0;) {
                index[d] = rest % sizes_[d];
                rest /= sizes_[d];
            }
            for (std::size_t k = 0; k < operands; ++k) {
                at[k] = base(k);
                for (std::size_t d = 0; d <= inner; ++d)
                    at[k] += index[d] * strides_[d * operands + k];
            }
            const std::int64_t row = std::min(sizes_[inner] - index[inner], end - begin);
            for (std::int64_t done = 0; done < row; done += kBlock)
                block(at.data(), step, slots, done, std::min(kBlock, row - done));
            begin += row;
        }
    }

    void block(char* const* at, const std::int64_t* strides, char* slots, std::int64_t first,
               std::int64_t count) const {
        std::array<char*, kMaxArguments + 1> pointers{};
        std::array<std::int64_t, kMaxArguments + 1> sizes{};
        const auto set = [&](std::size_t i, const Step::Place& place, std::int64_t size) {
            if (place.slot) {
                pointers[i] = slots + place.index * kSlotBytes;
                sizes[i] = size;
            } else {
                pointers[i] = at[place.index] + first * strides[place.index];
                sizes[i] = strides[place.index];
            }
        };
        for (const Step& step : steps_) {
            set(0, step.result, step.result_size);
            for (std::size_t a = 0; a < step.arguments; ++a)
                set(a + 1, step.from[a], step.slot_size[a]);
            step.loop(pointers.data(), sizes.data(), count, step.params);
        }
    }

    std::size_t inputs_, outputs_, slots_ = 0;
    std::int64_t count_ = 0;
    std::vector<std::int64_t> sizes_;   ///< of the loop's dimensions
    std::vector<std::int64_t> strides_; ///< [dimension][operand], bytes
    std::vector<Step> steps_;
    int threads_ = 1;
    std::string name_;
};

} // namespace

std::vector<ChainStep> as_chain(const Program& program, const Instruction& instruction) {
    if (!instruction.chain.empty()) return instruction.chain;
    ChainStep step{instruction.op, instruction.attrs, {}, DType::Float32, 0};
    for (std::size_t i = 0; i < instruction.inputs.size(); ++i)
        step.arguments.push_back(static_cast<int>(i));
    step.dtype = program.value(instruction.outputs[0]).meta.dtype;
    return {step};
}

bool chainable(const Program& program, const Instruction& instruction) {
    if (!instruction.chain.empty()) return true;
    if (instruction.op->functor.kind == Functor::Kind::None || instruction.in_place() ||
        instruction.outputs.size() != 1 || instruction.inputs.size() > kMaxArguments)
        return false;
    std::vector<DType> dtypes;
    for (const int id : instruction.inputs) {
        if (id < 0) return false;
        const Value& value = program.value(id);
        if (value.meta.device.type != DeviceType::Cpu) return false;
        dtypes.push_back(value.meta.dtype);
    }
    return loop_of(*instruction.op, dtypes, program.value(instruction.outputs[0]).meta.dtype) !=
           nullptr;
}

std::unique_ptr<Bound> bind_chain(const Program& program, const Instruction& instruction,
                                  int threads) {
    if (!chainable(program, instruction)) return nullptr;
    // All plain, or all in one layout but single numbers.
    const Value& out = program.value(instruction.outputs[0]);
    for (const auto* list : {&instruction.inputs, &instruction.outputs})
        for (const int id : *list) {
            const Value& value = program.value(id);
            const bool number = value.layout.plain() &&
                                (numel(value.meta.shape) == 1 || value.role == Role::Constant);
            if (out.layout.plain() ? !value.layout.plain()
                                   : !number && (value.layout.plain() ||
                                                 value.layout.name() != out.layout.name() ||
                                                 value.meta.shape != out.meta.shape))
                return nullptr;
        }
    return std::make_unique<Chain>(program, instruction, as_chain(program, instruction), threads);
}

bool may_overwrite(const Program& program, const Instruction& instruction, std::size_t input,
                   std::size_t output) {
    const int from = instruction.inputs[input], to = instruction.outputs[output];
    const Value &x = program.value(from), &y = program.value(to);
    if (x.role != Role::Temp || x.base >= 0 || x.meta.shape != y.meta.shape ||
        size_of(x.meta.dtype) != size_of(y.meta.dtype) || !x.contiguous() || !y.contiguous() ||
        x.layout.name() != y.layout.name())
        return false;
    for (std::size_t k = 0; k < instruction.inputs.size(); ++k)
        if (k != input && program.root(instruction.inputs[k]) == from) return false;
    const std::vector<ChainStep> steps = as_chain(program, instruction);
    bool written = false;
    for (const ChainStep& step : steps) {
        const auto& read = step.arguments;
        if (written && std::find(read.begin(), read.end(), static_cast<int>(input)) != read.end())
            return false;
        written = written || step.output == static_cast<int>(output);
    }
    return true;
}

} // namespace wiregrad::program
