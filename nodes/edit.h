// The one way to change a graph: an Edit is a value, apply() returns its inverse.
// A gesture of a person is one Edit (often a Batch). Thread of the graph.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "nodes/graph.h"

namespace wiregrad::graph {

struct Edit;

struct AddNode {
    Node node;
};
struct RemoveNode {
    std::string id;
}; ///< its wires go with it
struct Connect {
    Wire wire;
    int index = -1; ///< position among all wires; -1: last
    std::vector<Position> bends{};
}; ///< An occupied single input is an error: use connect_edit()
struct Disconnect {
    Wire wire;
};
/// `unchecked`: accepts a value outside its range; only in inverses, so that undo brings back what
/// a file held.
struct SetParam {
    std::string node, param;
    ParamValue value;
    bool unchecked = false;
};
struct Rename {
    std::string node, name;
};
struct Move {
    std::string node;
    Position position;
};
struct SetMuted {
    std::string node;
    bool muted = false;
};
struct SetCollapsed {
    std::string node;
    bool collapsed = false;
};
struct SetPinned {
    std::string node;
    bool pinned = false;
};
/// Where a wire is bent; empty: nowhere.
struct SetBends {
    Wire wire;
    std::vector<Position> bends;
};
/// The same node with other contents; wires and type stay. For inverses and "make unique".
struct ReplaceNode {
    Node node;
};
/// A new definition of a group; nothing is an instance of it yet.
struct Define {
    Definition definition;
};
struct Undefine {
    std::string id;
}; ///< refused while there are instances
/// Name, help and exposed parameters of a definition. Whole projects only, as all that follows.
struct SetGroupInfo {
    std::string id, name, help;
    std::vector<Exposed> exposed;
};
/// Edits of a definition's inside, all or nothing. Instances follow: wires to ports that are gone
/// go with them, parameters come and go.
struct Inside {
    std::string definition;
    std::vector<Edit> edits;
};
struct SetTraining {
    Training training;
};
struct SetTitle {
    std::string title, description;
};
/// A node that goes on elsewhere, as the same one: paths on `sheet`, "fc1" -> "block1.fc1".
struct Moved {
    std::string sheet, from, to;
};
struct Batch {
    std::vector<Edit> edits;
    std::string label{};        ///< for the undo history; empty: described by what is in it
    std::vector<Moved> moved{}; ///< nodes removed here that are added elsewhere: they keep their
                                ///< trained weights
};                              ///< all or nothing

struct Edit {
    std::variant<AddNode, RemoveNode, Connect, Disconnect, SetParam, Rename, Move, SetMuted,
                 SetCollapsed, SetPinned, SetBends, ReplaceNode, Define, Undefine, SetGroupInfo,
                 Inside, SetTraining, SetTitle, Batch>
        what;
};

/// What an edit touched on one sheet, for views: ids only; look the rest up in the graph.
struct SheetChanges {
    std::set<std::string> added, removed; ///< nodes
    std::set<std::string> moved;          ///< position only
    std::set<std::string> changed;        ///< parameters, name, mute, collapse, ports of a group
    std::set<Wire> wires_added, wires_removed;
    std::set<Wire> bent;     ///< wires that run another way
    bool structural() const; ///< could change shapes: anything but moves and bends
    bool empty() const;
    void merge(const SheetChanges& other);
};

struct ChangeSet : SheetChanges {
    bool training = false;
    bool everything = false;                    ///< another graph altogether
    std::map<std::string, SheetChanges> inside; ///< by definition
    std::set<std::string> definitions;          ///< come, gone, or with another name or interface
    bool structural() const;
    void merge(const ChangeSet& other);
};

/// Applies and returns the inverse, whose application gives the same graph byte for byte. Throws
/// ValueError with a sentence (no such node, parameter out of range, input already taken, cycle)
/// and leaves the graph as it was.
Edit apply(Graph& graph, const Edit& edit, ChangeSet* changes = nullptr);

/// A sentence when this wire may not be drawn (no such port, kinds differ, cycle, the same wire
/// again), else empty. Shapes are not looked at here: see problem.h.
std::string refuse_wire(const Graph& graph, const Wire& wire);
/// Connect, replacing the wire on an occupied single input, as one edit.
Edit connect_edit(const Graph& graph, const Wire& wire);
/// Removes nodes; `dissolve` re-joins single-input neighbours.
Edit remove_edit(const Graph& graph, const std::set<std::string>& nodes, bool dissolve = false);
/// `edit` on the sheet `sheet`: itself for the empty one, else wrapped in an Inside.
Edit on_sheet(const std::string& sheet, Edit edit);
/// A new node of `type` with fresh id and defaults.
Node make_node(const Graph& graph, const std::string& type, Position position);
/// Clipboard text (JSON) of nodes and the wires among them, and the edit that pastes it with fresh
/// ids at an offset. paste_edit throws ValueError with a sentence on foreign text.
std::string copy_text(const Graph& graph, const std::set<std::string>& nodes);
/// `keep_inputs`: also wires that came from nodes which are still there.
std::pair<Edit, std::set<std::string>> paste_edit(const Graph& graph, const std::string& text,
                                                  Position at, bool keep_inputs = false);
/// Layered layout of `nodes` (empty: all), deterministic, as moves. `sizes` are the painted node
/// sizes.
Edit layout_edit(const Graph& graph, const std::set<std::string>& nodes,
                 const std::map<std::string, std::pair<double, double>>& sizes);
/// "Add Conv2d", "Connect conv1 to relu1": for the undo history.
std::string describe(const Edit& edit, const Graph& graph);

} // namespace wiregrad::graph
