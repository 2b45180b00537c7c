// Where things lie on this machine: the built-in projects. Any thread.
#pragma once

#include <string>

namespace wiregrad::graph {

/// The folder of the built-in projects: $WIREGRAD_EXAMPLES, beside an installed program, or in the
/// source tree. May not exist.
std::string examples_folder();

} // namespace wiregrad::graph
