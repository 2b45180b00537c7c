// The proof that goes with an export: what the engine computed for a few samples, layer by layer,
// the first gradients, the updated weights and the losses of five steps, as numbers small enough to
// stand in the script. Runs the engine; any thread that may compute.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/nn/module.h"
#include "nodes/compile.h"
#include "nodes/export/outline.h"

namespace wiregrad::graph {

inline constexpr std::int64_t kCertifiedSamples = 8; ///< of one step
inline constexpr std::int64_t kCertifiedSteps = 5;

/// Three numbers that a changed element moves: how many, the 2-norm, and sum(v[i] * cos(i)).
struct Fingerprint {
    std::int64_t size = 0;
    double norm = 0, mix = 0;
};
Fingerprint fingerprint(const Tensor& tensor);
/// First 16 hexadecimal digits of SHA-256 over the elements' bytes, row by row.
std::string digest(const Tensor& tensor);

struct Certificate {
    std::vector<nn::NamedTensor> samples; ///< one a field of the batch: kCertifiedSteps batches
    /// Outputs in evaluation mode of the first batch, in order of execution, by member name.
    std::vector<std::pair<std::string, std::vector<Fingerprint>>> outputs;
    /// Of the first step, dropout left out; by member and weight. Weights whose gradient is no more
    /// than rounding are left out.
    std::vector<std::pair<std::string, Fingerprint>> gradients, updates;
    std::vector<double> losses;                               ///< sums of all losses, one a step
    std::vector<std::pair<std::string, std::string>> weights; ///< digest of each
    std::string hash;                                         ///< of all weights together
    std::string left_out; ///< why there are no gradients; empty: there are
};

/// A model with its weights, and what trains it; what scripts are made from.
struct Exported {
    std::vector<nn::NamedTensor> weights; ///< as exported, named by members
    Certificate certificate;
    train::TrainPlan plan; ///< after the certificate's steps; without model when nothing trains
};

/// `weights` empty: initial ones. Throws FileError where they do not fit.
Exported certify(const Outline& outline, const std::vector<nn::NamedTensor>& weights);

/// "conv1.weight" of node conv1 -> "stem.weight" of member stem.
std::string member_weight(const Outline& outline, const std::string& weight);
/// The certificate's numbers as JSON, which is a Python literal as well.
std::string certificate_json(const Certificate& certificate);

} // namespace wiregrad::graph
