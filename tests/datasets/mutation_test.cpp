// Thousands of broken inputs, the same in every run: the readers may refuse them, nothing else.
#include <string>
#include <vector>

#include "datasets/fuzz/targets.h"
#include "datasets/random.h"
#include "engine/io/npy.h"
#include "tests/datasets/helpers.h"

namespace wiregrad::data {
namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes_of(std::string_view text) {
    const auto raw = std::as_bytes(std::span(text));
    return {raw.begin(), raw.end()};
}

/// One to four changes: a byte, an interesting byte, a cut, a doubled stretch, a removed stretch, a
/// stretch of `other`.
Bytes mutated(Bytes bytes, const Bytes& other, SampleRandom& random) {
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
void batter(const std::vector<Bytes>& seeds, void (*target)(std::span<const std::byte>),
            std::uint64_t name) {
    constexpr std::uint64_t kRounds = 6000;
    for (std::uint64_t i = 0; i < kRounds; ++i) {
        SampleRandom random(name, 0, i);
        const Bytes input =
            mutated(seeds[random.below(seeds.size())], seeds[random.below(seeds.size())], random);
        try {
            target(input);
        } catch (const std::exception& error) {
            FAIL() << "round " << i << ": " << error.what();
        }
    }
}

TEST(Mutations, Idx) {
    const std::string images("\0\0\x08\x03\0\0\0\x03\0\0\0\x02\0\0\0\x02"
                             "abcdefghijkl",
                             28);
    const std::string doubles("\0\0\x0E\x01\0\0\0\x01\x40\x09\x21\xFB\x54\x44\x2D\x18", 16);
    batter({bytes_of(images), bytes_of(doubles),
            bytes_of(std::string_view("\0\0\x08\x01\0\0\0\x02\x01\x02", 10))},
           fuzz::idx, 1);
}

TEST(Mutations, Csv) {
    batter({bytes_of("a,b,label\n1,2,x\n3,4,y\n\"5\",6,\"x, \"\"y\"\"\"\n"),
            bytes_of("1,5;2,5;u\r\n2,25;3,5;v\r\n"),
            bytes_of("\xEF\xBB\xBF"
                     "a\tb\n1\t2\n3\t\n-1e300\t4\n")},
           fuzz::csv, 2);
}

TEST(Mutations, Npy) {
    batter({io::encode_npy(Tensor::zeros({3, 4})), io::encode_npy(Tensor::zeros({5}, DType::Int64)),
            io::encode_npy(Tensor::zeros({2, 1, 2}, DType::UInt8))},
           fuzz::npy, 3);
}

} // namespace
} // namespace wiregrad::data
