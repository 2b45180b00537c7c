// The families of node types: one file each, one explicit array each. Read by nodes/node_type.cpp
// only.
#pragma once

#include <span>
#include <vector>

#include "nodes/node_type.h"

namespace wiregrad::graph::types {

std::vector<NodeType> data_types();          // Dataset, Input
std::vector<NodeType> transform_types();     // RandomCrop, ColorJitter, Normalize ... OneHot
std::vector<NodeType> layer_types();         // Linear, Embedding, Dropout, Identity
std::vector<NodeType> sequence_types();      // RNN, LSTM, GRU, MultiheadAttention ...
std::vector<NodeType> convolution_types();   // Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d
std::vector<NodeType> pooling_types();       // MaxPool2d, AvgPool2d, AdaptiveAvgPool2d
std::vector<NodeType> normalization_types(); // BatchNorm1d, BatchNorm2d, LayerNorm
std::vector<NodeType> activation_types();    // ReLU ... Hardswish
std::vector<NodeType> shape_types();         // Flatten, Reshape, Permute, Concat
std::vector<NodeType> resize_types();        // Upsample, borders, PixelShuffle ...
std::vector<NodeType> math_types();          // Add, Sub, Mul, MatMul, Mean
std::vector<NodeType> loss_types();          // CrossEntropyLoss, MSELoss, L1Loss, BCEWithLogitsLoss
std::vector<NodeType> metric_types();        // Accuracy, MeanAbsoluteError
std::vector<NodeType> optimizer_types();     // SGD, Adam, AdamW
std::vector<NodeType> group_types();         // Group, GroupInput, GroupOutput
std::vector<NodeType> note_types();          // Note

NodeType formula_type(); // in the family of mathematics

using Family = std::vector<NodeType> (*)();
inline std::span<const Family> families() {
    static constexpr Family kFamilies[] = {
        data_types,        transform_types, layer_types,         sequence_types,
        convolution_types, pooling_types,   normalization_types, activation_types,
        shape_types,       resize_types,    math_types,          loss_types,
        metric_types,      optimizer_types, group_types,         note_types};
    return kFamilies;
}

} // namespace wiregrad::graph::types
