#include "nodes/export/source.h"

namespace wiregrad::graph {

void SourceText::line(const std::string& text, const std::string& node) {
    lines_.push_back(text);
    nodes_.push_back(node);
}

void SourceText::block(std::string_view text,
                       const std::vector<std::pair<std::string, std::string>>& words,
                       const std::string& node) {
    std::string whole(text);
    for (const auto& [name, value] : words) {
        const std::string mark = "@" + name + "@";
        for (std::size_t at = whole.find(mark); at != std::string::npos;
             at = whole.find(mark, at + value.size()))
            whole.replace(at, mark.size(), value);
    }
    if (!whole.empty() && whole.back() == '\n') whole.pop_back();
    std::size_t start = 0;
    for (;;) {
        const std::size_t end = whole.find('\n', start);
        line(whole.substr(start, end - start), node);
        if (end == std::string::npos) return;
        start = end + 1;
    }
}

std::string SourceText::text() const {
    std::string result;
    for (const std::string& line : lines_)
        result += line + "\n";
    return result;
}

} // namespace wiregrad::graph
