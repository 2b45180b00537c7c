#include <algorithm>
#include <string>
#include <unordered_map>

#include "engine/op/registry.h"

namespace wiregrad {
namespace {

/// One line for each file of rows.
using Rows = std::span<const Op> (*)();
constexpr Rows kSources[] = {
    elementwise_ops, reduce_ops, shape_ops, nn_ops, loss_ops, optim_ops,
};

struct OpTable {
    std::vector<Op> rows; ///< copies, so that a plug-in can add its kernels
    std::vector<const Op*> pointers;
    std::unordered_map<std::string_view, std::size_t> by_name;

    OpTable() {
        for (const Rows source : kSources) {
            const auto more = source();
            rows.insert(rows.end(), more.begin(), more.end());
        }
        for (std::size_t i = 0; i < rows.size(); ++i) {
            pointers.push_back(&rows[i]);
            by_name.emplace(rows[i].name, i);
        }
    }
    Op& find(std::string_view name) {
        const auto found = by_name.find(name);
        if (found == by_name.end())
            throw ValueError("There is no op named \"" + std::string(name) + "\".");
        return rows[found->second];
    }
};

OpTable& the_table() {
    static OpTable table;
    return table;
}

} // namespace

std::span<const Op* const> op_table() {
    return the_table().pointers;
}

const Op& find_op(std::string_view name) {
    return the_table().find(name);
}

void set_kernel(std::string_view op, DeviceType device, Kernel kernel) {
    the_table().find(op).kernel[static_cast<std::size_t>(device)] = kernel;
}

} // namespace wiregrad
