// Formulas: values, gradients, errors with a column, and hostile text.
#include "nodes/formula.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/op/ops.h"

namespace wiregrad::graph {
namespace {

double at(const std::string& text, double x, double y = 0) {
    const Tensor values[] = {Tensor::full({1}, x, DType::Float64),
                             Tensor::full({1}, y, DType::Float64)};
    return Formula::parse(text, {"x", "y"}).compute(values).item();
}

std::string refusal(const std::string& text) {
    try {
        Formula::parse(text, {"x", "y"});
    } catch (const ValueError& error) {
        return error.text();
    }
    return "";
}

TEST(Formula, computes_what_is_written) {
    EXPECT_DOUBLE_EQ(at("x * sigmoid(y * x)", 2, 0.5), 2 / (1 + std::exp(-1.0)));
    EXPECT_DOUBLE_EQ(at("1 + 2 * 3 ** 2 - -x", 4), 23);
    EXPECT_DOUBLE_EQ(at("-x ** 2", 3), -9);      // the power first, as in Python
    EXPECT_DOUBLE_EQ(at("2 ** 3 ** x", 2), 512); // from the right
    EXPECT_DOUBLE_EQ(at("2 ** -x", 2), 0.25);
    EXPECT_DOUBLE_EQ(at("x ^ 3", 2), 8);
    EXPECT_DOUBLE_EQ(at("8 / 4 / x", 2), 1);
    EXPECT_DOUBLE_EQ(at("10 - 3 - x", 2), 5);
    EXPECT_DOUBLE_EQ(at("1 / x", 4), 0.25);
    EXPECT_DOUBLE_EQ(at("1 - x", 4), -3);
    EXPECT_DOUBLE_EQ(at(" ( x+y )*2 ", 1, 2), 6);
    EXPECT_DOUBLE_EQ(at("max(x, 0) + min(y, -1)", -3, 5), -1);
    EXPECT_DOUBLE_EQ(at("clamp(x, -1, 1)", 9), 1);
    EXPECT_DOUBLE_EQ(at("where(x > y, 1, x)", 2, 3), 2);
    EXPECT_DOUBLE_EQ(at("where(x <= 2, y, -y)", 2, 3), 3);
    EXPECT_DOUBLE_EQ(at("(x == 2) * 5", 2), 5);
    EXPECT_DOUBLE_EQ(at("pow(x, 0.5)", 9), 3);
    EXPECT_DOUBLE_EQ(at("sqrt(16) + x", 0), 4);
    EXPECT_DOUBLE_EQ(at("cos(pi) * e * 1e1 * .1 + x", 0), -std::exp(1.0));
    EXPECT_DOUBLE_EQ(at("x - mean(x, -1)", 5), 0);
}

TEST(Formula, has_gradients) {
    Tensor x = Tensor::full({1}, 0.7, DType::Float64);
    x.set_requires_grad(true);
    const Tensor values[] = {x};
    const auto swish = Formula::parse("x * sigmoid(1.5 * x)", {"x"});
    autograd::backward(sum(swish.compute(values)));
    const double s = 1 / (1 + std::exp(-1.05));
    EXPECT_NEAR(x.grad().item(), s + 0.7 * 1.5 * s * (1 - s), 1e-12);
}

TEST(Formula, errors_name_the_column) {
    EXPECT_EQ(refusal("x * sigmod(x)"), "column 5: there is no function named \"sigmod\"");
    EXPECT_EQ(refusal("x + z"), "column 5: there is no input or weight named \"z\"; there is x, y");
    EXPECT_EQ(refusal("x +"), "column 4: the formula ends where a value should be");
    EXPECT_EQ(refusal(""), "column 1: the formula ends where a value should be");
    EXPECT_EQ(refusal("(x + 1"), "column 7: a closing bracket is missing");
    EXPECT_EQ(refusal("x + 1)"), "column 6: \")\" does not belong here");
    EXPECT_EQ(refusal("2x"), "column 2: a sign, such as *, is missing behind the number");
    EXPECT_EQ(refusal("x y"), "column 3: \"y\" does not belong here");
    EXPECT_EQ(refusal("x $ 2"), "column 3: \"$\" does not belong here");
    EXPECT_EQ(refusal("tanh(x, y)"), "column 1: tanh takes 1 value, got 2");
    EXPECT_EQ(refusal("where(x)"), "column 1: where takes 3 values, got 1");
    EXPECT_EQ(refusal("clamp(x, y, 1)"), "column 1: clamp needs two numbers behind the value");
    EXPECT_NE(refusal("mean(x, 0)").find("column 1: mean needs a dimension"), std::string::npos);
    EXPECT_NE(refusal("1e999 * x").find("column 1: this is no number"), std::string::npos);
    EXPECT_NE(refusal(std::string(5000, '(')).find("5000 characters"), std::string::npos);
    EXPECT_NE(refusal(std::string(3000, '(')).find("nested too deeply"), std::string::npos);
    EXPECT_NE(refusal(std::string(3000, '-') + "x").find("nested too deeply"), std::string::npos);
    EXPECT_EQ(refusal("x * (y - 1) / 2"), "");
}

TEST(Formula, names_and_weights_are_checked) {
    EXPECT_EQ(parse_names("x, y_2", "inputs"), (std::vector<std::string>{"x", "y_2"}));
    EXPECT_THROW(parse_names("x,,y", "inputs"), ValueError);
    EXPECT_THROW(parse_names("x, x", "inputs"), ValueError);
    EXPECT_THROW(parse_names("2x", "inputs"), ValueError);
    EXPECT_THROW(parse_names("", "inputs"), ValueError);
    EXPECT_EQ(parse_settings(" beta = -1.5 , g"),
              (std::vector<std::pair<std::string, double>>{{"beta", -1.5}, {"g", 1}}));
    EXPECT_TRUE(parse_settings(" ").empty());
    EXPECT_THROW(parse_settings("beta = one"), ValueError);
    EXPECT_THROW(parse_settings("beta = inf"), ValueError);
    EXPECT_THROW(parse_settings("beta = 1 = 2"), ValueError);
}

TEST(Formula, is_written_as_python_with_brackets) {
    EXPECT_EQ(Formula::parse("-a ** 2 * max(a, 0)", {"a"}).python({"{0}"}),
              "((-({0} ** 2.0)) * torch.maximum({0}, torch.tensor(0.0)))");
    EXPECT_EQ(Formula::parse("where(a > 1, tanh(a), -1)", {"a"}).python({"x"}),
              "torch.where((x > 1.0), torch.tanh(x), torch.tensor((-1.0)))");
    EXPECT_TRUE(Formula::parse("b + 1", {"a", "b"}).uses(1));
    EXPECT_FALSE(Formula::parse("b + 1", {"a", "b"}).uses(0));
}

// Pieces of formulas in random order, and good ones with bytes changed: each is computed or refused
// with a column, never a crash, and what is accepted can be written out.
TEST(Formula, hostile_text_is_refused_in_words) {
    const char* const pieces[] = {
        "x",  "y",   "(",     ")",     "+",     "-",    "*",    "**",   "/",    "^",  ",",  "1",
        ".5", "1e3", "sin",   "where", "clamp", "mean", "max(", "<",    ">=",   "==", " ",  "pi",
        "-1", "0",   "tanh(", "!=",    "e",     "\t",   "_",    "\x80", "sum(", ")",  "x)", "y)"};
    std::mt19937 random(7);
    const Tensor values[] = {Tensor::full({2, 3}, 0.5, DType::Float64),
                             Tensor::full({2, 3}, 1.5, DType::Float64)};
    int accepted = 0, refused = 0;
    const auto attempt = [&](const std::string& text) {
        try {
            const Formula formula = Formula::parse(text, {"x", "y"});
            EXPECT_FALSE(formula.python({"{0}", "{1}"}).empty());
            formula.compute(values);
            ++accepted;
        } catch (const ValueError& error) {
            EXPECT_TRUE(error.text().find("column") != std::string::npos ||
                        error.text().find("characters") != std::string::npos)
                << text << ": " << error.text();
            ++refused;
        } catch (const Error&) { // a dimension that the input lacks, a bool that has no sign
            ++refused;
        }
    };
    for (int i = 0; i < 6000; ++i) {
        std::string text;
        for (int k = static_cast<int>(random() % 12); k >= 0; --k)
            text += pieces[random() % std::size(pieces)];
        attempt(text);
    }
    const std::string good[] = {"x * sigmoid(1.5 * y) - max(x, 0.3) ** 2",
                                "where(x > mean(x, -1), tanh(x), clamp(-x, -1, 1.5)) + pi"};
    for (int i = 0; i < 4000; ++i) {
        std::string text = good[i % 2];
        for (int k = static_cast<int>(random() % 4); k >= 0; --k) {
            const std::size_t place = random() % text.size();
            if (random() % 3 == 0)
                text.erase(place, 1 + random() % 5);
            else
                text[place] = static_cast<char>(random() % 256);
            if (text.empty()) text = "x";
        }
        attempt(text);
    }
    EXPECT_GT(accepted, 200);
    EXPECT_GT(refused, 3000);
}

} // namespace
} // namespace wiregrad::graph
