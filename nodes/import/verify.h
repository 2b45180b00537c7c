// Whether an exported file still computes what Wiregrad computed when it was exported: the
// certificate inside is compared with the file's weights and, where Wiregrad can read the file
// back, with what it computes. Runs the engine.
#pragma once

#include <string>
#include <vector>

namespace wiregrad::graph {

struct VerifyReport {
    std::vector<std::string> checked; ///< "10 weights", "12 layers", ...
    std::vector<std::string> notes;   ///< what could not be checked, and why
    std::string difference; ///< the first thing that differs: "layer conv2"; empty: nothing does
    bool good() const { return difference.empty(); }
};

/// An ONNX file: weights by their hashes, then executed on the samples of its certificate. Throws
/// FileError when it has no certificate.
VerifyReport verify_onnx(const std::string& path);
/// A script: the hashes of the weights beside it. Whether it computes the same is the script's own
/// to say (--verify).
VerifyReport verify_script(const std::string& path);

} // namespace wiregrad::graph
