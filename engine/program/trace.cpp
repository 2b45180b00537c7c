#include "engine/program/trace.h"

#include <atomic>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/core/tensor_body.h"

namespace wiregrad::program {
namespace {

std::atomic<std::uint64_t> g_serial{0};

TensorMeta meta_of(const Tensor& tensor) {
    return {tensor.shape(), tensor.dtype(), tensor.device()};
}

bool shows(const Value& value, const TensorBody& body) {
    return value.meta.shape == body.shape && value.strides == body.strides &&
           value.offset == body.offset && value.meta.dtype == body.dtype;
}

} // namespace

Tracer::Tracer() : serial_((g_serial.fetch_add(1) + 1) << 32) {}
Tracer::~Tracer() = default;

void Tracer::mark(const Tensor& tensor, int id) {
    tensor.body()->traced = serial_ | static_cast<std::uint64_t>(id + 1);
}

Tensor Tracer::input(const std::string& name, const Tensor& like) {
    Value value;
    value.meta = meta_of(like);
    value.role = Role::Input;
    value.name = name;
    const Tensor stand_in = shape_only_tensor(like.shape(), like.dtype(), like.device());
    mark(stand_in, program_.add(std::move(value)));
    return stand_in;
}

void Tracer::name_state(const std::string& name, const Tensor& tensor) {
    if (!tensor.defined() || !tensor.has_data()) return;
    program_.value(program_.root(of_storage(tensor))).name = name;
}

int Tracer::as_view(int root, const Tensor& tensor) {
    const TensorBody& body = *tensor.body();
    if (shows(program_.value(root), body)) return root;
    for (int id = root + 1; id < static_cast<int>(program_.values.size()); ++id)
        if (program_.value(id).base == root && shows(program_.value(id), body)) return id;
    Value view;
    view.meta = meta_of(tensor);
    view.role = program_.value(root).role;
    view.fill = program_.value(root).fill;
    view.base = root;
    view.strides = body.strides;
    view.offset = body.offset;
    return program_.add(std::move(view));
}

/// A tensor with data is something outside: found by its storage, which views share.
int Tracer::of_storage(const Tensor& tensor) {
    const TensorBody& body = *tensor.body();
    const auto found = storages_.find(body.storage.get());
    if (found != storages_.end()) return as_view(found->second, tensor);
    // The root shows the whole storage when the tensor does not.
    const auto held = static_cast<std::int64_t>(body.storage->bytes() / size_of(body.dtype));
    Value root;
    root.role = Role::State;
    root.tensor = tensor.detach();
    if (!body.contiguous || body.offset != 0 || body.numel != held)
        root.tensor = tensor.detach().as_strided({held}, {1}, 0);
    root.meta = meta_of(root.tensor);
    root.strides = root.tensor.strides();
    root.name = "constant." + std::to_string(program_.values.size());
    const int id = program_.add(std::move(root));
    storages_.emplace(body.storage.get(), id);
    return as_view(id, tensor);
}

int Tracer::value_of(const Tensor& tensor) {
    if (!tensor.defined()) return -1;
    const TensorBody& body = *tensor.body();
    if (body.storage != nullptr) return of_storage(tensor);
    constexpr std::uint64_t kIds = 0xffffffffU;
    if ((body.traced & ~kIds) == serial_) {
        const int id = static_cast<int>(body.traced & kIds) - 1;
        return shows(program_.value(id), body) ? id : as_view(program_.root(id), tensor);
    }
    // Made by Tensor::empty: nothing is in it yet.
    Value fresh;
    fresh.meta = meta_of(tensor);
    const int id = program_.add(std::move(fresh));
    mark(tensor, id);
    return id;
}

void Tracer::filled(const Tensor& tensor, double value) {
    Value constant;
    constant.meta = meta_of(tensor);
    constant.role = Role::Constant;
    constant.fill = value;
    mark(tensor, program_.add(std::move(constant)));
}

/// Whether `instruction` is a copy into all of a value that nothing was written to so far.
bool Tracer::overwrites(const Instruction& instruction) const {
    static const Op& copy = find_op("copy_");
    if (instruction.op != &copy) return false;
    const int target = instruction.inputs[0];
    const Value& value = program_.value(target);
    if (value.role != Role::Temp || value.base >= 0) return false;
    if (value.meta.shape != program_.value(instruction.inputs[1]).meta.shape) return false;
    for (const Instruction& earlier : program_.instructions)
        for (const int made : earlier.outputs)
            if (program_.root(made) == target) return false;
    return true;
}

void Tracer::record(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs,
                    std::span<const Tensor> outputs) {
    Instruction instruction;
    instruction.op = &op;
    instruction.attrs = attrs;
    instruction.origin = Origin::current();
    instruction.backward = autograd::in_backward();
    instruction.update = update_;
    for (const Tensor& input : inputs)
        instruction.inputs.push_back(value_of(input));
    if (instruction.in_place()) {
        Value& target = program_.value(program_.root(instruction.inputs[0]));
        if (target.role ==
            Role::Constant) { // zeros that are written to: filled, then an ordinary value
            target.role = Role::Temp;
            for (Value& value : program_.values)
                if (value.base == program_.root(instruction.inputs[0])) value.role = Role::Temp;
            Instruction fill = instruction;
            static const Op& fill_op = find_op("fill_");
            fill.op = &fill_op;
            fill.update = false;
            fill.inputs = fill.outputs = {program_.root(instruction.inputs[0])};
            fill.attrs = {{"value", target.fill}};
            program_.instructions.insert(program_.instructions.begin(), std::move(fill));
        } else if (overwrites(instruction)) {
            // The first that happens to what Tensor::empty made: an ordinary result.
            static const Op &copy = find_op("contiguous"), &convert = find_op("to");
            const Value& source = program_.value(instruction.inputs[1]);
            const bool same = source.meta.dtype == target.meta.dtype;
            instruction.op = same ? &copy : &convert;
            if (!same) instruction.attrs = {{"dtype", target.meta.dtype}};
            instruction.outputs = {instruction.inputs[0]};
            instruction.inputs = {instruction.inputs[1]};
            program_.instructions.push_back(std::move(instruction));
            return;
        }
        instruction.outputs = {instruction.inputs[0]};
        program_.instructions.push_back(std::move(instruction));
        return;
    }
    if (instruction.is_view()) {
        const int root = program_.root(instruction.inputs[0]);
        const TensorBody& body = *outputs[0].body();
        Value view;
        view.meta = meta_of(outputs[0]);
        view.role = program_.value(root).role;
        view.fill = program_.value(root).fill;
        view.base = root;
        view.strides = body.strides;
        view.offset = body.offset;
        const int id = program_.add(std::move(view));
        instruction.outputs = {id};
        if (body.storage == nullptr) mark(outputs[0], id);
        program_.instructions.push_back(std::move(instruction));
        return;
    }
    for (const Tensor& output : outputs) {
        Value made;
        made.meta = meta_of(output);
        const int id = program_.add(std::move(made));
        mark(output, id);
        instruction.outputs.push_back(id);
    }
    program_.instructions.push_back(std::move(instruction));
}

void Tracer::output(const std::string& name, const Tensor& tensor) {
    program_.outputs.push_back({name, value_of(tensor)});
}

} // namespace wiregrad::program
