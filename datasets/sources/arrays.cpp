// Arrays with names: NPY files beside each other, NPZ archives, HDF5 files. x (or images, data ...)
// and y (or labels, target ...), and x_test, y_test where the file brings a test part.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>

#include <fmt/format.h>
#include <zip.h>

#include "datasets/io/file_bytes.h"
#include "datasets/sources/folders.h"
#include "datasets/sources/labels.h"
#include "datasets/sources/memory_dataset.h"
#include "datasets/sources/source.h"
#include "engine/core/error.h"
#include "engine/io/hdf5.h"
#include "engine/io/npy.h"

namespace wiregrad::data {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestArray = std::uint64_t{16} << 30;

/// Where arrays come from: their names, and how to read one.
class Store {
  public:
    virtual ~Store() = default;
    virtual const std::vector<std::string>& names() const = 0;
    virtual Tensor read(const std::string& name) const = 0;
    bool has(const std::string& name) const {
        return std::count(names().begin(), names().end(), name) > 0;
    }
};

Tensor checked_npy(const std::vector<std::byte>& bytes, const std::string& where) {
    return io::parse_npy(bytes, where);
}

class NpyFolder : public Store {
  public:
    explicit NpyFolder(const std::string& folder) : folder_(folder) {
        for (const std::string& file : list_folder(folder).files)
            if (lower_extension(file) == ".npy") names_.push_back(file.substr(0, file.size() - 4));
    }
    const std::vector<std::string>& names() const override { return names_; }
    Tensor read(const std::string& name) const override {
        const std::string path = (fs::path(folder_) / (name + ".npy")).string();
        return checked_npy(FileBytes(path).take_all(kLargestArray), path);
    }

  private:
    std::string folder_;
    std::vector<std::string> names_;
};

class Npz : public Store {
  public:
    explicit Npz(const std::string& path) : path_(path) {
        int code = 0;
        zip_t* archive = zip_open(path.c_str(), ZIP_RDONLY, &code);
        if (!archive) {
            zip_error_t error;
            zip_error_init_with_code(&error, code);
            const std::string text = zip_error_strerror(&error);
            zip_error_fini(&error);
            throw FileError(fmt::format("the archive cannot be read ({})", text), path);
        }
        archive_.reset(archive);
        constexpr zip_int64_t kMostEntries = 10'000;
        const zip_int64_t count = zip_get_num_entries(archive, 0);
        if (count > kMostEntries)
            throw FileError(fmt::format("the archive has {} entries, more than an .npz has", count),
                            path);
        for (zip_int64_t i = 0; i < count; ++i) {
            const char* name = zip_get_name(archive, static_cast<zip_uint64_t>(i), 0);
            const std::string text = name ? name : "";
            if (text.ends_with(".npy")) names_.push_back(text.substr(0, text.size() - 4));
        }
    }
    const std::vector<std::string>& names() const override { return names_; }
    Tensor read(const std::string& name) const override {
        const std::string where = path_ + ":" + name;
        zip_t* archive = archive_.get();
        const std::unique_ptr<zip_file_t, CloseFile> file(
            zip_fopen(archive, (name + ".npy").c_str(), 0));
        if (!file)
            throw FileError(fmt::format("the entry cannot be read ({})", zip_strerror(archive)),
                            where);
        // The size the archive tells is not believed: the buffer grows with what comes.
        std::vector<std::byte> bytes;
        while (true) {
            constexpr std::size_t kChunk = std::size_t{4} << 20;
            const std::size_t before = bytes.size();
            bytes.resize(before + kChunk);
            const zip_int64_t got = zip_fread(file.get(), bytes.data() + before, kChunk);
            if (got < 0)
                throw FileError(
                    fmt::format("the entry is damaged ({})", zip_file_strerror(file.get())), where);
            bytes.resize(before + static_cast<std::size_t>(got));
            if (got == 0) break;
            if (bytes.size() > kLargestArray)
                throw FileError("the entry is larger than 16 GB unpacked", where);
        }
        return checked_npy(bytes, where);
    }

  private:
    struct CloseArchive {
        void operator()(zip_t* archive) const { zip_discard(archive); }
    };
    struct CloseFile {
        void operator()(zip_file_t* file) const { zip_fclose(file); }
    };
    std::string path_;
    std::unique_ptr<zip_t, CloseArchive> archive_;
    std::vector<std::string> names_;
};

class Hdf5 : public Store {
  public:
    explicit Hdf5(const std::string& path) : path_(path), reader_(path) {
        for (const io::Hdf5Entry& entry : reader_.entries())
            names_.push_back(entry.name);
    }
    const std::vector<std::string>& names() const override { return names_; }
    Tensor read(const std::string& name) const override {
        for (const io::Hdf5Entry& entry : reader_.entries())
            if (entry.name == name && !entry.unreadable.empty())
                throw FileError(fmt::format("\"{}\" cannot be used: {}", name, entry.unreadable),
                                path_);
        return reader_.read(name);
    }

  private:
    std::string path_;
    io::Hdf5Reader reader_;
    std::vector<std::string> names_;
};

/// Names of x and y, of the training part and of the test part; y may be empty.
struct Names {
    std::string x, y, x_test, y_test;
};

constexpr const char* kInputs[] = {"x", "X", "images", "image", "data", "features", "inputs"};
constexpr const char* kTargets[] = {"y", "Y", "labels", "label", "targets", "target"};

std::string first_of(const Store& store, std::span<const char* const> bases,
                     const std::string& part) {
    for (const char* base : bases)
        for (const std::string& name :
             {fmt::format("{}_{}", base, part), fmt::format("{}_{}", part, base),
              fmt::format("{}/{}", part, base), fmt::format("{}/{}", base, part)})
            if (store.has(name)) return name;
    return {};
}

std::string plain_of(const Store& store, std::span<const char* const> bases) {
    for (const char* base : bases)
        if (store.has(base)) return base;
    return {};
}

Names find_names(const Store& store, const DatasetSpec& spec) {
    std::string all;
    for (const std::string& name : store.names())
        if (all.size() < 300) all += fmt::format("{}\"{}\"", all.empty() ? "" : ", ", name);
    if (all.empty()) all = "nothing";
    Names names;
    if (spec.x_name.empty()) {
        names.x = first_of(store, kInputs, "train");
        if (names.x.empty())
            names.x = plain_of(store, kInputs);
        else
            names.x_test = first_of(store, kInputs, "test");
        if (names.x.empty() && store.names().size() == 1) names.x = store.names()[0];
        if (names.x.empty())
            throw FileError(
                fmt::format(
                    "no array is named x, x_train, images, data, features or inputs; there is {}",
                    all),
                spec.path);
    } else if (store.has(spec.x_name)) {
        names.x = spec.x_name;
    } else {
        throw FileError(fmt::format("there is no array \"{}\"; there is {}", spec.x_name, all),
                        spec.path);
    }
    if (spec.y_name == "-") return names;
    if (!spec.y_name.empty()) {
        if (!store.has(spec.y_name))
            throw FileError(fmt::format("there is no array \"{}\"; there is {}", spec.y_name, all),
                            spec.path);
        names.y = spec.y_name;
    } else {
        names.y = first_of(store, kTargets, "train");
        if (names.y.empty()) names.y = plain_of(store, kTargets);
    }
    if (!names.x_test.empty() && !names.y.empty()) {
        names.y_test = first_of(store, kTargets, "test");
        if (names.y_test.empty()) names.x_test.clear(); // half a test part is none
    }
    return names;
}

Column column_of(const Tensor& tensor) {
    const Tensor whole = tensor.contiguous();
    const auto count = static_cast<std::size_t>(whole.numel());
    if (whole.dtype() == DType::UInt8 || whole.dtype() == DType::Int64 ||
        whole.dtype() == DType::Float32) {
        const auto* bytes = static_cast<const std::byte*>(whole.raw());
        return {whole.dtype(), {bytes, bytes + whole.nbytes()}};
    }
    const bool counts = is_integral(whole.dtype()) || whole.dtype() == DType::Bool;
    const DType target = counts ? DType::Int64 : DType::Float32;
    Column column{target, std::vector<std::byte>(count * size_of(target))};
    if (whole.dtype() == DType::Int32) {
        const auto* from = whole.data<std::int32_t>();
        std::copy(from, from + count, column.values<std::int64_t>().begin());
    } else if (whole.dtype() == DType::Bool) {
        const auto* from = whole.data<bool>();
        std::copy(from, from + count, column.values<std::int64_t>().begin());
    } else if (whole.dtype() == DType::Float64) {
        const auto* from = whole.data<double>();
        std::transform(from, from + count, column.values<float>().begin(),
                       [](double v) { return static_cast<float>(v); });
    } else {
        const std::vector<double> values = whole.to_vector();
        std::transform(values.begin(), values.end(), column.values<float>().begin(),
                       [](double v) { return static_cast<float>(v); });
    }
    return column;
}

Shape sample_shape(const Shape& shape) {
    Shape sample = shape;
    sample.erase(0);
    if (sample.empty()) sample.push_back(1);
    return sample;
}

/// [N, H, W, C] -> [N, C, H, W].
void channels_first(Column& column, std::int64_t samples, const Shape& hwc) {
    const auto area = static_cast<std::size_t>(hwc[0] * hwc[1]),
               channels = static_cast<std::size_t>(hwc[2]);
    const std::size_t unit = size_of(column.stored);
    std::vector<std::byte> sorted(column.bytes.size());
    for (std::size_t n = 0; n < static_cast<std::size_t>(samples); ++n)
        for (std::size_t i = 0; i < area; ++i)
            for (std::size_t c = 0; c < channels; ++c)
                std::memcpy(sorted.data() + ((n * channels + c) * area + i) * unit,
                            column.bytes.data() + ((n * area + i) * channels + c) * unit, unit);
    column.bytes = std::move(sorted);
}

struct Input {
    Field field;
    Column column;
};

/// Bytes of rank 3 or 4 and other numbers of rank 4 are pictures, everything else is numbers.
Input make_x(const Tensor& tensor, const std::string& where) {
    if (tensor.dim() < 1)
        throw DataError("x is a single number; it must have one row for each sample", where);
    Input result{{.name = "x", .shape = sample_shape(tensor.shape())}, column_of(tensor)};
    Field& field = result.field;
    const int rank = tensor.dim();
    const bool bytes = result.column.stored == DType::UInt8;
    if (rank == 4 || (rank == 3 && bytes)) {
        field.kind = FieldKind::Image;
        const auto few = [](std::int64_t channels) {
            return channels == 1 || channels == 3 || channels == 4;
        };
        if (rank == 3) {
            field.shape.insert(0, 1);
        } else if (few(field.shape[2]) && !few(field.shape[0])) {
            channels_first(result.column, tensor.size(0), field.shape);
            field.shape = {field.shape[2], field.shape[0], field.shape[1]};
        }
    }
    if (result.column.stored == DType::Int64) {
        const auto whole = result.column.values<std::int64_t>();
        Column numbers = Column::sized<float>(whole.size());
        std::transform(whole.begin(), whole.end(), numbers.values<float>().begin(),
                       [](std::int64_t v) { return static_cast<float>(v); });
        result.column = std::move(numbers);
    }
    if (result.column.stored == DType::Float32) {
        field.min = 0;
        field.max = 0;
        bool first = true;
        for (const float v : result.column.values<float>()) {
            if (!std::isfinite(v)) continue;
            field.min = first ? v : std::min<double>(field.min, v);
            field.max = first ? v : std::max<double>(field.max, v);
            first = false;
        }
    } else if (field.kind != FieldKind::Image) {
        field.max = 255;
    }
    return result;
}

Input make_y(const Tensor& tensor, const Field& x, const DatasetSpec& spec, std::int64_t classes,
             const std::string& where) {
    if (tensor.dim() < 1)
        throw DataError("y is a single number; it must have one row for each sample", where);
    Input result{{.name = "y", .shape = sample_shape(tensor.shape())}, column_of(tensor)};
    Column& column = result.column;
    Field& field = result.field;
    if (column.stored == DType::UInt8) {
        const auto bytes = column.values<std::uint8_t>();
        Column wide = Column::sized<std::int64_t>(bytes.size());
        std::copy(bytes.begin(), bytes.end(), wide.values<std::int64_t>().begin());
        column = std::move(wide);
    }
    const bool one = numel(field.shape) == 1;
    const bool mask = x.kind == FieldKind::Image && field.shape.size() >= 2 &&
                      x.shape.size() == 3 && numel(field.shape) == x.shape[1] * x.shape[2] &&
                      field.shape.back() == x.shape[2];
    if (tensor.dtype() == DType::Bool && classes == 0) classes = 2; // also where all are true
    if (column.stored == DType::Int64 && (mask || (one && !spec.regression))) {
        classes = count_classes(column.values<std::int64_t>(), classes, where);
        field = label_field(classes);
        if (mask) {
            field.kind = FieldKind::Mask;
            field.shape = {x.shape[1], x.shape[2]};
        }
        return result;
    }
    if (column.stored == DType::Int64) {
        const auto whole = column.values<std::int64_t>();
        Column numbers = Column::sized<float>(whole.size());
        std::transform(whole.begin(), whole.end(), numbers.values<float>().begin(),
                       [](std::int64_t v) { return static_cast<float>(v); });
        column = std::move(numbers);
    }
    field.kind = one ? FieldKind::Scalar : FieldKind::Vector;
    const auto values = column.values<float>();
    if (!values.empty()) {
        const auto [low, high] = std::minmax_element(values.begin(), values.end());
        field.min = *low;
        field.max = *high;
    }
    return result;
}

DatasetPtr assemble(const Store& store, const std::string& x_name, const std::string& y_name,
                    const DatasetSpec& spec, std::int64_t classes) {
    const Tensor x = store.read(x_name);
    Input input = make_x(x, spec.path + ":" + x_name);
    const std::int64_t count = x.size(0);
    std::vector<Field> fields = {input.field};
    std::vector<Column> columns;
    columns.push_back(std::move(input.column));
    if (!y_name.empty()) {
        const Tensor y = store.read(y_name);
        Input target = make_y(y, fields[0], spec, classes, spec.path + ":" + y_name);
        if (y.size(0) != count)
            throw DataError(fmt::format("\"{}\" has {} samples, \"{}\" has {}", x_name, count,
                                        y_name, y.size(0)),
                            spec.path);
        fields.push_back(target.field);
        columns.push_back(std::move(target.column));
    }
    return memory_dataset(std::move(fields), std::move(columns), count, spec.path);
}

Parts open_store(const Store& store, const Opening& opening) {
    opening.report("Reading arrays", 0);
    const Names names = find_names(store, opening.spec);
    Parts parts{.main = assemble(store, names.x, names.y, opening.spec, opening.spec.classes)};
    opening.report("Reading arrays", 0.7);
    if (!names.x_test.empty()) {
        const std::vector<Field>& fields = parts.main->fields();
        parts.test = assemble(store, names.x_test, names.y_test, opening.spec,
                              fields.size() > 1 ? fields[1].classes : 0);
        for (std::size_t f = 0; f < fields.size(); ++f)
            if (parts.test->fields()[f].shape != fields[f].shape ||
                parts.test->fields()[f].dtype != fields[f].dtype)
                throw DataError(fmt::format("a test sample of \"{}\" is {}, a training sample {}",
                                            fields[f].name, parts.test->fields()[f].shape.str(),
                                            fields[f].shape.str()),
                                opening.spec.path);
    }
    return parts;
}

/// The folder's arrays for a folder; for one file, itself as x, and as y what its name leads to.
std::pair<std::unique_ptr<Store>, DatasetSpec> npy_store(const DatasetSpec& spec) {
    if (fs::is_directory(spec.path)) return {std::make_unique<NpyFolder>(spec.path), spec};
    const fs::path path = spec.path;
    const std::string folder = path.has_parent_path() ? path.parent_path().string() : ".";
    auto store = std::make_unique<NpyFolder>(folder);
    DatasetSpec named = spec;
    named.x_name = path.stem().string();
    if (named.y_name.empty()) {
        named.y_name = "-";
        const std::pair<const char*, const char*> kPairs[] = {{"x", "y"},
                                                              {"X", "y"},
                                                              {"images", "labels"},
                                                              {"data", "target"},
                                                              {"features", "labels"}};
        for (const auto& [from, to] : kPairs) {
            std::string candidate = named.x_name;
            if (const std::size_t at = candidate.find(from); at != std::string::npos) {
                candidate.replace(at, std::strlen(from), to);
                if (store->has(candidate)) {
                    named.y_name = candidate;
                    break;
                }
            }
        }
    }
    return {std::move(store), named};
}

} // namespace

Parts open_npy(const Opening& opening) {
    const auto [store, spec] = npy_store(opening.spec);
    return open_store(*store, opening.with(spec));
}
Parts open_npz(const Opening& opening) {
    return open_store(Npz(opening.spec.path), opening);
}
Parts open_hdf5(const Opening& opening) {
    return open_store(Hdf5(opening.spec.path), opening);
}

std::vector<Field> describe_npy(const DatasetSpec& spec) {
    return open_npy(Opening(spec, {})).main->fields();
}
std::vector<Field> describe_npz(const DatasetSpec& spec) {
    return open_npz(Opening(spec, {})).main->fields();
}
std::vector<Field> describe_hdf5(const DatasetSpec& spec) {
    return open_hdf5(Opening(spec, {})).main->fields();
}

} // namespace wiregrad::data
