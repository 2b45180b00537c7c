// A text as tokens (characters, bytes or byte pairs): windows of them, and the token behind each as
// what is to be predicted.
// Training, validation and test are stretches of the text, in this order, so that no window reaches
// into another part.
#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include <fmt/format.h>

#include "datasets/io/file_bytes.h"
#include "datasets/random.h"
#include "datasets/sources/source.h"
#include "datasets/sources/tales.h"
#include "datasets/tokens.h"
#include "engine/core/error.h"

namespace wiregrad::data {
namespace {

constexpr std::uint64_t kLargestText = std::uint64_t{1} << 30;
constexpr std::size_t kMostCharacters = 4096;

struct Text {
    std::vector<std::uint16_t> tokens;
    std::vector<std::string> characters; ///< by token; characters in code point order
    bool bytes = false;                  ///< tokens are bytes and these pairs of them
    std::vector<TokenPair> pairs;
};

/// A text as bytes or byte pairs. `sample`: what the pairs are learned from.
Text byte_text(std::string_view content, std::string_view sample, const DatasetSpec& spec) {
    Text text;
    text.bytes = true;
    if (spec.tokens == TokenKind::Pairs) text.pairs = learn_pairs(sample, spec.vocabulary);
    text.characters = byte_token_names(text.pairs);
    for (const std::int32_t token : encode_bytes(content, text.pairs))
        text.tokens.push_back(static_cast<std::uint16_t>(token));
    return text;
}

/// Splits UTF-8 into characters; throws FileError at a byte that is none.
Text read_text(const DatasetSpec& spec) {
    const std::string& path = spec.path;
    const std::vector<std::byte> bytes = FileBytes(path).take_all(kLargestText);
    if (spec.tokens != TokenKind::Characters) {
        const std::string_view content(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return byte_text(content, content, spec);
    }
    const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
    std::size_t at =
        bytes.size() >= 3 && data[0] == 0xEF && data[1] == 0xBB && data[2] == 0xBF ? 3 : 0;
    std::vector<std::uint32_t> points;
    std::map<std::uint32_t, std::uint16_t> index;
    while (at < bytes.size()) {
        const unsigned char lead = data[at];
        const std::size_t length = lead < 0x80             ? 1
                                   : (lead & 0xE0) == 0xC0 ? 2
                                   : (lead & 0xF0) == 0xE0 ? 3
                                   : (lead & 0xF8) == 0xF0 ? 4
                                                           : 0;
        std::uint32_t point = length == 1   ? lead
                              : length == 2 ? lead & 0x1Fu
                              : length == 3 ? lead & 0x0Fu
                                            : lead & 0x07u;
        bool good = length > 0 && at + length <= bytes.size() && !(length == 1 && lead == 0);
        for (std::size_t k = 1; good && k < length; ++k) {
            good = (data[at + k] & 0xC0) == 0x80;
            point = point << 6 | (data[at + k] & 0x3Fu);
        }
        if (!good)
            throw FileError(fmt::format("this is no UTF-8 text: byte {} is {:#04x}", at, lead),
                            path);
        points.push_back(point);
        index.try_emplace(point, std::uint16_t{0});
        if (index.size() > kMostCharacters)
            throw DataError(
                fmt::format("the text has more than {} different characters", kMostCharacters),
                path);
        at += length;
    }
    Text text;
    for (auto& [point, token] : index) {
        token = static_cast<std::uint16_t>(text.characters.size());
        std::string character;
        if (point < 0x80) {
            character += static_cast<char>(point);
        } else {
            const int extra = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
            static constexpr unsigned kLead[] = {0, 0xC0, 0xE0, 0xF0};
            character += static_cast<char>(kLead[extra] | point >> (6 * extra));
            for (int k = extra - 1; k >= 0; --k)
                character += static_cast<char>(0x80 | (point >> (6 * k) & 0x3F));
        }
        text.characters.push_back(character);
    }
    text.tokens.reserve(points.size());
    for (const std::uint32_t point : points)
        text.tokens.push_back(index.at(point));
    return text;
}

std::vector<Field> fields_of(const Text& text, std::int64_t window) {
    const auto classes = static_cast<std::int64_t>(text.characters.size());
    const Field x{.name = "x",
                  .shape = {window},
                  .dtype = DType::Int64,
                  .kind = FieldKind::Tokens,
                  .class_names = text.characters,
                  .classes = classes,
                  .max = static_cast<double>(classes - 1),
                  .bytes = text.bytes,
                  .pairs = text.pairs};
    Field y = x;
    y.name = "y";
    return {x, y};
}

/// Windows next to each other over [begin, end) of the text.
class Windows : public Dataset {
  public:
    Windows(std::shared_ptr<const Text> text, std::size_t begin, std::size_t end,
            std::int64_t window)
        : text_(std::move(text)), fields_(fields_of(*text_, window)), begin_(begin),
          window_(static_cast<std::size_t>(window)),
          size_(end - begin > window_ ? static_cast<std::int64_t>((end - begin - 1) / window_)
                                      : 0) {}
    const std::vector<Field>& fields() const override { return fields_; }
    std::int64_t size() const override { return size_; }
    void read(std::int64_t index, Row row) const override {
        if (index < 0 || index >= size_)
            throw DataError(
                fmt::format("sample {} is outside the dataset of {} samples", index, size_));
        const std::uint16_t* from =
            text_->tokens.data() + begin_ + static_cast<std::size_t>(index) * window_;
        auto* x = reinterpret_cast<std::int64_t*>(row[0].data());
        auto* y = reinterpret_cast<std::int64_t*>(row[1].data());
        for (std::size_t i = 0; i < window_; ++i) {
            x[i] = from[i];
            y[i] = from[i + 1];
        }
    }

  private:
    std::shared_ptr<const Text> text_;
    std::vector<Field> fields_;
    std::size_t begin_, window_;
    std::int64_t size_;
};

} // namespace

std::vector<Field> describe_text(const DatasetSpec& spec) {
    return fields_of(read_text(spec), spec.window);
}

Parts open_text(const Opening& opening) {
    const DatasetSpec& spec = opening.spec;
    opening.report("Reading the text", 0);
    const auto text = std::make_shared<Text>(read_text(spec));
    const double count = static_cast<double>(text->tokens.size());
    const auto test_begin = static_cast<std::size_t>(count * (1 - spec.test_fraction));
    const auto validation_begin =
        static_cast<std::size_t>(static_cast<double>(test_begin) * (1 - spec.validation_fraction));
    const auto stretch = [&](std::size_t begin, std::size_t end, const char* name) {
        auto part = std::make_shared<Windows>(text, begin, end, spec.window);
        if (part->size() == 0)
            throw DataError(fmt::format("the {} part of the text has {} tokens, too few for a "
                                        "window of {} and the next one",
                                        name, end - begin, spec.window),
                            spec.path);
        return part;
    };
    Parts parts{.main = stretch(0, validation_begin, "training"), .ordered = true};
    if (spec.validation_fraction > 0)
        parts.validation = stretch(validation_begin, test_begin, "validation");
    if (spec.test_fraction > 0) parts.test = stretch(test_begin, text->tokens.size(), "test");
    return parts;
}

namespace {

/// Tales as tokens of the fixed alphabet, or of bytes.
Text tokens_of_tales(const DatasetSpec& spec, std::uint32_t stream, std::int64_t windows) {
    if (spec.tokens != TokenKind::Characters) {
        constexpr std::size_t kSample = 1 << 16; // pairs are learned from so much of the tales
        const auto wanted = static_cast<std::size_t>(windows > 0 ? windows * spec.window + 1 : 0);
        const std::string sample = tell_tales(spec.seed, stream::kTrain, kSample);
        for (std::size_t length = 4 * wanted;; length *= 2) { // a token has several characters
            Text text =
                byte_text(wanted > 0 ? tell_tales(spec.seed, stream, length) : "", sample, spec);
            if (text.tokens.size() < wanted) continue;
            text.tokens.resize(wanted);
            return text;
        }
    }
    Text text;
    const std::string& alphabet = tale_alphabet();
    for (const char c : alphabet)
        text.characters.emplace_back(1, c);
    const auto length = static_cast<std::size_t>(windows * spec.window + 1);
    for (const char c : windows > 0 ? tell_tales(spec.seed, stream, length) : std::string())
        text.tokens.push_back(static_cast<std::uint16_t>(alphabet.find(c)));
    return text;
}

} // namespace

std::vector<Field> describe_tales(const DatasetSpec& spec) {
    return fields_of(tokens_of_tales(spec, stream::kTrain, 0), spec.window);
}

Parts open_tales(const Opening& opening) {
    const DatasetSpec& spec = opening.spec;
    const std::int64_t windows = sample_count(spec);
    const auto training = std::make_shared<Text>(tokens_of_tales(spec, stream::kTrain, windows));
    const auto test =
        std::make_shared<Text>(tokens_of_tales(spec, stream::kTest, test_count(spec)));
    const auto aside = static_cast<std::int64_t>(
        std::llround(spec.validation_fraction * static_cast<double>(windows)));
    const auto border = static_cast<std::size_t>((windows - aside) * spec.window);
    Parts parts{.main = std::make_shared<Windows>(training, 0, border + 1, spec.window),
                .ordered = true};
    if (aside > 0)
        parts.validation =
            std::make_shared<Windows>(training, border, training->tokens.size(), spec.window);
    parts.test = std::make_shared<Windows>(test, 0, test->tokens.size(), spec.window);
    return parts;
}

} // namespace wiregrad::data
