#include "datasets/io/checksum.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

namespace wiregrad::data {
namespace {

/// Collects whole blocks of 64 bytes; both sums are built like this.
template <class Block>
void feed(std::span<const std::byte> bytes, std::array<std::byte, 64>& buffer,
          std::uint64_t& length, Block&& block) {
    while (!bytes.empty()) {
        const auto filled = static_cast<std::size_t>(length % 64);
        const std::size_t take = std::min(bytes.size(), 64 - filled);
        std::memcpy(buffer.data() + filled, bytes.data(), take);
        length += take;
        bytes = bytes.subspan(take);
        if (filled + take == 64) block(buffer.data());
    }
}

/// A one bit, zeros, and the length in bits: the last eight bytes of the last block.
std::array<std::byte, 128> padding(std::uint64_t length, bool big_endian, std::size_t& count) {
    std::array<std::byte, 128> pad{};
    pad[0] = std::byte{0x80};
    const auto filled = static_cast<std::size_t>(length % 64);
    const std::size_t zeros = (filled < 56 ? 56 : 120) - filled;
    for (std::size_t i = 0; i < 8; ++i)
        pad[zeros + i] = static_cast<std::byte>(length * 8 >> (8 * (big_endian ? 7 - i : i)));
    count = zeros + 8;
    return pad;
}

/// The first bits of the fractional part of |sin(i)|: MD5's table by its definition.
const std::array<std::uint32_t, 64>& sines() {
    static const std::array<std::uint32_t, 64> table = [] {
        std::array<std::uint32_t, 64> t{};
        for (std::size_t i = 0; i < 64; ++i)
            t[i] = static_cast<std::uint32_t>(
                std::floor(std::abs(std::sin(static_cast<double>(i + 1))) * 4294967296.0));
        return t;
    }();
    return table;
}

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes, likewise.
const std::array<std::uint32_t, 64>& cube_roots() {
    static const std::array<std::uint32_t, 64> table = [] {
        std::array<std::uint32_t, 64> t{};
        std::size_t found = 0;
        for (int n = 2; found < 64; ++n) {
            bool prime = true;
            for (int d = 2; d * d <= n; ++d)
                prime = prime && n % d != 0;
            if (prime) {
                const long double root = std::cbrt(static_cast<long double>(n));
                t[found++] = static_cast<std::uint32_t>((root - std::floor(root)) * 4294967296.0L);
            }
        }
        return t;
    }();
    return table;
}

} // namespace

void Md5::add(std::span<const std::byte> bytes) {
    feed(bytes, buffer_, length_, [this](const std::byte* at) { block(at); });
}

void Md5::block(const std::byte* at) {
    static constexpr int kShift[4][4] = {
        {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    std::array<std::uint32_t, 16> word{};
    for (std::size_t i = 0; i < 64; ++i)
        word[i / 4] |= static_cast<std::uint32_t>(at[i]) << (8 * (i % 4));
    auto [a, b, c, d] = state_;
    for (std::size_t i = 0; i < 64; ++i) {
        std::uint32_t f = 0;
        std::size_t k = 0;
        switch (i / 16) {
        case 0:
            f = (b & c) | (~b & d);
            k = i;
            break;
        case 1:
            f = (d & b) | (~d & c);
            k = (5 * i + 1) % 16;
            break;
        case 2:
            f = b ^ c ^ d;
            k = (3 * i + 5) % 16;
            break;
        default:
            f = c ^ (b | ~d);
            k = 7 * i % 16;
        }
        f += a + sines()[i] + word[k];
        a = d;
        d = c;
        c = b;
        b += std::rotl(f, kShift[i / 16][i % 4]);
    }
    state_ = {state_[0] + a, state_[1] + b, state_[2] + c, state_[3] + d};
}

std::string Md5::hex() {
    std::size_t count = 0;
    const auto pad = padding(length_, false, count);
    add(std::span(pad).first(count));
    std::string text;
    for (const std::uint32_t word : state_)
        for (int i = 0; i < 4; ++i)
            text += fmt::format("{:02x}", word >> (8 * i) & 0xFF);
    return text;
}

void Sha256::add(std::span<const std::byte> bytes) {
    feed(bytes, buffer_, length_, [this](const std::byte* at) { block(at); });
}

void Sha256::block(const std::byte* at) {
    std::array<std::uint32_t, 64> w{};
    for (std::size_t i = 0; i < 64; ++i)
        w[i / 4] |= static_cast<std::uint32_t>(at[i]) << (8 * (3 - i % 4));
    for (std::size_t i = 16; i < 64; ++i) {
        const std::uint32_t s0 =
            std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
        const std::uint32_t s1 =
            std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    std::array<std::uint32_t, 8> h = state_;
    for (std::size_t i = 0; i < 64; ++i) {
        const std::uint32_t s1 = std::rotr(h[4], 6) ^ std::rotr(h[4], 11) ^ std::rotr(h[4], 25);
        const std::uint32_t choice = (h[4] & h[5]) ^ (~h[4] & h[6]);
        const std::uint32_t t1 = h[7] + s1 + choice + cube_roots()[i] + w[i];
        const std::uint32_t s0 = std::rotr(h[0], 2) ^ std::rotr(h[0], 13) ^ std::rotr(h[0], 22);
        const std::uint32_t majority = (h[0] & h[1]) ^ (h[0] & h[2]) ^ (h[1] & h[2]);
        h = {t1 + s0 + majority, h[0], h[1], h[2], h[3] + t1, h[4], h[5], h[6]};
    }
    for (std::size_t i = 0; i < 8; ++i)
        state_[i] += h[i];
}

std::string Sha256::hex() {
    std::size_t count = 0;
    const auto pad = padding(length_, true, count);
    add(std::span(pad).first(count));
    std::string text;
    for (const std::uint32_t word : state_)
        text += fmt::format("{:08x}", word);
    return text;
}

} // namespace wiregrad::data
