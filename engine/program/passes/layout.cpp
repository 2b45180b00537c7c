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
        : program_(program), class_of_(program.values.size()), free_(program.values.size(), false) {
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
            if (instruction.in_place())
                free_[static_cast<std::size_t>(instruction.inputs[0])] = false;
    }
    bool is_free(int id) const { return id >= 0 && free_[static_cast<std::size_t>(id)]; }

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

    /// Asks the backend which layouts suit this instruction best.
    void vote(const Instruction& instruction) {
        if (instruction.is_view() || neutral(instruction)) return;
        std::vector<BindValue> in, out;
        const auto bound = ask_backend(program_, instruction, 1, false, in, out,
                                       [&](int id) { return is_free(id); });
        const auto count = [&](const std::vector<int>& ids, const std::vector<BindValue>& values) {
            for (std::size_t i = 0; i < ids.size(); ++i) {
                if (!is_free(ids[i])) continue;
                Votes& votes = votes_[leader(ids[i])];
                const auto weight = static_cast<double>(program_.value(ids[i]).bytes());
                if (bound != nullptr && !values[i].layout.plain()) {
                    votes.opaque += weight;
                    like_[ids[i]] = values[i].layout;
                } else {
                    votes.plain += weight;
                }
            }
        };
        count(instruction.inputs, in);
        if (!instruction.in_place()) count(instruction.outputs, out);
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

    void insert_reorders() {
        static const Op& reorder = find_op("reorder");
        std::vector<Instruction> result;
        std::map<int, int> plain_of; // the row-major copy of a value, once there is one
        for (Instruction& instruction : program_.instructions) {
            if (instruction.is_view() || accepts(instruction)) {
                result.push_back(std::move(instruction));
                continue;
            }
            for (int& id : instruction.inputs) {
                if (id < 0 || program_.value(id).layout.plain()) continue;
                const auto [copy, added] = plain_of.emplace(id, -1);
                if (added) {
                    copy->second = plain_copy(id);
                    result.push_back(between(reorder, id, copy->second, instruction));
                }
                id = copy->second;
            }
            std::vector<Instruction> after;
            for (int& id : instruction.outputs) {
                if (program_.value(id).layout.plain()) continue;
                const int made = plain_copy(id);
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
            output.value = plain_copy(id);
            const Instruction copy = between(reorder, id, output.value, *maker);
            result.insert(maker + 1, copy);
        }
        program_.instructions = std::move(result);
    }
    int plain_copy(int id) {
        Value copy;
        copy.meta = program_.value(id).meta;
        return program_.add(std::move(copy));
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
    std::vector<bool> free_;
    std::map<int, Votes> votes_;    ///< by class
    std::map<int, Layout> like_;    ///< by value
    std::map<int, DType> dtype_of_; ///< of the value that a class's layout is made for
};

} // namespace

void choose_layouts(Program& program) {
    Islands(program).run();
    remove_dead(program);
}

} // namespace wiregrad::program
