// ONNX models as plain values, to and from protobuf. onnx.cpp is the only file that sees the
// vendors' headers. Written: opset 17, ir 8, checked by ONNX's own checker. Read: hostile files are
// refused in words; external data only from the model's own folder. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/nn/module.h"

namespace wiregrad::io {

inline constexpr int kOnnxOpset = 17;
inline constexpr int kOnnxIr = 8;

using OnnxAttribute = std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>,
                                   std::vector<double>, std::vector<std::string>, Tensor>;

struct OnnxNode {
    std::string op, name, domain, doc;
    std::vector<std::string> inputs, outputs; ///< "" where an optional one is absent
    std::vector<std::pair<std::string, OnnxAttribute>> attributes;

    const OnnxAttribute* attribute(std::string_view id) const; ///< null: not there
    std::int64_t integer(std::string_view id, std::int64_t standard) const;
    double real(std::string_view id, double standard) const;
    std::vector<std::int64_t> integers(std::string_view id) const; ///< empty: not there
};

/// An input or output; a dimension is a size or, as in "batch", a name (size -1).
struct OnnxValue {
    std::string name;
    DType dtype = DType::Float32;
    std::vector<std::pair<std::int64_t, std::string>> shape;
    bool shaped = true; ///< false: the file does not say
};

struct OnnxModel {
    std::string graph_name, producer, producer_version, doc;
    std::int64_t ir = kOnnxIr, opset = kOnnxOpset;
    std::vector<OnnxNode> nodes; ///< sorted: each after what feeds it
    std::vector<nn::NamedTensor> initializers;
    std::vector<OnnxValue> inputs, outputs; ///< inputs without initialisers
    std::vector<std::pair<std::string, std::string>> metadata;
};

/// The file's bytes. Throws ValueError with the checker's words when it is no valid model, and when
/// it would pass protobuf's 2 GiB.
std::vector<std::byte> encode_onnx(const OnnxModel& model);
/// `folder`: where external data may lie; empty: nowhere. Throws FileError: no protobuf, truncated,
/// a cycle, a newer opset, subgraphs, sparse or quantised tensors, data that do not fit their
/// shape.
OnnxModel parse_onnx(std::span<const std::byte> bytes, const std::string& where,
                     const std::string& folder = {});
OnnxModel read_onnx(const std::string& path);

} // namespace wiregrad::io
