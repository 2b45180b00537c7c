// Generated source as lines that know which node they came from: a preview selects the node of a
// line and the lines of a node. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wiregrad::graph {

class SourceText {
  public:
    /// One line; `node` is the id it speaks of.
    void line(const std::string& text, const std::string& node = {});
    /// Several lines; a newline at the end is not needed. @NAME@ is replaced from `words`.
    void block(std::string_view text,
               const std::vector<std::pair<std::string, std::string>>& words = {},
               const std::string& node = {});
    std::string text() const;
    const std::vector<std::string>& lines() const { return lines_; }
    const std::vector<std::string>& nodes() const { return nodes_; } ///< one a line

  private:
    std::vector<std::string> lines_, nodes_;
};

} // namespace wiregrad::graph
