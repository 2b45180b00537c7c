// An example for every node type: shapes that it takes with its defaults, what comes out, and the
// PyTorch of it. For the catalogue and the documentation. Any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nodes/node_type.h"

namespace wiregrad::graph {

struct TypeExample {
    std::vector<TensorMeta> inputs, outputs;
    std::int64_t weights = 0; ///< trained numbers
    Emitted pytorch;          ///< empty where there is no counterpart
};
/// Nothing for types that compute nothing (Dataset, Note) or that no usual shape fits.
std::optional<TypeExample> example_of(const NodeType& type);

} // namespace wiregrad::graph
