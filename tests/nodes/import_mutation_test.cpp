// Thousands of broken models and weights files, the same in every run: they may be refused, nothing
// else, and a project is never half filled.
#include "engine/core/error.h"
#include "nodes/export/export.h"
#include "nodes/fuzz/targets.h"
#include "nodes/import/onnx.h"
#include "tests/mutations.h"
#include "tests/nodes/helpers.h"

namespace wiregrad::graph {
namespace {

using wiregrad::testing::batter;
using wiregrad::testing::Bytes;

Graph small_net() {
    return testing::chain("digits", {{"Conv2d", {{"out_channels", testing::whole(2)}}},
                                     {"BatchNorm2d", {}},
                                     {"GELU", {}},
                                     {"MaxPool2d", {}},
                                     {"Flatten", {}},
                                     {"Linear", {{"out_features", testing::whole(10)}}}});
}

Bytes exported(const Graph& graph, const char* target) {
    ExportOptions options;
    options.path = "net";
    return find_export_target(target)->make(graph, options).at(0).bytes;
}

TEST(ImportMutations, OnnxModels) {
    const Graph graph = small_net();
    const Bytes model = exported(graph, "onnx");
    EXPECT_TRUE(fuzz::onnx(model));
    std::size_t taken = 0;
    batter(
        {model}, [&](std::span<const std::byte> bytes) { taken += fuzz::onnx(bytes); }, 11, 1500);
    EXPECT_GT(taken, 0U); // some changes hit only names or numbers
    // Cut anywhere: never a model.
    for (std::size_t length = 0; length < model.size(); length += 1 + length / 64)
        EXPECT_FALSE(fuzz::onnx(std::span(model).first(length))) << length;
}

TEST(ImportMutations, Npz) {
    const Graph graph = testing::chain("iris", {{"Linear", {{"out_features", testing::whole(3)}}}});
    const Bytes file = exported(graph, "npz");
    EXPECT_TRUE(fuzz::npz(file, graph));
    batter(
        {file}, [&](std::span<const std::byte> bytes) { fuzz::npz(bytes, graph); }, 12, 3000);
    for (std::size_t length = 0; length < file.size(); ++length)
        EXPECT_FALSE(fuzz::npz(std::span(file).first(length), graph)) << length;
}

TEST(ImportMutations, Safetensors) {
    const Graph graph = testing::chain("iris", {{"Linear", {{"out_features", testing::whole(3)}}}});
    const Bytes file = exported(graph, "safetensors");
    EXPECT_TRUE(fuzz::safetensors(file, graph));
    batter(
        {file}, [&](std::span<const std::byte> bytes) { fuzz::safetensors(bytes, graph); }, 13,
        3000);
    for (std::size_t length = 0; length < file.size(); ++length)
        EXPECT_FALSE(fuzz::safetensors(std::span(file).first(length), graph)) << length;
}

} // namespace
} // namespace wiregrad::graph
