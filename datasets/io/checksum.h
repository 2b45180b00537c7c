// MD5 (RFC 1321) and SHA-256 (FIPS 180-4), to recognise files. MD5 only where that is what is
// published.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace wiregrad::data {

class Md5 {
  public:
    void add(std::span<const std::byte> bytes);
    std::string hex(); ///< ends it

  private:
    void block(const std::byte* at);
    std::array<std::uint32_t, 4> state_{0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u};
    std::array<std::byte, 64> buffer_{};
    std::uint64_t length_ = 0;
};

class Sha256 {
  public:
    void add(std::span<const std::byte> bytes);
    std::string hex(); ///< ends it

  private:
    void block(const std::byte* at);
    std::array<std::uint32_t, 8> state_{0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                                        0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};
    std::array<std::byte, 64> buffer_{};
    std::uint64_t length_ = 0;
};

} // namespace wiregrad::data
