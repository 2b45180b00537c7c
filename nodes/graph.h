// The wired network as a value: nodes, wires, training settings. Addressed by string ids, never by
// index. Changed only through Edits (nodes/edit.h). Belongs to one thread; copies are independent.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "nodes/node_type.h"

namespace wiregrad::graph {

struct Position {
    double x = 0, y = 0; ///< canvas units, the node's top left corner
    bool operator==(const Position&) const = default;
};

struct Node {
    std::string id;   ///< stable, unique, [a-z0-9_]+: "conv1"; also the prefix of its weights
    std::string type; ///< NodeType::id; may be unknown to this version
    int version = 1;
    std::string name; ///< what a person calls it; empty: the type's label
    Params params;    ///< all parameters; for unknown types as read
    Position position;
    bool muted = false; ///< left out of the run, when shapes allow passed through
    bool collapsed = false;
    std::string extra; ///< unknown keys of the file as JSON text, preserved
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
    const Training& training() const { return training_; }
    const std::string& title() const { return title_; }
    const std::string& description() const {
        return description_;
    }                                                   ///< Markdown, shown in the gallery
    const std::string& extra() const { return extra_; } ///< unknown keys of the file
    /// "conv1", "conv2", ...: free, derived from the type.
    std::string fresh_id(const std::string& type) const;
    /// Node ids so that each comes after what feeds it; nodes on a cycle are left out.
    std::vector<std::string> topological_order() const;
    /// Whether a wire from `from` to `to` would close a cycle.
    bool reaches(const std::string& from, const std::string& to) const;
    /// Throws Error when an invariant is broken: dangling wire, two wires on a single input, key !=
    /// id (tests, after each edit).
    void check_consistency() const;
    bool operator==(const Graph&) const = default;

  private:
    friend struct GraphAccess; // nodes/edit.cpp and nodes/project.cpp
    std::map<std::string, Node> nodes_;
    std::vector<Wire> wires_;
    Training training_;
    std::string title_, description_, extra_;
};

} // namespace wiregrad::graph
