// The rows of layers, gathered from engine/op/nn in a fixed order.
#include <vector>

#include "engine/op/nn/rows.h"
#include "engine/op/registry.h"

namespace wiregrad {

std::span<const Op> nn_ops() {
    static const std::vector<Op> rows = [] {
        std::vector<Op> all;
        for (std::span<const Op> group :
             {matmul_rows(), conv_rows(), pool_rows(), norm_rows(), softmax_rows(),
              embedding_rows(), dropout_rows(), recurrent_rows(), attention_rows(), grid_rows()})
            all.insert(all.end(), group.begin(), group.end());
        return all;
    }();
    return rows;
}

} // namespace wiregrad
