// Where the gradient of one weight comes from: the chain rule with a batch's numbers, checked
// against what the loss does when the weight is nudged. The thread that owns the model, between
// two steps.
#pragma once

#include <string>
#include <vector>

#include "engine/train/trainer.h"

namespace wiregrad::train {

/// One summand of dL/dw: an element y of the node's output.
struct ChainTerm {
    std::int64_t element = 0; ///< row-major, of the output
    std::int64_t sample = -1; ///< of the training data; -1: rows are not samples
    double upstream = 0;      ///< dL/dy
    double local = 0;         ///< dy/dw; of a Linear layer its input
    double product() const { return upstream * local; }
};

/// What the nudge of the weight does at one node on the way to the loss.
struct ChainStation {
    std::string node, port;
    double gradient = 0; ///< norm of dL/dv of the batch
    double nudge = 0;    ///< norm of dv/dw
    double product = 0;  ///< sum of their products: dL/dw, where everything passes through here
};

struct Derivation {
    std::string node, weight; ///< the place: node id and name in it
    std::int64_t element = 0; ///< row-major, of the weight
    double value = 0;         ///< of the weight
    double loss = 0;          ///< of the batch
    double gradient = 0;      ///< dL/dw as training computes it
    double sum = 0;           ///< of all terms
    double difference = 0;    ///< dL/dw measured: the weight nudged, the batch run again
    bool measured = false;    ///< dy/dw was measured too; the node's ops have no second derivative
    std::string port;         ///< the output that the terms are of
    Shape shape;              ///< of it
    std::int64_t terms = 0;   ///< that are not zero
    std::vector<ChainTerm> largest; ///< the first by size of the product
    std::vector<double> of_samples; ///< the sum of each row's terms; empty without rows
    std::vector<ChainStation> way;  ///< from the node to the loss, in order of forward
};

struct WeightPlace {
    std::string node, weight;
    std::int64_t element = 0;
};

/// As training would run the batch; weights and statistics are as before when it returns. The
/// batch's losses are summed. Throws ValueError when there is no such weight, or it does not take
/// part.
Derivation derive(Model& model, const Batch& batch, const nn::ForwardContext& context,
                  const WeightPlace& place, std::size_t most_terms = 200);

} // namespace wiregrad::train
