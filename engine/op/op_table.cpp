#include <algorithm>
#include <string>
#include <unordered_map>

#include "engine/backend/cpu/layout.h"
#include "engine/op/bind.h"
#include "engine/op/registry.h"
#include "engine/op/wide.h"

namespace wiregrad {
namespace {

/// One line for each file of rows. Those of the second list know float32 and float64 only.
using Rows = std::span<const Op> (*)();
constexpr Rows kSources[] = {
    elementwise_ops, activation_ops, reduce_ops,   scan_ops,   sort_ops, shape_ops,
    index_ops,       optim_ops,      adaptive_ops, metric_ops, fft_ops,
};
constexpr Rows kWideSources[] = {nn_ops, patch_ops, loss_ops, ctc_ops};

ReorderRule g_reorder[kDeviceTypeCount]{cpu::bind_cpu_reorder};

struct OpTable {
    std::vector<Op> rows; ///< copies, so that a plug-in can add its kernels
    std::vector<const Op*> pointers, fused;
    std::unordered_map<std::string_view, std::size_t> by_name;

    OpTable() {
        for (const Rows source : kSources) {
            const auto more = source();
            rows.insert(rows.end(), more.begin(), more.end());
        }
        const std::size_t first_wide = rows.size();
        for (const Rows source : kWideSources) {
            const auto more = source();
            rows.insert(rows.end(), more.begin(), more.end());
        }
        const std::size_t own = rows.size();
        const auto more = fused_ops();
        rows.insert(rows.end(), more.begin(), more.end());
        widen_rows(rows, first_wide, own);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            (i < own ? pointers : fused).push_back(&rows[i]);
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

std::span<const Op* const> fused_op_table() {
    return the_table().fused;
}

const Op& find_op(std::string_view name) {
    return the_table().find(name);
}

void set_kernel(std::string_view op, DeviceType device, Kernel kernel) {
    the_table().find(op).kernel[static_cast<std::size_t>(device)] = kernel;
}

void set_bind(std::string_view op, DeviceType device, BindRule rule) {
    the_table().find(op).bind[static_cast<std::size_t>(device)] = rule;
}

void set_reorder(DeviceType device, ReorderRule rule) {
    g_reorder[static_cast<std::size_t>(device)] = rule;
}

std::unique_ptr<Bound> bind_reorder(const TensorMeta& meta, const Layout& from, const Layout& to) {
    const ReorderRule rule = g_reorder[static_cast<std::size_t>(meta.device.type)];
    return rule != nullptr ? rule(meta, from, to) : nullptr;
}

} // namespace wiregrad
