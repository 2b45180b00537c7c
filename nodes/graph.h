// The wired network as a value: nodes, wires, groups, training settings. Addressed by string ids,
// never by index. Changed only through Edits (nodes/edit.h). One thread; copies are independent.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nodes/node_type.h"

namespace wiregrad::graph {

/// How deep groups may stand in groups.
inline constexpr int kMaxNesting = 64;

struct Position {
    double x = 0, y = 0; ///< canvas units, the node's top left corner
    bool operator==(const Position&) const = default;
};

struct Node {
    std::string id;   ///< stable, unique on its sheet, [a-z0-9_]+: "conv1"; prefix of its weights
    std::string type; ///< NodeType::id; may be unknown to this version
    int version = 1;
    std::string name; ///< what a person calls it; empty: the type's label
    Params params;    ///< all parameters; for unknown types as read
    Position position;
    bool muted = false; ///< left out of the run, when shapes allow passed through
    bool collapsed = false;
    bool pinned = false; ///< the automatic layout leaves it where it is
    std::string group;   ///< of a Group: the definition it is an instance of
    std::string extra;   ///< unknown keys of the file as JSON text, preserved
    bool operator==(const Node&) const = default;
};

struct Wire {
    std::string from, from_port; ///< node id, output port id
    std::string to, to_port;     ///< node id, input port id
    auto operator<=>(const Wire&) const = default;
    std::string str() const; ///< "conv1.out -> relu1.in"
};

/// How the graph is trained; in the project file beside the graph.
struct Training {
    std::int64_t epochs = 10;
    std::int64_t batch_size = 64;
    std::uint64_t seed = 0;
    std::string device = "auto"; ///< auto | cpu | cuda
    bool operator==(const Training&) const = default;
};

struct Definition;
using Definitions = std::map<std::string, std::shared_ptr<const Definition>>;

class Graph {
  public:
    const std::map<std::string, Node>& nodes() const { return nodes_; }
    /// Null when there is no such node.
    const Node* node(const std::string& id) const;
    /// By id, or by a name that only one node has (command line).
    const Node* find(const std::string& id_or_name) const;
    const std::vector<Wire>& wires() const { return wires_; } ///< in the order wired
    std::vector<Wire> wires_into(const std::string& node) const;
    std::vector<Wire> wires_out_of(const std::string& node) const;
    /// Where a wire is bent on the canvas; empty: drawn by itself.
    const std::vector<Position>& bends(const Wire& wire) const;
    const std::map<Wire, std::vector<Position>>& all_bends() const { return bends_; }
    const Training& training() const { return training_; }
    const std::string& title() const { return title_; }
    const std::string& description() const {
        return description_;
    }                                                   ///< Markdown, shown in the gallery
    const std::string& extra() const { return extra_; } ///< unknown keys of the file

    // --- groups (nodes/group.h builds and takes them apart)

    const Definitions& definitions() const { return definitions_; }
    const Definition* definition(const std::string& id) const; ///< null: none
    /// What a node is: its declared type; of a group, what its definition makes of it. Null:
    /// unknown. Lives as long as the definition.
    const NodeType* type_of(const Node& node) const;
    const NodeType*
    type_of(const std::string& node) const; ///< null also when there is no such node
    /// The inside of a definition as a graph of its own, that knows the same definitions. Empty id:
    /// a copy of this graph. Throws ValueError when there is none.
    Graph sheet(const std::string& definition) const;
    /// The definition whose inside this is; empty: a whole project.
    const std::string& sheet_id() const { return sheet_; }

    /// "conv1", "conv2", ...: free, derived from the type.
    std::string fresh_id(const std::string& type) const;
    /// Node ids so that each comes after what feeds it; nodes on a cycle are left out.
    std::vector<std::string> topological_order() const;
    /// Whether a wire from `from` to `to` would close a cycle.
    bool reaches(const std::string& from, const std::string& to) const;
    /// Throws Error when an invariant is broken: dangling wire, two wires on a single input, key !=
    /// id, a group in itself (tests, after each edit). Looks at every sheet.
    void check_consistency() const;
    bool operator==(const Graph& other) const;

  private:
    friend struct GraphAccess; // nodes/edit.cpp and nodes/project.cpp
    std::map<std::string, Node> nodes_;
    std::vector<Wire> wires_;
    std::map<Wire, std::vector<Position>> bends_;
    Training training_;
    std::string title_, description_, extra_, sheet_;
    Definitions definitions_;
};

/// An inner parameter that a group shows among its own.
struct Exposed {
    std::string id;          ///< of the group's parameter
    std::string node, param; ///< the inner place; shown only while it exists
    std::string label;       ///< empty: the inner label
    bool operator==(const Exposed&) const = default;
};

/// What one or several Group nodes hold. Its ports are the GroupInput and GroupOutput nodes of its
/// body; ids of ports are theirs.
struct Definition {
    std::string id, name, help;
    std::vector<Exposed> exposed;
    Graph body;
    std::string extra;                    ///< unknown keys of the file
    std::shared_ptr<const NodeType> type; ///< what an instance looks like (GraphAccess::put)
    bool operator==(const Definition& other) const;
};

} // namespace wiregrad::graph
