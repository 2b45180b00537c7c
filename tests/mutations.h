// Broken files, the same in every run: one to four changes of a good one. For tests that batter a
// reader; what is not a wiregrad::Error ends the test.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "datasets/random.h"

namespace wiregrad::testing {

using Bytes = std::vector<std::byte>;

inline Bytes bytes_of(std::string_view text) {
    const auto raw = std::as_bytes(std::span(text));
    return {raw.begin(), raw.end()};
}

/// One to four changes: a byte, an interesting byte, a cut, a doubled stretch, a removed stretch, a
/// stretch of `other`.
inline Bytes mutated(Bytes bytes, const Bytes& other, data::SampleRandom& random) {
    static constexpr std::uint8_t kInteresting[] = {0,   1,    0x7F, 0x80, 0xFF, '"', ',',
                                                    ';', '\n', '\r', '(',  '\'', '-', '9'};
    const auto place = [&](const Bytes& in) {
        return static_cast<std::size_t>(random.below(in.size() + 1));
    };
    for (std::uint64_t changes = 1 + random.below(4); changes > 0; --changes) {
        const std::size_t a = place(bytes),
                          b = std::min(bytes.size(),
                                       a + static_cast<std::size_t>(random.below(24)));
        const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(a),
                   to = bytes.begin() + static_cast<std::ptrdiff_t>(b);
        switch (random.below(6)) {
        case 0:
            if (a < bytes.size()) bytes[a] = static_cast<std::byte>(random.bits());
            break;
        case 1:
            if (a < bytes.size())
                bytes[a] =
                    static_cast<std::byte>(kInteresting[random.below(std::size(kInteresting))]);
            break;
        case 2:
            bytes.resize(a);
            break;
        case 3: {
            const Bytes piece(at, to);
            bytes.insert(at, piece.begin(), piece.end());
            break;
        }
        case 4:
            bytes.erase(at, to);
            break;
        default: {
            const std::size_t from = place(other),
                              end = std::min(other.size(),
                                             from + static_cast<std::size_t>(random.below(24)));
            bytes.insert(at, other.begin() + static_cast<std::ptrdiff_t>(from),
                         other.begin() + static_cast<std::ptrdiff_t>(end));
        }
        }
    }
    return bytes;
}

/// Runs `target` on mutations of the seeds; what is not a wiregrad::Error ends the test.
template <class Target>
void batter(const std::vector<Bytes>& seeds, Target target, std::uint64_t name,
            std::uint64_t rounds = 6000) {
    for (std::uint64_t i = 0; i < rounds; ++i) {
        data::SampleRandom random(name, 0, i);
        const Bytes input =
            mutated(seeds[random.below(seeds.size())], seeds[random.below(seeds.size())], random);
        try {
            target(input);
        } catch (const std::exception& error) {
            FAIL() << "round " << i << ": " << error.what();
        }
    }
}

} // namespace wiregrad::testing
