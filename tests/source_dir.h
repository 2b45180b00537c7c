// Where the sources lie: for goldens and examples that tests read. One file knows the path, so that
// the objects of all others are the same in every checkout.
#pragma once

#include <string>

/// The repository's root, absolute, without a slash at the end.
std::string source_dir();
