#include "engine/program/execute.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "engine/core/error.h"
#include "engine/core/memory.h"
#include "engine/core/recorder.h"
#include "engine/core/tensor_body.h"
#include "engine/program/chain.h"

namespace wiregrad::program {

/// Views of it keep it alive.
struct Arena {
    explicit Arena(std::size_t bytes) : bytes(bytes), data(allocate(bytes)) {}
    ~Arena() { release(data, bytes); }
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    std::size_t bytes;
    void* data;
};

namespace {

/// Rethrows what a kernel threw with the node as its place.
[[noreturn]] void rethrow_at(const std::string& node) {
    try {
        throw;
    } catch (const Error& error) {
        if (!error.where().empty() || node.empty()) throw;
        if (dynamic_cast<const ValueError*>(&error)) throw ValueError(error.text(), node);
        if (dynamic_cast<const ShapeError*>(&error)) throw ShapeError(error.text(), node);
        if (dynamic_cast<const DTypeError*>(&error)) throw DTypeError(error.text(), node);
        if (dynamic_cast<const OutOfMemory*>(&error)) throw OutOfMemory(error.text(), node);
        throw Error(error.text(), node);
    }
}

} // namespace

struct Executable::Impl {
    /// An instruction with everything it needs. Pointers of bound kernels lie in `pointers`.
    struct Step {
        int instruction = 0;
        std::unique_ptr<Bound> bound;
        std::size_t in = 0, out = 0; ///< into `pointers`
        void* scratch = nullptr;
        Kernel kernel = nullptr;
        std::vector<Tensor> inputs, outputs; ///< of `kernel`
    };
    /// Where an input's address has to be written at the begin of a run.
    struct Patch {
        std::size_t slot = 0;
        std::ptrdiff_t offset = 0;
    };
    struct Input {
        std::shared_ptr<Storage> storage; ///< shared by all views of it
        std::vector<Patch> patches;
        const void* now = nullptr;
        TensorMeta meta;
    };

    Program program;
    ExecuteOptions options;
    MemoryPlan plan;
    std::shared_ptr<Arena> arena;
    std::vector<Tensor> tensors; ///< by value; views share the root's storage
    std::vector<void*> pointers;
    std::vector<Step> steps;
    std::size_t update_begin = 0;
    std::unordered_map<std::string, Input> inputs;
    std::unordered_map<int, Input*> input_of_root;
    std::unordered_map<std::string, Tensor> outputs;

    std::unique_ptr<Bound> bind(const Instruction& instruction) const {
        if (auto chain = bind_chain(program, instruction, options.threads)) return chain;
        if (instruction.op->name == "reorder") {
            const Value &from = program.value(instruction.inputs[0]),
                        &to = program.value(instruction.outputs[0]);
            return bind_reorder(from.meta, from.layout, to.layout);
        }
        const Device device = program.value(instruction.outputs[0]).meta.device;
        if (!options.bind &&
            instruction.op->kernel[static_cast<std::size_t>(device.type)] != nullptr)
            return nullptr;
        std::vector<BindValue> in, out;
        return ask_backend(program, instruction, options.threads, options.trial, in, out,
                           [](int) { return false; });
    }

    void make_tensors() {
        tensors.resize(program.values.size());
        std::vector<bool> used(program.values.size(), false);
        const auto use = [&](int id) {
            if (id < 0) return;
            used[static_cast<std::size_t>(id)] = true;
            used[static_cast<std::size_t>(program.root(id))] = true;
        };
        for (const Instruction& instruction : program.instructions) {
            if (instruction.is_view()) continue;
            for (const auto* list : {&instruction.inputs, &instruction.outputs})
                for (const int id : *list)
                    use(id);
        }
        for (const Output& output : program.outputs)
            use(output.value);
        for (std::size_t i = 0; i < program.values.size(); ++i) {
            const Value& value = program.values[i];
            if (value.base >= 0 || !(used[i] || value.role == Role::Input)) continue;
            const int id = static_cast<int>(i);
            switch (value.role) {
            case Role::State:
                tensors[i] = value.tensor;
                break;
            case Role::Constant:
                tensors[i] =
                    Tensor::full(value.meta.shape, value.fill, value.meta.dtype, value.meta.device);
                break;
            case Role::Input: {
                tensors[i] = Tensor::wrap(nullptr, value.meta.shape, value.meta.dtype, nullptr);
                Input& input = inputs[value.name];
                input.storage = tensors[i].body()->storage;
                input.meta = value.meta;
                input_of_root[id] = &input;
                break;
            }
            case Role::Temp:
                if (const Block* block = plan.block_of(id))
                    tensors[i] = Tensor::wrap(static_cast<char*>(arena->data) + block->offset,
                                              value.meta.shape, value.meta.dtype, arena);
                break;
            }
        }
        for (std::size_t i = 0; i < program.values.size(); ++i) {
            const Value& value = program.values[i];
            const Tensor& root =
                tensors[static_cast<std::size_t>(program.root(static_cast<int>(i)))];
            if (value.base < 0 || !used[i] || !root.defined()) continue;
            tensors[i] = root.as_strided(value.meta.shape, value.strides, value.offset);
        }
        for (const Output& output : program.outputs)
            outputs[output.name] = tensors[static_cast<std::size_t>(output.value)];
    }

    std::size_t point_to(const std::vector<int>& ids) {
        const std::size_t first = pointers.size();
        for (const int id : ids) {
            pointers.push_back(nullptr);
            if (id < 0) continue;
            const TensorBody& body = *tensors[static_cast<std::size_t>(id)].body();
            const auto found = input_of_root.find(program.root(id));
            if (found != input_of_root.end())
                found->second->patches.push_back(
                    {pointers.size() - 1,
                     body.offset * static_cast<std::ptrdiff_t>(size_of(body.dtype))});
            else
                pointers.back() = const_cast<std::byte*>(body.data());
        }
        return first;
    }

    void bind_all() {
        std::vector<std::size_t> scratch(program.instructions.size(), 0);
        for (std::size_t i = 0; i < program.instructions.size(); ++i) {
            const Instruction& instruction = program.instructions[i];
            if (instruction.is_view()) continue;
            Step step;
            step.instruction = static_cast<int>(i);
            step.bound = bind(instruction);
            if (step.bound != nullptr) scratch[i] = step.bound->scratch_bytes();
            if (!instruction.update) update_begin = steps.size() + 1;
            steps.push_back(std::move(step));
        }
        plan = plan_memory(program, scratch);
    }

    void prepare() {
        bind_all();
        try {
            std::shared_ptr<Arena>* const shared = std::exchange(options.arena, nullptr);
            if (shared != nullptr && *shared != nullptr && (*shared)->bytes >= plan.arena_bytes) {
                arena = *shared;
            } else {
                arena = std::make_shared<Arena>(plan.arena_bytes);
                if (shared != nullptr) *shared = arena;
            }
        } catch (const OutOfMemory& error) {
            std::string text = error.text() + " The largest values of a step:";
            for (const std::string& value : largest_values(program, plan, 5))
                text += " " + value + ";";
            text.back() = '.';
            throw OutOfMemory(text, error.where());
        }
        make_tensors();
        for (Step& step : steps) {
            const Instruction& instruction =
                program.instructions[static_cast<std::size_t>(step.instruction)];
            if (step.bound != nullptr) {
                step.in = point_to(instruction.inputs);
                step.out = point_to(instruction.outputs);
                for (const Block& block : plan.blocks)
                    if (block.value < 0 && block.first == step.instruction)
                        step.scratch = static_cast<char*>(arena->data) + block.offset;
                continue;
            }
            for (const auto* list : {&instruction.inputs, &instruction.outputs})
                for (const int id : *list)
                    if (id >= 0 && !program.value(id).layout.plain())
                        throw Error("no kernel takes this layout: " + print(program, instruction),
                                    Origin::name(instruction.origin));
            const Device device = program.value(instruction.outputs[0]).meta.device;
            step.kernel = instruction.op->kernel[static_cast<std::size_t>(device.type)];
            if (step.kernel == nullptr)
                throw DeviceError(std::string(instruction.op->name) + " has no kernel for " +
                                      device.str() + ".",
                                  Origin::name(instruction.origin));
            for (const int id : instruction.inputs)
                step.inputs.push_back(id < 0 ? Tensor() : tensors[static_cast<std::size_t>(id)]);
            for (const int id : instruction.outputs)
                step.outputs.push_back(tensors[static_cast<std::size_t>(id)]);
        }
    }

    std::vector<std::string> implementations() const {
        std::vector<std::string> result(program.instructions.size());
        for (const Step& step : steps)
            result[static_cast<std::size_t>(step.instruction)] =
                step.bound != nullptr ? step.bound->name() : "kernel";
        return result;
    }

    void run_one(Step& step) {
        if (step.bound != nullptr) {
            step.bound->run(pointers.data() + step.in, pointers.data() + step.out, step.scratch);
            return;
        }
        const Instruction& instruction =
            program.instructions[static_cast<std::size_t>(step.instruction)];
        step.kernel({*instruction.op, instruction.attrs, step.inputs, step.outputs});
    }
    void run(std::size_t first, std::size_t last) {
        std::size_t at = first;
        try {
            for (; at < last; ++at)
                run_one(steps[at]);
        } catch (...) {
            rethrow_at(Origin::name(
                program.instructions[static_cast<std::size_t>(steps[at].instruction)].origin));
        }
    }
};

Preflight preflight(const Program& program, const ExecuteOptions& options) {
    Executable::Impl impl;
    impl.program = program;
    impl.options = options;
    impl.bind_all();
    return {impl.plan, impl.implementations()};
}

Executable::Executable(Program program, const ExecuteOptions& options)
    : impl_(std::make_unique<Impl>()) {
    impl_->program = std::move(program);
    impl_->options = options;
    // As num_threads() does: a smaller team than its kernels were made for would wait for ever.
    impl_->options.threads = std::clamp(options.threads, 1, std::max(1, omp_get_thread_limit()));
    impl_->prepare();
}
Executable::~Executable() = default;

void Executable::set_input(const std::string& name, const Tensor& tensor) {
    const auto found = impl_->inputs.find(name);
    if (found == impl_->inputs.end()) throw ValueError("The program has no input '" + name + "'.");
    Impl::Input& input = found->second;
    const void* const data = tensor.raw();
    if (data == input.now) return;
    if (tensor.shape() != input.meta.shape || tensor.dtype() != input.meta.dtype ||
        !tensor.is_contiguous())
        throw ShapeError(fmt::format("input '{}' is {}{}, the program was traced with {}{}", name,
                                     name_of(tensor.dtype()), tensor.shape().str(),
                                     name_of(input.meta.dtype), input.meta.shape.str()));
    input.now = data;
    input.storage->rebind(const_cast<void*>(data));
    for (const Impl::Patch& patch : input.patches)
        impl_->pointers[patch.slot] = static_cast<char*>(const_cast<void*>(data)) + patch.offset;
}

void Executable::run() {
    impl_->run(0, impl_->update_begin);
}
void Executable::run_update() {
    impl_->run(impl_->update_begin, impl_->steps.size());
}

std::vector<double> Executable::measure(int rounds) {
    using Clock = std::chrono::steady_clock;
    std::vector<double> best(impl_->program.instructions.size(), 0);
    for (int round = 0; round < rounds; ++round)
        for (Impl::Step& step : impl_->steps) {
            const auto start = Clock::now();
            impl_->run_one(step);
            const double took = std::chrono::duration<double>(Clock::now() - start).count();
            double& least = best[static_cast<std::size_t>(step.instruction)];
            least = round == 0 ? took : std::min(least, took);
        }
    return best;
}

const Tensor& Executable::output(const std::string& name) const {
    const auto found = impl_->outputs.find(name);
    if (found == impl_->outputs.end())
        throw ValueError("The program has no output '" + name + "'.");
    return found->second;
}

const Program& Executable::program() const {
    return impl_->program;
}
const MemoryPlan& Executable::plan() const {
    return impl_->plan;
}

std::vector<std::string> Executable::implementations() const {
    return impl_->implementations();
}

} // namespace wiregrad::program
