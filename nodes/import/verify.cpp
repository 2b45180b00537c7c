#include "nodes/import/verify.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include <cmath>
#include <filesystem>
#include <map>

#include "engine/core/error.h"
#include "engine/io/atomic_file.h"
#include "engine/io/npz.h"
#include "nodes/export/certificate.h"
#include "nodes/export/export.h"
#include "nodes/export/trace.h"
#include "nodes/import/onnx.h"

namespace wiregrad::graph {

namespace {

using Json = nlohmann::json;
constexpr double kTolerance = 1e-4;
constexpr std::uint64_t kMostScriptBytes = 64U << 20;

Json parsed(const std::string& text, const std::string& where) {
    Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded() || !json.is_object())
        throw FileError("its certificate is damaged", where);
    return json;
}

bool differs(const Tensor& value, const Json& golden) {
    if (!golden.is_array() || golden.size() != 3) return true;
    for (const Json& number : golden)
        if (!number.is_number()) return true;
    const Fingerprint print = fingerprint(value);
    const double norm = golden[1].get<double>(), mix = golden[2].get<double>();
    const double error = std::max(std::abs(print.norm - norm), std::abs(print.mix - mix));
    return print.size != golden[0].get<std::int64_t>() ||
           !(error <= kTolerance * std::max(norm, 1e-6));
}

/// Compares hashes; the first weight that is not what was exported.
std::string changed_weight(const std::vector<std::pair<std::string, std::string>>& golden,
                           const std::vector<nn::NamedTensor>& tensors, std::size_t* count) {
    std::map<std::string, const Tensor*> by_name;
    for (const nn::NamedTensor& tensor : tensors)
        by_name[tensor.name] = &tensor.tensor;
    for (const auto& [name, hash] : golden) {
        const auto found = by_name.find(name);
        if (found == by_name.end()) continue; // not needed to compute the outputs
        ++*count;
        if (digest(*found->second) != hash) return name;
    }
    return {};
}

std::string layer_of(const std::string& weight) {
    return fmt::format("layer {} (weight {})", weight.substr(0, weight.rfind('.')), weight);
}

} // namespace

VerifyReport verify_onnx(const std::string& path) {
    const io::OnnxModel model = io::read_onnx(path);
    std::string text;
    for (const auto& [key, value] : model.metadata)
        if (key == "wiregrad_certificate") text = value;
    if (text.empty()) throw FileError("has no certificate: it was not exported by Wiregrad", path);
    const Json golden = parsed(text, path);
    VerifyReport report;
    std::vector<std::pair<std::string, std::string>> hashes;
    for (const Json& row : golden.value("weights", Json::array()))
        if (row.is_array() && row.size() == 2 && row[0].is_string() && row[1].is_string())
            hashes.emplace_back(row[0].get<std::string>(), row[1].get<std::string>());
    std::size_t count = 0;
    if (const std::string name = changed_weight(hashes, model.initializers, &count);
        !name.empty()) {
        report.difference = layer_of(name);
        return report;
    }
    report.checked.push_back(fmt::format("{} weights", count));

    std::unique_ptr<CompiledModel> compiled;
    std::unique_ptr<Outline> outline;
    ImportedModel imported;
    try {
        imported = from_onnx(model);
        outline = std::make_unique<Outline>(imported.graph);
    } catch (const Error& error) {
        report.notes.push_back(
            fmt::format("not executed, because Wiregrad cannot read it back: {}", error.what()));
        return report;
    }
    const std::int64_t samples = golden.value("samples", std::int64_t{1});
    if (samples < 1 || samples > 4096) throw FileError("its certificate is damaged", path);
    std::vector<Tensor> inputs;
    for (const Value& argument : outline->arguments)
        inputs.push_back(sample_input(outline->argument(argument).meta, samples,
                                      classes_of(*outline, argument)));
    const std::map<Value, Tensor> values = run_layers(*outline, imported.weights, inputs);
    const auto value_of = [&](const std::pair<std::string, std::string>& place) -> const Tensor* {
        const NodeType* type = outline->inference.at(place.first).type;
        for (std::size_t i = 0; i < type->outputs.size(); ++i)
            if (type->outputs[i].id == place.second)
                if (const auto found = values.find({place.first, i}); found != values.end())
                    return &found->second;
        return nullptr;
    };
    std::size_t layers = 0;
    for (const Json& row : golden.value("layers", Json::array())) {
        if (!row.is_array() || row.size() != 2 || !row[0].is_string())
            throw FileError("its certificate is damaged", path);
        const auto name = row[0].get<std::string>();
        const auto place = imported.values.find(name);
        const Tensor* value = place == imported.values.end() ? nullptr : value_of(place->second);
        if (!value) continue;
        ++layers;
        if (differs(*value, row[1])) {
            report.difference = "layer " + name.substr(0, name.rfind('.'));
            return report;
        }
    }
    report.checked.push_back(fmt::format("{} layers", layers));
    const Json outputs = golden.value("outputs", Json::array());
    for (std::size_t i = 0; i < imported.outputs.size(); ++i) {
        const Tensor* value = value_of(imported.outputs[i]);
        if (i >= outputs.size() || !value || differs(*value, outputs[i])) {
            report.difference = fmt::format("output {}", model.outputs[i].name);
            return report;
        }
    }
    report.checked.push_back(fmt::format("{} outputs", imported.outputs.size()));
    return report;
}

VerifyReport verify_script(const std::string& path) {
    const std::vector<std::byte> bytes = io::read_file(path, kMostScriptBytes);
    const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::string mark = "\nCERTIFICATE = {\n";
    const std::size_t start = text.find(mark);
    const std::size_t end = start == std::string::npos ? start : text.find("\n}\n", start);
    if (end == std::string::npos)
        throw FileError("has no certificate: it was not exported by Wiregrad", path);
    const std::size_t brace = start + mark.size() - 2;
    const Json golden = parsed(text.substr(brace, end + 2 - brace), path);
    std::vector<std::pair<std::string, std::string>> hashes;
    const Json table = golden.value("weights", Json::object());
    for (const auto& [name, hash] : table.items())
        if (hash.is_string()) hashes.emplace_back(name, hash.get<std::string>());
    VerifyReport report;
    const std::string file = file_beside(path, ".weights.npz");
    std::vector<nn::NamedTensor> tensors = io::read_npz(file);
    std::size_t count = 0;
    const std::string changed = changed_weight(hashes, tensors, &count);
    if (!changed.empty())
        report.difference = layer_of(changed);
    else if (count != hashes.size())
        report.difference = fmt::format("{} of the {} weights are missing in {}",
                                        hashes.size() - count, hashes.size(), file);
    report.checked.push_back(fmt::format("{} weights", count));
    return report;
}

} // namespace wiregrad::graph
