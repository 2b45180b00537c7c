// What is fuzzed: each reader is given bytes and may do nothing but succeed or throw a
// wiregrad::Error. libFuzzer calls these through the entry points of this folder, and a test feeds
// them mutations in every run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "datasets/io/image.h"
#include "datasets/sources/csv.h"
#include "datasets/sources/idx.h"
#include "engine/core/error.h"
#include "engine/io/npy.h"

namespace wiregrad::data::fuzz {

inline void idx(std::span<const std::byte> bytes) {
    try {
        const IdxArray array = parse_idx(bytes, "fuzz.idx");
        idx_floats(array);
        idx_integers(array, "fuzz.idx");
    } catch (const Error&) {
    }
}

inline void csv(std::span<const std::byte> bytes) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    for (const bool drop : {false, true})
        try {
            parse_csv(text, {.drop_missing = drop}, "fuzz.csv");
        } catch (const Error&) {
        }
}

inline void npy(std::span<const std::byte> bytes) {
    try {
        io::parse_npy(bytes, "fuzz.npy");
    } catch (const Error&) {
    }
}

inline void image(std::span<const std::byte> bytes) {
    try {
        // Small ones only: a picture of the largest size is not a bug, but slow.
        const ImageSize size = image_size(bytes, "fuzz.png");
        if (std::int64_t{size.height} * size.width <= 1 << 16) decode_image(bytes, 3, "fuzz.png");
    } catch (const Error&) {
    }
}

} // namespace wiregrad::data::fuzz
