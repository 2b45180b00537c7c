#include "datasets/tokens.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include <fmt/format.h>

#include "engine/core/error.h"

namespace wiregrad::data {
namespace {

constexpr std::int32_t kBytes = 256;

enum class Sort : std::uint8_t { Letter, Digit, Space, Other };
Sort sort_of(char character) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte >= 0x80 || (byte | 0x20U) - 'a' < 26U) return Sort::Letter;
    if (static_cast<unsigned>(byte) - '0' < 10U) return Sort::Digit;
    return byte == ' ' || (byte >= '\t' && byte <= '\r') ? Sort::Space : Sort::Other;
}

/// Calls f(word) for the stretches of one sort, each with the one space before it.
template <class F> void each_word(std::string_view text, const F& f) {
    std::size_t begin = 0;
    while (begin < text.size()) {
        std::size_t at = begin;
        if (text[at] == ' ' && at + 1 < text.size() && sort_of(text[at + 1]) != Sort::Space) ++at;
        const Sort sort = sort_of(text[at]);
        std::size_t end = at + 1;
        while (end < text.size() && sort_of(text[end]) == sort)
            ++end;
        // The last of several spaces goes with the word behind it.
        if (sort == Sort::Space && end < text.size() && end - at > 1 && text[end - 1] == ' ') --end;
        f(text.substr(begin, end - begin));
        begin = end;
    }
}

using Word = std::vector<std::int32_t>;
Word bytes_of(std::string_view word) {
    Word tokens;
    for (const char c : word)
        tokens.push_back(static_cast<unsigned char>(c));
    return tokens;
}

/// Joins every `pair` in `word`, from the left.
void join(Word& word, const TokenPair& pair, std::int32_t token) {
    std::size_t out = 0;
    for (std::size_t i = 0; i < word.size(); ++i) {
        const bool joined = i + 1 < word.size() && word[i] == pair[0] && word[i + 1] == pair[1];
        word[out++] = joined ? token : word[i];
        i += joined ? 1 : 0;
    }
    word.resize(out);
}

/// How often each pair comes, and in which words it may be.
class Counts {
  public:
    void add(const Word& word, std::size_t number, std::int64_t times) {
        for (std::size_t i = 0; i + 1 < word.size(); ++i) {
            const TokenPair pair{word[i], word[i + 1]};
            std::int64_t& count = counts_[pair];
            order_.erase({-count, pair});
            count += times;
            if (count > 0) order_.insert({-count, pair});
            if (times > 0) words_[pair].insert(number);
        }
    }
    /// The most frequent pair, or none.
    std::pair<std::int64_t, TokenPair> best() const {
        return order_.empty() ? std::pair<std::int64_t, TokenPair>{0, {}}
                              : std::pair{-order_.begin()->first, order_.begin()->second};
    }
    std::set<std::size_t> take_words(const TokenPair& pair) { return std::move(words_[pair]); }

  private:
    std::map<TokenPair, std::int64_t> counts_;
    std::set<std::pair<std::int64_t, TokenPair>> order_;
    std::map<TokenPair, std::set<std::size_t>> words_;
};

std::vector<std::string> spellings(const std::vector<TokenPair>& pairs) {
    std::vector<std::string> all;
    for (int byte = 0; byte < kBytes; ++byte)
        all.emplace_back(1, static_cast<char>(byte));
    for (const TokenPair& pair : pairs)
        all.push_back(all.at(static_cast<std::size_t>(pair[0])) +
                      all.at(static_cast<std::size_t>(pair[1])));
    return all;
}

/// Bytes of the UTF-8 character at `at`; 0 where there is none.
std::size_t character_at(const std::string& text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const std::size_t length = byte(at) < 0x80              ? 1
                               : (byte(at) & 0xE0U) == 0xC0 ? 2
                               : (byte(at) & 0xF0U) == 0xE0 ? 3
                               : (byte(at) & 0xF8U) == 0xF0 ? 4
                                                            : 0;
    if (length == 0 || at + length > text.size()) return 0;
    for (std::size_t k = 1; k < length; ++k)
        if ((byte(at + k) & 0xC0U) != 0x80) return 0;
    return byte(at) == 0 || byte(at) == 0xC0 || byte(at) == 0xC1 ? 0 : length;
}

} // namespace

std::vector<TokenPair> learn_pairs(std::string_view text, std::int64_t vocabulary) {
    std::map<std::string_view, std::int64_t> times;
    each_word(text, [&](std::string_view word) { ++times[word]; });
    std::vector<Word> words;
    std::vector<std::int64_t> weights;
    Counts counts;
    for (const auto& [word, count] : times) {
        words.push_back(bytes_of(word));
        weights.push_back(count);
        counts.add(words.back(), words.size() - 1, count);
    }
    std::vector<TokenPair> pairs;
    while (kBytes + static_cast<std::int64_t>(pairs.size()) < vocabulary) {
        const auto [count, pair] = counts.best();
        if (count < 2) break;
        const auto token = static_cast<std::int32_t>(kBytes + pairs.size());
        pairs.push_back(pair);
        for (const std::size_t number : counts.take_words(pair)) {
            Word& word = words[number];
            counts.add(word, number, -weights[number]);
            join(word, pair, token);
            counts.add(word, number, weights[number]);
        }
    }
    return pairs;
}

std::vector<std::int32_t> encode_bytes(std::string_view text, const std::vector<TokenPair>& pairs) {
    if (pairs.empty()) return bytes_of(text);
    std::map<TokenPair, std::int32_t> tokens;
    for (std::size_t k = 0; k < pairs.size(); ++k)
        tokens.emplace(pairs[k], static_cast<std::int32_t>(kBytes + k));
    std::unordered_map<std::string_view, Word> known;
    std::vector<std::int32_t> result;
    each_word(text, [&](std::string_view spelling) {
        const auto [entry, fresh] = known.try_emplace(spelling);
        Word& word = entry->second;
        if (fresh) {
            word = bytes_of(spelling);
            while (true) {
                auto first = tokens.end();
                for (std::size_t i = 0; i + 1 < word.size(); ++i)
                    if (const auto found = tokens.find({word[i], word[i + 1]});
                        found != tokens.end() &&
                        (first == tokens.end() || found->second < first->second))
                        first = found;
                if (first == tokens.end()) break;
                join(word, first->first, first->second);
            }
        }
        result.insert(result.end(), word.begin(), word.end());
    });
    return result;
}

std::vector<std::string> byte_token_names(const std::vector<TokenPair>& pairs) {
    std::vector<std::string> names = spellings(pairs);
    for (std::string& name : names) {
        std::string readable;
        for (std::size_t at = 0; at < name.size();) {
            const std::size_t length = character_at(name, at);
            if (length == 0)
                readable += fmt::format("<0x{:02X}>", static_cast<unsigned char>(name[at]));
            else
                readable += name.substr(at, length);
            at += std::max<std::size_t>(length, 1);
        }
        name = std::move(readable);
    }
    return names;
}

std::string decode_bytes(const std::vector<std::int64_t>& tokens,
                         const std::vector<TokenPair>& pairs) {
    const std::vector<std::string> all = spellings(pairs);
    std::string text;
    for (const std::int64_t token : tokens) {
        if (token < 0 || token >= static_cast<std::int64_t>(all.size()))
            throw ValueError(fmt::format("there is no token {}: there are {}", token, all.size()));
        text += all[static_cast<std::size_t>(token)];
    }
    return text;
}

} // namespace wiregrad::data
