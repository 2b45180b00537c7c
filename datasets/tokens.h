// Texts as numbers: bytes, and pairs of bytes learned from a text (byte-pair encoding). Pure
// functions; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/dataset.h"

namespace wiregrad::data {

/// Learns pairs until there are `vocabulary` tokens or no pair comes twice: always the most
/// frequent one, of equals the one of smaller tokens. Pairs never cross from one word into the
/// next; the space before a word belongs to it.
std::vector<TokenPair> learn_pairs(std::string_view text, std::int64_t vocabulary);
/// 0..255 are bytes, 256 + k stands for pairs[k]; earlier pairs are joined first.
std::vector<std::int32_t> encode_bytes(std::string_view text, const std::vector<TokenPair>& pairs);
/// What each token stands for; bytes that are no text by themselves as <0xE2>.
std::vector<std::string> byte_token_names(const std::vector<TokenPair>& pairs);
/// The bytes of `tokens` behind each other; throws ValueError for a token that does not exist.
std::string decode_bytes(const std::vector<std::int64_t>& tokens,
                         const std::vector<TokenPair>& pairs);

} // namespace wiregrad::data
