#include "nodes/migrate.h"

namespace wiregrad::graph {

void migrate(const NodeType& type, Node& node) {
    for (const Migration& migration : type.migrations)
        if (migration.from == node.version && node.version < type.version) {
            migration.apply(node.params);
            ++node.version;
        }
    if (node.version < type.version) node.version = type.version;
}

} // namespace wiregrad::graph
