#include <gtest/gtest.h>

#include "nodes/edit.h"
#include "tests/nodes/helpers.h"

namespace wiregrad::graph {
namespace {

std::string first(const std::string& text, const std::vector<std::string>& recents = {}) {
    const auto hits = search_types(text, recents);
    return hits.empty() ? "" : hits[0].type->id;
}

TEST(Search, finds_what_a_person_means) {
    const std::pair<const char*, const char*> wanted[] = {{"fc", "Linear"},
                                                          {"dense", "Linear"},
                                                          {"linear", "Linear"},
                                                          {"lin", "Linear"},
                                                          {"conv", "Conv2d"},
                                                          {"cnn", "Conv2d"},
                                                          {"convolution", "Conv2d"},
                                                          {"relu", "ReLU"},
                                                          {"cross", "CrossEntropyLoss"},
                                                          {"ce", "CrossEntropyLoss"},
                                                          {"bn", "BatchNorm1d"},
                                                          {"mp", "MaxPool2d"},
                                                          {"maxpool", "MaxPool2d"},
                                                          {"max pool", "MaxPool2d"},
                                                          {"drop", "Dropout"},
                                                          {"adam", "Adam"},
                                                          {"adamw", "AdamW"},
                                                          {"sgd", "SGD"},
                                                          {"swish", "SiLU"},
                                                          {"mnist", "Dataset"},
                                                          {"deconv", "ConvTranspose2d"},
                                                          {"mse", "MSELoss"},
                                                          {"acc", "Accuracy"},
                                                          {"cat", "Concat"},
                                                          {"plus", "Add"},
                                                          {"soft", "Softmax"},
                                                          {"softmax", "Softmax"},
                                                          {"transpose", "Transpose"},
                                                          {"CROSS ENTROPY", "CrossEntropyLoss"},
                                                          {"lrelu", "LeakyReLU"}};
    for (const auto& [text, id] : wanted)
        EXPECT_EQ(first(text), id) << text;
}

TEST(Search, recents_come_first_among_equals) {
    EXPECT_EQ(first("", {"GELU", "Conv2d"}), "GELU");
    EXPECT_EQ(search_types("", {"GELU", "Conv2d"})[1].type->id, "Conv2d");
    EXPECT_EQ(first("ba", {"BatchNorm2d"}), "BatchNorm2d");
    EXPECT_EQ(first("relu", {"ReLU6"}), "ReLU") << "the very name wins";
    EXPECT_EQ(search_types("").size(), node_types().size());
}

TEST(Search, nonsense_finds_nothing) {
    EXPECT_TRUE(search_types("zzzz").empty());
    EXPECT_TRUE(search_types("quantum chromodynamics").empty());
}

TEST(Layout, flows_from_left_to_right_without_overlaps_and_is_one_edit) {
    Graph graph = testing::chain("digits", {{"Flatten", {}}, {"ReLU", {}}});
    testing::add(graph, "Accuracy", {}, "accuracy");
    testing::wire(graph, "relu1", "out", "accuracy", "input");
    testing::wire(graph, "data", "y", "accuracy", "target");
    testing::add(graph, "Note", {}, "note");
    const Edit edit = layout_edit(graph, {}, {});
    EXPECT_TRUE(std::holds_alternative<Batch>(edit.what));
    apply(graph, edit);
    for (const Wire& wire : graph.wires())
        EXPECT_GE(graph.node(wire.to)->position.x, graph.node(wire.from)->position.x + 170)
            << wire.str();
    for (const auto& [a, first] : graph.nodes())
        for (const auto& [b, second] : graph.nodes())
            if (a < b) {
                const bool apart = std::abs(first.position.x - second.position.x) >= 170 ||
                                   std::abs(first.position.y - second.position.y) >= 64;
                EXPECT_TRUE(apart) << a << " and " << b;
            }
    EXPECT_EQ(graph.node("flatten1")->position.y, graph.node("relu1")->position.y)
        << "a chain runs straight";
    EXPECT_TRUE(std::get<Batch>(layout_edit(graph, {}, {}).what).edits.empty())
        << "laying out again changes nothing";
}

TEST(Layout, folds_a_long_chain_into_rows_that_are_read_like_a_text) {
    std::vector<std::pair<std::string, std::vector<std::pair<std::string, ParamValue>>>> layers(
        12, {"ReLU", {}});
    Graph graph = testing::chain("digits", layers);
    apply(graph, layout_edit(graph, {}, {}));
    double right = 0, bottom = 0;
    for (const auto& [id, node] : graph.nodes()) {
        right = std::max(right, node.position.x + 170);
        bottom = std::max(bottom, node.position.y + 64);
    }
    EXPECT_LT(right, 1400) << "in one row it would be about 3,600 wide";
    EXPECT_LT(bottom, 1000);
    for (const Wire& wire : graph.wires()) {
        const Position from = graph.node(wire.from)->position, to = graph.node(wire.to)->position;
        EXPECT_TRUE(to.x >= from.x + 170 || to.y >= from.y + 64)
            << wire.str() << ": on to the right, or down to a later row";
    }
}

TEST(Layout, wires_of_a_ladder_do_not_cross) {
    // Two chains between the same ends; ids chosen so that the order by id would cross them.
    Graph graph;
    testing::add(graph, "Dataset", {}, "data");
    for (const char* id : {"z1", "a2", "a1", "z2"})
        testing::add(graph, "ReLU", {}, id);
    testing::add(graph, "Sub", {}, "sub");
    testing::wire(graph, "data", "x", "z1", "in");
    testing::wire(graph, "data", "x", "a1", "in");
    testing::wire(graph, "z1", "out", "a2", "in");
    testing::wire(graph, "a1", "out", "z2", "in");
    testing::wire(graph, "a2", "out", "sub", "a");
    testing::wire(graph, "z2", "out", "sub", "b");
    apply(graph, layout_edit(graph, {}, {}));
    const auto y = [&](const char* id) { return graph.node(id)->position.y; };
    EXPECT_LT(y("a2"), y("z2")) << "a is the upper port of sub";
    EXPECT_LT(y("z1"), y("a1"));
}

} // namespace
} // namespace wiregrad::graph
