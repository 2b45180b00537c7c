#include "datasets/io/image.h"

#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <memory>

#include <fmt/format.h>
#include <jerror.h>
#include <jpeglib.h>
#include <png.h>

#include "engine/core/error.h"

namespace wiregrad::data {
namespace {

constexpr std::uint64_t kMostPixels = 64'000'000;

bool is_png(std::span<const std::byte> file) {
    return file.size() >= 8 && std::memcmp(file.data(), "\x89PNG\r\n\x1a\n", 8) == 0;
}

bool is_jpeg(std::span<const std::byte> file) {
    return file.size() >= 3 && std::memcmp(file.data(), "\xFF\xD8\xFF", 3) == 0;
}

void check_size(std::uint64_t width, std::uint64_t height, const std::string& where) {
    if (width == 0 || height == 0 || width * height > kMostPixels)
        throw FileError(
            fmt::format("the picture says it is {} × {} pixels; at most {} million are read", width,
                        height, kMostPixels / 1'000'000),
            where);
}

/// From pixels side by side to planes.
Image planes(const std::vector<std::uint8_t>& interleaved, int channels, int height, int width) {
    Image image{channels, height, width, {}};
    if (channels == 1) {
        image.pixels = interleaved;
        return image;
    }
    const auto area = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
    const auto count = static_cast<std::size_t>(channels);
    image.pixels.resize(area * count);
    for (std::size_t i = 0; i < area; ++i)
        for (std::size_t c = 0; c < count; ++c)
            image.pixels[c * area + i] = interleaved[i * count + c];
    return image;
}

class Png {
  public:
    Png(std::span<const std::byte> file, const std::string& where) : where_(where) {
        image_.version = PNG_IMAGE_VERSION;
        if (!png_image_begin_read_from_memory(&image_, file.data(), file.size())) fail();
        try {
            check_size(image_.width, image_.height, where_);
        } catch (...) {
            png_image_free(&image_); // no destructor runs after a constructor that throws
            throw;
        }
    }
    ~Png() { png_image_free(&image_); }
    Png(const Png&) = delete;
    Png& operator=(const Png&) = delete;
    ImageSize size() const {
        return {static_cast<int>(image_.height), static_cast<int>(image_.width)};
    }
    Image decode(int channels) {
        image_.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
        std::vector<std::uint8_t> pixels(PNG_IMAGE_SIZE(image_));
        const png_color white{255, 255, 255};
        const auto [height, width] = size();
        if (!png_image_finish_read(&image_, &white, pixels.data(), 0, nullptr)) fail();
        return planes(pixels, channels, height, width);
    }

  private:
    [[noreturn]] void fail() {
        throw FileError(fmt::format("the PNG picture is damaged ({})", image_.message), where_);
    }
    png_image image_{};
    const std::string& where_;
};

struct JpegErrors {
    jpeg_error_mgr manager; // first, so that libjpeg's pointer is ours too
    std::jmp_buf jump;
    char message[JMSG_LENGTH_MAX];
};

void jpeg_failed(j_common_ptr state) {
    auto* errors = reinterpret_cast<JpegErrors*>(state->err);
    state->err->format_message(state, errors->message);
    std::longjmp(errors->jump, 1);
}

/// libjpeg paints what is missing in grey and only warns; for a dataset a cut-off picture is a
/// damaged one.
void jpeg_warned(j_common_ptr state, int level) {
    if (level < 0 && state->err->msg_code != JWRN_EXTRANEOUS_DATA &&
        state->err->msg_code != JWRN_ADOBE_XFORM)
        jpeg_failed(state);
}

void jpeg_silent(j_common_ptr) {}

/// Plain C in the style libjpeg asks for: no object with a destructor may live across the jump.
/// `pixels` and `size` belong to the caller. Two passes: with pixels null only the size is read.
bool read_jpeg(std::span<const std::byte> file, int channels, JpegErrors& errors, ImageSize& size,
               std::vector<std::uint8_t>* pixels, bool& too_large) {
    jpeg_decompress_struct state{};
    state.err = jpeg_std_error(&errors.manager);
    errors.manager.error_exit = jpeg_failed;
    errors.manager.emit_message = jpeg_warned;
    errors.manager.output_message = jpeg_silent;
    if (setjmp(errors.jump)) {
        jpeg_destroy_decompress(&state);
        return false;
    }
    jpeg_create_decompress(&state);
    jpeg_mem_src(&state, reinterpret_cast<const unsigned char*>(file.data()),
                 static_cast<unsigned long>(file.size()));
    jpeg_read_header(&state, TRUE);
    size = {static_cast<int>(state.image_height), static_cast<int>(state.image_width)};
    too_large = std::uint64_t{state.image_width} * state.image_height > kMostPixels;
    if (pixels && !too_large) {
        state.out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
        jpeg_start_decompress(&state);
        const std::size_t stride =
            static_cast<std::size_t>(state.output_width) * static_cast<std::size_t>(channels);
        while (state.output_scanline < state.output_height) {
            JSAMPROW row = pixels->data() + stride * state.output_scanline;
            jpeg_read_scanlines(&state, &row, 1);
        }
        jpeg_finish_decompress(&state);
    }
    jpeg_destroy_decompress(&state);
    return true;
}

ImageSize jpeg_size(std::span<const std::byte> file, const std::string& where) {
    auto errors = std::make_unique<JpegErrors>();
    ImageSize size;
    bool too_large = false;
    if (!read_jpeg(file, 3, *errors, size, nullptr, too_large))
        throw FileError(fmt::format("the JPEG picture is damaged ({})", errors->message), where);
    check_size(static_cast<std::uint64_t>(size.width), static_cast<std::uint64_t>(size.height),
               where);
    return size;
}

Image decode_jpeg(std::span<const std::byte> file, int channels, const std::string& where) {
    auto errors = std::make_unique<JpegErrors>();
    ImageSize size = jpeg_size(file, where);
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(size.height) *
                                     static_cast<std::size_t>(size.width) *
                                     static_cast<std::size_t>(channels));
    bool too_large = false;
    if (!read_jpeg(file, channels, *errors, size, &pixels, too_large))
        throw FileError(fmt::format("the JPEG picture is damaged ({})", errors->message), where);
    return planes(pixels, channels, size.height, size.width);
}

/// For each target position the source positions it takes from, with weights that sum to 1.
struct Taps {
    std::vector<int> first;
    std::vector<std::vector<float>> weights;
};

Taps triangle_taps(int from, int to) {
    Taps taps;
    const double scale = static_cast<double>(from) / to;
    const double reach = std::max(1.0, scale);
    for (int i = 0; i < to; ++i) {
        const double centre = (i + 0.5) * scale;
        const int begin = std::max(0, static_cast<int>(std::floor(centre - reach + 0.5)));
        const int end = std::min(from, static_cast<int>(std::floor(centre + reach + 0.5)));
        std::vector<float> weights;
        double sum = 0;
        for (int k = begin; k < std::max(end, begin + 1); ++k) {
            const double w = std::max(0.0, 1 - std::abs((k + 0.5 - centre) / reach));
            weights.push_back(static_cast<float>(w));
            sum += w;
        }
        for (float& w : weights)
            w = sum > 0 ? static_cast<float>(w / sum) : 1.0f / static_cast<float>(weights.size());
        taps.first.push_back(begin);
        taps.weights.push_back(std::move(weights));
    }
    return taps;
}

} // namespace

ImageSize image_size(std::span<const std::byte> file, const std::string& where) {
    if (is_png(file)) return Png(file, where).size();
    if (is_jpeg(file)) return jpeg_size(file, where);
    throw FileError("this is neither a PNG nor a JPEG picture", where);
}

Image decode_image(std::span<const std::byte> file, int channels, const std::string& where) {
    if (channels != 1 && channels != 3)
        throw ValueError(fmt::format("pictures are read with 1 or 3 channels, not {}", channels));
    if (is_png(file)) return Png(file, where).decode(channels);
    if (is_jpeg(file)) return decode_jpeg(file, channels, where);
    throw FileError("this is neither a PNG nor a JPEG picture", where);
}

Image resized(const Image& image, int height, int width) {
    if (image.height == height && image.width == width) return image;
    const Taps across = triangle_taps(image.width, width),
               down = triangle_taps(image.height, height);
    Image result{image.channels, height, width, {}};
    const auto w = static_cast<std::size_t>(width), h = static_cast<std::size_t>(height);
    const auto from_w = static_cast<std::size_t>(image.width),
               from_h = static_cast<std::size_t>(image.height);
    result.pixels.resize(static_cast<std::size_t>(image.channels) * w * h);
    std::vector<float> rows(from_h * w);
    for (std::size_t c = 0; c < static_cast<std::size_t>(image.channels); ++c) {
        const std::uint8_t* source = image.pixels.data() + c * from_w * from_h;
        for (std::size_t y = 0; y < from_h; ++y)
            for (std::size_t x = 0; x < w; ++x) {
                float sum = 0;
                for (std::size_t k = 0; k < across.weights[x].size(); ++k)
                    sum += across.weights[x][k] *
                           static_cast<float>(
                               source[y * from_w + static_cast<std::size_t>(across.first[x]) + k]);
                rows[y * w + x] = sum;
            }
        std::uint8_t* target = result.pixels.data() + c * w * h;
        for (std::size_t y = 0; y < h; ++y)
            for (std::size_t x = 0; x < w; ++x) {
                float sum = 0;
                for (std::size_t k = 0; k < down.weights[y].size(); ++k)
                    sum += down.weights[y][k] *
                           rows[(static_cast<std::size_t>(down.first[y]) + k) * w + x];
                target[y * w + x] =
                    static_cast<std::uint8_t>(std::clamp(std::lround(sum), 0l, 255l));
            }
    }
    return result;
}

} // namespace wiregrad::data
