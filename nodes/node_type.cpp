#include "nodes/node_type.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_map>

#include "engine/core/error.h"
#include "nodes/graph_access.h"
#include "nodes/types/types.h"

namespace wiregrad::graph {

namespace {

constexpr double kUnlimited = 1e300;

/// A number as a person writes it: whole numbers without a point.
std::string number_text(double value) {
    char buffer[32];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
    return {buffer, end};
}

std::string check_number(const ParamSpec& spec, double value, const std::string& what) {
    if (!std::isfinite(value))
        return fmt::format("{} must be a finite number, got {}", what, number_text(value));
    if (spec.min > -kUnlimited && (spec.min_excluded ? value <= spec.min : value < spec.min))
        return fmt::format("{} must be {} {}, got {}", what,
                           spec.min_excluded ? "above" : "at least", number_text(spec.min),
                           number_text(value));
    if (spec.max < kUnlimited && (spec.max_excluded ? value >= spec.max : value > spec.max))
        return fmt::format("{} must be {} {}, got {}", what,
                           spec.max_excluded ? "below" : "at most", number_text(spec.max),
                           number_text(value));
    return {};
}

const char* kind_words(ParamKind kind) {
    switch (kind) {
    case ParamKind::Bool:
        return "true or false";
    case ParamKind::Int:
        return "a whole number";
    case ParamKind::Real:
        return "a number";
    case ParamKind::Choice:
        return "one of its choices";
    case ParamKind::Text:
    case ParamKind::Path:
        return "text";
    case ParamKind::IntList:
        return "a list of whole numbers";
    }
    return "";
}

std::string choice_list(const ParamSpec& spec) {
    std::string list;
    for (const Choice& choice : spec.choices)
        list += (list.empty() ? "" : ", ") + choice.value;
    return list;
}

/// Arithmetic as typed into a number field: + - * / and parentheses.
class Calculator {
  public:
    Calculator(const ParamSpec& spec, std::string_view text) : spec_(spec), text_(text) {}

    double value() {
        const double result = sum(0);
        skip_spaces();
        if (at_ != text_.size()) fail();
        return result;
    }

  private:
    static constexpr int kMaxDepth = 32;

    [[noreturn]] void fail() const {
        throw ValueError(
            fmt::format("{} must be {}, got \"{}\"", spec_.id, kind_words(spec_.kind), text_));
    }
    void skip_spaces() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t'))
            ++at_;
    }
    bool take(char wanted) {
        skip_spaces();
        if (at_ >= text_.size() || text_[at_] != wanted) return false;
        ++at_;
        return true;
    }
    double sum(int depth) {
        double result = product(depth);
        while (true) {
            if (take('+'))
                result += product(depth);
            else if (take('-'))
                result -= product(depth);
            else
                return result;
        }
    }
    double product(int depth) {
        double result = factor(depth);
        while (true) {
            if (take('*'))
                result *= factor(depth);
            else if (take('/'))
                result /= factor(depth);
            else
                return result;
        }
    }
    double factor(int depth) {
        if (depth > kMaxDepth) fail();
        if (take('-')) return -factor(depth + 1);
        if (take('+')) return factor(depth + 1);
        if (take('(')) {
            const double result = sum(depth + 1);
            if (!take(')')) fail();
            return result;
        }
        skip_spaces();
        double result = 0;
        const auto [end, code] =
            std::from_chars(text_.data() + at_, text_.data() + text_.size(), result);
        if (code != std::errc{}) fail();
        at_ = static_cast<std::size_t>(end - text_.data());
        return result;
    }

    const ParamSpec& spec_;
    std::string_view text_;
    std::size_t at_ = 0;
};

std::int64_t whole(const ParamSpec& spec, std::string_view text) {
    // A plain integer is read exactly: a double would round past 2^53.
    std::int64_t exact = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), exact);
    if (code == std::errc{} && end == text.data() + text.size()) return exact;
    const double value = Calculator(spec, text).value();
    if (!(std::abs(value) <= 9007199254740992.0) || value != std::floor(value))
        throw ValueError(
            fmt::format("{} must be {}, got \"{}\"", spec.id, kind_words(spec.kind), text));
    return static_cast<std::int64_t>(value);
}

std::string trimmed(const std::string& text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// Whether the bracket that opens `text` is closed by its last character.
bool enclosed(const std::string& text) {
    if (text.size() < 2 || (text.front() != '[' && text.front() != '(')) return false;
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '[' || text[i] == '(')
            ++depth;
        else if (text[i] == ']' || text[i] == ')')
            --depth;
        if (depth == 0) return i + 1 == text.size();
    }
    return false;
}

std::vector<std::int64_t> parse_list(const ParamSpec& spec, std::string text) {
    if (enclosed(text)) text = trimmed(text.substr(1, text.size() - 2));
    std::vector<std::int64_t> values;
    if (text.empty()) return values;
    std::size_t start = 0;
    int depth = 0;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        if (i < text.size() && text[i] == '(') ++depth;
        if (i < text.size() && text[i] == ')') --depth;
        if (i == text.size() || (text[i] == ',' && depth == 0)) {
            values.push_back(whole(spec, trimmed(text.substr(start, i - start))));
            start = i + 1;
        }
    }
    return values;
}

std::vector<NodeType> gather_types() {
    std::vector<NodeType> all;
    for (const auto& family : types::families()) {
        std::vector<NodeType> some = family();
        all.insert(all.end(), std::make_move_iterator(some.begin()),
                   std::make_move_iterator(some.end()));
    }
    const auto rank = [](const NodeType& type) {
        return std::find(std::begin(kCategories), std::end(kCategories), type.category) -
               std::begin(kCategories);
    };
    std::stable_sort(all.begin(), all.end(),
                     [&](const NodeType& a, const NodeType& b) { return rank(a) < rank(b); });
    return all;
}

} // namespace

const ParamSpec* NodeType::param(const std::string& name) const {
    const auto it = std::find_if(params.begin(), params.end(),
                                 [&](const ParamSpec& spec) { return spec.id == name; });
    return it == params.end() ? nullptr : &*it;
}

const PortSpec* NodeType::input(const std::string& name) const {
    const auto it = std::find_if(inputs.begin(), inputs.end(),
                                 [&](const PortSpec& port) { return port.id == name; });
    return it == inputs.end() ? nullptr : &*it;
}

const PortSpec* NodeType::output(const std::string& name) const {
    const auto it = std::find_if(outputs.begin(), outputs.end(),
                                 [&](const PortSpec& port) { return port.id == name; });
    return it == outputs.end() ? nullptr : &*it;
}

namespace {

const ParamValue& value_of(const Params& params, const std::string& id) {
    const auto it = params.find(id);
    if (it == params.end()) throw ValueError(fmt::format("there is no parameter \"{}\"", id));
    return it->second;
}

template <class T> const T& value_as(const Params& params, const std::string& id) {
    const T* value = std::get_if<T>(&value_of(params, id));
    if (!value) throw ValueError(fmt::format("parameter \"{}\" has the wrong kind of value", id));
    return *value;
}

} // namespace

bool BuildContext::flag(const std::string& id) const {
    return value_as<bool>(params, id);
}
std::int64_t BuildContext::integer(const std::string& id) const {
    return value_as<std::int64_t>(params, id);
}
double BuildContext::real(const std::string& id) const {
    return value_as<double>(params, id);
}
const std::string& BuildContext::text(const std::string& id) const {
    return value_as<std::string>(params, id);
}
Dims BuildContext::dims(const std::string& id) const {
    return Dims(std::span<const std::int64_t>(value_as<std::vector<std::int64_t>>(params, id)));
}

std::span<const NodeType> node_types() {
    static const std::vector<NodeType> all = gather_types();
    return all;
}

const NodeType* find_type(const std::string& id) {
    static const auto index = [] {
        std::unordered_map<std::string, const NodeType*> map;
        for (const NodeType& type : node_types())
            map.emplace(type.id, &type);
        return map;
    }();
    const auto it = index.find(id);
    return it == index.end() ? nullptr : it->second;
}

Params default_params(const NodeType& type) {
    Params params;
    for (const ParamSpec& spec : type.params)
        params.emplace(spec.id, spec.standard);
    return params;
}

bool kinds_fit(PortKind from, PortKind to) {
    return from == to || (from == PortKind::Labels && to == PortKind::Tensor);
}

ParamValue conform(const ParamSpec& spec, const ParamValue& value) {
    if (spec.kind == ParamKind::Real)
        if (const auto* whole_number = std::get_if<std::int64_t>(&value))
            return static_cast<double>(*whole_number);
    if (spec.kind == ParamKind::Int)
        if (const auto* number = std::get_if<double>(&value))
            if (std::abs(*number) <= 9007199254740992.0 && *number == std::floor(*number))
                return static_cast<std::int64_t>(*number);
    if (spec.kind == ParamKind::IntList)
        if (const auto* single = std::get_if<std::int64_t>(&value))
            return std::vector<std::int64_t>(static_cast<std::size_t>(std::max(spec.list_min, 1)),
                                             *single);
    return value;
}

std::string check_value(const ParamSpec& spec, const ParamValue& given) {
    const ParamValue value = conform(spec, given);
    const auto wrong_kind = [&] {
        return fmt::format("{} must be {}, got \"{}\"", spec.id, kind_words(spec.kind),
                           value_text(value));
    };
    switch (spec.kind) {
    case ParamKind::Bool:
        return std::holds_alternative<bool>(value) ? std::string() : wrong_kind();
    case ParamKind::Int: {
        const auto* number = std::get_if<std::int64_t>(&value);
        return number ? check_number(spec, static_cast<double>(*number), spec.id) : wrong_kind();
    }
    case ParamKind::Real: {
        const auto* number = std::get_if<double>(&value);
        return number ? check_number(spec, *number, spec.id) : wrong_kind();
    }
    case ParamKind::Choice: {
        const auto* text = std::get_if<std::string>(&value);
        const bool known =
            text && std::any_of(spec.choices.begin(), spec.choices.end(),
                                [&](const Choice& choice) { return choice.value == *text; });
        if (known) return {};
        return fmt::format("{} must be one of {}, got \"{}\"", spec.id, choice_list(spec),
                           value_text(value));
    }
    case ParamKind::Text:
    case ParamKind::Path: {
        const auto* text = std::get_if<std::string>(&value);
        if (!text) return wrong_kind();
        return valid_utf8(*text) ? std::string() : fmt::format("{} must be UTF-8 text", spec.id);
    }
    case ParamKind::IntList: {
        const auto* list = std::get_if<std::vector<std::int64_t>>(&value);
        if (!list) return wrong_kind();
        const int count = static_cast<int>(std::min<std::size_t>(list->size(), 1000));
        if (count < spec.list_min || count > spec.list_max) {
            if (spec.list_min == spec.list_max)
                return fmt::format("{} must have {} numbers, got {}", spec.id, spec.list_min,
                                   count);
            return fmt::format("{} must have {} to {} numbers, got {}", spec.id, spec.list_min,
                               spec.list_max, count);
        }
        for (int i = 0; i < count; ++i) {
            const double element = static_cast<double>((*list)[static_cast<std::size_t>(i)]);
            if (auto text = check_number(spec, element, fmt::format("{}[{}]", spec.id, i));
                !text.empty())
                return text;
        }
        return {};
    }
    }
    return {};
}

ParamValue parse_value(const ParamSpec& spec, const std::string& typed) {
    const std::string text = trimmed(typed);
    ParamValue value;
    if (text.size() > 4096)
        throw ValueError(fmt::format("{} is too long ({} characters)", spec.id, text.size()));
    switch (spec.kind) {
    case ParamKind::Bool: {
        std::string lower = text;
        std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        if (lower == "true" || lower == "yes" || lower == "on" || lower == "1")
            value = true;
        else if (lower == "false" || lower == "no" || lower == "off" || lower == "0")
            value = false;
        else
            throw ValueError(fmt::format("{} must be true or false, got \"{}\"", spec.id, text));
        break;
    }
    case ParamKind::Int:
        value = whole(spec, text);
        break;
    case ParamKind::Real:
        value = Calculator(spec, text).value();
        break;
    case ParamKind::Choice: {
        value = text;
        for (const Choice& choice : spec.choices)
            if (choice.label == text) value = choice.value;
        break;
    }
    case ParamKind::Text:
    case ParamKind::Path:
        value = typed;
        break;
    case ParamKind::IntList: {
        std::vector<std::int64_t> list = parse_list(spec, text);
        if (list.size() == 1 && spec.list_min > 1)
            list.assign(static_cast<std::size_t>(spec.list_min), list[0]);
        value = std::move(list);
        break;
    }
    }
    if (auto problem = check_value(spec, value); !problem.empty()) throw ValueError(problem);
    return value;
}

std::string value_text(const ParamValue& value) {
    struct Visitor {
        std::string operator()(bool flag) const { return flag ? "true" : "false"; }
        std::string operator()(std::int64_t number) const { return std::to_string(number); }
        std::string operator()(double number) const { return number_text(number); }
        std::string operator()(const std::string& text) const { return text; }
        std::string operator()(const std::vector<std::int64_t>& list) const {
            std::string text;
            for (std::int64_t element : list)
                text += (text.empty() ? "" : ",") + std::to_string(element);
            return text;
        }
    };
    return std::visit(Visitor{}, value);
}

std::string real_text(double value) {
    std::string text = number_text(value);
    if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
    return text;
}

} // namespace wiregrad::graph
