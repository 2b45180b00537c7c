#include "nodes/types/declare.h"

namespace wiregrad::graph::types {

std::vector<NodeType> note_types() {
    NodeType type;
    type.id = type.label = "Note";
    type.category = "Notes";
    type.help = "Text on the canvas, in Markdown. It does nothing in a run.";
    type.synonyms = {"comment", "text", "remark", "label"};
    type.role = Role::Note;
    type.params = {text_param("text", "Text", "What the note says.")};
    return {type};
}

} // namespace wiregrad::graph::types
