#include "nodes/export/data.h"

#include <fmt/core.h>

#include <numeric>

#include "datasets/loader.h"
#include "engine/io/npz.h"
#include "engine/op/ops.h"

namespace wiregrad::graph {

namespace {

/// Every sample of a split, one tensor a field, in the dataset's own order where that is known.
std::vector<Tensor> all_samples(train::BatchSource& source) {
    if (const auto* loader = dynamic_cast<const data::Loader*>(&source)) {
        std::vector<std::int64_t> indices(static_cast<std::size_t>(loader->dataset().size()));
        std::iota(indices.begin(), indices.end(), 0);
        return data::read_batch(loader->dataset(), indices);
    }
    std::vector<std::vector<Tensor>> fields;
    for (std::int64_t i = 0; i < source.batches_per_epoch(); ++i) {
        const train::Batch batch = source.batch(0, i);
        fields.resize(batch.fields.size());
        for (std::size_t f = 0; f < batch.fields.size(); ++f)
            fields[f].push_back(batch.fields[f].clone());
    }
    std::vector<Tensor> result;
    for (const std::vector<Tensor>& parts : fields)
        result.push_back(cat(parts));
    return result;
}

} // namespace

DataExport export_data(const Outline& outline, const train::TrainPlan& plan,
                       const ExportOptions& options) {
    DataExport result;
    const std::pair<const char*, std::shared_ptr<train::BatchSource>> splits[] = {
        {"train", plan.train}, {"validation", plan.validation}, {"test", plan.test}};
    std::uint64_t sample_bytes = 0, bytes = 0;
    for (const Argument& argument : outline.batch)
        sample_bytes += static_cast<std::uint64_t>(numel(argument.meta.shape)) *
                        size_of(argument.meta.dtype) /
                        static_cast<std::uint64_t>(std::max<std::int64_t>(
                            argument.meta.shape.empty() ? 1 : argument.meta.shape[0], 1));
    for (const auto& [name, source] : splits)
        if (source) bytes += sample_bytes * static_cast<std::uint64_t>(source->samples_per_epoch());

    for (const Argument& argument : outline.batch) {
        const Node& node = *outline.inference.at(argument.value.node).node;
        if (argument.value.output != 0 || !node.params.contains("source")) continue;
        const auto text = [&](const char* id) {
            const auto found = node.params.find(id);
            return found == node.params.end() ? std::string() : value_text(found->second);
        };
        if (text("path").empty())
            result.reason.push_back(fmt::format(
                "The samples of \"{}\" are drawn by Wiregrad (source {}, seed {}) with a generator "
                "that NumPy",
                node.id, text("source"), text("seed")));
        else
            result.reason.push_back(fmt::format(
                "The samples of \"{}\" were read, split and normalised by Wiregrad in a way that "
                "NumPy",
                node.id));
        result.reason.push_back(
            "does not have; they lie beside, so that both programs train on the same numbers.");
    }
    if (!options.with_data || bytes > kMostDataBytes) {
        result.reason.push_back(
            options.with_data
                ? fmt::format("They are {} MB and were not copied: give --data FILE.npz.",
                              bytes / 1'000'000)
                : std::string("They were left out on export: give --data FILE.npz."));
        return result;
    }
    std::vector<nn::NamedTensor> arrays;
    for (const auto& [name, source] : splits) {
        if (!source) continue;
        const std::vector<Tensor> fields = all_samples(*source);
        for (std::size_t f = 0; f < fields.size() && f < outline.batch.size(); ++f)
            arrays.push_back({fmt::format("{}_{}", name, outline.batch[f].name), fields[f]});
    }
    result.files.push_back(
        {file_beside(options.path, ".data.npz"), io::encode_npz(arrays), "data"});
    return result;
}

} // namespace wiregrad::graph
