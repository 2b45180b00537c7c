#include "engine/io/onnx.h"

#include <fmt/format.h>
#include <onnx/checker.h>
#include <onnx/onnx_pb.h>

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>
#include <unordered_map>

#include "engine/core/error.h"
#include "engine/io/atomic_file.h"

namespace wiregrad::io {
namespace {

namespace pb = onnx;
constexpr std::size_t kMostBytes = (std::size_t{1} << 31) - 1;
constexpr int kMostNodes = 1'000'000;

pb::TensorProto_DataType type_of(DType dtype) {
    switch (dtype) {
    case DType::Float32:
        return pb::TensorProto_DataType_FLOAT;
    case DType::Float64:
        return pb::TensorProto_DataType_DOUBLE;
    case DType::Float16:
        return pb::TensorProto_DataType_FLOAT16;
    case DType::BFloat16:
        return pb::TensorProto_DataType_BFLOAT16;
    case DType::Int64:
        return pb::TensorProto_DataType_INT64;
    case DType::Int32:
        return pb::TensorProto_DataType_INT32;
    case DType::UInt8:
        return pb::TensorProto_DataType_UINT8;
    case DType::Bool:
        return pb::TensorProto_DataType_BOOL;
    }
    return pb::TensorProto_DataType_UNDEFINED;
}

DType dtype_of(int type, const std::string& what, const std::string& where) {
    switch (type) {
    case pb::TensorProto_DataType_FLOAT:
        return DType::Float32;
    case pb::TensorProto_DataType_DOUBLE:
        return DType::Float64;
    case pb::TensorProto_DataType_FLOAT16:
        return DType::Float16;
    case pb::TensorProto_DataType_BFLOAT16:
        return DType::BFloat16;
    case pb::TensorProto_DataType_INT64:
        return DType::Int64;
    case pb::TensorProto_DataType_INT32:
        return DType::Int32;
    case pb::TensorProto_DataType_UINT8:
        return DType::UInt8;
    case pb::TensorProto_DataType_BOOL:
        return DType::Bool;
    default:
        throw FileError(fmt::format("{} has an element type (ONNX number {}) that Wiregrad does "
                                    "not have",
                                    what, type),
                        where);
    }
}

void put(pb::TensorProto& out, const std::string& name, const Tensor& tensor) {
    const Tensor whole = tensor.contiguous();
    out.set_name(name);
    out.set_data_type(type_of(whole.dtype()));
    for (const std::int64_t size : whole.shape())
        out.add_dims(size);
    out.set_raw_data(whole.raw(), whole.nbytes());
}

void put(pb::ValueInfoProto& out, const OnnxValue& value) {
    out.set_name(value.name);
    auto* type = out.mutable_type()->mutable_tensor_type();
    type->set_elem_type(type_of(value.dtype));
    for (const auto& [size, name] : value.shape) {
        auto* dim = type->mutable_shape()->add_dim();
        if (size >= 0)
            dim->set_dim_value(size);
        else
            dim->set_dim_param(name);
    }
    if (value.shape.empty()) type->mutable_shape();
}

void put(pb::AttributeProto& out, const std::string& name, const OnnxAttribute& value) {
    out.set_name(name);
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
        out.set_type(pb::AttributeProto_AttributeType_INT);
        out.set_i(*number);
    } else if (const auto* real = std::get_if<double>(&value)) {
        out.set_type(pb::AttributeProto_AttributeType_FLOAT);
        out.set_f(static_cast<float>(*real));
    } else if (const auto* text = std::get_if<std::string>(&value)) {
        out.set_type(pb::AttributeProto_AttributeType_STRING);
        out.set_s(*text);
    } else if (const auto* list = std::get_if<std::vector<std::int64_t>>(&value)) {
        out.set_type(pb::AttributeProto_AttributeType_INTS);
        for (const std::int64_t element : *list)
            out.add_ints(element);
    } else if (const auto* reals = std::get_if<std::vector<double>>(&value)) {
        out.set_type(pb::AttributeProto_AttributeType_FLOATS);
        for (const double element : *reals)
            out.add_floats(static_cast<float>(element));
    } else if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
        out.set_type(pb::AttributeProto_AttributeType_STRINGS);
        for (const std::string& element : *texts)
            out.add_strings(element);
    } else {
        out.set_type(pb::AttributeProto_AttributeType_TENSOR);
        put(*out.mutable_t(), name, std::get<Tensor>(value));
    }
}

/// Bytes of external data: a plain file name inside `folder`, nothing else.
std::string external_bytes(const pb::TensorProto& tensor, std::size_t size,
                           const std::string& where, const std::string& folder) {
    std::map<std::string, std::string> entries;
    for (const auto& entry : tensor.external_data())
        entries[entry.key()] = entry.value();
    const std::string& location = entries["location"];
    namespace fs = std::filesystem;
    const fs::path path(location);
    bool inside = !folder.empty() && !location.empty() && path.is_relative() &&
                  location.find('\0') == std::string::npos;
    for (const fs::path& part : path)
        inside = inside && part != "..";
    std::error_code code;
    fs::path whole;
    if (inside) {
        // A link could still lead out of the folder.
        const fs::path root = fs::weakly_canonical(folder, code);
        whole = fs::weakly_canonical(root / path, code);
        const fs::path back = whole.lexically_relative(root);
        inside = !code && !back.empty() && *back.begin() != "..";
    }
    if (!inside)
        throw FileError(fmt::format("the data of \"{}\" lie in \"{}\", outside the model's folder",
                                    tensor.name(), location.substr(0, 200)),
                        where);
    const auto number = [&](const char* key) -> std::uint64_t {
        const auto found = entries.find(key);
        if (found == entries.end()) return 0;
        std::uint64_t value = 0;
        for (const char c : found->second) {
            if (c < '0' || c > '9' || value > (std::uint64_t{1} << 58))
                throw FileError(
                    fmt::format("the data of \"{}\" have a broken {}", tensor.name(), key), where);
            value = value * 10 + static_cast<std::uint64_t>(c - '0');
        }
        return value;
    };
    const std::uint64_t offset = number("offset"), length = number("length");
    if (length != 0 && length != size)
        throw FileError(fmt::format("the data of \"{}\" are {} bytes, its shape needs {}",
                                    tensor.name(), length, size),
                        where);
    const std::vector<std::byte> bytes = read_file(whole.string());
    if (offset > bytes.size() || size > bytes.size() - offset)
        throw FileError(
            fmt::format("the data of \"{}\" reach past the end of {}", tensor.name(), location),
            where);
    return {reinterpret_cast<const char*>(bytes.data()) + offset, size};
}

template <class T, class Field>
void copy_field(void* target, std::int64_t count, const Field& field, const std::string& what,
                const std::string& where) {
    if (field.size() != count)
        throw FileError(
            fmt::format("{} has {} elements, its shape needs {}", what, field.size(), count),
            where);
    T* out = static_cast<T*>(target);
    for (int i = 0; i < field.size(); ++i)
        out[i] = static_cast<T>(field.Get(i));
}

Tensor take(const pb::TensorProto& proto, const std::string& where, const std::string& folder) {
    const std::string what = fmt::format("the tensor \"{}\"", proto.name().substr(0, 200));
    const DType dtype = dtype_of(proto.data_type(), what, where);
    if (proto.has_segment()) throw FileError(what + " is split into segments", where);
    if (proto.dims_size() > kMaxDims)
        throw FileError(fmt::format("{} has {} dimensions", what, proto.dims_size()), where);
    Shape shape;
    std::uint64_t count = 1;
    for (const std::int64_t size : proto.dims()) {
        if (size < 0) throw FileError(what + " has a negative size", where);
        shape.push_back(size);
        if (size != 0 && count > (std::uint64_t{1} << 40) / static_cast<std::uint64_t>(size))
            throw FileError(fmt::format("{} claims {}", what, shape.str()), where);
        count *= static_cast<std::uint64_t>(size);
    }
    const std::size_t bytes = static_cast<std::size_t>(count) * size_of(dtype);
    std::string outside;
    const bool external = proto.data_location() == pb::TensorProto_DataLocation_EXTERNAL;
    if (external) outside = external_bytes(proto, bytes, where, folder);
    const std::string& raw = external ? outside : proto.raw_data();
    const bool has_raw = external || proto.has_raw_data();
    if (has_raw && raw.size() != bytes)
        throw FileError(fmt::format("{} has {} bytes, its shape needs {}", what, raw.size(), bytes),
                        where);
    // Before anything of that size is allocated, the elements must be there.
    const std::int64_t fields = proto.float_data_size() + proto.int32_data_size() +
                                proto.int64_data_size() + proto.double_data_size();
    if (!has_raw && static_cast<std::uint64_t>(fields) != count)
        throw FileError(fmt::format("{} has {} elements, its shape needs {}", what, fields, count),
                        where);
    Tensor tensor = Tensor::empty(shape, dtype);
    if (count == 0) return tensor;
    void* out = tensor.raw_mut();
    const auto number = static_cast<std::int64_t>(count);
    if (has_raw) {
        std::memcpy(out, raw.data(), raw.size());
        if (dtype == DType::Bool)
            for (std::size_t i = 0; i < raw.size(); ++i)
                static_cast<std::uint8_t*>(out)[i] = raw[i] != 0;
        return tensor;
    }
    switch (dtype) {
    case DType::Float32:
        copy_field<float>(out, number, proto.float_data(), what, where);
        break;
    case DType::Float64:
        copy_field<double>(out, number, proto.double_data(), what, where);
        break;
    case DType::Int64:
        copy_field<std::int64_t>(out, number, proto.int64_data(), what, where);
        break;
    case DType::Int32:
        copy_field<std::int32_t>(out, number, proto.int32_data(), what, where);
        break;
    case DType::Float16:
    case DType::BFloat16:
        copy_field<std::uint16_t>(out, number, proto.int32_data(), what, where);
        break;
    case DType::UInt8:
    case DType::Bool:
        copy_field<std::uint8_t>(out, number, proto.int32_data(), what, where);
        if (dtype == DType::Bool)
            for (std::int64_t i = 0; i < number; ++i)
                static_cast<std::uint8_t*>(out)[i] = static_cast<std::uint8_t*>(out)[i] != 0;
        break;
    }
    return tensor;
}

OnnxValue take(const pb::ValueInfoProto& proto, const std::string& where) {
    OnnxValue value;
    value.name = proto.name();
    if (!proto.type().has_tensor_type())
        throw FileError(fmt::format("\"{}\" is no tensor", proto.name().substr(0, 200)), where);
    const auto& type = proto.type().tensor_type();
    value.dtype = dtype_of(type.elem_type(), "\"" + proto.name().substr(0, 200) + "\"", where);
    value.shaped = type.has_shape();
    if (type.shape().dim_size() > kMaxDims)
        throw FileError(fmt::format("\"{}\" has {} dimensions", proto.name().substr(0, 200),
                                    type.shape().dim_size()),
                        where);
    for (const auto& dim : type.shape().dim())
        value.shape.emplace_back(dim.has_dim_value() ? std::max<std::int64_t>(dim.dim_value(), -1)
                                                     : -1,
                                 dim.dim_param());
    return value;
}

OnnxAttribute take(const pb::AttributeProto& proto, const std::string& node,
                   const std::string& where, const std::string& folder) {
    switch (proto.type()) {
    case pb::AttributeProto_AttributeType_INT:
        return std::int64_t{proto.i()};
    case pb::AttributeProto_AttributeType_FLOAT:
        return double{proto.f()};
    case pb::AttributeProto_AttributeType_STRING:
        return proto.s();
    case pb::AttributeProto_AttributeType_INTS:
        return std::vector<std::int64_t>(proto.ints().begin(), proto.ints().end());
    case pb::AttributeProto_AttributeType_FLOATS:
        return std::vector<double>(proto.floats().begin(), proto.floats().end());
    case pb::AttributeProto_AttributeType_TENSOR:
        return take(proto.t(), where, folder);
    case pb::AttributeProto_AttributeType_STRINGS:
        return std::string();
    default:
        throw FileError(fmt::format("{} has the attribute {}, which holds a graph or another thing "
                                    "that Wiregrad does not read",
                                    node, proto.name().substr(0, 100)),
                        where);
    }
}

/// The nodes, each after what feeds it; refuses cycles and inputs that nothing gives.
std::vector<OnnxNode> sorted(std::vector<OnnxNode> nodes, std::set<std::string> given,
                             const std::string& where) {
    std::unordered_map<std::string, std::size_t> maker;
    for (std::size_t i = 0; i < nodes.size(); ++i)
        for (const std::string& output : nodes[i].outputs)
            if (!output.empty() && (given.contains(output) || !maker.emplace(output, i).second))
                throw FileError(
                    fmt::format("two things give the value \"{}\"", output.substr(0, 200)), where);
    std::vector<std::size_t> waiting(nodes.size(), 0), ready;
    std::vector<std::vector<std::size_t>> feeds(nodes.size());
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        std::set<std::size_t> from;
        for (const std::string& input : nodes[i].inputs) {
            if (input.empty() || given.contains(input)) continue;
            const auto found = maker.find(input);
            if (found == maker.end())
                throw FileError(fmt::format("{} reads \"{}\", which nothing gives", nodes[i].op,
                                            input.substr(0, 200)),
                                where);
            from.insert(found->second);
        }
        waiting[i] = from.size();
        for (const std::size_t source : from)
            feeds[source].push_back(i);
        if (from.empty()) ready.push_back(i);
    }
    std::vector<OnnxNode> result;
    for (std::size_t next = 0; next < ready.size(); ++next)
        for (const std::size_t target : feeds[ready[next]])
            if (--waiting[target] == 0) ready.push_back(target);
    if (ready.size() != nodes.size()) throw FileError("its nodes form a cycle", where);
    for (const std::size_t i : ready)
        result.push_back(std::move(nodes[i]));
    return result;
}

} // namespace

const OnnxAttribute* OnnxNode::attribute(std::string_view id) const {
    for (const auto& [key, value] : attributes)
        if (key == id) return &value;
    return nullptr;
}
std::int64_t OnnxNode::integer(std::string_view id, std::int64_t standard) const {
    const OnnxAttribute* value = attribute(id);
    const auto* number = value ? std::get_if<std::int64_t>(value) : nullptr;
    return number ? *number : standard;
}
double OnnxNode::real(std::string_view id, double standard) const {
    const OnnxAttribute* value = attribute(id);
    const auto* number = value ? std::get_if<double>(value) : nullptr;
    return number ? *number : standard;
}
std::vector<std::int64_t> OnnxNode::integers(std::string_view id) const {
    const OnnxAttribute* value = attribute(id);
    const auto* list = value ? std::get_if<std::vector<std::int64_t>>(value) : nullptr;
    return list ? *list : std::vector<std::int64_t>{};
}

std::vector<std::byte> encode_onnx(const OnnxModel& model) {
    std::size_t size = 0;
    for (const nn::NamedTensor& tensor : model.initializers)
        size += tensor.tensor.nbytes();
    if (size > kMostBytes - (std::size_t{1} << 24))
        throw ValueError(
            fmt::format("an ONNX file holds at most 2 GiB, the weights are {} bytes", size));
    pb::ModelProto proto;
    proto.set_ir_version(kOnnxIr);
    proto.set_producer_name(model.producer);
    proto.set_producer_version(model.producer_version);
    proto.set_doc_string(model.doc);
    auto* opset = proto.add_opset_import();
    opset->set_domain("");
    opset->set_version(kOnnxOpset);
    for (const auto& [key, value] : model.metadata) {
        auto* entry = proto.add_metadata_props();
        entry->set_key(key);
        entry->set_value(value);
    }
    auto* graph = proto.mutable_graph();
    graph->set_name(model.graph_name.empty() ? "network" : model.graph_name);
    for (const OnnxNode& node : model.nodes) {
        auto* out = graph->add_node();
        out->set_op_type(node.op);
        out->set_name(node.name);
        if (!node.domain.empty()) out->set_domain(node.domain);
        if (!node.doc.empty()) out->set_doc_string(node.doc);
        for (const std::string& input : node.inputs)
            out->add_input(input);
        for (const std::string& output : node.outputs)
            out->add_output(output);
        for (const auto& [name, value] : node.attributes)
            put(*out->add_attribute(), name, value);
    }
    for (const nn::NamedTensor& tensor : model.initializers)
        put(*graph->add_initializer(), tensor.name, tensor.tensor);
    for (const OnnxValue& value : model.inputs)
        put(*graph->add_input(), value);
    for (const OnnxValue& value : model.outputs)
        put(*graph->add_output(), value);
    try {
        pb::checker::check_model(proto);
    } catch (const std::exception& error) {
        throw ValueError(fmt::format("ONNX's checker refuses the model: {}", error.what()));
    }
    std::vector<std::byte> bytes(proto.ByteSizeLong());
    if (bytes.size() > kMostBytes ||
        !proto.SerializeToArray(bytes.data(), static_cast<int>(bytes.size())))
        throw ValueError("an ONNX file holds at most 2 GiB");
    return bytes;
}

OnnxModel parse_onnx(std::span<const std::byte> bytes, const std::string& where,
                     const std::string& folder) {
    if (bytes.size() > kMostBytes) throw FileError("more than the 2 GiB of an ONNX file", where);
    pb::ModelProto proto;
    google::protobuf::io::CodedInputStream stream(
        reinterpret_cast<const std::uint8_t*>(bytes.data()), static_cast<int>(bytes.size()));
    stream.SetTotalBytesLimit(static_cast<int>(kMostBytes));
    stream.SetRecursionLimit(64);
    if (!proto.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage())
        throw FileError("no ONNX model, or a damaged one", where);
    if (!proto.has_graph()) throw FileError("no ONNX model: it has no graph", where);
    OnnxModel model;
    model.ir = proto.ir_version();
    model.opset = 0;
    for (const auto& import : proto.opset_import())
        if (import.domain().empty() || import.domain() == "ai.onnx") model.opset = import.version();
    // What later opsets changed is not known here.
    if (model.opset < 7 || model.opset > 21)
        throw FileError(fmt::format("opset {}; Wiregrad reads 7 to 21", model.opset), where);
    model.producer = proto.producer_name();
    model.producer_version = proto.producer_version();
    model.doc = proto.doc_string();
    for (const auto& entry : proto.metadata_props())
        model.metadata.emplace_back(entry.key(), entry.value());
    const auto& graph = proto.graph();
    model.graph_name = graph.name();
    if (graph.node_size() > kMostNodes)
        throw FileError(fmt::format("{} nodes", graph.node_size()), where);
    if (graph.sparse_initializer_size() > 0)
        throw FileError("it has sparse weights, which Wiregrad does not read", where);
    std::set<std::string> given;
    for (const auto& tensor : graph.initializer()) {
        if (!given.insert(tensor.name()).second)
            throw FileError(
                fmt::format("the weight \"{}\" stands there twice", tensor.name().substr(0, 200)),
                where);
        model.initializers.push_back({tensor.name(), take(tensor, where, folder)});
    }
    for (const auto& input : graph.input())
        if (!given.contains(input.name())) {
            model.inputs.push_back(take(input, where));
            given.insert(input.name());
        }
    std::vector<OnnxNode> nodes;
    for (const auto& node : graph.node()) {
        OnnxNode out;
        out.op = node.op_type();
        out.name = node.name();
        out.domain = node.domain() == "ai.onnx" ? "" : node.domain();
        out.doc = node.doc_string();
        out.inputs.assign(node.input().begin(), node.input().end());
        out.outputs.assign(node.output().begin(), node.output().end());
        for (const auto& attribute : node.attribute())
            out.attributes.emplace_back(attribute.name(), take(attribute, out.op, where, folder));
        nodes.push_back(std::move(out));
    }
    model.nodes = sorted(std::move(nodes), given, where);
    std::set<std::string> made = given;
    for (const OnnxNode& node : model.nodes)
        made.insert(node.outputs.begin(), node.outputs.end());
    for (const auto& output : graph.output()) {
        if (!made.contains(output.name()))
            throw FileError(
                fmt::format("nothing gives the output \"{}\"", output.name().substr(0, 200)),
                where);
        OnnxValue value;
        value.name = output.name();
        value.shaped = false;
        model.outputs.push_back(output.type().has_tensor_type() ? take(output, where) : value);
    }
    return model;
}

OnnxModel read_onnx(const std::string& path) {
    const std::vector<std::byte> bytes = read_file(path, kMostBytes);
    return parse_onnx(bytes, path,
                      std::filesystem::path(path).parent_path().empty()
                          ? "."
                          : std::filesystem::path(path).parent_path().string());
}

} // namespace wiregrad::io
