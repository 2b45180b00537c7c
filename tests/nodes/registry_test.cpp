// Walks the whole catalogue: declarations, ranges, small instances against finite differences and
// PyTorch.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/io/hdf5.h"
#include "engine/nn/generator.h"
#include "engine/op/ops.h"
#include "nodes/node_type.h"
#include "tests/nodes/helpers.h"
#include "tests/nodes/torch.h"

namespace wiregrad::graph {
namespace {

using testing::list;
using testing::whole;
using Settings = std::vector<std::pair<std::string, ParamValue>>;

/// A small instance: parameters that differ from the defaults, shapes that come in.
struct Case {
    std::string type;
    Settings settings;
    std::vector<Shape> shapes;
    int integers = -1; ///< index of an input of whole numbers, with values below `below`
    std::int64_t below = 0;
    bool training = true;
    double low = -2, high = 2; ///< of the other inputs
};

/// Math, shape, activation and loss nodes beyond the first ones.
std::vector<Case> vocabulary() {
    const Shape picture{3, 4, 7, 6}, rows{5, 6}, sequence{3, 4, 5};
    const auto text = [](const char* value) { return ParamValue(std::string(value)); };
    std::vector<Case> all = {
        {"PReLU", {{"num_parameters", text("channels")}, {"init", 0.4}}, {sequence}},
        {"CELU", {{"alpha", 0.6}}, {rows}},
        {"Hardshrink", {{"lambd", 0.9}}, {rows}},
        {"Softshrink", {{"lambd", 0.9}}, {rows}},
        {"Threshold", {{"threshold", 0.3}, {"value", -1.5}}, {rows}},
        {"RReLU", {}, {rows}, -1, 0, false},
        {"GLU", {{"dim", whole(1)}}, {sequence}},
        {"Softmin", {{"dim", whole(1)}}, {sequence}},
        {"Softmax2d", {}, {picture}},
        {"Div", {}, {rows, rows}, -1, 0, true, 0.5, 2},
        {"Maximum", {}, {rows, rows}},
        {"Minimum", {}, {rows, {5, 1}}},
        {"Einsum", {}, {rows, rows}},
        {"Einsum", {{"equation", text("nij,njk->nik")}}, {{2, 3, 4}, {2, 4, 5}}},
        {"Formula", {}, {rows}},
        {"Formula",
         {{"expression", text("max(a, 0.3) * sigmoid(beta * b) - 2 ** -a / (1 + gamma^2)")},
          {"inputs", text("a, b")},
          {"weights", text("beta = 1.5, gamma")}},
         {rows, rows}},
        {"Formula",
         {{"expression", text("where(x > mean(x, -1), tanh(x), clamp(-x, -1, 1.5)) + pi")}},
         {rows}},
        {"Sum", {{"dim", list({1, 2})}}, {sequence}},
        {"Prod", {}, {sequence}},
        {"Max", {{"keepdim", true}}, {sequence}},
        {"Min", {{"dim", list({1, 2})}}, {sequence}},
        {"Var", {}, {sequence}},
        {"Std", {{"dim", list({1, 2})}}, {sequence}},
        {"LogSumExp", {}, {sequence}},
        {"Norm", {}, {sequence}},
        {"Norm", {{"ord", 3.0}, {"dim", list({1})}, {"keepdim", true}}, {sequence}},
        {"Cumsum", {}, {sequence}},
        {"Cumprod", {{"dim", whole(1)}}, {sequence}},
        {"TopK", {{"k", whole(2)}}, {sequence}},
        {"TopK", {{"k", whole(3)}, {"dim", whole(1)}, {"largest", false}}, {sequence}},
        {"AddNumber", {{"other", -1.5}}, {rows}},
        {"MulNumber", {{"other", -1.5}}, {rows}},
        {"Pow", {{"exponent", 3.0}}, {rows}},
        {"Pow", {{"exponent", 0.5}}, {rows}, -1, 0, true, 0.5, 2},
        {"Clamp", {{"min", -0.7}}, {rows}},
        {"Abs", {}, {rows}},
        {"Neg", {}, {rows}},
        {"Exp", {}, {rows}},
        {"Log", {}, {rows}, -1, 0, true, 0.5, 2},
        {"Sqrt", {}, {rows}, -1, 0, true, 0.5, 2},
        {"Square", {}, {rows}},
        {"Sin", {}, {rows}},
        {"Cos", {}, {rows}},
        {"Transpose", {}, {sequence}},
        {"Squeeze", {}, {{3, 4, 1}}},
        {"Unsqueeze", {{"dim", whole(1)}}, {rows}},
        {"Stack", {}, {rows, rows, rows}},
        {"Split", {{"size", whole(2)}}, {rows}},
        {"Chunk", {}, {rows}},
        {"Slice", {{"start", whole(1)}, {"end", whole(-1)}, {"step", whole(2)}}, {rows}},
        {"Select", {}, {sequence}},
        {"Pad", {}, {sequence}},
        {"Pad", {{"pad", list({1, 2, 0, 3})}, {"value", 0.5}}, {picture}},
        {"Pad", {{"pad", list({1, 2})}, {"mode", text("reflect")}}, {sequence}},
        {"Pad", {{"pad", list({1, 2})}, {"mode", text("replicate")}}, {sequence}},
        {"Pad", {{"pad", list({1, 2})}, {"mode", text("circular")}}, {sequence}},
        {"Flip", {{"dims", list({1, -1})}}, {sequence}},
        {"Roll", {{"shifts", whole(-2)}}, {sequence}},
        {"Tile", {}, {sequence}},
        {"Tril", {{"diagonal", whole(1)}}, {sequence}},
        {"Triu", {}, {sequence}},
        {"NLLLoss", {}, {{5, 4}, {5}}, 1, 4},
        {"NLLLoss",
         {{"ignore_index", whole(2)}, {"reduction", text("sum")}},
         {{9, 4, 3}, {9, 3}},
         1,
         4},
        {"BCELoss", {}, {rows, rows}, -1, 0, true, 0.05, 0.95},
        {"SmoothL1Loss", {{"beta", 0.7}}, {rows, rows}},
        {"HuberLoss", {{"delta", 0.7}, {"reduction", text("sum")}}, {rows, rows}},
        {"KLDivLoss", {{"reduction", text("batchmean")}}, {rows, rows}, -1, 0, true, 0.05, 1},
        {"KLDivLoss", {{"log_target", true}}, {rows, rows}},
        {"PoissonNLLLoss", {}, {rows, rows}, -1, 0, true, 0.2, 3},
        {"PoissonNLLLoss",
         {{"log_input", false}, {"full", true}},
         {rows, rows},
         -1,
         0,
         true,
         0.2,
         3},
        {"GaussianNLLLoss", {}, {rows, rows, rows}, -1, 0, true, 0.2, 2},
        {"GaussianNLLLoss", {{"full", true}}, {rows, rows, rows}, -1, 0, true, 0.2, 2},
        {"TripletMarginLoss", {{"margin", 3.0}}, {rows, rows, rows}},
        {"TripletMarginLoss", {{"margin", 3.0}, {"swap", true}}, {rows, rows, rows}},
        {"CosineEmbeddingLoss", {{"margin", -0.9}}, {rows, rows, {5}}, 2, 2},
        {"MarginRankingLoss", {{"margin", 0.4}}, {rows, rows, rows}},
        {"HingeEmbeddingLoss", {}, {rows, rows}, 1, 2},
        {"SoftMarginLoss", {}, {rows, rows}, 1, 2},
        {"MultiLabelSoftMarginLoss", {}, {rows, rows}, 1, 2},
        {"MultiMarginLoss", {}, {rows, {5}}, 1, 6},
        {"MultiMarginLoss", {{"p", whole(2)}, {"margin", 0.7}}, {rows, {5}}, 1, 6},
        {"CTCLoss", {}, {{2, 9, 5}, {2, 3}}, 1, 5},
        {"DiceLoss", {}, {picture, picture}, -1, 0, true, 0, 1},
        {"IoULoss", {{"smooth", 0.5}}, {rows, rows}, -1, 0, true, 0, 1},
        {"FocalLoss", {}, {rows, rows}, 1, 2},
        {"FocalLoss", {{"alpha", -1.0}, {"gamma", 1.5}}, {rows, rows}, 1, 2},
    };
    return all;
}

std::vector<Case> cases() {
    const Shape picture{3, 4, 7, 6}, rows{5, 6}, sequence{3, 4, 5};
    std::vector<Case> all = {
        {"Linear", {{"out_features", whole(3)}}, {rows}},
        {"Linear", {{"out_features", whole(2)}, {"bias", false}}, {sequence}},
        {"Embedding", {{"num_embeddings", whole(5)}, {"embedding_dim", whole(3)}}, {{2, 4}}, 0, 5},
        {"Embedding",
         {{"num_embeddings", whole(5)}, {"embedding_dim", whole(3)}, {"padding_idx", whole(2)}},
         {{2, 4}},
         0,
         5},
        {"Dropout", {}, {rows}, -1, 0, false},
        {"Dropout1d", {}, {sequence}, -1, 0, false},
        {"Dropout2d", {}, {picture}, -1, 0, false},
        {"Dropout3d", {}, {{2, 3, 2, 3, 2}}, -1, 0, false},
        {"AlphaDropout", {}, {rows}, -1, 0, false},
        {"EmbeddingBag",
         {{"num_embeddings", whole(5)}, {"embedding_dim", whole(3)}},
         {{2, 4}},
         0,
         5},
        {"EmbeddingBag",
         {{"num_embeddings", whole(5)}, {"embedding_dim", whole(3)}, {"mode", "max"}},
         {{2, 4}},
         0,
         5},
        {"Bilinear", {{"out_features", whole(3)}}, {rows, {5, 4}}},
        {"Bilinear", {{"out_features", whole(2)}, {"bias", false}}, {sequence, {3, 4, 2}}},
        {"CosineSimilarity", {}, {rows, rows}},
        {"PairwiseDistance", {}, {rows, rows}},
        {"PairwiseDistance", {{"p", 3.0}, {"keepdim", true}}, {rows, rows}},
        {"RNN", {{"hidden_size", whole(3)}}, {sequence}},
        {"RNN",
         {{"hidden_size", whole(3)}, {"num_layers", whole(2)}, {"nonlinearity", "relu"}},
         {sequence, {3, 2, 3}}},
        {"LSTM", {{"hidden_size", whole(3)}}, {sequence}},
        {"LSTM",
         {{"hidden_size", whole(3)},
          {"num_layers", whole(2)},
          {"bidirectional", true},
          {"bias", false},
          {"batch_first", false}},
         {sequence, {4, 4, 3}, {4, 4, 3}}},
        {"LSTM", {{"hidden_size", whole(3)}, {"proj_size", whole(2)}}, {sequence}},
        {"GRU", {{"hidden_size", whole(3)}}, {sequence}},
        {"GRU",
         {{"hidden_size", whole(2)}, {"num_layers", whole(2)}, {"bidirectional", true}},
         {sequence, {3, 4, 2}}},
        {"RNNCell", {{"hidden_size", whole(3)}}, {rows}},
        {"RNNCell", {{"hidden_size", whole(3)}, {"nonlinearity", "relu"}}, {rows, {5, 3}}},
        {"LSTMCell", {{"hidden_size", whole(3)}}, {rows}},
        {"LSTMCell", {{"hidden_size", whole(3)}, {"bias", false}}, {rows, {5, 3}, {5, 3}}},
        {"GRUCell", {{"hidden_size", whole(3)}}, {rows, {5, 3}}},
        {"MultiheadAttention", {{"num_heads", whole(2)}}, {{3, 4, 6}}},
        {"MultiheadAttention",
         {{"num_heads", whole(3)}, {"is_causal", true}, {"need_weights", true}, {"bias", false}},
         {{3, 4, 6}}},
        {"MultiheadAttention", {{"num_heads", whole(2)}}, {{3, 4, 6}, {3, 5, 2}, {3, 5, 3}}},
        {"MultiheadAttention",
         {{"num_heads", whole(2)}, {"is_causal", true}, {"batch_first", false}},
         {{4, 3, 6}, {4, 3, 6}, {4, 3, 6}, {4, 4}}},
        {"TransformerEncoderLayer",
         {{"nhead", whole(2)}, {"dim_feedforward", whole(5)}, {"dropout", 0.0}},
         {{3, 4, 6}}},
        {"TransformerEncoderLayer",
         {{"nhead", whole(2)},
          {"dim_feedforward", whole(5)},
          {"dropout", 0.0},
          {"norm_first", true},
          {"activation", "gelu"},
          {"is_causal", true}},
         {{3, 4, 6}}},
        {"TransformerDecoderLayer",
         {{"nhead", whole(2)},
          {"dim_feedforward", whole(5)},
          {"dropout", 0.0},
          {"is_causal", true}},
         {{3, 4, 6}, {3, 5, 6}}},
        {"TransformerDecoderLayer",
         {{"nhead", whole(2)},
          {"dim_feedforward", whole(5)},
          {"dropout", 0.0},
          {"norm_first", true},
          {"activation", "gelu"}},
         {{3, 4, 6}, {3, 5, 6}}},
        {"PositionalEncoding", {}, {sequence}},
        {"PositionalEncoding", {{"kind", "learned"}, {"max_len", whole(6)}}, {sequence}},
        {"Conv1d", {{"out_channels", whole(3)}}, {sequence}},
        {"Conv1d",
         {{"out_channels", whole(4)},
          {"kernel_size", list({2})},
          {"padding", list({2})},
          {"padding_mode", "circular"},
          {"groups", whole(2)}},
         {sequence}},
        {"ConvTranspose1d",
         {{"out_channels", whole(3)},
          {"stride", list({2})},
          {"padding", list({1})},
          {"output_padding", list({1})}},
         {sequence}},
        {"Conv2d",
         {{"out_channels", whole(2)}, {"kernel_size", list({4, 3})}, {"same", true}},
         {picture}},
        {"Conv2d",
         {{"out_channels", whole(2)},
          {"kernel_size", list({4, 3})},
          {"same", true},
          {"padding_mode", "replicate"}},
         {picture}},
        {"Conv2d",
         {{"out_channels", whole(2)},
          {"padding", list({2, 1})},
          {"stride", list({2})},
          {"padding_mode", "reflect"}},
         {picture}},
        {"MaxPool1d", {}, {sequence}},
        {"MaxPool1d",
         {{"kernel_size", list({3})},
          {"stride", list({2})},
          {"padding", list({1})},
          {"ceil_mode", true}},
         {sequence}},
        {"AvgPool1d",
         {{"kernel_size", list({3})},
          {"stride", list({2})},
          {"padding", list({1})},
          {"count_include_pad", false}},
         {sequence}},
        {"AdaptiveAvgPool1d", {{"output_size", list({3})}}, {sequence}},
        {"AdaptiveMaxPool1d", {{"output_size", list({3})}}, {sequence}},
        {"AdaptiveMaxPool2d", {{"output_size", list({3, 4})}}, {picture}},
        {"AdaptiveAvgPool3d", {{"output_size", list({2, 1, 3})}}, {{2, 2, 3, 4, 5}}},
        {"AdaptiveMaxPool3d", {{"output_size", list({2, 1, 3})}}, {{2, 2, 3, 4, 5}}},
        {"LPPool2d", {{"kernel_size", list({2, 3})}, {"stride", list({1})}}, {picture}},
        {"BatchNorm3d", {}, {{2, 3, 2, 3, 2}}},
        {"BatchNorm1d", {{"cumulative", true}}, {rows}},
        {"GroupNorm", {{"num_groups", whole(2)}}, {picture}},
        {"GroupNorm", {{"num_groups", whole(4)}, {"affine", false}}, {sequence}},
        {"InstanceNorm1d", {}, {sequence}},
        {"InstanceNorm2d", {{"affine", true}, {"eps", 0.01}}, {picture}},
        {"InstanceNorm3d", {}, {{2, 3, 2, 3, 2}}},
        {"RMSNorm", {}, {rows}},
        {"RMSNorm", {{"dims", whole(2)}, {"eps", 0.01}, {"elementwise_affine", false}}, {sequence}},
        {"LocalResponseNorm", {{"size", whole(3)}, {"alpha", 0.5}}, {picture}},
        {"LocalResponseNorm", {{"size", whole(2)}, {"alpha", 0.5}, {"k", 2.0}}, {sequence}},
        {"Identity", {}, {rows}},
        {"Conv2d", {{"out_channels", whole(3)}}, {picture}},
        {"Conv2d",
         {{"out_channels", whole(6)},
          {"kernel_size", list({3, 2})},
          {"stride", list({2, 1})},
          {"padding", list({1, 2})},
          {"dilation", list({2})},
          {"groups", whole(2)},
          {"bias", false}},
         {picture}},
        {"ConvTranspose2d", {{"out_channels", whole(3)}}, {picture}},
        {"ConvTranspose2d",
         {{"out_channels", whole(2)},
          {"kernel_size", list({3, 4})},
          {"stride", list({2})},
          {"padding", list({1})},
          {"output_padding", list({1, 0})},
          {"groups", whole(2)},
          {"bias", false}},
         {picture}},
        {"MaxPool2d", {}, {picture}},
        {"MaxPool2d",
         {{"kernel_size", list({3, 2})},
          {"stride", list({2, 1})},
          {"padding", list({1})},
          {"ceil_mode", true}},
         {picture}},
        {"MaxPool2d",
         {{"kernel_size", list({2})}, {"stride", list({1})}, {"dilation", list({2})}},
         {picture}},
        {"AvgPool2d", {}, {picture}},
        {"AvgPool2d",
         {{"kernel_size", list({3})},
          {"stride", list({2})},
          {"padding", list({1})},
          {"count_include_pad", false}},
         {picture}},
        {"AvgPool2d",
         {{"kernel_size", list({3})},
          {"stride", list({2})},
          {"padding", list({1})},
          {"ceil_mode", true}},
         {picture}},
        {"AdaptiveAvgPool2d", {}, {picture}},
        {"AdaptiveAvgPool2d", {{"output_size", list({3, 4})}}, {picture}},
        {"BatchNorm1d", {}, {rows}},
        {"BatchNorm1d", {{"affine", false}, {"eps", 0.01}}, {sequence}},
        {"BatchNorm1d", {{"track_running_stats", false}}, {rows}, -1, 0, false},
        {"BatchNorm2d", {}, {picture}},
        {"BatchNorm2d", {{"momentum", 0.3}}, {picture}, -1, 0, false},
        {"LayerNorm", {}, {rows}},
        {"LayerNorm", {{"dims", whole(2)}, {"eps", 0.001}}, {sequence}},
        {"LayerNorm", {{"elementwise_affine", false}}, {sequence}},
        {"LeakyReLU", {{"negative_slope", 0.2}}, {rows}},
        {"ELU", {{"alpha", 0.5}}, {rows}},
        {"GELU", {{"approximate", "tanh"}}, {rows}},
        {"Softplus", {{"beta", 2.0}, {"threshold", 1.5}}, {rows}},
        {"Softmax", {{"dim", whole(1)}}, {sequence}},
        {"LogSoftmax", {{"dim", whole(1)}}, {sequence}},
        {"Hardtanh", {{"min_val", -0.3}, {"max_val", 0.6}}, {rows}},
        {"Flatten", {}, {picture}},
        {"Flatten", {{"start_dim", whole(2)}, {"end_dim", whole(3)}}, {picture}},
        {"Flatten", {}, {{5}}},
        {"Reshape", {{"shape", list({7, -1})}}, {picture}},
        {"Permute", {}, {sequence}},
        {"Permute", {{"dims", list({0, 2, 3, 1})}}, {picture}},
        {"Concat", {}, {rows, {5, 2}, rows}},
        {"Concat", {{"dim", whole(-1)}}, {sequence, {3, 4, 2}}},
        {"Add", {}, {rows, {5, 1}, rows}},
        {"Sub", {}, {picture, {3, 4, 1, 1}}},
        {"Mul", {}, {rows, rows}},
        {"MatMul", {}, {{2, 3, 4}, {2, 4, 5}}},
        {"Mean", {}, {sequence}},
        {"Mean", {{"dim", list({1, 2})}, {"keepdim", true}}, {sequence}},
        {"CrossEntropyLoss", {}, {{5, 4}, {5}}, 1, 4},
        {"CrossEntropyLoss",
         {{"label_smoothing", 0.1}, {"ignore_index", whole(2)}},
         {{9, 4, 3}, {9, 3}},
         1,
         4},
        {"MSELoss", {}, {rows, rows}},
        {"MSELoss", {{"reduction", "sum"}}, {{5, 1}, {5}}, 1, 3},
        {"L1Loss", {}, {rows, rows}},
        {"BCEWithLogitsLoss", {}, {{5, 1}, {5}}, 1, 2},
        {"BCEWithLogitsLoss", {{"reduction", "sum"}}, {{5, 1}, {5, 1}}, 1, 2},
        {"Accuracy", {}, {{9, 4}, {9}}, 1, 4},
        {"Accuracy", {{"threshold", 0.2}}, {{9, 1}, {9}}, 1, 2},
        {"MeanAbsoluteError", {}, {rows, rows}},
        {"MeanSquaredError", {}, {rows, rows}},
        {"RootMeanSquaredError", {}, {{5, 1}, {5}}, 1, 3},
        {"R2Score", {}, {rows, rows}},
        {"TopKAccuracy", {{"k", whole(2)}}, {{9, 5}, {9}}, 1, 5},
        {"Precision", {}, {{9, 4}, {9}}, 1, 4},
        {"Precision", {{"average", "binary"}, {"threshold", 0.1}}, {{9, 1}, {9}}, 1, 2},
        {"Recall", {{"average", "weighted"}}, {{9, 4}, {9}}, 1, 4},
        {"Recall", {{"average", "micro"}, {"ignore_index", whole(1)}}, {{9, 4}, {9}}, 1, 4},
        {"F1Score", {}, {{9, 4}, {9}}, 1, 4},
        {"F1Score", {{"average", "binary"}}, {{9, 1}, {9}}, 1, 2},
        {"JaccardIndex", {}, {{2, 3, 4, 5}, {2, 4, 5}}, 1, 3},
        {"DiceScore", {}, {{2, 3, 4, 5}, {2, 4, 5}}, 1, 3},
        {"ConfusionMatrix", {}, {{9, 4}, {9}}, 1, 4},
        {"AUROC", {}, {{40, 1}, {40}}, 1, 2},
        {"AUROC", {}, {{40, 3}, {40}}, 1, 3},
        {"AveragePrecision", {}, {{40, 1}, {40}}, 1, 2},
        {"AveragePrecision", {{"ignore_index", whole(2)}}, {{40, 3}, {40}}, 1, 3},
        {"CalibrationError", {}, {{40, 3}, {40}}, 1, 3},
        {"CalibrationError", {}, {{40, 1}, {40}}, 1, 2},
        {"Perplexity", {{"ignore_index", whole(1)}}, {{9, 4, 3}, {9, 3}}, 1, 4},
        {"PeakSignalNoiseRatio", {{"data_range", 4.0}}, {picture, picture}},
        {"Conv3d",
         {{"out_channels", whole(2)}, {"kernel_size", list({2, 3, 2})}, {"padding", list({1})}},
         {{2, 2, 3, 4, 3}}},
        {"ConvTranspose3d",
         {{"out_channels", whole(2)}, {"kernel_size", list({2, 1, 2})}, {"stride", list({2})}},
         {{2, 2, 2, 3, 2}}},
        {"Unflatten", {{"unflattened_size", list({3, -1})}}, {rows}},
        {"Upsample", {}, {picture}},
        {"Upsample", {{"scale_factor", 1.7}}, {sequence}},
        {"Upsample", {{"scale_factor", 0.6}, {"mode", "nearest-exact"}}, {picture}},
        {"Upsample", {{"scale_factor", 1.6}, {"mode", "linear"}}, {sequence}},
        {"Upsample", {{"scale_factor", 1.7}, {"mode", "bilinear"}}, {picture}},
        {"Upsample",
         {{"size", list({5, 9})}, {"mode", "bilinear"}, {"align_corners", true}},
         {picture}},
        {"Upsample", {{"mode", "trilinear"}, {"scale_factor", 1.5}}, {{2, 2, 3, 4, 3}}},
        {"Upsample", {{"mode", "bicubic"}, {"scale_factor", 1.5}}, {picture}},
        {"Upsample",
         {{"mode", "bicubic"}, {"size", list({9, 4})}, {"align_corners", true}},
         {picture}},
        {"Upsample", {{"mode", "area"}, {"size", list({3, 4})}}, {picture}},
        {"PixelShuffle", {}, {{2, 8, 3, 2}}},
        {"PixelUnshuffle", {}, {{2, 2, 4, 6}}},
        {"ChannelShuffle", {}, {picture}},
        {"ZeroPad1d", {}, {sequence}},
        {"ZeroPad2d", {{"padding", list({1, 2, 0, 3})}}, {picture}},
        {"ZeroPad3d", {}, {{2, 2, 3, 4, 3}}},
        {"ConstantPad1d", {{"value", 0.5}}, {sequence}},
        {"ConstantPad2d", {{"value", -1.0}, {"padding", list({2})}}, {picture}},
        {"ConstantPad3d", {{"value", 2.0}}, {{2, 2, 3, 4, 3}}},
        {"ReflectionPad1d", {{"padding", list({2, 1})}}, {sequence}},
        {"ReflectionPad2d", {{"padding", list({2, 1, 0, 3})}}, {picture}},
        {"ReflectionPad3d", {}, {{2, 2, 3, 4, 3}}},
        {"ReplicationPad1d", {}, {sequence}},
        {"ReplicationPad2d", {{"padding", list({1, 2, 0, 3})}}, {picture}},
        {"ReplicationPad3d", {}, {{2, 2, 3, 4, 3}}},
        {"CircularPad1d", {}, {sequence}},
        {"CircularPad2d", {{"padding", list({1, 2, 0, 3})}}, {picture}},
        {"CircularPad3d", {}, {{2, 2, 3, 4, 3}}},
    };
    const Shape small{2, 3, 5, 4}, places{2, 3, 6, 2};
    all.insert(
        all.end(),
        {{"GridSample", {}, {small, places}, -1, 0, true, -1.3, 1.3},
         {"GridSample",
          {{"mode", "bicubic"}, {"padding_mode", "border"}},
          {small, places},
          -1,
          0,
          true,
          -1.3,
          1.3},
         {"GridSample", {{"padding_mode", "reflection"}, {"align_corners", true}}, {small, places}},
         {"AffineGrid", {{"size", list({4, 3})}}, {rows}},
         {"AffineGrid", {{"align_corners", true}}, {{2, 2, 3}}},
         {"RFFT", {}, {{3, 7}}},
         {"RFFT", {{"dim", whole(1)}, {"norm", "ortho"}}, {{2, 8, 3}}},
         {"IRFFT", {}, {{3, 5, 2}}},
         {"IRFFT", {{"n", whole(7)}, {"norm", "forward"}, {"dim", whole(1)}}, {{2, 4, 3, 2}}}});
    const std::vector<Case> transforms = {
        {"Resize", {{"size", list({4, 9})}}, {picture}},
        {"CenterCrop", {{"size", list({5, 8})}}, {picture}},
        {"Normalize", {}, {picture}},
        {"Normalize", {{"mean", "0.1, 0.2, 0.3, 0.4"}, {"std", "0.5"}}, {picture}},
        {"Normalize", {{"mean", "-1"}, {"std", "2, 3, 4, 5, 6, 7"}}, {rows}},
        {"Grayscale", {}, {{2, 3, 4, 5}}},
        {"Grayscale", {{"num_output_channels", "3"}}, {{2, 3, 4, 5}}},
        {"RandomCrop", {{"size", list({5})}}, {picture}},
        {"RandomResizedCrop", {{"size", list({5, 3})}}, {picture}},
        {"OneHot", {{"num_classes", whole(5)}}, {{3, 4}}, 0, 5},
        {"Accuracy", {{"ignore_index", whole(2)}}, {{9, 4}, {9}}, 1, 4},
        {"StructuralSimilarity",
         {{"kernel_size", whole(3)}},
         {picture, picture},
         -1,
         0,
         true,
         0,
         1}};
    std::set<std::string> sized;
    for (const Case& one : transforms) {
        all.push_back(one);
        sized.insert(one.type);
    }
    for (const NodeType& type : node_types())
        if (type.transform && !sized.contains(type.id)) all.push_back({type.id, {}, {picture}});
    for (const Case& one : vocabulary())
        all.push_back(one);
    // Softmax2d wants pictures; RReLU draws its own slopes while it trains.
    for (const NodeType& type : node_types())
        if (type.category == "Activation" && type.id != "Softmax2d" && type.id != "RReLU")
            all.push_back({type.id, {}, {rows}});
    return all;
}

std::string title(const Case& one, std::size_t index) {
    return std::to_string(index) + " " + one.type;
}

/// A case built with values: inputs, module, outputs.
struct Built {
    std::vector<Tensor> inputs;
    std::shared_ptr<nn::Module> module;
    Emitted source;
    Params params;
};

Built build(const Case& one, DType dtype) {
    Built built;
    const NodeType& type = *find_type(one.type);
    built.params = default_params(type);
    for (const auto& [id, value] : one.settings)
        built.params.at(id) = value;
    nn::Generator generator(5);
    std::vector<TensorMeta> metas;
    for (std::size_t i = 0; i < one.shapes.size(); ++i) {
        const bool whole_numbers = static_cast<int>(i) == one.integers;
        Tensor values = Tensor::empty(one.shapes[i], dtype);
        if (whole_numbers) {
            std::vector<std::int64_t> numbers(static_cast<std::size_t>(values.numel()));
            for (auto& number : numbers)
                number = static_cast<std::int64_t>(generator.random() %
                                                   static_cast<std::uint32_t>(one.below));
            values = Tensor::from(numbers, one.shapes[i]);
        } else {
            generator.uniform_(values, one.low, one.high);
        }
        metas.push_back({values.shape(), values.dtype()});
        built.inputs.push_back(values);
    }
    std::vector<int> counts(type.inputs.size(), 1);
    for (std::size_t port = one.shapes.size(); port < counts.size(); ++port)
        counts[port] = 0; // optional ports, not wired
    if (type.inputs[0].many) counts = {static_cast<int>(one.shapes.size())};
    const BuildContext context{built.params, metas, counts, 17};
    built.module = type.build(context);
    built.source = type.pytorch ? type.pytorch(context) : Emitted{};
    built.module->reset_parameters(generator);
    return built;
}

nn::ForwardContext forward_context(bool training) {
    nn::ForwardContext context;
    context.training = training;
    context.state.random = Tensor::zeros({2}, DType::Int64);
    return context;
}

Tensor cosines(const Tensor& like) {
    std::vector<double> values(static_cast<std::size_t>(like.numel()));
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = std::cos(static_cast<double>(i));
    return to(Tensor::from(values, like.shape()), like.dtype());
}

/// All real outputs as one number.
Tensor weighed(const Tensors& outputs) {
    Tensor total;
    for (const Tensor& out : outputs) {
        if (!is_floating(out.dtype())) continue;
        const Tensor part = sum(mul(out, cosines(out)));
        total = total.defined() ? add(total, part) : part;
    }
    return total;
}

TEST(Registry, declarations_are_complete) {
    std::set<std::string> ids;
    for (const NodeType& type : node_types()) {
        EXPECT_TRUE(ids.insert(type.id).second) << type.id;
        EXPECT_EQ(find_type(type.id), &type);
        EXPECT_TRUE(std::find(std::begin(kCategories), std::end(kCategories), type.category) !=
                    std::end(kCategories))
            << type.id;
        EXPECT_GT(type.help.size(), 20u) << type.id;
        EXPECT_EQ(type.help.back(), '.') << type.id;
        EXPECT_FALSE(type.label.empty());
        EXPECT_GE(type.version, 1);
        const bool runs =
            type.role == Role::Layer || type.role == Role::Loss || type.role == Role::Metric;
        EXPECT_EQ(static_cast<bool>(type.build), runs) << type.id;
        EXPECT_EQ(static_cast<bool>(type.pytorch), runs || type.role == Role::Optimizer) << type.id;
        std::set<std::string> names;
        for (const auto* ports : {&type.inputs, &type.outputs})
            for (const PortSpec& port : *ports) {
                EXPECT_TRUE(names.insert(port.id).second) << type.id << "." << port.id;
                EXPECT_EQ(port.id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"),
                          std::string::npos);
            }
        names.clear();
        for (const ParamSpec& spec : type.params) {
            EXPECT_TRUE(names.insert(spec.id).second) << type.id << "." << spec.id;
            EXPECT_GT(spec.help.size(), 10u) << type.id << "." << spec.id;
            EXPECT_FALSE(spec.label.empty());
            if (spec.visible) spec.visible(default_params(type));
        }
    }
    for (const char* id : {"Dataset",
                           "Input",
                           "Linear",
                           "Conv2d",
                           "ConvTranspose2d",
                           "MaxPool2d",
                           "AvgPool2d",
                           "AdaptiveAvgPool2d",
                           "BatchNorm1d",
                           "BatchNorm2d",
                           "LayerNorm",
                           "Dropout",
                           "Embedding",
                           "Flatten",
                           "Reshape",
                           "ReLU",
                           "LeakyReLU",
                           "ELU",
                           "SELU",
                           "GELU",
                           "SiLU",
                           "Mish",
                           "Sigmoid",
                           "Tanh",
                           "Softplus",
                           "Softmax",
                           "LogSoftmax",
                           "Hardtanh",
                           "ReLU6",
                           "Hardsigmoid",
                           "Hardswish",
                           "Identity",
                           "Add",
                           "Sub",
                           "Mul",
                           "Concat",
                           "MatMul",
                           "Mean",
                           "Permute",
                           "CrossEntropyLoss",
                           "MSELoss",
                           "L1Loss",
                           "BCEWithLogitsLoss",
                           "Accuracy",
                           "MeanAbsoluteError",
                           "SGD",
                           "Adam",
                           "AdamW",
                           "Note"})
        EXPECT_TRUE(ids.contains(id)) << id;
}

TEST(Registry, defaults_are_valid_and_values_just_outside_a_range_are_refused_with_a_message) {
    for (const NodeType& type : node_types()) {
        if (type.check) {
            EXPECT_EQ(type.check(default_params(type)), "") << type.id;
        }
        for (const ParamSpec& spec : type.params) {
            const std::string where = type.id + "." + spec.id;
            EXPECT_EQ(check_value(spec, spec.standard), "") << where;
            EXPECT_EQ(parse_value(spec, value_text(spec.standard)), spec.standard) << where;
            const auto as_value = [&](double number) -> ParamValue {
                if (spec.kind == ParamKind::Real) return number;
                const auto integer = static_cast<std::int64_t>(number);
                return spec.kind == ParamKind::Int
                           ? ParamValue(integer)
                           : ParamValue(std::vector<std::int64_t>(
                                 static_cast<std::size_t>(std::max(spec.list_min, 1)), integer));
            };
            if (spec.kind == ParamKind::Int || spec.kind == ParamKind::Real ||
                spec.kind == ParamKind::IntList) {
                const double below = spec.min_excluded ? spec.min
                                     : spec.kind == ParamKind::Real
                                         ? std::nextafter(spec.min, -1e308)
                                         : spec.min - 1;
                const double above = spec.max_excluded ? spec.max
                                     : spec.kind == ParamKind::Real
                                         ? std::nextafter(spec.max, 1e308)
                                         : spec.max + 1;
                for (double outside : {below, above}) {
                    const std::string message = check_value(spec, as_value(outside));
                    EXPECT_NE(message.find(spec.id), std::string::npos)
                        << where << " " << outside << ": " << message;
                    EXPECT_NE(message.find("must be"), std::string::npos) << where;
                }
                if (!spec.min_excluded) {
                    EXPECT_EQ(check_value(spec, as_value(spec.min)), "") << where;
                }
                if (!spec.max_excluded) {
                    EXPECT_EQ(check_value(spec, as_value(spec.max)), "") << where;
                }
            }
            if (spec.kind == ParamKind::IntList) {
                EXPECT_NE(check_value(spec, std::vector<std::int64_t>(
                                                static_cast<std::size_t>(spec.list_max) + 1, 1)),
                          "")
                    << where;
                if (spec.list_min > 0) {
                    EXPECT_NE(check_value(spec, std::vector<std::int64_t>()), "") << where;
                }
            }
            if (spec.kind == ParamKind::Choice) {
                EXPECT_NE(check_value(spec, std::string("no such choice")), "") << where;
                for (const Choice& choice : spec.choices)
                    EXPECT_EQ(check_value(spec, choice.value), "") << where;
            }
            if (spec.kind != ParamKind::Text && spec.kind != ParamKind::Path) {
                EXPECT_NE(check_value(spec, std::string("text")), "") << where;
            }
            if (spec.kind != ParamKind::Bool) {
                EXPECT_NE(check_value(spec, true), "") << where;
            }
        }
    }
}

TEST(Registry, numbers_are_read_as_typed) {
    const ParamSpec* units = find_type("Linear")->param("out_features");
    EXPECT_EQ(parse_value(*units, "3*64"), whole(192));
    EXPECT_EQ(parse_value(*units, " (2 + 2) * 8 / 4 "), whole(8));
    EXPECT_THROW(parse_value(*units, "7/2"), ValueError);
    EXPECT_THROW(parse_value(*units, "1/0"), ValueError);
    EXPECT_THROW(parse_value(*units, "many"), ValueError);
    EXPECT_THROW(parse_value(*units, "3 3"), ValueError);
    EXPECT_THROW(parse_value(*units, std::string(3000, '(')), ValueError);
    const ParamSpec* rate = find_type("SGD")->param("lr");
    EXPECT_EQ(parse_value(*rate, "1e-3"), ParamValue(0.001));
    EXPECT_EQ(parse_value(*rate, "-2*-0.25"), ParamValue(0.5));
    EXPECT_THROW(parse_value(*rate, "0"), ValueError);
    EXPECT_THROW(parse_value(*rate, "nan"), ValueError);
    const ParamSpec* kernel = find_type("Conv2d")->param("kernel_size");
    EXPECT_EQ(parse_value(*kernel, "3, 5"), list({3, 5}));
    EXPECT_EQ(parse_value(*kernel, "(3,5)"), list({3, 5}));
    EXPECT_EQ(parse_value(*kernel, "[2*2]"), list({4}));
    EXPECT_EQ(parse_value(*kernel, "(1+2),(2+2)"), list({3, 4}));
    EXPECT_THROW(parse_value(*kernel, "1,2,3"), ValueError);
    EXPECT_THROW(parse_value(*kernel, "3,,3"), ValueError);
    EXPECT_EQ(parse_value(*find_type("Linear")->param("bias"), "No"), ParamValue(false));
    EXPECT_EQ(parse_value(*find_type("SGD")->param("schedule"), "Steps down"),
              ParamValue(std::string("step")));
}

TEST(Registry, every_type_that_computes_has_a_small_instance) {
    std::set<std::string> covered;
    for (const Case& one : cases())
        covered.insert(one.type);
    for (const NodeType& type : node_types())
        EXPECT_EQ(covered.contains(type.id), static_cast<bool>(type.build)) << type.id;
}

TEST(Registry, gradients_of_small_instances_equal_finite_differences) {
    std::size_t index = 0;
    for (const Case& one : cases()) {
        const std::string name = title(one, index++);
        const NodeType& type = *find_type(one.type);
        if (type.role == Role::Metric) continue;
        Built built = build(one, DType::Float64);
        std::vector<Tensor> checked;
        for (Tensor& input : built.inputs)
            if (is_floating(input.dtype())) {
                input.set_requires_grad(true);
                checked.push_back(input);
            }
        bool all_double = true;
        for (const nn::NamedTensor& weight : built.module->parameters()) {
            all_double = all_double && weight.tensor.dtype() == DType::Float64;
            if (weight.tensor.dtype() == DType::Float64) checked.push_back(weight.tensor);
        }
        EXPECT_TRUE(all_double || one.type.starts_with("Embedding")) << name;
        const auto value = [&] {
            return weighed(built.module->forward(built.inputs, forward_context(one.training)));
        };
        if (checked.empty()) continue;
        autograd::backward(value());
        for (std::size_t t = 0; t < checked.size(); ++t) {
            Tensor& tensor = checked[t];
            ASSERT_TRUE(tensor.grad().defined()) << name << " " << t;
            const auto analytic = tensor.grad().to_vector();
            const std::size_t stride = std::max<std::size_t>(1, analytic.size() / 7);
            for (std::size_t i = 0; i < analytic.size(); i += stride) {
                constexpr double kStep = 1e-5;
                const autograd::NoGrad scope;
                const double middle = tensor.data<double>()[i];
                tensor.data_mut<double>()[i] = middle + kStep;
                const double up = value().item();
                tensor.data_mut<double>()[i] = middle - kStep;
                const double down = value().item();
                tensor.data_mut<double>()[i] = middle;
                EXPECT_NEAR(analytic[i], (up - down) / (2 * kStep),
                            1e-6 + 1e-5 * std::abs(analytic[i]))
                    << name << ", tensor " << t << ", element " << i;
            }
        }
    }
}

TEST(Registry, emitted_pytorch_parses_and_computes_the_same_live) {
    if (!testing::torch_installed()) GTEST_SKIP() << "python3-torch is not installed";
    io::Hdf5File file;
    auto described = nlohmann::json::array();
    std::size_t index = 0;
    for (const Case& one : cases()) {
        const std::string name = title(one, index++);
        const NodeType& type = *find_type(one.type);
        Built built = build(one, DType::Float32);
        const auto store = [&](const std::string& kind, std::size_t i, const Tensor& tensor) {
            file.tensors.push_back(
                {name + "/" + kind + "/" + std::to_string(i), tensor.detach().clone()});
        };
        auto weights = nlohmann::json::array(), trained = nlohmann::json::array();
        std::size_t count = 0;
        for (const nn::NamedTensor& weight : built.module->state()) {
            weights.push_back(weight.name);
            store("weight", count++, weight.tensor);
        }
        for (std::size_t i = 0; i < built.inputs.size(); ++i) {
            store("input", i, built.inputs[i]);
            if (is_floating(built.inputs[i].dtype()) && type.role != Role::Metric)
                built.inputs[i].set_requires_grad(true);
        }
        const Tensors outputs = built.module->forward(built.inputs, forward_context(one.training));
        if (type.role == Role::Metric) {
            double value = 0;
            if (type.finish) {
                std::vector<double> counts = outputs[0].to_vector();
                counts.push_back(outputs[1].item());
                std::vector<TensorMeta> metas;
                for (const Tensor& input : built.inputs)
                    metas.push_back({input.shape(), input.dtype()});
                const std::vector<int> wires(metas.size(), 1);
                value = type.finish({built.params, metas, wires})(counts);
            } else {
                value = outputs[0].item() / outputs[1].item();
            }
            store("output", 0, Tensor::scalar(value));
        } else {
            for (std::size_t k = 0; k < outputs.size(); ++k)
                store("output", k, outputs[k]);
        }
        const bool gradients = type.role != Role::Metric && weighed(outputs).requires_grad();
        if (gradients) {
            autograd::backward(weighed(outputs));
            std::size_t k = 0;
            const auto gradient = [&](const Tensor& tensor) {
                const Tensor grad = tensor.grad();
                store("gradient", k++, grad.defined() ? grad : zeros_like(tensor));
            };
            for (const Tensor& input : built.inputs)
                if (is_floating(input.dtype())) gradient(input);
            for (const nn::NamedTensor& weight : built.module->parameters()) {
                trained.push_back(weight.name);
                gradient(weight.tensor);
            }
        }
        described.push_back({{"group", name},
                             {"init", built.source.init},
                             {"call", built.source.call},
                             {"training", one.training},
                             {"gradients", gradients},
                             {"weights", weights},
                             {"trained", trained}});
    }
    file.attributes = {{"cases", described.dump()}};
    const std::string path = std::filesystem::temp_directory_path() /
                             ("wiregrad_types_" + std::to_string(::getpid()) + ".h5");
    io::write_hdf5(path, file);
    const auto [good, output] = testing::run_reference("types " + path);
    EXPECT_TRUE(good) << output;
    EXPECT_NE(output.find(std::to_string(index) + " cases"), std::string::npos) << output;
    std::filesystem::remove(path);
}

TEST(Registry, wrong_inputs_are_refused_with_both_facts) {
    const auto refusal = [](const std::string& type, const std::vector<Shape>& shapes,
                            const Settings& settings = {}) -> std::string {
        try {
            build({type, settings, shapes}, DType::Float32);
        } catch (const Error& error) {
            return error.text();
        }
        return "";
    };
    EXPECT_EQ(refusal("Conv2d", {{2, 5}}),
              "Conv2d needs a 4-D input (N × C × H × W), got 2-D [2, 5]");
    EXPECT_EQ(refusal("Conv2d", {{2, 5, 2, 2}}),
              "Conv2d: a kernel of 3 pixels does not fit into the input's 2 (padding included)");
    EXPECT_EQ(refusal("Conv2d", {{2, 5, 4, 4}}, {{"groups", whole(2)}}),
              "Conv2d: 5 input and 32 output channels cannot be split into 2 groups");
    EXPECT_EQ(refusal("Linear", {{5}}),
              "Linear needs features to weigh (N × features), got 1-D [5]");
    EXPECT_EQ(refusal("Add", {{2, 3}, {2, 4}}),
              "Add cannot combine [2, 3] and [2, 4]: sizes must be equal, or 1");
    EXPECT_EQ(refusal("Concat", {{2, 3, 4}, {2, 3, 5}}),
              "Concat along dimension 1 cannot join [2, 3, 4] and [2, 3, 5]: all other sizes must "
              "be equal");
    EXPECT_EQ(refusal("Reshape", {{2, 12}}, {{"shape", list({5, -1})}}),
              "Reshape cannot make [5, -1] of a sample of 12 numbers [2, 12]");
    EXPECT_EQ(refusal("MaxPool2d", {{2, 3, 4, 4}}, {{"padding", list({2})}}),
              "MaxPool2d: padding 2 is more than half the window 2");
    EXPECT_EQ(refusal("MSELoss", {{2, 3}, {2, 4}}),
              "MSELoss compares number by number: input [2, 3] and target [2, 4] differ");
    EXPECT_EQ(refusal("Softmax", {{2, 3}}, {{"dim", whole(0)}}),
              "Softmax over dimension 0 would mix the samples of a batch");
    EXPECT_EQ(refusal("Hardtanh", {{2, 3}}, {{"min_val", 2.0}}),
              "Hardtanh needs min_val below max_val, got 2 and 1");
}

} // namespace
} // namespace wiregrad::graph
