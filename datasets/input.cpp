#include "datasets/input.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "datasets/io/file_bytes.h"
#include "datasets/io/image.h"
#include "datasets/tokens.h"
#include "engine/core/error.h"
#include "engine/io/npy.h"
#include "engine/op/ops.h"

namespace wiregrad::data {
namespace {

Shape batch_of(std::int64_t count, const Shape& sample) {
    Shape shape = sample;
    shape.insert(0, count);
    return shape;
}

Tensor from_picture(const std::vector<std::byte>& bytes, const Field& x, const std::string& where) {
    if (x.kind != FieldKind::Image)
        throw DataError(
            fmt::format("{} is a picture, but the network takes {}", where, x.shape.str()));
    const auto height = static_cast<int>(x.shape[1]), width = static_cast<int>(x.shape[2]);
    Image image = decode_image(bytes, static_cast<int>(x.shape[0]), where);
    if (image.height != height || image.width != width) image = resized(image, height, width);
    std::vector<float> values(image.pixels.size());
    std::transform(image.pixels.begin(), image.pixels.end(), values.begin(),
                   [](std::uint8_t p) { return float(p) / 255.0F; });
    return Tensor::from(values, batch_of(1, x.shape));
}

Shape without_ones(const Shape& shape) {
    Shape result;
    for (const std::int64_t size : shape)
        if (size != 1) result.push_back(size);
    return result;
}

/// Samples in the order that the network takes: pictures that end in their channels are turned, as
/// in datasets of arrays. Undefined when `array` is neither one sample nor a batch.
Tensor arranged(const Tensor& array, const Field& x) {
    const Shape& one = x.shape;
    const Tensor whole = array.contiguous();
    const auto count = [&](const Shape& sample) -> std::int64_t {
        if (without_ones(whole.shape()) == without_ones(sample)) return 1;
        if (whole.dim() != sample.size() + 1 || whole.size(0) < 1) return 0;
        return whole.shape() == batch_of(whole.size(0), sample) ? whole.size(0) : 0;
    };
    const auto as = [&](const Shape& shape) {
        return whole.as_strided(shape, contiguous_strides(shape), 0);
    };
    if (const std::int64_t samples = count(one); samples > 0) return as(batch_of(samples, one));
    if (x.kind != FieldKind::Image) return {};
    const Shape turned{one[1], one[2], one[0]};
    const std::int64_t samples = count(turned);
    return samples > 0 ? permute(as(batch_of(samples, turned)), {0, 3, 1, 2}) : Tensor();
}

Tensor from_array(const std::string& path, const Field& x) {
    const Tensor array = io::read_npy(path);
    const Tensor samples = arranged(array, x);
    if (!samples.defined())
        throw DataError(fmt::format("{} has shape {}, the network takes {} or a batch of it", path,
                                    array.shape().str(), x.shape.str()));
    Tensor result = Tensor::empty(samples.shape(), x.dtype);
    result.copy_(samples);
    // Bytes of a picture are 0 to 1 for the network, as in the dataset it was trained on.
    if (x.kind == FieldKind::Image && array.dtype() == DType::UInt8) result = div(result, 255.0);
    return result;
}

/// All numbers of one line; nothing when a cell is no number.
std::optional<std::vector<float>> numbers_of(const std::string& line) {
    constexpr std::string_view kBetween = " \t,;\r";
    std::vector<float> values;
    std::string_view rest = line;
    while (true) {
        rest.remove_prefix(std::min(rest.find_first_not_of(kBetween), rest.size()));
        if (rest.empty()) return values;
        std::string_view cell = rest.substr(0, rest.find_first_of(kBetween));
        rest.remove_prefix(cell.size());
        if (cell.starts_with('+')) cell.remove_prefix(1);
        float value = 0;
        const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
        if (error != std::errc() || end != cell.data() + cell.size() || !std::isfinite(value))
            return std::nullopt;
        values.push_back(value);
    }
}

Tensor from_rows(const std::string& text, const Field& x, const std::string& where) {
    const auto wanted = static_cast<std::size_t>(numel(x.shape));
    std::vector<float> all;
    std::int64_t rows = 0, line_number = 0;
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string line = text.substr(at, end - at);
        at = end + 1;
        ++line_number;
        if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
        const auto values = numbers_of(line);
        if (!values && rows == 0 && line_number == 1 && at < text.size()) continue; // a header
        if (!values)
            throw DataError(fmt::format("{}, line {}: not a row of numbers", where, line_number));
        if (values->size() != wanted)
            throw DataError(fmt::format("{}, line {}: {} numbers, the network takes {}", where,
                                        line_number, values->size(), wanted));
        all.insert(all.end(), values->begin(), values->end());
        ++rows;
    }
    if (rows == 0) throw DataError(fmt::format("{}: no row of numbers", where));
    return Tensor::from(all, batch_of(rows, x.shape));
}

Tensor from_text(const std::string& text, const Field& x) {
    if (x.bytes) {
        const std::vector<std::int32_t> all = encode_bytes(text, x.pairs);
        const auto length = static_cast<std::size_t>(numel(x.shape));
        if (all.size() < length)
            throw DataError(
                fmt::format("the text has {} tokens, the network takes {}", all.size(), length));
        return Tensor::from(
            std::vector<std::int64_t>(all.end() - std::ptrdiff_t(length), all.end()),
            batch_of(1, x.shape));
    }
    std::unordered_map<std::string, std::int64_t> known;
    for (const std::string& character : x.class_names)
        known.emplace(character, static_cast<std::int64_t>(known.size()));
    std::vector<std::int64_t> tokens;
    for (std::size_t at = text.starts_with("\xEF\xBB\xBF") ? 3 : 0; at < text.size();) {
        std::size_t end = at + 1; // one character, which UTF-8 may need several bytes for
        while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U)
            ++end;
        const std::string character = text.substr(at, end - at);
        const auto found = known.find(character);
        if (found == known.end())
            throw DataError(
                fmt::format("the character '{}' is not among the {} that the network knows",
                            character, x.class_names.size()));
        tokens.push_back(found->second);
        at = end;
    }
    const auto length = static_cast<std::size_t>(numel(x.shape));
    if (tokens.size() < length)
        throw DataError(
            fmt::format("the text has {} characters, the network takes {}", tokens.size(), length));
    tokens.erase(tokens.begin(), tokens.end() - static_cast<std::ptrdiff_t>(length));
    return Tensor::from(tokens, batch_of(1, x.shape));
}

void normalize(Tensor& batch, const Normalization& by) {
    if (by.empty()) return;
    const std::int64_t groups = std::int64_t(by.mean.size()), samples = batch.size(0);
    const std::int64_t run = batch.numel() / std::max<std::int64_t>(1, groups * samples);
    float* value = batch.data_mut<float>();
    for (std::int64_t i = 0; i < samples * groups; ++i)
        for (std::int64_t k = 0; k < run; ++k, ++value)
            *value = static_cast<float>((double(*value) - by.mean[std::size_t(i % groups)]) /
                                        by.std[std::size_t(i % groups)]);
}

} // namespace

Tensor read_input(const DatasetSpec& spec, const std::string& input) {
    const Field x = describe(spec).at(0);
    Tensor batch;
    std::error_code ignored; // a long row of numbers is no name of a file
    if (!std::filesystem::is_regular_file(input, ignored)) {
        if (x.kind == FieldKind::Tokens)
            batch = from_text(input, x);
        else if (numbers_of(input))
            batch = from_rows(input, x, "the input");
        else
            throw FileError(fmt::format("there is no file {}, and it is no row of numbers", input));
    } else {
        const auto bytes = FileBytes(input).take_all(std::uint64_t{1} << 30);
        const auto starts = [&](std::string_view magic) {
            return bytes.size() >= magic.size() &&
                   std::equal(magic.begin(), magic.end(),
                              reinterpret_cast<const char*>(bytes.data()));
        };
        const std::string text(reinterpret_cast<const char*>(bytes.data()),
                               starts("\x93NUMPY") ? 0 : bytes.size());
        if (starts("\x89PNG") || starts("\xff\xd8\xff"))
            batch = from_picture(bytes, x, input);
        else if (starts("\x93NUMPY"))
            batch = from_array(input, x);
        else if (x.kind == FieldKind::Tokens)
            batch = from_text(text, x);
        else
            batch = from_rows(text, x, input);
    }
    if (spec.normalize != Normalize::None && x.dtype == DType::Float32)
        normalize(batch, open(spec).normalization);
    return batch;
}

} // namespace wiregrad::data
