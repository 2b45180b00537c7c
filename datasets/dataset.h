// Datasets: immutable lists of samples with declared fields, views on them, and the splits a run
// uses. Reading a dataset is safe from any number of threads at once; opening one may take long
// (call it off the window's thread, with a Progress). Errors are FileError and DataError, each
// naming the file or the sample.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/core/tensor.h"

namespace wiregrad::data {

enum class FieldKind : std::uint8_t {
    Image,  ///< float32 [channels, height, width]
    Mask,   ///< int64 [height, width], a class for each pixel
    Label,  ///< int64 [], a class index
    Vector, ///< float32 [features]
    Scalar, ///< float32 [1], a number to be predicted
    Tokens  ///< int64 [length], indices into class_names
};

/// Two tokens that are one in a text of byte pairs.
using TokenPair = std::array<std::int32_t, 2>;

/// What one tensor of a sample is. A batch of it has shape [N, shape...].
struct Field {
    std::string name; ///< "x" or "y"
    Shape shape;      ///< of one sample
    DType dtype = DType::Float32;
    FieldKind kind = FieldKind::Vector;
    std::vector<std::string>
        class_names{};        ///< labels, masks and tokens; empty when they have no names
    std::int64_t classes = 0; ///< how many: values lie in [0, classes)
    std::vector<std::string> feature_names{}; ///< vectors and scalars; may be empty
    double min = 0, max = 1;                  ///< range of the values, after normalisation
    bool bytes = false;                       ///< tokens are bytes, from 256 on pairs of tokens
    std::vector<TokenPair> pairs{};
    std::size_t nbytes() const { return static_cast<std::size_t>(numel(shape)) * size_of(dtype); }
};

/// One sample's place in memory: for each field, its bytes.
using Row = std::span<const std::span<std::byte>>;

class Dataset {
  public:
    virtual ~Dataset() = default;
    virtual const std::vector<Field>& fields() const = 0;
    virtual std::int64_t size() const = 0;
    /// Fills one sample: row[f] has fields()[f].nbytes() bytes. Does not allocate. Throws DataError
    /// naming the sample.
    virtual void read(std::int64_t index, Row row) const = 0;
};
using DatasetPtr = std::shared_ptr<const Dataset>;

/// New tensors, one a field, with the samples `indices` as rows. Throws ValueError on an index out
/// of range.
std::vector<Tensor> read_batch(const Dataset& dataset, std::span<const std::int64_t> indices);
/// Fills the same from tensors made before (dim 0 at least indices.size()); allocates nothing per
/// sample.
void read_batch(const Dataset& dataset, std::span<const std::int64_t> indices,
                std::span<Tensor> batch);
/// Equal content of field x gives equal numbers. 64 bits: for finding copies, not for security.
std::uint64_t content_hash(const Dataset& dataset, std::int64_t index);
std::uint64_t hash_bytes(std::span<const std::byte> bytes); ///< what content_hash uses

// --- views: datasets made of datasets, sharing the samples

/// The samples `indices` of `base`, in that order.
DatasetPtr subset(DatasetPtr base, std::vector<std::int64_t> indices);
/// The samples of `parts` behind each other; their fields must be the same.
DatasetPtr concatenated(std::vector<DatasetPtr> parts);
/// Each sample goes through `change`, in place; `fields` says what comes out (of the same byte
/// sizes).
DatasetPtr mapped(DatasetPtr base, std::vector<Field> fields,
                  std::function<void(std::int64_t, Row)> change);

/// value -> (value - mean) / std, per channel (images) or per feature (vectors) of one field.
struct Normalization {
    std::vector<double> mean, std; ///< empty: unchanged
    bool empty() const { return mean.empty(); }
};
/// Statistics of field `field` over all samples; a constant feature gets std 1. Throws DataError on
/// NaN or infinity, naming the sample.
Normalization statistics(const Dataset& dataset, std::size_t field = 0);
/// The same for least value and range: value -> (value - least) / range.
Normalization extremes(const Dataset& dataset, std::size_t field = 0);
DatasetPtr normalized(DatasetPtr base, const Normalization& normalization, std::size_t field = 0);

// --- sources and splits

enum class Normalize : std::uint8_t {
    None,        ///< images 0..1, numbers as they are
    Standardize, ///< zero mean, unit variance over the training split
    MinMax       ///< 0 to 1 over the training split
};
enum class TokenKind : std::uint8_t { Characters, Bytes, Pairs };
enum class Missing : std::uint8_t { Refuse, DropRow };

/// Which dataset, and how. Everything that changes a sample is in here, so that equal specs give
/// equal data.
struct DatasetSpec {
    std::string source = "digits"; ///< an id of sources(), or "auto": whatever `path` is
    std::string path{};            ///< file or folder, for sources that have one
    std::int64_t samples = 0; ///< generated: training and validation samples together; files: at
                              ///< most this many, drawn by seed; 0: the source's default, or all
    std::int64_t test_samples =
        0; ///< generated: 0: the source's default; files with a test part: at most this many
    double noise = -1;                ///< generated: negative: the source's default
    std::uint64_t seed = 0;           ///< of the generator and of the split
    double validation_fraction = 0.1; ///< of what is not test
    double test_fraction = 0.2;       ///< where the source has no test part of its own
    Normalize normalize = Normalize::None;
    std::int64_t image_size = 0; ///< image folders: side in pixels; 0: the first picture's size
    bool grey = false;           ///< image folders: one channel
    std::string
        label_column{}; ///< CSV: name or number from 1; empty: the last column; "-": no labels
    Missing missing = Missing::Refuse; ///< CSV: empty cells
    bool regression = false; ///< y is a number, float32 [1], also where it looks like a class
    std::string x_name{},
        y_name{}; ///< names inside an HDF5 or NPZ file; empty: x/y, images/labels, data/target, ...
    std::int64_t classes = 0; ///< files: how many classes there are; 0: as many as are found
    std::int64_t window = 64; ///< text: tokens of one sample
    TokenKind tokens = TokenKind::Characters; ///< text: what one number stands for
    std::int64_t vocabulary = 512;            ///< text, Pairs: how many tokens there are at most
    std::int64_t folds = 0; ///< 2 and more: the validation part is one of so many equal parts ...
    std::int64_t fold = 0;  ///< ... this one, from 0
};

/// Says what is done and how far it is, 0..1; returns false to cancel (open() then throws
/// Cancelled).
using Progress = std::function<bool(const std::string&, double)>;

/// What a run trains, validates and tests on. The three share no sample; where open() made the
/// split itself, exact copies of a sample are in the same one.
struct Splits {
    DatasetPtr train;
    DatasetPtr validation;       ///< null when validation_fraction is 0
    DatasetPtr test;             ///< null when there is none
    std::vector<Field> fields;   ///< of all three, after normalisation
    Normalization normalization; ///< of field x, from the training split alone
    std::int64_t duplicates = 0; ///< samples whose x is an exact copy of an earlier one
    std::int64_t leaks =
        0; ///< test samples of the source's own test part that are also in train or validation
    std::vector<std::string> notes; ///< sentences for a person: rows dropped, copies found
};

/// Opens, splits and normalises. Throws FileError, DataError, ValueError (a field of the spec out
/// of range), Cancelled.
Splits open(const DatasetSpec& spec, const Progress& progress = {});
/// The fields open() would give, without generating or loading the samples. Fast enough to be
/// called while wiring for generated sources; files are looked at as little as their format allows.
/// The range after Standardize is unknown here and given before it.
std::vector<Field> describe(const DatasetSpec& spec);

/// What is built in and what can be opened.
struct SourceInfo {
    std::string id;          ///< DatasetSpec::source
    std::string label;       ///< "Drawn digits"
    std::string help;        ///< one sentence
    bool generated = false;  ///< samples, test_samples, noise and seed say what is made
    bool needs_path = false; ///< reads `path`
    std::int64_t samples = 0, test_samples = 0; ///< defaults of generated sources
    double noise = 0;                           ///< default of generated sources
};
std::span<const SourceInfo> sources();
/// Null when there is none of that id.
const SourceInfo* find_source(const std::string& id);
/// The source id that reads `path`; throws FileError saying what is there and what was looked for.
std::string detect(const std::string& path);

} // namespace wiregrad::data
