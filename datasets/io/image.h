// Pictures: PNG and JPEG to bytes, and resizing. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace wiregrad::data {

/// Planes behind each other: [channels, height, width], as networks take them.
struct Image {
    int channels = 0, height = 0, width = 0;
    std::vector<std::uint8_t> pixels;
};

/// Decodes PNG or JPEG to `channels` (1: grey, 3: colours); transparent parts become white. Throws
/// FileError naming `where` when the picture is damaged, cut off, or larger than 64 million pixels.
Image decode_image(std::span<const std::byte> file, int channels, const std::string& where);
/// Width and height, from the head of the file alone.
struct ImageSize {
    int height = 0, width = 0;
};
ImageSize image_size(std::span<const std::byte> file, const std::string& where);
/// Triangle filter, widened where the picture shrinks so that nothing is skipped (antialiased
/// bilinear, pixel centres at halves); the numbers are those of Pillow's and torch's antialiased
/// bilinear within rounding.
Image resized(const Image& image, int height, int width);

} // namespace wiregrad::data
