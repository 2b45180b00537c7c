// The data part of scripts: the very samples of the project, stored beside. Any thread.
#pragma once

#include <string>
#include <vector>

#include "engine/train/trainer.h"
#include "nodes/export/export.h"
#include "nodes/export/outline.h"

namespace wiregrad::graph {

struct DataExport {
    std::vector<std::string> reason; ///< comment lines: where the samples are from, why they lie
                                     ///< beside
    std::vector<ExportFile> files;
};

inline constexpr std::uint64_t kMostDataBytes = std::uint64_t{1} << 30;

/// train_x, train_y, validation_x, ... in one .npz; none where there are more than kMostDataBytes.
DataExport export_data(const Outline& outline, const train::TrainPlan& plan,
                       const ExportOptions& options);

} // namespace wiregrad::graph
