#include "engine/train/trainer.h"

#include <charconv>
#include <limits>
#include <unordered_map>

#include <fmt/format.h>

#include "engine/core/error.h"
#include "engine/io/hdf5.h"

namespace wiregrad::train {
namespace {

constexpr std::string_view kFormat = "wiregrad-checkpoint";
constexpr std::int64_t kVersion = 1;
constexpr const char* kCounts = "epoch/counts/"; ///< sums of metrics that have several
const std::string kSetting = "setting ";         ///< before the name of a setting

/// '/' makes groups in HDF5 and "." is one; names of weights are one part each, whatever they hold.
std::string escape(const std::string& name) {
    std::string result;
    for (const char c : name) {
        if (c == '/' || c == '%' || c == '\0' || (c == '.' && name.size() == 1))
            result += fmt::format("%{:02x}", static_cast<unsigned char>(c));
        else
            result += c;
    }
    return result;
}
std::string unescape(std::string_view text, const std::string& path) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            result += text[i];
            continue;
        }
        unsigned value = 0;
        if (i + 2 >= text.size() ||
            std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ptr !=
                text.data() + i + 3)
            throw FileError(fmt::format("has a broken name '{}'", text), path);
        result += static_cast<char>(value);
        i += 2;
    }
    return result;
}

class Reader {
  public:
    Reader(const io::Hdf5File& file, const std::string& path) : path_(path) {
        for (const auto& [name, value] : file.attributes)
            values_.emplace(name, value);
    }
    const std::string& text(const std::string& name) const {
        const auto found = values_.find(name);
        if (found == values_.end())
            throw FileError(fmt::format("is no complete checkpoint: '{}' is missing", name), path_);
        return found->second;
    }
    template <class T>
    T number(const std::string& name, T least = std::numeric_limits<T>::lowest()) const {
        const std::string& value = text(name);
        T result{};
        const auto [end, error] =
            std::from_chars(value.data(), value.data() + value.size(), result);
        if (error != std::errc{} || end != value.data() + value.size() || !(result >= least))
            throw FileError(fmt::format("has the impossible {} '{}'", name, value), path_);
        return result;
    }

  private:
    const std::string& path_;
    std::unordered_map<std::string, std::string> values_;
};

/// Float64 [n, 2]: sums and counts.
Tensor pack(const std::vector<MetricSum>& sums) {
    Tensor tensor = Tensor::empty({static_cast<std::int64_t>(sums.size()), 2}, DType::Float64);
    for (std::size_t i = 0; i < sums.size(); ++i) {
        tensor.data_mut<double>()[2 * i] = sums[i].sum;
        tensor.data_mut<double>()[2 * i + 1] = sums[i].count;
    }
    return tensor;
}
std::vector<MetricSum> unpack(const Tensor& tensor, const std::string& path) {
    if (tensor.dtype() != DType::Float64 || tensor.dim() != 2 || tensor.size(1) != 2)
        throw FileError("has broken sums of the epoch", path);
    std::vector<MetricSum> sums(static_cast<std::size_t>(tensor.size(0)));
    for (std::size_t i = 0; i < sums.size(); ++i)
        sums[i] = {tensor.data<double>()[2 * i], tensor.data<double>()[2 * i + 1]};
    return sums;
}

} // namespace

void save_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
    io::Hdf5File file;
    file.attributes = {{"format", std::string(kFormat)},
                       {"format_version", std::to_string(kVersion)},
                       {"step", std::to_string(checkpoint.step)},
                       {"epoch", std::to_string(checkpoint.epoch)},
                       {"batch", std::to_string(checkpoint.batch)},
                       {"seed", std::to_string(checkpoint.seed)},
                       {"graph_hash", checkpoint.graph_hash},
                       {"seconds", fmt::format("{}", checkpoint.seconds)},
                       {"optimizers", std::to_string(checkpoint.optimizers.size())}};
    for (const auto& [name, value] : checkpoint.settings)
        file.attributes.emplace_back(kSetting + name, value);
    for (const nn::NamedTensor& weight : checkpoint.weights)
        file.tensors.push_back({"weights/" + escape(weight.name), weight.tensor});
    for (std::size_t i = 0; i < checkpoint.optimizers.size(); ++i) {
        const auto& [name, state] = checkpoint.optimizers[i];
        file.attributes.emplace_back(fmt::format("optimizer {}", i), name);
        for (const nn::NamedTensor& tensor : state)
            file.tensors.push_back(
                {fmt::format("optimizer {}/{}", i, escape(tensor.name)), tensor.tensor});
    }
    file.tensors.push_back({"epoch/losses", pack(checkpoint.epoch_losses)});
    file.tensors.push_back({"epoch/metrics", pack(checkpoint.epoch_metrics)});
    for (std::size_t i = 0; i < checkpoint.epoch_metrics.size(); ++i)
        if (const std::vector<double>& counts = checkpoint.epoch_metrics[i].counts; !counts.empty())
            file.tensors.push_back(
                {fmt::format("{}{}", kCounts, i),
                 Tensor::from(counts, {static_cast<std::int64_t>(counts.size())})});
    io::write_hdf5(path, file);
}

Checkpoint load_checkpoint(const std::string& path) {
    const io::Hdf5File file = io::read_hdf5(path);
    const Reader reader(file, path);
    if (reader.text("format") != kFormat) throw FileError("is no checkpoint", path);
    if (const auto version = reader.number<std::int64_t>("format_version"); version > kVersion)
        throw FileError(
            fmt::format("was written by a newer version (format {}, {} is the newest known here)",
                        version, kVersion),
            path);
    Checkpoint checkpoint;
    checkpoint.step = reader.number<std::int64_t>("step", 0);
    checkpoint.epoch = reader.number<std::int64_t>("epoch", 0);
    checkpoint.batch = reader.number<std::int64_t>("batch", 0);
    checkpoint.seed = reader.number<std::uint64_t>("seed");
    checkpoint.graph_hash = reader.text("graph_hash");
    for (const auto& [name, value] : file.attributes)
        if (name.starts_with(kSetting))
            checkpoint.settings.emplace_back(name.substr(kSetting.size()), value);
    checkpoint.seconds = reader.number<double>("seconds", 0.0);
    const auto optimizers = reader.number<std::int64_t>("optimizers", 0);
    std::unordered_map<std::string, std::size_t> groups;
    for (std::int64_t i = 0; i < optimizers; ++i) {
        const std::string group = fmt::format("optimizer {}", i);
        checkpoint.optimizers.emplace_back(reader.text(group), std::vector<nn::NamedTensor>());
        groups.emplace(group, static_cast<std::size_t>(i));
    }
    bool has_losses = false, has_metrics = false;
    std::vector<std::pair<std::size_t, std::vector<double>>> counts;
    for (const nn::NamedTensor& entry : file.tensors) {
        const auto slash = entry.name.find('/');
        const std::string group = entry.name.substr(0, slash);
        const std::string_view rest = slash == std::string::npos
                                          ? std::string_view()
                                          : std::string_view(entry.name).substr(slash + 1);
        if (group == "weights") {
            checkpoint.weights.push_back({unescape(rest, path), entry.tensor});
        } else if (entry.name == "epoch/losses") {
            checkpoint.epoch_losses = unpack(entry.tensor, path);
            has_losses = true;
        } else if (entry.name == "epoch/metrics") {
            checkpoint.epoch_metrics = unpack(entry.tensor, path);
            has_metrics = true;
        } else if (entry.name.starts_with(kCounts)) {
            const std::string number = entry.name.substr(std::string_view(kCounts).size());
            const auto index = number.size() < 6 && !number.empty() &&
                                       number.find_first_not_of("0123456789") == std::string::npos
                                   ? std::stoul(number)
                                   : std::string::npos;
            counts.emplace_back(index, entry.tensor.to_vector());
        } else if (const auto found = groups.find(group); found != groups.end()) {
            checkpoint.optimizers[found->second].second.push_back(
                {unescape(rest, path), entry.tensor});
        } else {
            throw FileError(fmt::format("holds '{}', which is no part of a checkpoint", entry.name),
                            path);
        }
    }
    if (!has_losses || !has_metrics)
        throw FileError("is no complete checkpoint: the sums of the epoch are missing", path);
    for (auto& [index, values] : counts) {
        if (index >= checkpoint.epoch_metrics.size())
            throw FileError("holds the counts of a metric that it does not have", path);
        checkpoint.epoch_metrics[index].counts = std::move(values);
    }
    return checkpoint;
}

} // namespace wiregrad::train
