// What a run keeps of its trained numbers when its network is edited: weights and optimizer state
// go on by node and name, what is inserted begins as identity where mathematics allows. First as
// sentences, before anything happens; then as the state that the changed model begins with.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/train/exchange.h"
#include "nodes/graph.h"
#include "nodes/lineage.h"

namespace wiregrad::graph {

/// How a layer that was not trained before begins.
enum class Begin : std::uint8_t {
    Fresh,     ///< as its settings say
    Identity,  ///< hands on what it gets, exactly
    FromBatch, ///< a normalization that undoes itself on the next batch
    Silent     ///< the end of a new branch into a sum: gives zeros
};

/// From the network that is trained to the one that shall be.
struct Transplant {
    struct Heir {
        std::uint64_t number = 0; ///< of the node in its lineage
        Begin begin = Begin::Fresh;
        std::string type;
        std::string source, source_port; ///< of a FromBatch: what it normalises
        double eps = 0;
    };
    std::map<std::string, Heir> heirs; ///< nodes of the changed run, by path
    std::vector<std::string> order;    ///< their paths, as they run
    Lineage::Numbers before;           ///< nodes of the present run
    std::vector<std::string> begins;   ///< "fc4 begins as identity"
    std::vector<std::string> losses;   ///< what cannot be kept, a sentence each
    std::string refusal;               ///< why a run cannot follow at all; empty: it can
    bool changes = false;              ///< whether the run computes anything else at all
};

/// `trained` are the numbers of those nodes whose weights the run has or had. A network that cannot
/// run gives a refusal.
Transplant plan_transplant(const Graph& before, const Lineage::Numbers& old_numbers,
                           const Graph& after, const Lineage::Numbers& new_numbers,
                           const std::set<std::uint64_t>& trained);

/// Nodes whose weights a run of `graph` holds.
std::set<std::string> trained_nodes(const Graph& graph);

/// What left a run, by the numbers of its nodes: undoing brings it back. The trainer's thread.
class Attic {
  public:
    /// Tensors by what follows the node's path: "weight", and of optimizers "adam:weight.exp_avg".
    using Things = std::map<std::string, Tensor>;
    Things& of(std::uint64_t number) { return things_[number]; }
    const Tensor* find(std::uint64_t number, const std::string& what, const Shape& shape) const;

  private:
    std::map<std::uint64_t, Things> things_;
};

/// The state with which the changed run goes on; what leaves goes to the attic.
train::Checkpoint carry(const Transplant& plan, const train::Exchange& exchange, Attic& attic);

} // namespace wiregrad::graph
