// Runs PyTorch as a referee where it is installed.
#pragma once

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/source_dir.h"

namespace wiregrad::graph::testing {

inline bool torch_installed() {
    static const bool found =
        std::system("/usr/bin/python3 -c 'import torch, h5py' > /dev/null 2>&1") == 0;
    return found;
}

/// Runs tests/nodes/torch_reference.py; its output, and whether it ended well.
inline std::pair<bool, std::string> run_reference(const std::string& arguments) {
    const std::string command = "OPENBLAS_CORETYPE=SkylakeX /usr/bin/python3 '" + source_dir() +
                                "/tests/nodes/torch_reference.py' " + arguments + " 2>&1";
    std::string output;
    std::FILE* pipe = popen(command.c_str(), "r");
    if (!pipe) return {false, "python does not start"};
    std::array<char, 4096> buffer;
    while (std::fgets(buffer.data(), static_cast<int>(buffer.size()), pipe))
        output += buffer.data();
    return {pclose(pipe) == 0, output};
}

} // namespace wiregrad::graph::testing
