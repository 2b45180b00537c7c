// The built-in text: little tales drawn by seed, for character networks without a file. Pure
// functions; any thread. Only datasets/ includes this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace wiregrad::data {

/// `characters` of tales; the same seed and stream give the same text.
std::string tell_tales(std::uint64_t seed, std::uint32_t stream, std::size_t characters);
/// Every character that a tale may hold, in code point order.
const std::string& tale_alphabet();

} // namespace wiregrad::data
