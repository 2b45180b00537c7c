// Bytes and byte pairs as tokens: against a plain recount of every pair, and there and back.
#include <map>
#include <random>

#include "datasets/input.h"
#include "datasets/sources/tales.h"
#include "datasets/tokens.h"
#include "engine/core/error.h"
#include "engine/io/npy.h"
#include "engine/op/ops.h"
#include "tests/datasets/helpers.h"

namespace wiregrad::data {
namespace {

/// The same rule said plainly: words by hand, all pairs counted anew for each token.
std::vector<TokenPair> slowly(const std::vector<std::string>& words, std::size_t pairs) {
    std::vector<std::vector<int>> tokens;
    for (const std::string& word : words) {
        tokens.emplace_back();
        for (const char c : word)
            tokens.back().push_back(static_cast<unsigned char>(c));
    }
    std::vector<TokenPair> result;
    while (result.size() < pairs) {
        std::map<std::pair<int, int>, int> counts;
        for (const auto& word : tokens)
            for (std::size_t i = 0; i + 1 < word.size(); ++i)
                ++counts[{word[i], word[i + 1]}];
        std::pair<int, int> best;
        int most = 1;
        for (const auto& [pair, count] : counts)
            if (count > most) {
                most = count;
                best = pair;
            }
        if (most < 2) break;
        const int token = 256 + static_cast<int>(result.size());
        result.push_back({best.first, best.second});
        for (auto& word : tokens) {
            std::vector<int> joined;
            for (std::size_t i = 0; i < word.size(); ++i)
                if (i + 1 < word.size() && word[i] == best.first && word[i + 1] == best.second) {
                    joined.push_back(token);
                    ++i;
                } else {
                    joined.push_back(word[i]);
                }
            word = joined;
        }
    }
    return result;
}

TEST(Tokens, PairsAreThoseOfAPlainRecount) {
    const std::vector<std::string> words = {"the",   " cat", " that", " the",  " cat",  " hath",
                                            ",",     " the", " hat",  " 2023", " 2024", "\n",
                                            "aaaaa", "\n",   "aaaa",  "!!!"};
    std::string text;
    for (const std::string& word : words)
        text += word;
    const auto pairs = learn_pairs(text, 256 + 12);
    EXPECT_EQ(pairs.size(), 12u);
    EXPECT_EQ(pairs, slowly(words, 12));
    EXPECT_EQ(learn_pairs(text, 100000), slowly(words, 100000)) << "to the end";
    EXPECT_TRUE(learn_pairs(text, 256).empty());
    EXPECT_TRUE(learn_pairs("", 300).empty());
}

TEST(Tokens, GoThereAndBack) {
    const std::string tale = tell_tales(1, 1, 20000);
    const auto pairs = learn_pairs(tale, 600);
    EXPECT_EQ(pairs.size(), 344u);
    std::mt19937 random(4);
    std::string noise;
    for (int i = 0; i < 5000; ++i)
        noise += static_cast<char>(random() & 0xFF);
    for (const std::string& text : {tale, noise, std::string("  two  spaces \n\n\t end "),
                                    std::string("na\xC3\xAFve \xE2\x82\xAC")}) {
        const auto tokens = encode_bytes(text, pairs);
        EXPECT_EQ(decode_bytes({tokens.begin(), tokens.end()}, pairs), text);
        EXPECT_EQ(encode_bytes(text, {}).size(), text.size());
    }
    EXPECT_LT(encode_bytes(tale, pairs).size(), tale.size() / 2);
    EXPECT_EQ(test::message<ValueError>([&] { decode_bytes({600}, pairs); }),
              "there is no token 600: there are 600");
}

TEST(Tokens, HaveNamesThatAreText) {
    const auto names = byte_token_names({{0xE2, 0x82}, {256, 0xAC}, {' ', 'a'}});
    ASSERT_EQ(names.size(), 259u);
    EXPECT_EQ(names['a'], "a");
    EXPECT_EQ(names[0], "<0x00>");
    EXPECT_EQ(names[0xE2], "<0xE2>");
    EXPECT_EQ(names[256], "<0xE2><0x82>");
    EXPECT_EQ(names[257], "\xE2\x82\xAC");
    EXPECT_EQ(names[258], " a");
}

TEST(Tokens, OfFilesAreBytesOrPairs) {
    const test::TempFolder folder;
    const std::string tale = tell_tales(2, 1, 6000);
    test::write(folder / "tale.txt", tale);
    DatasetSpec spec{.source = "text", .path = folder / "tale.txt", .window = 16};
    spec.tokens = TokenKind::Bytes;
    const Splits bytes = open(spec);
    ASSERT_EQ(bytes.fields[0].classes, 256);
    const RowBuffer row(bytes.fields);
    bytes.train->read(3, row.row());
    for (std::size_t i = 0; i < 16; ++i) {
        EXPECT_EQ(row.values<std::int64_t>(0)[i], tale[48 + i]);
        EXPECT_EQ(row.values<std::int64_t>(1)[i], tale[49 + i]);
    }
    spec.tokens = TokenKind::Pairs;
    spec.vocabulary = 300;
    const Splits pairs = open(spec);
    EXPECT_EQ(pairs.fields[0].classes, 300);
    EXPECT_EQ(describe(spec)[0].pairs, pairs.fields[0].pairs);
    EXPECT_EQ(pairs.fields[0].class_names.size(), 300u);
    // What a person types becomes the same tokens.
    const auto all = encode_bytes(tale, pairs.fields[0].pairs);
    const auto typed = read_input(spec, tale).to_vector();
    EXPECT_EQ(typed, std::vector<double>(all.end() - 16, all.end()));
    spec.vocabulary = 200;
    EXPECT_EQ(test::message<ValueError>([&] { open(spec); }),
              "vocabulary must lie between 256 and 65536, got 200");
}

TEST(Tokens, OfTalesFillTheWindowsThatAreAsked) {
    for (const TokenKind kind : {TokenKind::Bytes, TokenKind::Pairs}) {
        DatasetSpec spec{.source = "tales", .samples = 40, .test_samples = 10, .window = 32};
        spec.tokens = kind;
        const Splits splits = open(spec);
        EXPECT_EQ(splits.train->size() + splits.validation->size(), 40);
        EXPECT_EQ(splits.test->size(), 10);
        EXPECT_EQ(describe(spec)[0].classes, splits.fields[0].classes);
        EXPECT_EQ(splits.fields[0].classes, kind == TokenKind::Bytes ? 256 : 512);
    }
}

TEST(Folds, CutTheSamplesIntoEqualPartsThatDoNotMeet) {
    DatasetSpec spec{.source = "iris"};
    spec.folds = 5;
    std::map<std::uint64_t, int> seen;
    std::int64_t validated = 0, test = 0;
    for (spec.fold = 0; spec.fold < 5; ++spec.fold) {
        const Splits splits = open(spec);
        validated += splits.validation->size();
        test = splits.test->size();
        EXPECT_EQ(splits.train->size() + splits.validation->size() + test, 150);
        EXPECT_NEAR(static_cast<double>(splits.validation->size()), 24, 3); // copies go together
        for (std::int64_t i = 0; i < splits.validation->size(); ++i)
            ++seen[content_hash(*splits.validation, i)];
    }
    EXPECT_EQ(validated, 150 - test);
    spec.fold = 5;
    EXPECT_EQ(test::message<ValueError>([&] { open(spec); }),
              "fold must be at least 0 and below 5, got 5");
}

TEST(BoolLabels, AreTwoClassesUnlessNumbersAreAsked) {
    const test::TempFolder folder;
    Tensor yes = Tensor::empty({20}, DType::Bool);
    for (int i = 0; i < 20; ++i)
        yes.data_mut<bool>()[i] = i % 3 == 0;
    io::write_npy(folder / "x.npy", to(Tensor::full({20, 2}, 1), DType::Float32));
    io::write_npy(folder / "y.npy", yes);
    DatasetSpec spec{.source = "npy", .path = folder.str()};
    EXPECT_EQ(describe(spec)[1].kind, FieldKind::Label);
    EXPECT_EQ(describe(spec)[1].classes, 2);
    spec.regression = true;
    EXPECT_EQ(describe(spec)[1].kind, FieldKind::Scalar);
    io::write_npy(folder / "y.npy", Tensor::full({20}, 1, DType::Bool));
    spec.regression = false;
    EXPECT_EQ(describe(spec)[1].classes, 2) << "also where all are true";
}

TEST(MinMax, BringsTheTrainingSamplesTo0And1) {
    DatasetSpec spec{.source = "iris", .normalize = Normalize::MinMax};
    const Splits splits = open(spec);
    std::vector<float> low(4, 1e9F), high(4, -1e9F);
    for (std::int64_t i = 0; i < splits.train->size(); ++i) {
        const auto x = test::floats(*splits.train, i);
        for (std::size_t k = 0; k < 4; ++k) {
            low[k] = std::min(low[k], x[k]);
            high[k] = std::max(high[k], x[k]);
        }
    }
    for (std::size_t k = 0; k < 4; ++k) {
        EXPECT_NEAR(low[k], 0, 1e-6);
        EXPECT_NEAR(high[k], 1, 1e-6);
    }
}

} // namespace
} // namespace wiregrad::data
