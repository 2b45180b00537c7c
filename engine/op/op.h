// The op table's row, the attributes of a call, and the one choke point `call()`.
// Included by op/, autograd/, program/, nn/ and backends. A row is immutable after start-up.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/core/tensor.h"

namespace wiregrad {

/// One attribute value. Attributes are constants of a call; what changes from step to step
/// (learning rate, dropout offset, ...) is a tensor input instead, so that a program can be
/// replayed.
using AttrValue = std::variant<bool, std::int64_t, double, Dims, DType, std::string>;

/// Named constants of one call, in the order given. Names are string literals.
class Attrs {
  public:
    Attrs() = default;
    Attrs(std::initializer_list<std::pair<const char*, AttrValue>> values) : values_(values) {}
    bool has(std::string_view name) const;
    void set(const char* name, AttrValue value);      ///< adds or replaces
    const AttrValue& at(std::string_view name) const; ///< throws ValueError naming the attribute
    bool flag(std::string_view name) const { return std::get<bool>(at(name)); }
    std::int64_t integer(std::string_view name) const { return std::get<std::int64_t>(at(name)); }
    double real(std::string_view name) const { return std::get<double>(at(name)); }
    const Dims& dims(std::string_view name) const { return std::get<Dims>(at(name)); }
    DType dtype(std::string_view name) const { return std::get<DType>(at(name)); }
    const std::string& text(std::string_view name) const { return std::get<std::string>(at(name)); }
    const std::vector<std::pair<const char*, AttrValue>>& values() const { return values_; }
    std::string str() const; ///< "stride=[1, 1] groups=1"

  private:
    std::vector<std::pair<const char*, AttrValue>> values_;
};

/// What a shape rule and a gradient know of a tensor without its data.
struct TensorMeta {
    Shape shape;
    DType dtype = DType::Float32;
    Device device{};
};

using Metas = std::vector<TensorMeta>;
using Tensors = std::vector<Tensor>;
/// Bit i stands for input (or output) i.
using Mask = std::uint32_t;

struct Op;

/// Inputs of a shape rule and of the cost. An absent optional input has an empty `present` bit.
struct ShapeCall {
    const Op& op;
    const Attrs& attrs;
    std::span<const TensorMeta> inputs;
    Mask present = 0;
};
/// Inputs of a kernel. Outputs are allocated per the shape rule (contiguous) before the kernel
/// runs.
struct KernelCall {
    const Op& op;
    const Attrs& attrs;
    std::span<const Tensor> inputs; ///< undefined where an optional input is absent
    std::span<Tensor> outputs;
};
/// Inputs of a gradient. `inputs` and `outputs` hold only what the save rule asked for (else
/// undefined).
struct GradCall {
    const Op& op;
    const Attrs& attrs;
    std::span<const TensorMeta> input_metas;
    std::span<const Tensor> inputs;
    std::span<const Tensor> outputs;
    std::span<const Tensor> grads; ///< of each output; undefined means zero
    Mask needs = 0;                ///< which inputs want a gradient
    bool need(int input) const { return (needs >> input) & 1U; }
};

using ShapeRule = Metas (*)(const ShapeCall&);
using Kernel = void (*)(const KernelCall&);
/// For view ops: makes the output from input 0 without copying.
using ViewRule = Tensor (*)(const KernelCall&);
/// One gradient per input (undefined where not needed), written in ops, so that it can be
/// differentiated and traced.
using Gradient = Tensors (*)(const GradCall&);
struct Saves {
    Mask inputs = 0;
    Mask outputs = 0;
};
/// What backward needs when `needs` inputs want a gradient. Nothing else is kept alive.
using SaveRule = Saves (*)(Mask needs, const Attrs&);
struct Cost {
    double flops = 0; ///< a multiply-add counts as two
    double bytes = 0; ///< read and written
};
using CostRule = Cost (*)(const ShapeCall&, std::span<const TensorMeta> outputs);

/// Prepares an instruction of a recorded program (engine/op/bind.h).
class Bound;
struct BindCall;
using BindRule = std::unique_ptr<Bound> (*)(BindCall&);

/// Which scalar functor of engine/kernel/functor.h an elementwise row applies, so that a program
/// can chain several in one loop. `code` is a kernel::Unary or kernel::Binary.
struct Functor {
    enum class Kind : std::uint8_t { None, Unary, Binary, Where, MaskedFill, Cast };
    Kind kind = Kind::None;
    int code = 0;
};

enum OpFlag : std::uint32_t {
    kElementwise = 1, ///< output element i depends on input elements i only (after broadcasting)
    kView = 2,        ///< output shares input 0's storage
    kInPlace =
        4, ///< writes input 0 and returns it; no gradient (optimizers, initialisers, buffers)
    kRandom = 8,
    kNoGrad = 16, ///< not differentiable (comparison, argmax, ...)
};

/// A row of the op table. Everything that the engine, the docs, the cost figures and the exporters
/// know of an op.
struct Op {
    std::string_view name; ///< PyTorch's functional name
    std::string_view help; ///< one sentence with the formula
    ShapeRule shape = nullptr;
    std::array<Kernel, kDeviceTypeCount> kernel{}; ///< by DeviceType; null: no kernel there
    Gradient gradient = nullptr;
    SaveRule saves = nullptr;
    CostRule cost = nullptr; ///< null: bytes of inputs and outputs, one flop an output element
    std::uint32_t flags = 0;
    ViewRule view = nullptr;
    std::string_view onnx = {}; ///< ONNX operator, when it is one
    int visible_outputs = 1;    ///< further outputs are for the gradient only (indices, statistics)
    Mask writes = 0; ///< inputs that the kernel changes, besides input 0 of an in-place op
    std::array<BindRule, kDeviceTypeCount> bind{}; ///< null: programs run the kernel
    Functor functor{};
};

/// All rows, in a fixed order: the arrays of engine/op/*_ops.cpp, listed explicitly in
/// op_table.cpp.
std::span<const Op* const> op_table();
/// The rows that only the passes of a program make (engine/op/fused_ops.cpp); they have no
/// gradient.
std::span<const Op* const> fused_op_table();
/// A row of either table. Throws ValueError when there is no such op.
const Op& find_op(std::string_view name);
/// For backends and device plug-ins, at load only.
void set_kernel(std::string_view op, DeviceType device, Kernel kernel);
void set_bind(std::string_view op, DeviceType device, BindRule rule);

/// The choke point: every op, eager or recorded, traced or shape-only, passes here.
/// Throws typed errors that name the op and the facts.
Tensors call(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs = {});

/// An interpreter gives ops a meaning; they are stacked per thread and each may hand down to the
/// next. The bottom is eager execution. Autograd records above it; ShapeOnly replaces it; tracing
/// will record a program.
class Interpreter {
  public:
    virtual ~Interpreter() = default;
    virtual Tensors run(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs) = 0;

  protected:
    /// Runs the op on the interpreter below this one.
    Tensors below(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs);

  private:
    friend class PushInterpreter;
    friend Tensors call(const Op&, std::span<const Tensor>, const Attrs&);
    Interpreter* below_ = nullptr;
};
/// Pushes an interpreter on this thread's stack for the life of the scope.
class PushInterpreter {
  public:
    explicit PushInterpreter(Interpreter& interpreter);
    ~PushInterpreter();
    PushInterpreter(const PushInterpreter&) = delete;
    PushInterpreter& operator=(const PushInterpreter&) = delete;

  private:
    Interpreter* previous_;
};
/// Within the scope ops compute shapes and dtypes only, in microseconds, without data or
/// allocation; tensors made by Tensor::empty and the like have no data.
class ShapeOnly {
  public:
    ShapeOnly();
    ~ShapeOnly();
    static bool active(); ///< on this thread

  private:
    bool previous_;
};

/// FLOPs and bytes of the ops called on this thread within the scope (also under ShapeOnly):
/// pre-flight figures.
class CostMeter {
  public:
    CostMeter();
    ~CostMeter();
    Cost total() const { return total_; }
    void add(const Cost& cost) {
        total_.flops += cost.flops;
        total_.bytes += cost.bytes;
    }

  private:
    CostMeter* previous_;
    Cost total_;
};

} // namespace wiregrad
