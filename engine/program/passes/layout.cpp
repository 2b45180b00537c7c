// Islands of backend layouts: values that the instructions around them prefer in another
// arrangement than row-major are kept in it, and reordered where an island ends.
#include <algorithm>
#include <map>
#include <numeric>

#include "engine/program/chain.h"
#include "engine/program/passes.h"

namespace wiregrad::program {
namespace {

class Islands {
  public:
    explicit Islands(Program& program)
        : program_(program), class_of_(program.values.size()), free_(program.values.size(), false),
          written_(program.values.size(), false) {
        std::iota(class_of_.begin(), class_of_.end(), 0);
    }

    void run() {
        find_free();
        for (const Instruction& instruction : program_.instructions)
            if (neutral(instruction)) unite(instruction);
        for (const Instruction& instruction : program_.instructions)
            vote(instruction);
        if (choose()) insert_reorders();
    }

  private:
    /// Values that may lie in any way: results that nobody views.
    void find_free() {
        for (std::size_t id = 0; id < program_.values.size(); ++id) {
            const Value& value = program_.values[id];
            free_[id] = value.role == Role::Temp && value.base < 0 &&
                        value.meta.device.type == DeviceType::Cpu && numel(value.meta.shape) > 0;
        }
        for (const Value& value : program_.values)
            if (value.base >= 0) free_[static_cast<std::size_t>(value.base)] = false;
        for (const Instruction& instruction : program_.instructions)
            for (std::size_t k = 0; k < instruction.inputs.size(); ++k)
                if (writes(instruction, k)) {
                    const auto root =
                        static_cast<std::size_t>(program_.root(instruction.inputs[k]));
                    free_[root] = false;
                    written_[root] = true;
                }
    }
    bool is_free(int id) const { return id >= 0 && free_[static_cast<std::size_t>(id)]; }
    /// Values that stay row-major, because others view them, but that an instruction could read or
    /// write through a copy in its own layout.
    bool is_border(int id) const {
        if (id < 0 || is_free(id)) return false;
        const Value& value = program_.value(id);
        const auto root = static_cast<std::size_t>(program_.root(id));
        return value.role == Role::Temp && !written_[root] && value.contiguous() &&
               value.layout.plain() && value.meta.device.type == DeviceType::Cpu &&
               numel(value.meta.shape) > 0;
    }

    /// Elementwise with operands of one shape (or one number): any layout will do, if all agree.
    bool neutral(const Instruction& instruction) const {
        if (instruction.is_view() || !chainable(program_, instruction)) return false;
        const Shape& shape = program_.value(instruction.outputs[0]).meta.shape;
        return std::all_of(instruction.inputs.begin(), instruction.inputs.end(), [&](int id) {
            const Value& value = program_.value(id);
            return numel(value.meta.shape) == 1 || value.role == Role::Constant ||
                   (value.meta.shape == shape && is_free(id));
        });
    }
    int leader(int id) {
        int& next = class_of_[static_cast<std::size_t>(id)];
        return next == id ? id : next = leader(next);
    }
    void unite(const Instruction& instruction) {
        const int first = instruction.outputs[0];
        for (const auto* list : {&instruction.inputs, &instruction.outputs})
            for (const int id : *list)
                if (is_free(id) &&
                    program_.value(id).meta.shape == program_.value(first).meta.shape)
                    class_of_[static_cast<std::size_t>(leader(id))] = leader(first);
    }

    /// Asks the backend which layouts suit this instruction best; with borders only if more bytes
    /// keep their layout for it than have to be copied.
    void vote(const Instruction& instruction) {
        if (instruction.is_view() || neutral(instruction)) return;
        std::vector<BindValue> in, out, in_across, out_across;
        const auto bound = ask_backend(program_, instruction, 1, false, in, out,
                                       [&](int id) { return is_free(id); });
        const auto across = ask_backend(program_, instruction, 1, false, in_across, out_across,
                                        [&](int id) { return is_free(id) || is_border(id); });
        if (across != nullptr &&
            gain(instruction, bound != nullptr, in, out, in_across, out_across) > 0)
            count(instruction, true, in_across, out_across);
        else
            count(instruction, bound != nullptr, in, out);
    }
    template <class F>
    static void each_operand(const Instruction& instruction, const std::vector<BindValue>& in,
                             const std::vector<BindValue>& out, const F& f) {
        for (std::size_t i = 0; i < instruction.inputs.size(); ++i)
            if (instruction.inputs[i] >= 0) f(instruction.inputs[i], in[i].layout);
        if (instruction.in_place()) return;
        for (std::size_t i = 0; i < instruction.outputs.size(); ++i)
            f(instruction.outputs[i], out[i].layout);
    }
    double gain(const Instruction& instruction, bool bound, const std::vector<BindValue>& in,
                const std::vector<BindValue>& out, const std::vector<BindValue>& in_across,
                const std::vector<BindValue>& out_across) const {
        double bytes = 0;
        each_operand(instruction, in_across, out_across, [&](int id, const Layout& layout) {
            if (layout.plain()) return;
            bytes += (is_free(id) ? 1 : -1) * static_cast<double>(program_.value(id).bytes());
        });
        if (!bound) return bytes;
        each_operand(instruction, in, out, [&](int id, const Layout& layout) {
            if (!layout.plain() && is_free(id))
                bytes -= static_cast<double>(program_.value(id).bytes());
        });
        return bytes;
    }
    void count(const Instruction& instruction, bool bound, const std::vector<BindValue>& in,
               const std::vector<BindValue>& out) {
        each_operand(instruction, in, out, [&](int id, const Layout& layout) {
            if (!is_free(id)) return;
            Votes& votes = votes_[leader(id)];
            const auto weight = static_cast<double>(program_.value(id).bytes());
            if (bound && !layout.plain()) {
                votes.opaque += weight;
                like_[id] = layout;
            } else {
                votes.plain += weight;
            }
        });
    }

    /// Gives the classes their layouts; false: all stay plain.
    bool choose() {
        bool any = false;
        std::map<int, Layout> chosen; // by class
        for (const auto& [id, layout] : like_) {
            const int own = leader(id);
            const TensorMeta& meta = program_.value(id).meta;
            if (votes_[own].opaque <= votes_[own].plain || !layout.opaque()->dense() ||
                bind_reorder(meta, Layout(), layout) == nullptr ||
                bind_reorder(meta, layout, Layout()) == nullptr)
                continue;
            if (chosen.emplace(own, layout).second) dtype_of_[own] = program_.value(id).meta.dtype;
        }
        for (std::size_t id = 0; id < program_.values.size(); ++id) {
            if (!free_[id]) continue;
            const auto found = chosen.find(leader(static_cast<int>(id)));
            if (found == chosen.end()) continue;
            Value& value = program_.values[id];
            // A class has values of several dtypes (masks); the layout is made for one of them.
            const auto own = like_.find(static_cast<int>(id));
            if (own != like_.end())
                value.layout = own->second;
            else if (value.meta.dtype == dtype_of_[leader(static_cast<int>(id))])
                value.layout = found->second;
            else
                value.layout = found->second.opaque()->as(value.meta);
            any = any || !value.layout.plain();
        }
        return any;
    }

    bool accepts(const Instruction& instruction) const {
        const auto plain = [&](int id) { return id < 0 || program_.value(id).layout.plain(); };
        if (std::all_of(instruction.inputs.begin(), instruction.inputs.end(), plain) &&
            std::all_of(instruction.outputs.begin(), instruction.outputs.end(), plain))
            return true;
        if (chainable(program_, instruction))
            return bind_chain(program_, instruction, 1) != nullptr;
        std::vector<BindValue> in, out;
        return ask_backend(program_, instruction, 1, false, in, out, [](int) { return false; }) !=
               nullptr;
    }

    /// Lets `instruction` read and write its borders through copies in the layout of the rest;
    /// false when the backend has nothing for that.
    bool cross(Instruction& instruction, std::vector<Instruction>& result) {
        std::vector<BindValue> in, out;
        if (instruction.in_place() || ask_backend(program_, instruction, 1, false, in, out,
                                                  [&](int id) { return is_border(id); }) == nullptr)
            return false;
        static const Op& reorder = find_op("reorder");
        std::vector<Instruction> after;
        for (std::size_t i = 0; i < in.size(); ++i) {
            int& id = instruction.inputs[i];
            if (id < 0 || in[i].layout == program_.value(id).layout) continue;
            const auto [copy, added] = opaque_of_.emplace(id, -1);
            if (added) {
                copy->second = copy_of(id, in[i].layout);
                result.push_back(between(reorder, id, copy->second, instruction));
            }
            id = copy->second;
        }
        for (std::size_t i = 0; i < out.size(); ++i) {
            int& id = instruction.outputs[i];
            if (out[i].layout == program_.value(id).layout) continue;
            const int made = copy_of(id, out[i].layout);
            after.push_back(between(reorder, made, id, instruction));
            id = made;
        }
        result.push_back(std::move(instruction));
        result.insert(result.end(), after.begin(), after.end());
        return true;
    }

    void insert_reorders() {
        static const Op& reorder = find_op("reorder");
        std::vector<Instruction> result;
        std::map<int, int> plain_of; // the row-major copy of a value, once there is one
        for (Instruction& instruction : program_.instructions) {
            if (instruction.is_view() || accepts(instruction)) {
                result.push_back(std::move(instruction));
                continue;
            }
            if (cross(instruction, result)) continue;
            for (int& id : instruction.inputs) {
                if (id < 0 || program_.value(id).layout.plain()) continue;
                const auto [copy, added] = plain_of.emplace(id, -1);
                if (added) {
                    copy->second = copy_of(id, Layout());
                    result.push_back(between(reorder, id, copy->second, instruction));
                }
                id = copy->second;
            }
            std::vector<Instruction> after;
            for (int& id : instruction.outputs) {
                if (program_.value(id).layout.plain()) continue;
                const int made = copy_of(id, Layout());
                after.push_back(between(reorder, made, id, instruction));
                id = made;
            }
            result.push_back(std::move(instruction));
            result.insert(result.end(), after.begin(), after.end());
        }
        // What the step hands out is row-major; the value itself keeps its layout, so that looking
        // at it changes no bits.
        for (Output& output : program_.outputs) {
            const int id = output.value;
            if (program_.value(id).layout.plain()) continue;
            const auto maker =
                std::find_if(result.begin(), result.end(), [&](const Instruction& instruction) {
                    return std::find(instruction.outputs.begin(), instruction.outputs.end(), id) !=
                           instruction.outputs.end();
                });
            output.value = copy_of(id, Layout());
            const Instruction copy = between(reorder, id, output.value, *maker);
            result.insert(maker + 1, copy);
        }
        program_.instructions = std::move(result);
    }
    int copy_of(int id, const Layout& layout) {
        Value copy;
        copy.meta = program_.value(id).meta;
        copy.layout = layout;
        const int made = program_.add(std::move(copy));
        free_.resize(program_.values.size(), false);
        written_.resize(program_.values.size(), true); // no border
        return made;
    }
    static Instruction between(const Op& reorder, int from, int to, const Instruction& like) {
        Instruction instruction;
        instruction.op = &reorder;
        instruction.inputs = {from};
        instruction.outputs = {to};
        instruction.origin = like.origin;
        instruction.backward = like.backward;
        instruction.update = like.update;
        return instruction;
    }

    struct Votes {
        double opaque = 0, plain = 0; ///< bytes
    };
    Program& program_;
    std::vector<int> class_of_;
    std::vector<bool> free_, written_; ///< written_: changed by some instruction, by root
    std::map<int, int> opaque_of_;     ///< the copy of a border in a backend's layout
    std::map<int, Votes> votes_;       ///< by class
    std::map<int, Layout> like_;       ///< by value
    std::map<int, DType> dtype_of_;    ///< of the value that a class's layout is made for
};

} // namespace

void choose_layouts(Program& program) {
    Islands(program).run();
    remove_dead(program);
}

} // namespace wiregrad::program
