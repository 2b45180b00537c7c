#include "engine/io/npy.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "engine/core/error.h"
#include "engine/io/atomic_file.h"

namespace wiregrad::io {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the byte order of files is converted for such machines");

constexpr std::string_view kMagic{"\x93NUMPY", 6};
/// NumPy pads to 64 bytes and names no fields here: a header of this size is not honest.
constexpr std::size_t kMaxHeader = 1 << 16;

[[noreturn]] void fail(const std::string& where, const std::string& text) {
    throw FileError(text, where);
}

/// How elements lie in the file and what they become.
struct Element {
    char kind = 0; ///< b, i, u, f
    int size = 0;  ///< bytes
    bool swap = false;
    DType dtype = DType::Float32;
};

std::optional<DType> dtype_of(char kind, int size) {
    switch (kind) {
    case 'b':
        return size == 1 ? std::optional(DType::Bool) : std::nullopt;
    case 'f':
        return size == 2   ? std::optional(DType::Float16)
               : size == 4 ? std::optional(DType::Float32)
               : size == 8 ? std::optional(DType::Float64)
                           : std::nullopt;
    case 'i':
        return size == 1 || size == 2 || size == 4 ? std::optional(DType::Int32)
               : size == 8                         ? std::optional(DType::Int64)
                                                   : std::nullopt;
    case 'u':
        return size == 1                ? std::optional(DType::UInt8)
               : size == 2              ? std::optional(DType::Int32)
               : size == 4 || size == 8 ? std::optional(DType::Int64)
                                        : std::nullopt;
    default:
        return std::nullopt;
    }
}

Element parse_descr(const std::string& descr, const std::string& where) {
    if (descr.find('O') != std::string::npos)
        fail(where, "holds Python objects, which are never loaded; save numbers instead");
    Element element;
    int size = 0;
    const char* end = descr.data() + descr.size();
    const bool known =
        descr.size() >= 3 && std::string_view("<>|=").find(descr[0]) != std::string_view::npos;
    const auto [stop, error] = known ? std::from_chars(descr.data() + 2, end, size)
                                     : std::from_chars_result{end, std::errc::invalid_argument};
    const auto dtype =
        error == std::errc{} && stop == end ? dtype_of(descr[1], size) : std::nullopt;
    if (!dtype)
        fail(where, fmt::format(
                        "has elements of type '{}'; float16 to float64, integers and bool are read",
                        descr));
    element.kind = descr[1];
    element.size = size;
    element.swap = descr[0] == '>' && size > 1;
    element.dtype = *dtype;
    return element;
}

/// The header is a Python dict literal; NumPy writes three keys of fixed kinds. This reads just
/// that.
class Literal {
  public:
    Literal(std::string_view text, const std::string& where) : text_(text), where_(where) {}

    NpyHeader parse() {
        NpyHeader header;
        bool has_descr = false, has_order = false, has_shape = false;
        expect('{');
        while (!accept('}')) {
            const std::string key = string();
            expect(':');
            if (key == "descr" && !has_descr) {
                if (peek() == '[' || peek() == '(')
                    fail(where_, "holds a structured array; save its fields as separate arrays");
                header.descr = string();
                has_descr = true;
            } else if (key == "fortran_order" && !has_order) {
                header.fortran_order = boolean();
                has_order = true;
            } else if (key == "shape" && !has_shape) {
                header.shape = tuple();
                has_shape = true;
            } else {
                broken();
            }
            if (!accept(',') && peek() != '}') broken();
        }
        skip();
        if (at_ != text_.size() || !has_descr || !has_order || !has_shape) broken();
        return header;
    }

  private:
    [[noreturn]] void broken() const { fail(where_, "has a broken .npy header"); }
    void skip() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' ||
                                      text_[at_] == '\t' || text_[at_] == '\r'))
            ++at_;
    }
    char peek() {
        skip();
        return at_ < text_.size() ? text_[at_] : '\0';
    }
    bool accept(char c) {
        if (peek() != c) return false;
        ++at_;
        return true;
    }
    void expect(char c) {
        if (!accept(c)) broken();
    }
    std::string string() {
        const char quote = peek();
        if (quote != '\'' && quote != '"') broken();
        const auto end = text_.find(quote, ++at_);
        if (end == std::string_view::npos) broken();
        std::string result(text_.substr(at_, end - at_));
        at_ = end + 1;
        return result;
    }
    bool boolean() {
        skip();
        for (const std::string_view word : {"True", "False"})
            if (text_.substr(at_).starts_with(word)) {
                at_ += word.size();
                return word == "True";
            }
        broken();
    }
    Shape tuple() {
        Shape shape;
        expect('(');
        while (!accept(')')) {
            std::int64_t value = 0;
            skip();
            const auto [stop, error] =
                std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
            if (error != std::errc{} || value < 0) broken();
            at_ = static_cast<std::size_t>(stop - text_.data());
            if (at_ < text_.size() && text_[at_] == 'L') // written by Python 2
                ++at_;
            if (shape.size() == kMaxDims)
                fail(where_, fmt::format("has more than {} dimensions", kMaxDims));
            shape.push_back(value);
            if (!accept(',') && peek() != ')') broken();
        }
        return shape;
    }

    std::string_view text_;
    const std::string& where_;
    std::size_t at_ = 0;
};

/// Number of elements, or nothing when the sizes (also beside a size of 0) do not fit in 63 bits.
std::optional<std::int64_t> count_of(const Shape& shape) {
    std::int64_t count = 1;
    bool empty = false;
    for (const std::int64_t size : shape) {
        empty |= size == 0;
        if (size != 0 && __builtin_mul_overflow(count, size, &count)) return std::nullopt;
    }
    return empty ? 0 : count;
}

template <class T> T load(const std::byte* at, bool swap) {
    T value;
    if (!swap) {
        std::memcpy(&value, at, sizeof(T));
        return value;
    }
    std::array<std::byte, sizeof(T)> reversed;
    std::reverse_copy(at, at + sizeof(T), reversed.begin());
    std::memcpy(&value, reversed.data(), sizeof(T));
    return value;
}

/// File elements of type From into tensor elements of type To.
template <class From, class To>
void convert(std::span<const std::byte> from, bool swap, void* to, std::int64_t count,
             const std::string& where) {
    auto* out = static_cast<To*>(to);
    for (std::int64_t i = 0; i < count; ++i) {
        const From value =
            load<From>(from.data() + static_cast<std::size_t>(i) * sizeof(From), swap);
        if constexpr (std::is_same_v<From, std::uint64_t>)
            if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
                fail(where,
                     fmt::format("holds {} at element {}, more than int64 can hold", value, i));
        out[i] = static_cast<To>(value);
    }
}

void decode(const Element& element, std::span<const std::byte> from, void* to, std::int64_t count,
            const std::string& where) {
    switch (element.kind) {
    case 'b': {
        auto* out = static_cast<std::uint8_t*>(to);
        for (std::int64_t i = 0; i < count; ++i)
            out[i] = from[static_cast<std::size_t>(i)] !=
                     std::byte{0}; // any other byte in a bool is undefined behaviour
        return;
    }
    case 'i':
        if (element.size == 1)
            return convert<std::int8_t, std::int32_t>(from, element.swap, to, count, where);
        if (element.size == 2)
            return convert<std::int16_t, std::int32_t>(from, element.swap, to, count, where);
        break;
    case 'u':
        if (element.size == 2)
            return convert<std::uint16_t, std::int32_t>(from, element.swap, to, count, where);
        if (element.size == 4)
            return convert<std::uint32_t, std::int64_t>(from, element.swap, to, count, where);
        if (element.size == 8)
            return convert<std::uint64_t, std::int64_t>(from, element.swap, to, count, where);
        break;
    default:
        break;
    }
    if (!element.swap) {
        std::memcpy(to, from.data(),
                    static_cast<std::size_t>(count) * static_cast<std::size_t>(element.size));
        return;
    }
    if (element.size == 2)
        return convert<std::uint16_t, std::uint16_t>(from, true, to, count,
                                                     where); // bits of a float16
    if (element.size == 4)
        return convert<std::uint32_t, std::uint32_t>(from, true, to, count, where);
    // Bits of a float64 or an int64; std::uint64_t would be range-checked.
    return convert<std::int64_t, std::int64_t>(from, true, to, count, where);
}

std::string_view descr_of(DType dtype) {
    switch (dtype) {
    case DType::Bool:
        return "|b1";
    case DType::UInt8:
        return "|u1";
    case DType::Int32:
        return "<i4";
    case DType::Int64:
        return "<i8";
    case DType::Float16:
        return "<f2";
    case DType::BFloat16:
    case DType::Float32:
        return "<f4";
    case DType::Float64:
        return "<f8";
    }
    throw DTypeError("an element type that .npy does not know");
}

} // namespace

NpyHeader parse_npy_header(std::span<const std::byte> bytes, const std::string& where) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (!text.starts_with(kMagic)) fail(where, "is not a .npy file");
    if (text.size() < 10) fail(where, "is truncated inside the .npy header");
    const int major = static_cast<unsigned char>(text[6]);
    if (major < 1 || major > 3)
        fail(where, fmt::format("is a .npy file of version {}; versions 1 to 3 are read", major));
    const std::size_t length_bytes = major == 1 ? 2 : 4;
    const std::size_t start = 8 + length_bytes;
    if (text.size() < start) fail(where, "is truncated inside the .npy header");
    const std::size_t length = major == 1 ? load<std::uint16_t>(bytes.data() + 8, false)
                                          : load<std::uint32_t>(bytes.data() + 8, false);
    if (length > kMaxHeader) fail(where, fmt::format("claims a .npy header of {} bytes", length));
    if (length > text.size() - start) fail(where, "is truncated inside the .npy header");

    NpyHeader header = Literal(text.substr(start, length), where).parse();
    const Element element = parse_descr(header.descr, where);
    header.dtype = element.dtype;
    header.data_offset = start + length;
    const auto count = count_of(header.shape);
    std::int64_t needed = 0;
    if (!count || __builtin_mul_overflow(*count, std::int64_t{element.size}, &needed) ||
        static_cast<std::uint64_t>(needed) > text.size() - header.data_offset)
        fail(where,
             fmt::format("is truncated: {} elements of '{}' do not fit in the {} bytes that follow "
                         "the header",
                         header.shape.str(), header.descr, text.size() - header.data_offset));
    return header;
}

Tensor parse_npy(std::span<const std::byte> bytes, const std::string& where) {
    const NpyHeader header = parse_npy_header(bytes, where);
    const Element element = parse_descr(header.descr, where);
    // Fortran order is row-major order of the reversed shape.
    Shape stored = header.shape;
    if (header.fortran_order) std::reverse(stored.begin(), stored.end());
    Tensor tensor = Tensor::empty(stored, header.dtype);
    const std::int64_t count = tensor.numel();
    if (count > 0)
        decode(element, bytes.subspan(header.data_offset), tensor.raw_mut(), count, where);
    if (!header.fortran_order || stored.size() < 2) return tensor;
    Strides strides = tensor.strides();
    std::reverse(strides.begin(), strides.end());
    return tensor.as_strided(header.shape, strides, 0).contiguous();
}

Tensor read_npy(const std::string& path) {
    return parse_npy(read_file(path), path);
}

std::vector<std::byte> encode_npy(const Tensor& tensor) {
    Tensor source = tensor.contiguous();
    if (source.dtype() == DType::BFloat16) {
        Tensor wide = Tensor::empty(source.shape(), DType::Float32);
        wide.copy_(source);
        source = wide;
    }
    std::string shape;
    for (const std::int64_t size : source.shape())
        shape += fmt::format("{}, ", size);
    if (source.dim() > 1)
        shape.resize(shape.size() - 2);
    else if (source.dim() == 1)
        shape.resize(shape.size() - 1);
    std::string dict = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}",
                                   descr_of(source.dtype()), shape);
    constexpr std::size_t kPrefix = 10;
    const std::size_t total = (kPrefix + dict.size() + 1 + 63) / 64 * 64;
    dict.append(total - kPrefix - dict.size() - 1, ' ');
    dict += '\n';

    std::vector<std::byte> bytes(total + source.nbytes());
    std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
    bytes[6] = std::byte{1};
    bytes[7] = std::byte{0};
    const auto length = static_cast<std::uint16_t>(dict.size());
    std::memcpy(bytes.data() + 8, &length, 2);
    std::memcpy(bytes.data() + kPrefix, dict.data(), dict.size());
    if (source.numel() > 0) std::memcpy(bytes.data() + total, source.raw(), source.nbytes());
    return bytes;
}

void write_npy(const std::string& path, const Tensor& tensor) {
    write_file(path, encode_npy(tensor));
}

} // namespace wiregrad::io
