// From a spec to splits: the source's parts, cut by seed where the source has none, copies kept
// together, numbers normalised by what the training split alone says.
#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <mutex>
#include <numeric>
#include <unordered_map>

#include <fmt/format.h>

#include "datasets/dataset.h"
#include "datasets/random.h"
#include "datasets/row_buffer.h"
#include "datasets/sources/source.h"
#include "engine/core/error.h"

namespace wiregrad::data {
namespace {

void check(const DatasetSpec& spec) {
    const auto fraction = [](double value, const char* name) {
        if (!(value >= 0 && value < 1))
            throw ValueError(fmt::format("{} must be at least 0 and below 1, got {}", name, value));
    };
    constexpr std::int64_t kMostSamples = 100'000'000;
    const auto count = [=](std::int64_t value, const char* name) {
        if (value < 0 || value > kMostSamples)
            throw ValueError(
                fmt::format("{} must lie between 0 and {}, got {}", name, kMostSamples, value));
    };
    fraction(spec.validation_fraction, "validation_fraction");
    fraction(spec.test_fraction, "test_fraction");
    count(spec.samples, "samples");
    count(spec.test_samples, "test_samples");
    if (std::isnan(spec.noise) || spec.noise > 100)
        throw ValueError(fmt::format("noise must lie between 0 and 100, got {}", spec.noise));
    if (spec.image_size < 0 || spec.image_size > 4096)
        throw ValueError(
            fmt::format("image_size must lie between 0 and 4096, got {}", spec.image_size));
    if (spec.window < 1 || spec.window > 65536)
        throw ValueError(fmt::format("window must lie between 1 and 65536, got {}", spec.window));
    if (spec.vocabulary < 256 || spec.vocabulary > 65536)
        throw ValueError(
            fmt::format("vocabulary must lie between 256 and 65536, got {}", spec.vocabulary));
    if (spec.folds < 0 || spec.folds == 1 || spec.folds > 1000)
        throw ValueError(
            fmt::format("folds must be 0 or lie between 2 and 1000, got {}", spec.folds));
    if (spec.folds > 0 && (spec.fold < 0 || spec.fold >= spec.folds))
        throw ValueError(
            fmt::format("fold must be at least 0 and below {}, got {}", spec.folds, spec.fold));
}

DatasetSpec resolved(const DatasetSpec& spec) {
    DatasetSpec result = spec;
    if (result.source == "auto") result.source = detect(result.path);
    const SourceInfo& info = source_row(result).info;
    if (info.needs_path && result.path.empty())
        throw FileError(fmt::format("the dataset source \"{}\" needs a file or folder", info.id));
    return result;
}

std::vector<std::int64_t> permutation(std::int64_t count, std::uint64_t seed,
                                      std::uint32_t stream) {
    std::vector<std::int64_t> order(static_cast<std::size_t>(count));
    std::iota(order.begin(), order.end(), 0);
    SampleRandom random(seed, stream, 0);
    for (std::size_t i = order.size(); i > 1; --i)
        std::swap(order[i - 1], order[random.below(i)]);
    return order;
}

/// At most `limit` samples, drawn by seed, in their own order; 0: all.
DatasetPtr limited(DatasetPtr base, std::int64_t limit, std::uint64_t seed, std::uint64_t salt) {
    if (!base || limit <= 0 || base->size() <= limit) return base;
    std::vector<std::int64_t> chosen = permutation(base->size(), seed + salt, stream::kLimit);
    chosen.resize(static_cast<std::size_t>(limit));
    std::sort(chosen.begin(), chosen.end());
    return subset(std::move(base), std::move(chosen));
}

bool is_label(const Field& field) {
    return field.kind == FieldKind::Label && field.dtype == DType::Int64;
}

std::vector<Field> with_numbers(std::vector<Field> fields) {
    for (std::size_t f = 1; f < fields.size(); ++f)
        if (is_label(fields[f]))
            fields[f] = {.name = fields[f].name,
                         .shape = {1},
                         .kind = FieldKind::Scalar,
                         .feature_names = {fields[f].name},
                         .min = fields[f].min,
                         .max = fields[f].max};
    return fields;
}

/// Labels given as numbers, for losses that measure a distance.
class Numbers : public Dataset {
  public:
    explicit Numbers(DatasetPtr base)
        : base_(std::move(base)), fields_(with_numbers(base_->fields())) {}
    const std::vector<Field>& fields() const override { return fields_; }
    std::int64_t size() const override { return base_->size(); }
    void read(std::int64_t index, Row row) const override {
        constexpr std::size_t kMaxFields = 8;
        std::array<std::int64_t, kMaxFields> labels{};
        std::array<std::span<std::byte>, kMaxFields> inner{};
        const std::size_t count = std::min(row.size(), kMaxFields);
        for (std::size_t f = 0; f < count; ++f)
            inner[f] = converted(f) ? std::as_writable_bytes(std::span(&labels[f], 1)) : row[f];
        base_->read(index, Row(inner.data(), count));
        for (std::size_t f = 0; f < count; ++f)
            if (converted(f))
                *reinterpret_cast<float*>(row[f].data()) = static_cast<float>(labels[f]);
    }

  private:
    bool converted(std::size_t f) const { return f > 0 && is_label(base_->fields()[f]); }
    DatasetPtr base_;
    std::vector<Field> fields_;
};

DatasetPtr as_numbers(DatasetPtr base) {
    if (!base || std::none_of(base->fields().begin() + 1, base->fields().end(), is_label))
        return base;
    return std::make_shared<Numbers>(std::move(base));
}

/// What one pass over the samples tells.
struct Scan {
    std::vector<std::uint64_t> hashes;
    std::int64_t not_finite = 0, first_not_finite = -1;
};

Scan scan(const Dataset& dataset, const Opening& opening) {
    Scan result;
    result.hashes.reserve(static_cast<std::size_t>(dataset.size()));
    const RowBuffer buffer(dataset.fields());
    const bool floats = dataset.fields()[0].kind == FieldKind::Vector;
    for (std::int64_t i = 0; i < dataset.size(); ++i) {
        if (i % 1024 == 0)
            opening.report("Looking for copies",
                           static_cast<double>(i) / static_cast<double>(dataset.size()));
        dataset.read(i, buffer.row());
        result.hashes.push_back(hash_bytes(buffer.row()[0]));
        if (!floats) continue;
        const auto values = buffer.values<float>(0);
        if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) {
            if (result.not_finite++ == 0) result.first_not_finite = i;
        }
    }
    return result;
}

enum class Place : std::uint8_t { Train, Validation, Test };

/// How many of `count` a fraction takes: at least one where it asks for any and there is enough to
/// share.
std::int64_t share(double fraction, std::int64_t count) {
    if (fraction <= 0) return 0;
    const auto wanted =
        static_cast<std::int64_t>(std::llround(fraction * static_cast<double>(count)));
    return std::clamp<std::int64_t>(wanted, count >= 3 ? 1 : 0,
                                    std::max<std::int64_t>(0, count - 1));
}

std::string plural(std::int64_t count, const char* one, const char* many) {
    return fmt::format("{} {}", count, count == 1 ? one : many);
}

} // namespace

void Opening::report(const std::string& what, double fraction) const {
    if (progress_ && !progress_(what, fraction))
        throw Cancelled("opening the dataset was cancelled");
}

Splits open(const DatasetSpec& request, const Progress& progress) {
    check(request);
    const DatasetSpec spec = resolved(request);
    const Source& source = source_row(spec);
    const Opening opening(spec, progress);
    opening.report("Opening the dataset", 0);
    Parts parts = source.open(opening);
    if (!parts.main || parts.main->size() == 0)
        throw DataError("the dataset has no samples", spec.path);
    if (!source.info.generated) {
        if (!parts.ordered) parts.main = limited(parts.main, spec.samples, spec.seed, 0);
        parts.test = limited(parts.test, spec.test_samples, spec.seed, 1);
    }
    if (spec.regression) {
        parts.main = as_numbers(parts.main);
        parts.validation = as_numbers(parts.validation);
        parts.test = as_numbers(parts.test);
    }

    Splits splits;
    splits.notes = parts.notes;
    const Scan main = scan(*parts.main, opening);
    if (main.not_finite > 0)
        splits.notes.push_back(
            fmt::format("{} with a value that is not a finite number; the first is sample {}.",
                        plural(main.not_finite, "sample", "samples"), main.first_not_finite));

    const std::int64_t count = parts.main->size();
    const bool cut_test = !parts.test && !parts.ordered,
               cut_validation = !parts.validation && !parts.ordered;
    const std::int64_t test_wanted = cut_test ? share(spec.test_fraction, count) : 0;
    // Where, of what is not test, the validation part lies: at the beginning, or one of the folds.
    const std::int64_t rest = count - test_wanted;
    const bool folded = cut_validation && spec.folds > 0;
    const std::int64_t first = folded ? rest * spec.fold / spec.folds : 0;
    const std::int64_t validation_wanted = folded ? rest * (spec.fold + 1) / spec.folds - first
                                           : cut_validation ? share(spec.validation_fraction, rest)
                                                            : 0;

    // Go through a seeded permutation: the first ones are test, then validation and training.
    // A sample whose copy was placed already goes where the copy is.
    std::unordered_map<std::uint64_t, Place> placed;
    std::array<std::vector<std::int64_t>, 3> members;
    const std::vector<std::int64_t> order = permutation(count, spec.seed, stream::kSplit);
    std::int64_t first_copies = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t sample = order[static_cast<std::size_t>(i)];
        const std::int64_t place = i - test_wanted - first;
        const Place fresh = i < test_wanted                           ? Place::Test
                            : place >= 0 && place < validation_wanted ? Place::Validation
                                                                      : Place::Train;
        const auto [entry, is_new] =
            placed.try_emplace(main.hashes[static_cast<std::size_t>(sample)], fresh);
        first_copies += is_new ? 0 : 1;
        members[static_cast<std::size_t>(entry->second)].push_back(sample);
    }
    splits.duplicates = first_copies;
    for (std::vector<std::int64_t>& list : members)
        std::sort(list.begin(), list.end());
    auto& [train, validation, test] = members;
    if (train.empty() || (validation_wanted > 0 && validation.empty()) ||
        (test_wanted > 0 && test.empty()))
        throw DataError(fmt::format("the dataset cannot be split: {} of its {} samples are copies "
                                    "of others, and copies "
                                    "must stay together",
                                    first_copies, count),
                        spec.path);
    if (splits.duplicates > 0)
        splits.notes.push_back(fmt::format(
            "{} of another one; copies are kept in the same split.",
            plural(splits.duplicates, "sample is an exact copy", "samples are exact copies")));

    splits.train =
        validation_wanted + test_wanted == 0 ? parts.main : subset(parts.main, std::move(train));
    splits.validation =
        validation_wanted > 0 ? subset(parts.main, std::move(validation)) : parts.validation;
    splits.test = test_wanted > 0 ? subset(parts.main, std::move(test)) : parts.test;
    for (const DatasetPtr& own : {parts.validation, parts.test}) {
        if (!own) continue;
        if (own->size() == 0)
            throw DataError("the test part of the dataset has no samples", spec.path);
        const Scan other = scan(*own, opening);
        splits.leaks += std::count_if(other.hashes.begin(), other.hashes.end(),
                                      [&](std::uint64_t hash) { return placed.contains(hash); });
    }
    if (splits.leaks > 0)
        splits.notes.push_back(
            fmt::format("{} also in the training part: the source was made like that.",
                        plural(splits.leaks, "test sample is", "test samples are")));

    if (spec.normalize != Normalize::None && splits.train->fields()[0].dtype == DType::Float32) {
        opening.report("Measuring the training samples", 0);
        splits.normalization = spec.normalize == Normalize::MinMax ? extremes(*splits.train)
                                                                   : statistics(*splits.train);
        splits.train = normalized(splits.train, splits.normalization);
        if (splits.validation)
            splits.validation = normalized(splits.validation, splits.normalization);
        if (splits.test) splits.test = normalized(splits.test, splits.normalization);
    }
    splits.fields = splits.train->fields();
    opening.report("Ready", 1);
    return splits;
}

namespace {

/// Formats whose fields are known only once the whole file was read are remembered, as the canvas
/// asks again and again. The key holds the file's size and time, so that a changed file is looked
/// at anew.
std::string memory_key(const DatasetSpec& spec) {
    static constexpr const char* kWholeFile[] = {"csv", "npz", "hdf5", "text"};
    std::error_code error;
    if (std::find(std::begin(kWholeFile), std::end(kWholeFile), spec.source) ==
        std::end(kWholeFile))
        return {};
    const auto size = std::filesystem::file_size(spec.path, error);
    const auto time = error ? std::filesystem::file_time_type()
                            : std::filesystem::last_write_time(spec.path, error);
    if (error) return {};
    return fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}", spec.source, spec.path,
                       size, time.time_since_epoch().count(), spec.label_column,
                       static_cast<int>(spec.missing), spec.regression, spec.x_name, spec.y_name,
                       spec.classes, spec.window, static_cast<int>(spec.tokens), spec.vocabulary);
}

} // namespace

std::vector<Field> describe(const DatasetSpec& request) {
    check(request);
    const DatasetSpec spec = resolved(request);
    const auto look = [&] {
        std::vector<Field> fields = source_row(spec).describe(spec);
        return spec.regression ? with_numbers(std::move(fields)) : fields;
    };
    const std::string key = memory_key(spec);
    if (key.empty()) return look();
    static std::mutex mutex;
    static std::map<std::string, std::vector<Field>> known;
    {
        const std::scoped_lock lock(mutex);
        if (const auto found = known.find(key); found != known.end()) return found->second;
    }
    std::vector<Field> fields = look();
    constexpr std::size_t kMost = 64;
    const std::scoped_lock lock(mutex);
    if (known.size() >= kMost) known.clear();
    known[key] = fields;
    return fields;
}

} // namespace wiregrad::data
