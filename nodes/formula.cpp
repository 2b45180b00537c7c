#include "nodes/formula.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <variant>

#include "engine/core/error.h"
#include "engine/op/tensor_ops.h"

namespace wiregrad::graph {

namespace {

constexpr std::size_t kLongest = 4000; ///< characters
constexpr int kDeepest = 100;          ///< nested parentheses, calls and signs

using Value = std::variant<double, Tensor>;

bool is_number(const Value& value) {
    return std::holds_alternative<double>(value);
}
double number(const Value& value) {
    return std::get<double>(value);
}
/// A number as a tensor of no dimensions, of the dtype of `like`.
Tensor tensor(const Value& value, const Value& like) {
    if (!is_number(value)) return std::get<Tensor>(value);
    const DType dtype = is_number(like) ? DType::Float32 : std::get<Tensor>(like).dtype();
    return Tensor::full({}, number(value), is_floating(dtype) ? dtype : DType::Float32);
}

struct Unary {
    const char* name;
    Tensor (*op)(const Tensor&);
    const char* python;
};
Tensor gelu_exact(const Tensor& x) {
    return gelu(x);
}
Tensor softplus_plain(const Tensor& x) {
    return softplus(x);
}
Tensor elu_plain(const Tensor& x) {
    return elu(x);
}
Tensor leaky_relu_plain(const Tensor& x) {
    return leaky_relu(x);
}
constexpr Unary kUnary[] = {
    {"abs", abs, "torch.abs"},
    {"acos", acos, "torch.acos"},
    {"asin", asin, "torch.asin"},
    {"atan", atan, "torch.atan"},
    {"ceil", ceil, "torch.ceil"},
    {"cos", cos, "torch.cos"},
    {"cosh", cosh, "torch.cosh"},
    {"elu", elu_plain, "F.elu"},
    {"erf", erf, "torch.erf"},
    {"exp", exp, "torch.exp"},
    {"expm1", expm1, "torch.expm1"},
    {"floor", floor, "torch.floor"},
    {"gelu", gelu_exact, "F.gelu"},
    {"leaky_relu", leaky_relu_plain, "F.leaky_relu"},
    {"log", log, "torch.log"},
    {"log1p", log1p, "torch.log1p"},
    {"logsigmoid", logsigmoid, "F.logsigmoid"},
    {"mish", mish, "F.mish"},
    {"relu", relu, "torch.relu"},
    {"round", round, "torch.round"},
    {"rsqrt", rsqrt, "torch.rsqrt"},
    {"sigmoid", sigmoid, "torch.sigmoid"},
    {"sign", sign, "torch.sign"},
    {"silu", silu, "F.silu"},
    {"sin", sin, "torch.sin"},
    {"sinh", sinh, "torch.sinh"},
    {"softplus", softplus_plain, "F.softplus"},
    {"sqrt", sqrt, "torch.sqrt"},
    {"square", square, "torch.square"},
    {"tan", tan, "torch.tan"},
    {"tanh", tanh, "torch.tanh"},
};

/// Functions of one tensor along a dimension that a number names.
struct Along {
    const char* name;
    Tensor (*op)(const Tensor&, std::int64_t);
    const char* python; ///< {0}: the tensor, {1}: the dimension
};
constexpr Along kAlong[] = {
    {"sum", [](const Tensor& x, std::int64_t d) { return sum(x, {d}, true); },
     "{0}.sum({1}, keepdim=True)"},
    {"mean", [](const Tensor& x, std::int64_t d) { return mean(x, {d}, true); },
     "{0}.mean({1}, keepdim=True)"},
    {"amax", [](const Tensor& x, std::int64_t d) { return amax(x, {d}, true); },
     "{0}.amax({1}, keepdim=True)"},
    {"amin", [](const Tensor& x, std::int64_t d) { return amin(x, {d}, true); },
     "{0}.amin({1}, keepdim=True)"},
    {"softmax", softmax, "{0}.softmax({1})"},
    {"cumsum", cumsum, "{0}.cumsum({1})"},
};

enum class Kind { Number, Name, Negate, Binary, Unary, Along, Maximum, Minimum, Clamp, Where };

constexpr const char* kSigns[] = {"+", "-", "*", "/", "**", "<", "<=", ">", ">=", "==", "!="};
enum Sign {
    Plus,
    Minus,
    Times,
    Over,
    Power,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    Unequal
};

} // namespace

struct FormulaNode {
    Kind kind = Kind::Number;
    double value = 0;
    int index = 0; ///< of the name, the sign or the function
    std::vector<std::unique_ptr<FormulaNode>> children{};
};

namespace {

using Node = std::unique_ptr<FormulaNode>;

Node make(Kind kind, int index, std::vector<Node> children) {
    auto node = std::make_unique<FormulaNode>();
    node->kind = kind;
    node->index = index;
    node->children = std::move(children);
    return node;
}
template <class... Children> Node make(Kind kind, int index, Node first, Children... rest) {
    std::vector<Node> children;
    children.push_back(std::move(first));
    (children.push_back(std::move(rest)), ...);
    return make(kind, index, std::move(children));
}

double folded(int sign, double a, double b) {
    switch (sign) {
    case Plus:
        return a + b;
    case Minus:
        return a - b;
    case Times:
        return a * b;
    case Over:
        return a / b;
    case Power:
        return std::pow(a, b);
    default:
        return 0;
    }
}

bool letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool digit(char c) {
    return c >= '0' && c <= '9';
}

class Parser {
  public:
    Parser(std::string_view text, const std::vector<std::string>& names)
        : text_(text), names_(names) {}

    Node whole() {
        if (text_.size() > kLongest)
            throw ValueError(fmt::format("the formula has {} characters, {} are allowed",
                                         text_.size(), kLongest));
        Node node = comparison();
        skip();
        if (at_ < text_.size()) fail(fmt::format("\"{}\" does not belong here", shown(text_[at_])));
        return node;
    }

  private:
    static std::string shown(char c) {
        return c >= ' ' && c <= '~' ? std::string(1, c) : "this character";
    }

    [[noreturn]] void fail(const std::string& what) const { fail_at(at_, what); }
    [[noreturn]] static void fail_at(std::size_t at, const std::string& what) {
        throw ValueError(fmt::format("column {}: {}", at + 1, what));
    }

    void skip() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' ||
                                      text_[at_] == '\n' || text_[at_] == '\r'))
            ++at_;
    }
    bool take(std::string_view what) {
        skip();
        if (text_.substr(at_, what.size()) != what) return false;
        at_ += what.size();
        return true;
    }

    struct Depth {
        explicit Depth(Parser& parser) : parser(parser) {
            if (++parser.depth_ > kDeepest) parser.fail("the formula is nested too deeply");
        }
        ~Depth() { --parser.depth_; }
        Depth(const Depth&) = delete;
        Depth& operator=(const Depth&) = delete;
        Parser& parser;
    };

    Node comparison() {
        const Depth depth(*this);
        Node left = sum();
        for (const int sign : {LessEqual, GreaterEqual, Equal, Unequal, Less, Greater})
            if (take(kSigns[sign])) return make(Kind::Binary, sign, std::move(left), sum());
        return left;
    }

    Node binary(int sign, Node left, Node right) {
        if (left->kind == Kind::Number && right->kind == Kind::Number) {
            left->value = folded(sign, left->value, right->value);
            return left;
        }
        return make(Kind::Binary, sign, std::move(left), std::move(right));
    }

    Node sum() {
        Node left = product();
        while (true) {
            if (take("+"))
                left = binary(Plus, std::move(left), product());
            else if (take("-"))
                left = binary(Minus, std::move(left), product());
            else
                return left;
        }
    }

    Node product() {
        Node left = signed_factor();
        while (true) {
            skip();
            if (text_.substr(at_, 2) == "**") return left;
            if (take("*"))
                left = binary(Times, std::move(left), signed_factor());
            else if (take("/"))
                left = binary(Over, std::move(left), signed_factor());
            else
                return left;
        }
    }

    Node signed_factor() {
        const Depth depth(*this);
        if (take("+")) return signed_factor();
        if (!take("-")) return power();
        Node inner = signed_factor();
        if (inner->kind == Kind::Number) {
            inner->value = -inner->value;
            return inner;
        }
        return make(Kind::Negate, 0, std::move(inner));
    }

    Node power() {
        Node base = atom();
        if (!take("**") && !take("^")) return base;
        return binary(Power, std::move(base), signed_factor()); // binds to the right
    }

    Node atom() {
        skip();
        if (at_ >= text_.size()) fail("the formula ends where a value should be");
        if (take("(")) {
            Node inner = comparison();
            if (!take(")")) fail("a closing bracket is missing");
            return inner;
        }
        const char c = text_[at_];
        if (digit(c) || c == '.') return constant();
        if (letter(c)) return named();
        fail(fmt::format("\"{}\" is no value", shown(c)));
    }

    Node constant() {
        double value = 0;
        const char* const first = text_.data() + at_;
        const auto result = std::from_chars(first, text_.data() + text_.size(), value);
        if (result.ec != std::errc() || !std::isfinite(value)) fail("this is no number");
        at_ += static_cast<std::size_t>(result.ptr - first);
        if (at_ < text_.size() && letter(text_[at_]))
            fail("a sign, such as *, is missing behind the number");
        Node node = make(Kind::Number, 0, std::vector<Node>());
        node->value = value;
        return node;
    }

    Node named() {
        const std::size_t start = at_;
        while (at_ < text_.size() && (letter(text_[at_]) || digit(text_[at_])))
            ++at_;
        const std::string name(text_.substr(start, at_ - start));
        const auto found = std::find(names_.begin(), names_.end(), name);
        if (found != names_.end())
            return make(Kind::Name, static_cast<int>(found - names_.begin()), std::vector<Node>());
        if (name == "pi" || name == "e") {
            Node node = make(Kind::Number, 0, std::vector<Node>());
            node->value = name == "e" ? 2.71828182845904523536 : 3.14159265358979323846;
            return node;
        }
        if (!take("(")) {
            std::string known;
            for (const std::string& one : names_)
                known += (known.empty() ? "" : ", ") + one;
            fail_at(start, fmt::format("there is no input or weight named \"{}\"; there is {}",
                                       name.substr(0, 40), known.empty() ? "none" : known));
        }
        std::vector<Node> arguments;
        if (!take(")")) {
            do
                arguments.push_back(comparison());
            while (take(","));
            if (!take(")")) fail("a closing bracket is missing");
        }
        return function(start, name, std::move(arguments));
    }

    static void need(std::size_t at, const std::string& name, const std::vector<Node>& arguments,
                     std::size_t count) {
        if (arguments.size() != count)
            fail_at(at, fmt::format("{} takes {} value{}, got {}", name, count,
                                    count == 1 ? "" : "s", arguments.size()));
    }

    static Node function(std::size_t at, const std::string& name, std::vector<Node> arguments) {
        for (std::size_t i = 0; i < std::size(kUnary); ++i) {
            if (name != kUnary[i].name) continue;
            need(at, name, arguments, 1);
            if (arguments[0]->kind == Kind::Number) { // worked out once and for all
                const Tensor value = Tensor::full({}, arguments[0]->value, DType::Float64);
                if (!value.has_data())
                    return make(Kind::Unary, static_cast<int>(i), std::move(arguments));
                arguments[0]->value = kUnary[i].op(value).item();
                return std::move(arguments[0]);
            }
            return make(Kind::Unary, static_cast<int>(i), std::move(arguments));
        }
        for (std::size_t i = 0; i < std::size(kAlong); ++i) {
            if (name != kAlong[i].name) continue;
            need(at, name, arguments, 2);
            const FormulaNode& dim = *arguments[1];
            if (dim.kind != Kind::Number || dim.value != std::floor(dim.value) ||
                std::abs(dim.value) > 7 || dim.value == 0)
                fail_at(at, fmt::format("{} needs a dimension as its second value: a whole number, "
                                        "and not 0, which is the batch",
                                        name));
            return make(Kind::Along, static_cast<int>(i), std::move(arguments));
        }
        struct Special {
            const char* name;
            Kind kind;
            std::size_t count;
        };
        for (const Special& special :
             {Special{"max", Kind::Maximum, 2}, Special{"maximum", Kind::Maximum, 2},
              Special{"min", Kind::Minimum, 2}, Special{"minimum", Kind::Minimum, 2},
              Special{"clamp", Kind::Clamp, 3}, Special{"where", Kind::Where, 3}}) {
            if (name != special.name) continue;
            need(at, name, arguments, special.count);
            if (special.kind == Kind::Clamp &&
                (arguments[1]->kind != Kind::Number || arguments[2]->kind != Kind::Number))
                fail_at(at, "clamp needs two numbers behind the value");
            return make(special.kind, 0, std::move(arguments));
        }
        if (name == "pow") {
            need(at, name, arguments, 2);
            return make(Kind::Binary, Power, std::move(arguments));
        }
        fail_at(at, fmt::format("there is no function named \"{}\"", name.substr(0, 40)));
    }

    std::string_view text_;
    const std::vector<std::string>& names_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

// --- computing

Value compute_binary(int sign, const Value& a, const Value& b) {
    if (is_number(a) && is_number(b) && sign <= Power) return folded(sign, number(a), number(b));
    if (is_number(b) && !is_number(a)) {
        const Tensor& x = std::get<Tensor>(a);
        const double n = number(b);
        switch (sign) {
        case Plus:
            return add(x, n);
        case Minus:
            return sub(x, n);
        case Times:
            return mul(x, n);
        case Over:
            return div(x, n);
        case Power:
            return pow(x, n);
        default:
            break;
        }
    }
    if (is_number(a) && !is_number(b)) {
        const Tensor& x = std::get<Tensor>(b);
        if (sign == Plus) return add(x, number(a));
        if (sign == Minus) return rsub(number(a), x);
        if (sign == Times) return mul(x, number(a));
    }
    const Tensor x = tensor(a, b), y = tensor(b, a);
    switch (sign) {
    case Plus:
        return add(x, y);
    case Minus:
        return sub(x, y);
    case Times:
        return mul(x, y);
    case Over:
        return div(x, y);
    case Power:
        return pow(x, y);
    case Less:
        return lt(x, y);
    case LessEqual:
        return le(x, y);
    case Greater:
        return gt(x, y);
    case GreaterEqual:
        return ge(x, y);
    case Equal:
        return eq(x, y);
    default:
        return ne(x, y);
    }
}

Value compute_node(const FormulaNode& node, std::span<const Tensor> values) {
    const auto child = [&](std::size_t i) { return compute_node(*node.children[i], values); };
    const auto as_tensor = [](const Value& value) { return tensor(value, value); };
    switch (node.kind) {
    case Kind::Number:
        return node.value;
    case Kind::Name:
        return values[static_cast<std::size_t>(node.index)];
    case Kind::Negate: {
        const Value x = child(0);
        if (is_number(x)) return -number(x);
        return neg(std::get<Tensor>(x));
    }
    case Kind::Binary:
        return compute_binary(node.index, child(0), child(1));
    case Kind::Unary:
        return kUnary[node.index].op(as_tensor(child(0)));
    case Kind::Along:
        return kAlong[node.index].op(as_tensor(child(0)),
                                     static_cast<std::int64_t>(node.children[1]->value));
    case Kind::Clamp:
        return clamp(as_tensor(child(0)), node.children[1]->value, node.children[2]->value);
    case Kind::Where: {
        const Value condition = child(0), a = child(1), b = child(2);
        const Tensor chosen = as_tensor(condition);
        return where(chosen.dtype() == DType::Bool ? chosen : ne(chosen, 0), tensor(a, b),
                     tensor(b, a));
    }
    default: {
        const Value a = child(0), b = child(1);
        const Tensor x = tensor(a, b), y = tensor(b, a);
        return node.kind == Kind::Maximum ? maximum(x, y) : minimum(x, y);
    }
    }
}

// --- writing

std::string python_number(double value) {
    if (std::isnan(value)) return "float('nan')";
    if (std::isinf(value)) return value > 0 ? "float('inf')" : "float('-inf')";
    std::string text = fmt::format("{}", value);
    if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
    return value < 0 ? "(" + text + ")" : text;
}

std::string python_node(const FormulaNode& node, const std::vector<std::string>& spelled) {
    const auto child = [&](std::size_t i) { return python_node(*node.children[i], spelled); };
    const auto wrapped = [&](std::size_t i) { // functions of tensors do not take numbers
        return node.children[i]->kind == Kind::Number ? "torch.tensor(" + child(i) + ")" : child(i);
    };
    switch (node.kind) {
    case Kind::Number:
        return python_number(node.value);
    case Kind::Name:
        return spelled[static_cast<std::size_t>(node.index)];
    case Kind::Negate:
        return "(-" + child(0) + ")";
    case Kind::Binary:
        return "(" + child(0) + " " + kSigns[node.index] + " " + child(1) + ")";
    case Kind::Unary:
        return std::string(kUnary[node.index].python) + "(" + wrapped(0) + ")";
    case Kind::Along:
        return fmt::format(fmt::runtime(kAlong[node.index].python), wrapped(0),
                           static_cast<int>(node.children[1]->value));
    case Kind::Clamp:
        return "torch.clamp(" + wrapped(0) + ", " + child(1) + ", " + child(2) + ")";
    case Kind::Where: {
        const FormulaNode& condition = *node.children[0];
        const bool test = condition.kind == Kind::Binary && condition.index >= Less;
        return "torch.where(" + (test ? child(0) : "(" + wrapped(0) + " != 0)") + ", " +
               wrapped(1) + ", " + wrapped(2) + ")";
    }
    default:
        return std::string(node.kind == Kind::Maximum ? "torch.maximum(" : "torch.minimum(") +
               wrapped(0) + ", " + wrapped(1) + ")";
    }
}

bool node_uses(const FormulaNode& node, int name) {
    if (node.kind == Kind::Name && node.index == name) return true;
    return std::any_of(node.children.begin(), node.children.end(),
                       [name](const Node& child) { return node_uses(*child, name); });
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ')
        text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ')
        text.remove_suffix(1);
    return text;
}

void check_name(std::string_view name, const std::string& what,
                const std::vector<std::string>& others) {
    const bool good =
        !name.empty() && name.size() <= 40 && letter(name[0]) &&
        std::all_of(name.begin(), name.end(), [](char c) { return letter(c) || digit(c); });
    if (!good)
        throw ValueError(fmt::format("{}: \"{}\" is no name; letters, digits and _ make one", what,
                                     name.substr(0, 40)));
    if (std::find(others.begin(), others.end(), name) != others.end())
        throw ValueError(fmt::format("{}: \"{}\" is named twice", what, name));
}

} // namespace

Formula Formula::parse(std::string_view text, const std::vector<std::string>& names) {
    Formula formula;
    formula.root_ = std::shared_ptr<const FormulaNode>(Parser(text, names).whole());
    return formula;
}

Tensor Formula::compute(std::span<const Tensor> values) const {
    const Value result = compute_node(*root_, values);
    return is_number(result) ? Tensor::full({}, number(result), DType::Float32)
                             : std::get<Tensor>(result);
}

std::string Formula::python(const std::vector<std::string>& spelled) const {
    return python_node(*root_, spelled);
}

bool Formula::uses(int name) const {
    return node_uses(*root_, name);
}

std::vector<std::string> parse_names(std::string_view text, const std::string& what) {
    std::vector<std::string> names;
    while (true) {
        const std::size_t comma = text.find(',');
        const std::string_view name = trimmed(text.substr(0, comma));
        check_name(name, what, names);
        names.emplace_back(name);
        if (comma == std::string_view::npos) return names;
        text.remove_prefix(comma + 1);
    }
}

std::vector<std::pair<std::string, double>> parse_settings(std::string_view text) {
    std::vector<std::pair<std::string, double>> settings;
    std::vector<std::string> names;
    if (trimmed(text).empty()) return settings;
    while (true) {
        const std::size_t comma = text.find(',');
        const std::string_view one = text.substr(0, comma);
        const std::size_t equals = one.find('=');
        const std::string_view name = trimmed(one.substr(0, equals));
        check_name(name, "weights", names);
        double value = 1;
        if (equals != std::string_view::npos) {
            const std::string_view digits = trimmed(one.substr(equals + 1));
            const auto result =
                std::from_chars(digits.data(), digits.data() + digits.size(), value);
            if (result.ec != std::errc() || result.ptr != digits.data() + digits.size() ||
                !std::isfinite(value))
                throw ValueError(fmt::format("weights: \"{}\" is no number", digits.substr(0, 40)));
        }
        names.emplace_back(name);
        settings.emplace_back(std::string(name), value);
        if (comma == std::string_view::npos) return settings;
        text.remove_prefix(comma + 1);
    }
}

std::string formula_functions() {
    std::string text;
    for (const Unary& one : kUnary)
        text += (text.empty() ? "" : ", ") + std::string(one.name);
    return text + ", max, min, clamp, where, pow; sum, mean, amax, amin, softmax and cumsum with a "
                  "dimension";
}

} // namespace wiregrad::graph
