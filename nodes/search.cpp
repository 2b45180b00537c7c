// The palette's search: a few letters of a name, or another name for the same thing.
#include <algorithm>
#include <string_view>

#include "nodes/node_type.h"

namespace wiregrad::graph {

namespace {

bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}
bool is_alnum(char c) {
    return (c >= 'a' && c <= 'z') || is_upper(c) || (c >= '0' && c <= '9');
}
char lower(char c) {
    return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
}

/// A name without spaces and case, and which of its letters begin a word.
struct Folded {
    std::string text;
    std::vector<bool> starts;

    explicit Folded(std::string_view name) {
        char before = ' ';
        for (const char c : name) {
            if (is_alnum(c)) {
                text += lower(c);
                starts.push_back(!is_alnum(before) || (is_upper(c) && !is_upper(before)));
            }
            before = c;
        }
    }
};

/// 0: no match; 100: the very name. A match at the beginning beats one at a later word, that beats
/// initials, those beat letters somewhere in order.
double match(const std::string& wanted, const Folded& name) {
    if (name.text == wanted) return 100;
    const double rest =
        std::min(9.0, 0.5 * static_cast<double>(name.text.size() -
                                                std::min(wanted.size(), name.text.size())));
    if (const auto at = name.text.find(wanted); at != std::string::npos) {
        if (at == 0) return 90 - rest;
        for (auto i = at; i != std::string::npos; i = name.text.find(wanted, i + 1))
            if (name.starts[i]) return 70 - rest;
        return 45 - rest;
    }
    // Letters in order; each begins a word or follows the letter before it, or costs.
    double score = 40;
    std::size_t at = 0;
    bool first = true, initials = true;
    for (const char c : wanted) {
        std::size_t found = std::string::npos;
        if (!first && at < name.text.size() && name.text[at] == c)
            found = at, initials = initials && name.starts[at];
        for (std::size_t i = at; found == std::string::npos && i < name.text.size(); ++i)
            if (name.text[i] == c && name.starts[i]) found = i;
        if (found == std::string::npos) {
            found = name.text.find(c, at);
            if (found == std::string::npos) return 0;
            score -= 6;
            initials = false;
        }
        if (first && found != 0) score -= 6;
        first = false;
        at = found + 1;
    }
    return std::max(score + (initials ? 15 : 0) - rest, 1.0);
}

} // namespace

std::vector<SearchHit> search_types(const std::string& text,
                                    const std::vector<std::string>& recents) {
    const std::string wanted = Folded(text).text;
    std::vector<SearchHit> hits;
    for (const NodeType& type : node_types()) {
        double score = wanted.empty() ? 1 : match(wanted, Folded(type.label));
        if (!wanted.empty()) {
            for (const std::string& synonym : type.synonyms)
                score = std::max(score, 0.95 * match(wanted, Folded(synonym)));
            if (const double category = match(wanted, Folded(type.category)); category >= 80)
                score = std::max(score, 0.4 * category);
        }
        // A few letters scattered over a long name are chance, not a match.
        if (score < (wanted.empty() ? 0.5 : 12)) continue;
        const auto recent = std::find(recents.begin(), recents.end(), type.id);
        if (recent != recents.end()) {
            const double rank = static_cast<double>(recent - recents.begin());
            score += wanted.empty() ? 1000 - rank : std::max(0.0, 8 - rank);
        }
        hits.push_back({&type, score});
    }
    std::stable_sort(hits.begin(), hits.end(),
                     [](const SearchHit& a, const SearchHit& b) { return a.score > b.score; });
    return hits;
}

} // namespace wiregrad::graph
