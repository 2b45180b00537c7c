// Einstein sums: labels are brought into line with views, then pairs of operands are contracted by
// batched matrix products.
#include <algorithm>
#include <string>

#include "engine/core/error.h"
#include "engine/op/tensor_ops.h"

namespace wiregrad {
namespace {

/// An operand and the label of each of its dimensions; those of "..." are '0', '1', ... from the
/// right.
struct Term {
    std::string labels;
    Tensor tensor;
};

[[noreturn]] void refuse(std::string_view equation, const std::string& what) {
    throw ValueError("einsum \"" + std::string(equation) + "\": " + what + ".");
}

bool is_label(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Labels of one side of a comma, with "..." replaced by '.'.
std::string labels_of(std::string_view equation, std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == ' ') continue;
        if (is_label(text[i])) {
            result += text[i];
        } else if (text.substr(i, 3) == "..." && result.find('.') == std::string::npos) {
            result += '.';
            i += 2;
        } else {
            refuse(equation, "\"" + std::string(1, text[i]) + "\" at column " +
                                 std::to_string(i + 1) + " is no label");
        }
    }
    return result;
}

std::string with_ellipsis(std::string labels, int hidden) {
    const std::size_t dots = labels.find('.');
    if (dots == std::string::npos) return labels;
    std::string filled;
    for (int i = hidden - 1; i >= 0; --i)
        filled += static_cast<char>('0' + i);
    return labels.replace(dots, 1, filled);
}

/// The term with each label once: repeated ones become a diagonal.
Term without_repeats(std::string_view equation, Term term) {
    for (std::size_t i = 0; i < term.labels.size(); ++i) {
        const std::size_t again = term.labels.find(term.labels[i], i + 1);
        if (again == std::string::npos) continue;
        const auto a = static_cast<int>(i), b = static_cast<int>(again);
        if (term.tensor.size(a) != term.tensor.size(b))
            refuse(equation, std::string("label ") + term.labels[i] + " has the sizes " +
                                 std::to_string(term.tensor.size(a)) + " and " +
                                 std::to_string(term.tensor.size(b)) + " in one operand");
        term.tensor = diagonal(term.tensor, 0, a, b); // at the end
        const char label = term.labels[i];
        term.labels.erase(again, 1);
        term.labels.erase(i, 1);
        term.labels += label;
        --i;
    }
    return term;
}

Term reordered(const Term& term, const std::string& labels) {
    Dims order;
    for (const char label : labels)
        order.push_back(static_cast<std::int64_t>(term.labels.find(label)));
    return {labels, order.empty() ? term.tensor : permute(term.tensor, order)};
}

Term summed(const Term& term, const std::string& needed) {
    Dims gone;
    std::string left;
    for (std::size_t i = 0; i < term.labels.size(); ++i) {
        if (needed.find(term.labels[i]) == std::string::npos)
            gone.push_back(static_cast<std::int64_t>(i));
        else
            left += term.labels[i];
    }
    return gone.empty() ? term : Term{left, sum(term.tensor, gone)};
}

std::int64_t size_of_label(const Term& term, char label) {
    const std::size_t at = term.labels.find(label);
    return at == std::string::npos ? 1 : term.tensor.size(static_cast<std::int64_t>(at));
}

/// The product of two terms, summed over what is needed no more.
Term contracted(const Term& a, const Term& b, const std::string& needed) {
    std::string batch, left, right, inner;
    for (const char label : a.labels) {
        const bool shared = b.labels.find(label) != std::string::npos;
        const bool kept = needed.find(label) != std::string::npos;
        (shared ? (kept ? batch : inner) : left) += label;
    }
    for (const char label : b.labels)
        if (a.labels.find(label) == std::string::npos) right += label;
    // A size of 1 stretches to the other operand's.
    Shape batch_shape, inner_shape, left_shape, right_shape;
    for (const char label : batch)
        batch_shape.push_back(std::max(size_of_label(a, label), size_of_label(b, label)));
    for (const char label : inner)
        inner_shape.push_back(std::max(size_of_label(a, label), size_of_label(b, label)));
    for (const char label : left)
        left_shape.push_back(size_of_label(a, label));
    for (const char label : right)
        right_shape.push_back(size_of_label(b, label));
    const auto stretched = [&](const Term& term, const std::string& labels, const Shape& first,
                               const Shape& second, const Shape& third) {
        Shape whole = first;
        for (const std::int64_t size : second)
            whole.push_back(size);
        for (const std::int64_t size : third)
            whole.push_back(size);
        const Tensor wide = expand(reordered(term, labels).tensor, whole);
        return reshape(wide, {numel(first), numel(second), numel(third)});
    };
    const Tensor x = stretched(a, batch + left + inner, batch_shape, left_shape, inner_shape);
    const Tensor y = stretched(b, batch + inner + right, batch_shape, inner_shape, right_shape);
    Shape whole = batch_shape;
    for (const Shape& more : {left_shape, right_shape})
        for (const std::int64_t size : more)
            whole.push_back(size);
    // Without anything to sum over, a product of elements is exact and quick.
    const Tensor product = inner.empty() ? mul(x, y) : matmul(x, y);
    return {batch + left + right, reshape(product, whole)};
}

} // namespace

Tensor einsum(std::string_view equation, std::span<const Tensor> operands) {
    if (operands.empty()) refuse(equation, "there are no operands");
    const std::size_t arrow = equation.find("->");
    std::string_view inputs = equation.substr(0, arrow);
    std::vector<Term> terms;
    int hidden = 0;
    for (std::size_t i = 0; i < operands.size(); ++i) {
        const std::size_t comma = inputs.find(',');
        if ((comma == std::string_view::npos) != (i + 1 == operands.size()))
            refuse(equation, "it names another number of operands than the " +
                                 std::to_string(operands.size()) + " given");
        terms.push_back({labels_of(equation, inputs.substr(0, comma)), operands[i]});
        const int named = static_cast<int>(
            std::count_if(terms[i].labels.begin(), terms[i].labels.end(), is_label));
        const bool dots = terms[i].labels.find('.') != std::string::npos;
        if (dots ? named > operands[i].dim() : named != operands[i].dim())
            refuse(equation, "operand " + std::to_string(i) + " has the shape " +
                                 operands[i].shape().str() + ", which does not fit \"" +
                                 std::string(inputs.substr(0, comma)) + "\"");
        if (dots) hidden = std::max(hidden, operands[i].dim() - named);
        if (comma != std::string_view::npos) inputs.remove_prefix(comma + 1);
    }
    std::string seen;
    for (Term& term : terms) {
        const auto named =
            static_cast<int>(std::count_if(term.labels.begin(), term.labels.end(), is_label));
        term.labels = with_ellipsis(term.labels, term.tensor.dim() - named);
        seen += term.labels;
    }
    std::string output;
    if (arrow == std::string_view::npos) { // labels that occur once, in order
        for (int i = hidden - 1; i >= 0; --i)
            output += static_cast<char>('0' + i);
        std::string sorted = seen;
        std::sort(sorted.begin(), sorted.end());
        for (const char label : sorted)
            if (is_label(label) && std::count(sorted.begin(), sorted.end(), label) == 1)
                output += label;
    } else {
        output = with_ellipsis(labels_of(equation, equation.substr(arrow + 2)), hidden);
    }
    for (std::size_t i = 0; i < output.size(); ++i) {
        if (output.find(output[i], i + 1) != std::string::npos)
            refuse(equation, std::string("the output names ") + output[i] + " twice");
        if (seen.find(output[i]) == std::string::npos)
            refuse(equation,
                   std::string("the output names ") + output[i] + ", which no operand has");
    }
    for (Term& term : terms)
        term = without_repeats(equation, std::move(term));
    for (const char label : seen) {
        std::int64_t size = 1;
        for (const Term& term : terms) {
            const std::int64_t other = size_of_label(term, label);
            if (size != 1 && other != 1 && size != other)
                refuse(equation, std::string("label ") + label + " has the sizes " +
                                     std::to_string(size) + " and " + std::to_string(other));
            size = std::max(size, other);
        }
    }
    const auto needed_after = [&](std::size_t next) {
        std::string needed = output;
        for (std::size_t i = next; i < terms.size(); ++i)
            needed += terms[i].labels;
        return needed;
    };
    Term result = summed(terms[0], needed_after(1));
    for (std::size_t i = 1; i < terms.size(); ++i) {
        const std::string later = needed_after(i + 1);
        const Term next = summed(terms[i], later + result.labels);
        result = contracted(summed(result, later + next.labels), next, later);
    }
    result = summed(result, output);
    return reordered(result, output).tensor;
}

} // namespace wiregrad
