#include "tests/source_dir.h"

std::string source_dir() {
    return WIREGRAD_SOURCE_DIR;
}
