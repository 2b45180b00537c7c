// A recorded step as a value: what it computes from what, in order, after differentiation.
// Made by trace.h, changed by passes.h, checked by verify.h, run by execute.h; exporters may walk
// it. Holds tensors only for what lives outside of it (weights, moments, constants). One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/op/bind.h"
#include "engine/op/op.h"

namespace wiregrad::program {

enum class Role : std::uint8_t {
    Temp,     ///< made by an instruction, lives in the arena
    Input,    ///< given anew for each run (batch, random state)
    State,    ///< a tensor outside: weight, buffer, moment, hyper-parameter, host constant
    Constant, ///< every element is `fill`
};

/// A tensor of the program. A view has a `base`, whose storage it shows; only values without one
/// own storage.
struct Value {
    TensorMeta meta;
    Role role = Role::Temp;
    int base = -1;           ///< value whose storage this is a view of; never a view itself
    Strides strides;         ///< in elements
    std::int64_t offset = 0; ///< in elements, from the start of the base's storage
    Tensor tensor;           ///< State: the tensor itself
    double fill = 0;         ///< Constant
    std::string name;        ///< Input and State: "batch.0", "fc1.weight", "adam.fc1.weight.step"
    Layout layout;
    bool contiguous() const { return strides == contiguous_strides(meta.shape); }
    std::size_t bytes() const;
};

/// One function of a chain of elementwise functions: argument k >= 0 is input k of the
/// instruction, k < 0 the result of step -1 - k.
struct ChainStep {
    const Op* op = nullptr;
    Attrs attrs;
    std::vector<int> arguments;
    DType dtype = DType::Float32; ///< of the result
    int output = -1;              ///< output of the instruction that keeps the result, or none
};

struct Instruction {
    const Op* op = nullptr;
    Attrs attrs;
    std::vector<int> inputs;  ///< values; -1 where an optional one is absent
    std::vector<int> outputs; ///< of an in-place op: the same value as input 0
    std::uint32_t origin = 0; ///< node (engine/core/recorder.h)
    bool backward = false;    ///< called by autograd
    bool update = false;      ///< belongs to the optimizers: runs after the losses were looked at
    std::vector<ChainStep> chain; ///< of op "elementwise"
    bool is_view() const { return op->view != nullptr; }
    bool in_place() const { return (op->flags & kInPlace) != 0; }
};

struct Output {
    std::string name; ///< "loss.0", "metric.0.sum", "probe.<node>.<port>", ...
    int value = -1;
};

struct Program {
    std::vector<Value> values;
    std::vector<Instruction> instructions; ///< those with `update` last
    std::vector<Output> outputs;

    Value& value(int id) { return values[static_cast<std::size_t>(id)]; }
    const Value& value(int id) const { return values[static_cast<std::size_t>(id)]; }
    /// The value that owns the storage of `id`.
    int root(int id) const { return value(id).base < 0 ? id : value(id).base; }
    int add(Value value);
    int find(const std::string& name) const;   ///< an Input or State; -1 when there is none
    int output(const std::string& name) const; ///< its value; -1 when there is none
    Cost cost() const;                         ///< of all instructions, from the rows
};

/// Bit i: the kernel of `instruction` changes input i.
bool writes(const Instruction& instruction, std::size_t input);
/// The metas of the inputs, as shape rules want them.
Metas input_metas(const Program& program, const Instruction& instruction, Mask& present);

/// The backend's bind rule for an instruction, with `may_choose(value)` telling which layouts it
/// may choose; `in` and `out` are how it wants them. Null when it has nothing.
std::unique_ptr<Bound> ask_backend(const Program& program, const Instruction& instruction,
                                   int threads, bool trial, std::vector<BindValue>& in,
                                   std::vector<BindValue>& out,
                                   const std::function<bool(int)>& may_choose);

/// One instruction a line:
///   %7: float32[64, 10] = linear(%5, fc.weight, fc.bias)   # fc
std::string print(const Program& program);
/// With the implementation of each instruction behind it (execute.h).
std::string print(const Program& program, const std::vector<std::string>& implementations);
std::string print(const Program& program, const Instruction& instruction);

/// Throws Error saying which instruction is wrong and why: unknown values, use before definition,
/// two definitions, a shape or a view that its rule would not give, an update before the end of the
/// step, an output or a state that is written no more. Run after each pass in tests and debug
/// builds.
void verify(const Program& program);

/// What a program does to the world, which passes must not change: outputs and written states by
/// name.
std::vector<std::string> effects(const Program& program);

} // namespace wiregrad::program
