#include "engine/op/op.h"

#include <limits>

#include "engine/autograd/node.h"
#include "engine/core/error.h"
#include "engine/core/recorder.h"
#include "engine/core/tensor_body.h"
#include "engine/op/bottom.h"

namespace wiregrad {
namespace {

thread_local Interpreter* t_top = nullptr; // null: autograd above eager execution
thread_local CostMeter* t_meter = nullptr;

std::string named(const Op& op, const Error& error) {
    const std::string name(op.name);
    return error.text().starts_with(name) ? error.text() : name + ": " + error.text();
}

/// Runs `f`, putting the op's name before what it throws.
template <class F> auto with_name(const Op& op, const F& f) {
    try {
        return f();
    } catch (const ShapeError& error) {
        throw ShapeError(named(op, error), error.where());
    } catch (const DTypeError& error) {
        throw DTypeError(named(op, error), error.where());
    } catch (const ValueError& error) {
        throw ValueError(named(op, error), error.where());
    } catch (const OutOfMemory& error) {
        throw OutOfMemory(named(op, error), error.where());
    }
}

std::string attr_text(const AttrValue& value) {
    struct Text {
        std::string operator()(bool v) const { return v ? "true" : "false"; }
        std::string operator()(std::int64_t v) const { return std::to_string(v); }
        std::string operator()(double v) const {
            char digits[32];
            std::snprintf(digits, sizeof digits, "%.17g", v);
            return digits;
        }
        std::string operator()(const Dims& v) const { return v.str(); }
        std::string operator()(DType v) const { return std::string(name_of(v)); }
        std::string operator()(const std::string& v) const { return '"' + v + '"'; }
    };
    return std::visit(Text{}, value);
}

void measure(const Op& op, const ShapeCall& shape_call, std::span<const TensorMeta> outputs) {
    if (op.cost != nullptr) {
        t_meter->add(op.cost(shape_call, outputs));
        return;
    }
    Cost cost;
    const auto bytes = [](const TensorMeta& meta) {
        return static_cast<double>(numel(meta.shape)) * static_cast<double>(size_of(meta.dtype));
    };
    for (std::size_t i = 0; i < shape_call.inputs.size(); ++i) {
        if ((shape_call.present >> i) & 1U) cost.bytes += bytes(shape_call.inputs[i]);
    }
    for (const TensorMeta& meta : outputs) {
        cost.bytes += bytes(meta);
        cost.flops += static_cast<double>(numel(meta.shape));
    }
    if ((op.flags & kView) != 0) cost = {};
    t_meter->add(cost);
}

Kernel kernel_for(const Op& op, Device device) {
    const Kernel kernel = op.kernel[static_cast<std::size_t>(device.type)];
    if (kernel == nullptr)
        throw DeviceError(std::string(op.name) + " has no kernel for " + device.str() + ".");
    return kernel;
}

} // namespace

bool Attrs::has(std::string_view name) const {
    for (const auto& [key, value] : values_) {
        if (name == key) return true;
    }
    return false;
}

const AttrValue& Attrs::at(std::string_view name) const {
    for (const auto& [key, value] : values_) {
        if (name == key) return value;
    }
    throw ValueError("There is no attribute named \"" + std::string(name) + "\".");
}

void Attrs::set(const char* name, AttrValue value) {
    for (auto& [key, old] : values_)
        if (std::string_view(name) == key) {
            old = std::move(value);
            return;
        }
    values_.emplace_back(name, std::move(value));
}

std::string Attrs::str() const {
    std::string text;
    for (const auto& [key, value] : values_) {
        if (!text.empty()) text += ' ';
        text += std::string(key) + '=' + attr_text(value);
    }
    return text;
}

Tensors run_bottom(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs) {
    std::vector<TensorMeta> metas;
    metas.reserve(inputs.size());
    Mask present = 0;
    Device device{};
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (!inputs[i].defined()) {
            metas.emplace_back();
            continue;
        }
        const TensorBody& body = *inputs[i].body();
        if (present == 0)
            device = body.device;
        else if (body.device != device) {
            throw DeviceError(std::string(op.name) + " got tensors on " + device.str() +
                              " and on " + body.device.str() + ".");
        }
        // Rows with more inputs than a mask has bits do not ask which are present.
        if (i < std::numeric_limits<Mask>::digits) present |= Mask{1} << i;
        metas.push_back({body.shape, body.dtype, body.device});
    }
    const ShapeCall shape_call{op, attrs, metas, present};
    if ((op.flags & kInPlace) != 0) {
        if (op.shape != nullptr) with_name(op, [&] { return op.shape(shape_call); });
        Tensors outputs{inputs[0]};
        if (t_meter != nullptr) measure(op, shape_call, {metas.data(), 1});
        if (shape_only_active() || !inputs[0].has_data()) {
            if (Recorder* const watching = recorder()) watching->record(op, inputs, attrs, outputs);
            return outputs;
        }
        const Kernel kernel = kernel_for(op, device);
        with_name(op, [&] { kernel({op, attrs, inputs, outputs}); });
        outputs[0].body()->storage->raise_version();
        return outputs;
    }
    if (op.view != nullptr) {
        Tensors outputs(1);
        outputs[0] = with_name(op, [&] { return op.view({op, attrs, inputs, outputs}); });
        if (t_meter != nullptr) measure(op, shape_call, {});
        if (Recorder* const watching = recorder()) watching->record(op, inputs, attrs, outputs);
        return outputs;
    }
    const Metas output_metas = with_name(op, [&] { return op.shape(shape_call); });
    if (t_meter != nullptr) measure(op, shape_call, output_metas);
    Tensors outputs;
    outputs.reserve(output_metas.size());
    if (shape_only_active()) {
        for (const TensorMeta& meta : output_metas)
            outputs.push_back(shape_only_tensor(meta.shape, meta.dtype, meta.device));
        if (Recorder* const watching = recorder()) watching->record(op, inputs, attrs, outputs);
        return outputs;
    }
    for (const Tensor& input : inputs) {
        if (input.defined() && input.body()->storage == nullptr) {
            throw ValueError(std::string(op.name) +
                             ": an input has no data: it was made in shape-only mode.");
        }
    }
    const Kernel kernel = kernel_for(op, output_metas.empty() ? device : output_metas[0].device);
    with_name(op, [&] {
        for (const TensorMeta& meta : output_metas)
            outputs.push_back(Tensor::empty(meta.shape, meta.dtype, meta.device));
        kernel({op, attrs, inputs, outputs});
    });
    return outputs;
}

Tensors call(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs) {
    if (t_top != nullptr) return t_top->run(op, inputs, attrs);
    return autograd::record(op, inputs, attrs);
}

Tensors Interpreter::below(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs) {
    if (below_ != nullptr) return below_->run(op, inputs, attrs);
    return autograd::record(op, inputs, attrs);
}

PushInterpreter::PushInterpreter(Interpreter& interpreter) : previous_(t_top) {
    interpreter.below_ = previous_;
    t_top = &interpreter;
}

PushInterpreter::~PushInterpreter() {
    t_top = previous_;
}

ShapeOnly::ShapeOnly() : previous_(set_shape_only(true)) {}

ShapeOnly::~ShapeOnly() {
    set_shape_only(previous_);
}

bool ShapeOnly::active() {
    return shape_only_active();
}

CostMeter::CostMeter() : previous_(t_meter) {
    t_meter = this;
}

CostMeter::~CostMeter() {
    t_meter = previous_;
    if (previous_ != nullptr) previous_->add(total_);
}

} // namespace wiregrad
