#include <gtest/gtest.h>

#include <random>

#include "nodes/analysis.h"
#include "nodes/compile.h"
#include "nodes/flatten.h"
#include "nodes/mutations.h"
#include "nodes/project.h"
#include "tests/nodes/examples.h"
#include "tests/nodes/helpers.h"
#include "tests/nodes/random_edits.h"

namespace wiregrad::graph {
namespace {

using testing::add;
using testing::chain;
using testing::list;
using testing::set;
using testing::whole;
using testing::wire;

const Problem* find(const Analysis& analysis, const std::string& code,
                    const std::string& node = "") {
    for (const Problem& problem : analysis.problems)
        if (problem.code == code && (node.empty() || problem.node == node)) return &problem;
    return nullptr;
}

std::string labels(const Problem& problem) {
    std::string text;
    for (const Fix& fix : problem.fixes)
        text += fix.label + "; ";
    return text;
}

TEST(Analysis, pictures_into_linear_layers_are_explained_and_flattened) {
    const Graph graph = chain("digits", {{"Linear", {{"out_features", whole(10)}}}});
    const Analysis analysis = analyze(graph);
    const Problem* problem = find(analysis, "shape-mismatch", "loss");
    ASSERT_TRUE(problem);
    EXPECT_EQ(problem->severity, Severity::Error);
    EXPECT_NE(problem->text.find("[N, 1, 28, 10]"), std::string::npos) << problem->text;
    ASSERT_FALSE(problem->fixes.empty());
    EXPECT_EQ(problem->fixes[0].label, "Insert Flatten before linear1");
    Graph fixed = graph;
    apply(fixed, problem->fixes[0].edit);
    EXPECT_TRUE(analyze(fixed).problems.empty());
}

TEST(Analysis, rows_into_convolutions_are_explained_and_reshaped) {
    const Graph graph = chain("digits", {{"Flatten", {}},
                                         {"Conv2d", {}},
                                         {"Flatten", {}},
                                         {"Linear", {{"out_features", whole(10)}}}});
    const Analysis analysis = analyze(graph);
    const Problem* problem = find(analysis, "shape-mismatch", "conv1");
    ASSERT_TRUE(problem);
    EXPECT_EQ(problem->text, "Conv2d needs a 4-D input (N × C × H × W), got 2-D [N, 784]");
    EXPECT_EQ(problem->port, "in");
    ASSERT_FALSE(problem->fixes.empty());
    EXPECT_EQ(problem->fixes[0].label, "Insert Reshape to 1,28,28 before conv1");
    EXPECT_EQ(analysis.problems.size(), 1u) << "what follows a fault is not reported again";
}

TEST(Analysis, too_few_outputs_for_the_classes_are_explained_and_set) {
    const Graph graph =
        chain("digits", {{"Flatten", {}}, {"Linear", {{"out_features", whole(7)}}}, {"ReLU", {}}});
    const Analysis analysis = analyze(graph);
    const Problem* problem = find(analysis, "too-few-classes");
    ASSERT_TRUE(problem);
    EXPECT_EQ(problem->text, "data has 10 classes, but relu1 gives 7 scores");
    ASSERT_EQ(problem->fixes.size(), 1u);
    EXPECT_EQ(problem->fixes[0].label, "Set out_features of linear1 to 10");
    const Graph many = chain("digits", {{"Flatten", {}}, {"Linear", {}}});
    const Analysis more = analyze(many);
    ASSERT_TRUE(find(more, "too-many-classes"));
    EXPECT_EQ(find(more, "too-many-classes")->severity, Severity::Warning);
    EXPECT_TRUE(more.runnable());
}

TEST(Analysis, missing_parts_are_found_and_offered) {
    Graph graph;
    EXPECT_TRUE(find(analyze(graph), "empty"));
    EXPECT_FALSE(analyze(graph).runnable());
    add(graph, "Dataset", {{"source", "iris"}}, "data");
    add(graph, "Linear", {{"out_features", whole(3)}});
    EXPECT_EQ(find(analyze(graph), "unconnected", "linear1")->severity, Severity::Info);
    wire(graph, "data", "x", "linear1", "in");
    Analysis analysis = analyze(graph);
    ASSERT_TRUE(find(analysis, "no-loss"));
    ASSERT_FALSE(find(analysis, "no-loss")->fixes.empty());
    EXPECT_EQ(find(analysis, "no-loss")->fixes[0].label, "Add CrossEntropyLoss and train linear1");
    apply(graph, find(analysis, "no-loss")->fixes[0].edit);
    EXPECT_TRUE(analyze(graph).problems.empty());

    apply(graph, {RemoveNode{"adam1"}});
    analysis = analyze(graph);
    const Problem* none = find(analysis, "no-optimizer");
    ASSERT_TRUE(none);
    EXPECT_EQ(labels(*none), "Add Adam; Add SGD; ");
    apply(graph, none->fixes[1].edit);
    EXPECT_TRUE(analyze(graph).problems.empty());

    apply(graph, {Disconnect{{"data", "x", "linear1", "in"}}});
    analysis = analyze(graph);
    const Problem* missing = find(analysis, "missing-input", "linear1");
    ASSERT_TRUE(missing);
    EXPECT_EQ(missing->port, "in");
    ASSERT_FALSE(missing->fixes.empty());
    EXPECT_EQ(missing->fixes[0].label, "Connect data.x to linear1.in");
}

TEST(Analysis, two_losses_and_one_optimizer) {
    Graph graph = chain("iris", {{"Linear", {{"out_features", whole(3)}}}});
    add(graph, "CrossEntropyLoss", {}, "second");
    wire(graph, "linear1", "out", "second", "input");
    wire(graph, "data", "y", "second", "target");
    const Analysis analysis = analyze(graph);
    const Problem* problem = find(analysis, "loss-without-optimizer", "second");
    ASSERT_TRUE(problem);
    EXPECT_EQ(problem->severity, Severity::Warning);
    EXPECT_TRUE(analysis.runnable());
    ASSERT_FALSE(problem->fixes.empty());
    EXPECT_EQ(problem->fixes[0].label, "Connect to optimizer");
}

TEST(Analysis, a_softmax_before_cross_entropy_is_a_warning) {
    const Graph graph = chain("iris", {{"Linear", {{"out_features", whole(3)}}}, {"Softmax", {}}});
    const Analysis analysis = analyze(graph);
    const Problem* problem = find(analysis, "double-softmax", "softmax1");
    ASSERT_TRUE(problem);
    EXPECT_EQ(labels(*problem), "Remove softmax1; ");
}

TEST(Analysis, unknown_types_block_only_what_trains) {
    const std::string text = to_text(
        chain("iris", {{"Linear", {}}, {"ReLU", {}}, {"Linear", {{"out_features", whole(3)}}}}));
    std::string changed = text;
    changed.replace(changed.find("\"type\": \"ReLU\""), 14, "\"type\": \"Warp\"");
    Analysis analysis = analyze(from_text(changed));
    const Problem* problem = find(analysis, "unknown-type", "relu1");
    ASSERT_TRUE(problem);
    EXPECT_EQ(problem->severity, Severity::Error);
    EXPECT_FALSE(analysis.runnable());
    Graph beside = from_text(text);
    Node node;
    node.id = "warp1";
    node.type = "Warp";
    apply(beside, {AddNode{node}});
    analysis = analyze(beside);
    ASSERT_TRUE(find(analysis, "unknown-type", "warp1"));
    EXPECT_EQ(find(analysis, "unknown-type", "warp1")->severity, Severity::Warning);
    EXPECT_TRUE(analysis.runnable());
}

TEST(Analysis, a_dataset_that_is_not_there_is_a_problem_of_its_path) {
    Graph graph = chain("iris", {{"Linear", {{"out_features", whole(3)}}}});
    set(graph, "data", "path", std::string("/nowhere/at/all.csv"));
    Analysis analysis = analyze(graph);
    const Problem* problem = find(analysis, "dataset", "data");
    ASSERT_TRUE(problem);
    EXPECT_EQ(problem->param, "path");
    EXPECT_NE(problem->text.find("/nowhere/at/all.csv"), std::string::npos) << problem->text;
    set(graph, "data", "path", std::string());
    set(graph, "data", "source", std::string("file"));
    analysis = analyze(graph);
    ASSERT_TRUE(find(analysis, "dataset", "data"));
    EXPECT_EQ(find(analysis, "dataset", "data")->text,
              "No file or folder is chosen: give a path, or choose a built-in source");
}

TEST(Analysis, a_parameter_out_of_range_is_a_problem_with_fixes) {
    std::string text = to_text(chain("iris", {{"Linear", {{"out_features", whole(3)}}}}));
    text.replace(text.find("\"out_features\": 3"), 17, "\"out_features\": -3");
    const Graph graph = from_text(text);
    const Analysis analysis = analyze(graph);
    const Problem* problem = find(analysis, "parameter-range", "linear1");
    ASSERT_TRUE(problem);
    EXPECT_EQ(problem->text, "out_features must be at least 1, got -3");
    EXPECT_EQ(problem->param, "out_features");
    EXPECT_FALSE(problem->fixes.empty());
}

TEST(Analysis, nesterov_without_momentum_is_a_problem) {
    Graph graph = chain("iris", {{"Linear", {{"out_features", whole(3)}}}});
    set(graph, "optimizer", "nesterov", true);
    EXPECT_TRUE(find(analyze(graph), "invalid-parameters", "optimizer"));
    set(graph, "optimizer", "momentum", 0.9);
    EXPECT_TRUE(analyze(graph).problems.empty());
}

TEST(Analysis, muted_nodes_are_passed_through) {
    Graph graph =
        chain("iris", {{"Linear", {}}, {"ReLU", {}}, {"Linear", {{"out_features", whole(3)}}}});
    apply(graph, {SetMuted{"relu1", true}});
    EXPECT_TRUE(analyze(graph).problems.empty());
    EXPECT_EQ(analyze(graph).nodes.at("relu1").output_text, "N × 128");
    apply(graph, {SetMuted{"linear1", true}});
    EXPECT_EQ(analyze(graph).nodes.at("linear2").weights, 4 * 3 + 3);
    apply(graph, {SetMuted{"data", true}});
    const Problem* problem = nullptr;
    const Analysis analysis = analyze(graph);
    problem = find(analysis, "missing-input", "linear2");
    ASSERT_TRUE(problem);
    EXPECT_FALSE(analysis.runnable());
}

TEST(Analysis, wires_are_explained_while_they_are_dragged) {
    Graph graph;
    add(graph, "Dataset", {{"source", "digits"}}, "data");
    add(graph, "Flatten");
    add(graph, "Conv2d");
    wire(graph, "data", "x", "flatten1", "in");
    EXPECT_EQ(explain_wire(graph, {"flatten1", "out", "conv1", "in"}),
              "Conv2d needs a 4-D input (N × C × H × W), got 2-D [N, 784]");
    EXPECT_EQ(explain_wire(graph, {"data", "x", "conv1", "in"}), "");
    EXPECT_EQ(explain_wire(graph, {"conv1", "out", "conv1", "in"}),
              "conv1 cannot feed itself: that would be a cycle");
}

/// A short form of `wiregrad fixes`, which also trains what was repaired.
TEST(Analysis, one_offered_repair_mends_nine_of_ten_networks_broken_in_twenty_ways) {
    ASSERT_EQ(mutation_kinds().size(), 20U);
    std::vector<std::pair<std::string, Graph>> good;
    for (const char* name : {"spirals", "iris", "digits-mlp", "digits-lenet", "autoencoder"})
        good.emplace_back(name, testing::example(name));
    const std::vector<Broken> broken = broken_graphs(good, 60, 11);
    ASSERT_EQ(broken.size(), 60U);
    std::set<std::string> kinds;
    int mended = 0;
    for (const Broken& one : broken) {
        kinds.insert(one.kind);
        EXPECT_FALSE(analyze(one.graph, false).runnable());
        const Repair repair = try_repairs(one.graph);
        mended += repair.fitting >= 0;
        if (repair.fitting < 0)
            std::printf("  not mended: %s of %s: %s\n", one.kind.c_str(), one.origin.c_str(),
                        repair.unrepaired.c_str());
        else
            EXPECT_TRUE(analyze(repair.repaired, false).runnable());
    }
    EXPECT_EQ(kinds.size(), 20U);
    EXPECT_GE(mended, 54);
}

TEST(Analysis, random_graphs_have_problems_but_never_throw) {
    for (std::uint32_t seed = 1; seed <= 3; ++seed) {
        Graph graph = testing::example(seed == 1 ? "digits-lenet" : "autoencoder");
        testing::RandomEdits edits(seed);
        std::size_t problems = 0;
        for (int i = 0; i < 300; ++i) {
            try {
                apply(graph, edits.next(graph));
            } catch (const ValueError&) {
                continue;
            }
            const Graph edited = graph;
            for (const auto& [id, node] : edited.nodes())
                if (node.type == "Dataset") set(graph, id, "path", std::string());
            const Analysis analysis = analyze(graph, i % 10 == 0);
            problems += analysis.problems.size();
            for (const Problem& problem : analysis.problems) {
                ASSERT_FALSE(problem.text.empty());
                const FlatPlace place = place_of(problem.node); // a path where it is in a group
                ASSERT_TRUE(problem.node.empty() ||
                            graph.sheet(sheet_at(graph, place.groups)).node(place.node))
                    << problem.node;
                ASSERT_LE(problem.fixes.size(), 3u);
            }
            if (analysis.runnable()) {
                EXPECT_NO_THROW(compile_model(graph));
            }
        }
        EXPECT_GT(problems, 100u);
    }
}

TEST(Analysis, a_thousand_nodes_are_looked_at_in_one_pass) {
    Graph graph;
    add(graph, "Dataset", {{"source", "iris"}}, "data");
    std::string last = "data", port = "x";
    for (int i = 0; i < 1000; ++i) {
        const std::string id = add(graph, i % 2 ? "ReLU" : "Linear",
                                   i % 2 ? std::vector<std::pair<std::string, ParamValue>>{}
                                         : std::vector<std::pair<std::string, ParamValue>>{
                                               {"out_features", whole(i % 50 + 1)}});
        wire(graph, last, port, id, "in");
        last = id;
        port = "out";
    }
    const Analysis analysis = analyze(graph, false);
    EXPECT_EQ(analysis.nodes.at(last).output_text, "N × 49");
    EXPECT_EQ(analysis.weights, analyze(graph, false).weights);
}

} // namespace
} // namespace wiregrad::graph
