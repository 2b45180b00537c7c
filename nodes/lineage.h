// Who is who while a graph is edited: every node that runs has a number that it keeps when it is
// grouped, ungrouped or repeated, and gets back when its removal is undone. By it trained weights
// find their layer again. Thread of the graph.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "nodes/edit.h"
#include "nodes/flatten.h"

namespace wiregrad::graph {

/// Paths of unfolded nodes after `edit`, and which node before it each of them was; new ones are
/// missing. Repetitions that share weights count as the one that owns them.
std::map<std::string, std::string> came_from(const Graph& before, const Edit& edit,
                                             const Graph& after);

/// Whether the edit carries nodes to other places of the graph.
bool moves_nodes(const Edit& edit);

class Lineage {
  public:
    using Numbers = std::map<std::string, std::uint64_t>; ///< by path of an unfolded node

    Lineage() = default;
    explicit Lineage(const Graph& graph);
    /// `after` is what came of it. `command`: any number of the undo step, the same for the edit,
    /// its undoing and its redoing: what one of them removed, the next brings back.
    void follow(const Edit& edit, const Graph& after, std::uint64_t command);
    const Numbers& numbers() const { return numbers_; }

    /// What there is to know of an unfolded graph for this.
    struct Outline {
        std::map<std::string, std::string> types;       ///< of nodes, by path
        std::map<std::string, std::string> definitions; ///< of groups, by path
        std::map<std::string, std::string> shared;      ///< as in Flat
    };

  private:
    Outline outline_;
    Numbers numbers_;
    std::map<std::pair<std::uint64_t, std::string>, std::uint64_t> removed_; ///< by command, path
    std::uint64_t next_ = 1;
};

} // namespace wiregrad::graph
