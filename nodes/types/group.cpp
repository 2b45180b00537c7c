// What groups are made of: the instance itself and the places where values come in and go out.
// Their ports depend on the definition, so Graph::type_of() knows more than find_type().
#include "nodes/types/declare.h"

namespace wiregrad::graph::types {

namespace {

std::vector<ParamSpec> port_params() {
    return {choice_param("kind", "Carries", "tensor",
                         {{"tensor", "A tensor"}, {"labels", "Labels"}, {"loss", "A loss"}},
                         "What goes through this port."),
            int_param("order", "Place", 0, 0, 10000,
                      "Ports of a group stand in rising order of this number."),
            bool_param("hidden", "Hidden", false,
                       "Leaves the port off the group's face while nothing is wired to it.")};
}

NodeType group() {
    NodeType type;
    type.id = type.label = "Group";
    type.category = "Groups";
    type.help = "A network inside a node. Select nodes and press Ctrl+G to make one, double-click "
                "to go in. Repeated, its outputs feed its inputs again: twelve blocks in one node.";
    type.synonyms = {"repeat",    "subgraph", "composite", "block",
                     "container", "function", "loop",      "stack"};
    type.role = Role::Group;
    type.params = {
        int_param("times", "Repeat", 1, 1, 1000,
                  "How often the group is applied, each time to what the time before gave."),
        shown_if(choice_param("weights", "Weights", "own",
                              {{"own", "Each repetition its own"}, {"shared", "All the same"}},
                              "Whether repetitions learn on their own or share their weights."),
                 [](const Params& params) {
                     const auto it = params.find("times");
                     const auto* times =
                         it == params.end() ? nullptr : std::get_if<std::int64_t>(&it->second);
                     return times && *times > 1;
                 })};
    return type;
}

NodeType input() {
    NodeType type;
    type.id = "GroupInput";
    type.label = "Group input";
    type.category = "Groups";
    type.help = "Where a value comes into a group. Its name is the name of the port.";
    type.synonyms = {"port", "argument", "parameter", "inlet"};
    type.role = Role::GroupPort;
    type.outputs = one_out();
    type.params = port_params();
    return type;
}

NodeType output() {
    NodeType type;
    type.id = "GroupOutput";
    type.label = "Group output";
    type.category = "Groups";
    type.help = "Where a value leaves a group. Its name is the name of the port.";
    type.synonyms = {"port", "return", "result", "outlet"};
    type.role = Role::GroupPort;
    type.inputs = one_in();
    type.params = port_params();
    return type;
}

} // namespace

std::vector<NodeType> group_types() {
    return {group(), input(), output()};
}

} // namespace wiregrad::graph::types
