#include <map>

#include "tests/parity/call.h"

namespace wiregrad::parity {

namespace {

/// Where a sample differs on purpose; each with its reason.
void apply_exceptions(Entry& entry) {
    static const std::string kProducts = "products, convolutions and pools are of floating tensors",
                             kTies = "equal numbers, whose order PyTorch does not promise";
    static const std::map<std::string, std::string> only_floats{
        {"matmul", kProducts},
        {"mm", kProducts},
        {"bmm", kProducts},
        {"mv", kProducts},
        {"addmm", kProducts},
        {"addmm.decomposed", kProducts},
        {"baddbmm", kProducts},
        {"einsum", kProducts},
        {"nn.functional.linear", kProducts},
        {"nn.functional.conv1d", kProducts},
        {"nn.functional.conv2d", kProducts},
        {"nn.functional.conv_transpose1d", kProducts},
        {"nn.functional.conv_transpose2d", kProducts},
        {"nn.functional.conv_transpose3d", kProducts},
        {"nn.functional.local_response_norm", kProducts},
        {"nn.functional.avg_pool1d", kProducts},
        {"nn.functional.avg_pool2d", kProducts},
        {"nn.functional.avg_pool3d", kProducts},
        {"kthvalue", kTies},
        {"topk", kTies},
        {"addcmul", "PyTorch drops the fraction of the factor"},
        {"linspace", "PyTorch steps in whole numbers"},
        {"nn.functional.margin_ranking_loss", "losses are of floating tensors"},
    };
    if (const auto found = only_floats.find(entry.name); found != only_floats.end())
        entry.only_floats = found->second;
    struct Override {
        double rtol32, atol32;
        const char* reason;
    };
    static const Override kSum{0, 5e-5,
                               "float32 sums of dozens of products of numbers up to 9: "
                               "4 sqrt(K) eps sum |terms| is 1e-4 and more"};
    static const std::map<std::string, Override> overrides{
        {"bmm", kSum},
        {"nn.functional.conv_transpose2d", kSum},
        {"nn.functional.conv_transpose3d", kSum},
        {"pow",
         {4e-6, 0,
          "the exponent's gradient adds up y log x, each of them within 2 ulp in float32"}},
    };
    if (const auto found = overrides.find(entry.name); found != overrides.end()) {
        entry.rtol32 = found->second.rtol32;
        entry.atol32 = found->second.atol32;
        entry.reason = found->second.reason;
    }
}

} // namespace

const std::vector<Entry>& entries() {
    static const std::vector<Entry> all = [] {
        std::vector<Entry> result;
        for (const auto& source : {elementwise_map, reduce_map, shape_map, layer_map, loss_map})
            for (Entry& entry : source())
                result.push_back(std::move(entry));
        for (Entry& entry : result)
            apply_exceptions(entry);
        return result;
    }();
    return all;
}

const std::vector<std::pair<std::string, std::string>>& rows_without_counterpart() {
    static const std::string kStep = "in place, within no-grad: optim_test.cpp and tensor_test.cpp";
    static const std::string kMetric = "counts of metrics, which PyTorch's core does not have";
    static const std::string kAttention =
        "1.13's private op hands out the weights as well: attention_test.cpp";
    static const std::string kRecurrent =
        "op_db has no recurrent layers: recurrent_test.cpp compares with torch.nn";
    static const std::vector<std::pair<std::string, std::string>> all{
        {"uniform_like", "random: its stream is ours; tests/engine/odd_inputs_test.cpp"},
        {"dropout", "random: its stream is ours; tests/engine/dropout_test.cpp"},
        {"lstm", kRecurrent},
        {"gru", kRecurrent},
        {"rnn_tanh", kRecurrent},
        {"rnn_relu", kRecurrent},
        {"lstm_backward", kRecurrent},
        {"gru_backward", kRecurrent},
        {"rnn_tanh_backward", kRecurrent},
        {"rnn_relu_backward", kRecurrent},
        {"scaled_dot_product_attention", kAttention},
        {"scaled_dot_product_attention_backward", kAttention},
        {"rmsprop_step_", kStep},
        {"adagrad_step_", kStep},
        {"adadelta_step_", kStep},
        {"adamax_step_", kStep},
        {"nadam_step_", kStep},
        {"radam_step_", kStep},
        {"average_step_", kStep},
        {"count_step_", kStep},
        {"clip_grad_value_", kStep},
        {"confusion_matrix", kMetric},
        {"score_histogram", kMetric},
        {"calibration_bins", kMetric},
        {"sgd_step_", kStep},
        {"adam_step_", kStep},
        {"clip_grad_norm_", kStep},
        {"sum_squares", "a part of clipping: optim_test.cpp"},
        {"to_device", "moves, does not compute"},
        {"copy_", kStep},
        {"fill_", kStep},
        {"add_", kStep},
    };
    return all;
}

} // namespace wiregrad::parity
