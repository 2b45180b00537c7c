#include <gtest/gtest.h>

#include <limits>

#include "engine/core/error.h"
#include "nodes/edit.h"
#include "nodes/project.h"
#include "tests/nodes/helpers.h"
#include "tests/nodes/random_edits.h"

namespace wiregrad::graph {
namespace {

using testing::add;
using testing::wire;

std::string refused(Graph& graph, const Edit& edit) {
    const std::string before = to_text(graph);
    try {
        apply(graph, edit);
    } catch (const ValueError& error) {
        EXPECT_EQ(to_text(graph), before) << "a refused edit must leave the graph as it was";
        return error.text();
    }
    return "";
}

TEST(Edit, fresh_ids_come_from_the_type) {
    Graph graph;
    EXPECT_EQ(add(graph, "Conv2d"), "conv1");
    EXPECT_EQ(add(graph, "Conv2d"), "conv2");
    EXPECT_EQ(add(graph, "CrossEntropyLoss"), "crossentropy1");
    EXPECT_EQ(add(graph, "ReLU6"), "relu6_1");
    EXPECT_EQ(graph.fresh_id("Größe 2d"), "gr____e_1");
    apply(graph, {RemoveNode{"conv1"}});
    EXPECT_EQ(graph.fresh_id("Conv2d"), "conv1");
}

TEST(Edit, cycles_are_refused_in_words) {
    Graph graph;
    add(graph, "ReLU", {}, "a");
    add(graph, "ReLU", {}, "b");
    add(graph, "Add", {}, "c");
    wire(graph, "a", "out", "b", "in");
    wire(graph, "b", "out", "c", "in");
    EXPECT_EQ(refused(graph, {Connect{{"c", "out", "a", "in"}}}),
              "a feeds c already: a wire back would be a cycle");
    EXPECT_EQ(refused(graph, {Connect{{"c", "out", "c", "in"}}}),
              "c cannot feed itself: that would be a cycle");
}

TEST(Edit, wires_between_different_kinds_are_refused_in_words) {
    Graph graph;
    add(graph, "ReLU", {}, "a");
    add(graph, "CrossEntropyLoss", {}, "loss");
    add(graph, "SGD", {}, "sgd");
    EXPECT_EQ(refuse_wire(graph, {"a", "out", "loss", "target"}),
              "a.out gives a tensor, loss.target takes labels");
    EXPECT_EQ(refuse_wire(graph, {"a", "out", "sgd", "loss"}),
              "a.out gives a tensor, sgd.loss takes a loss");
    EXPECT_EQ(refuse_wire(graph, {"a", "out", "loss", "input"}), "");
    EXPECT_EQ(refuse_wire(graph, {"a", "up", "loss", "input"}), "a (ReLU) has no output \"up\"");
    EXPECT_EQ(refuse_wire(graph, {"a", "out", "nobody", "input"}), "there is no node \"nobody\"");
}

TEST(Edit, an_occupied_input_takes_the_new_wire_in_one_undo_step) {
    Graph graph;
    for (const char* id : {"a", "b", "c"})
        add(graph, "ReLU", {}, id);
    wire(graph, "a", "out", "c", "in");
    const std::string before = to_text(graph);
    EXPECT_EQ(refused(graph, {Connect{{"b", "out", "c", "in"}}}), "input c.in is taken by a.out");
    const Edit undo = apply(graph, connect_edit(graph, {"b", "out", "c", "in"}));
    ASSERT_EQ(graph.wires().size(), 1u);
    EXPECT_EQ(graph.wires()[0].str(), "b.out -> c.in");
    apply(graph, undo);
    EXPECT_EQ(to_text(graph), before);
}

TEST(Edit, parameters_out_of_range_are_refused_in_words) {
    Graph graph;
    add(graph, "Conv2d", {}, "conv");
    add(graph, "SGD", {}, "sgd");
    EXPECT_EQ(refused(graph, {SetParam{"conv", "kernel_size", std::vector<std::int64_t>{0}}}),
              "kernel_size[0] must be at least 1, got 0");
    EXPECT_EQ(refused(graph, {SetParam{"conv", "out_channels", std::int64_t{0}}}),
              "out_channels must be at least 1, got 0");
    EXPECT_EQ(refused(graph, {SetParam{"sgd", "lr", 0.0}}), "lr must be above 0, got 0");
    EXPECT_EQ(refused(graph, {SetParam{"sgd", "lr", std::numeric_limits<double>::quiet_NaN()}}),
              "lr must be a finite number, got nan");
    EXPECT_EQ(refused(graph, {SetParam{"sgd", "schedule", std::string("up")}}),
              "schedule must be one of constant, step, multistep, exponential, cosine, "
              "warm_restarts, linear, constant_factor, polynomial, one_cycle, cyclic, plateau, "
              "got \"up\"");
    EXPECT_EQ(refused(graph, {SetParam{"sgd", "nothing", 1.0}}),
              "sgd (SGD) has no parameter \"nothing\"");
    EXPECT_EQ(refused(graph, {Move{"sgd", {std::numeric_limits<double>::infinity(), 0}}}),
              "a position must be two finite numbers");
}

TEST(Edit, whole_numbers_are_real_where_a_real_is_wanted) {
    Graph graph;
    add(graph, "SGD", {}, "sgd");
    apply(graph, {SetParam{"sgd", "lr", std::int64_t{1}}});
    EXPECT_EQ(std::get<double>(graph.node("sgd")->params.at("lr")), 1.0);
}

TEST(Edit, a_batch_is_all_or_nothing) {
    Graph graph;
    add(graph, "ReLU", {}, "a");
    const Edit batch{Batch{{{Rename{"a", "first"}}, {RemoveNode{"a"}}, {RemoveNode{"a"}}}}};
    EXPECT_EQ(refused(graph, batch), "there is no node \"a\"");
}

TEST(Edit, dissolving_rejoins_the_neighbours_in_place) {
    Graph graph;
    for (const char* id : {"a", "b", "c", "d"})
        add(graph, "ReLU", {}, id);
    add(graph, "Concat", {}, "cat");
    wire(graph, "a", "out", "b", "in");
    wire(graph, "b", "out", "c", "in");
    wire(graph, "c", "out", "cat", "in");
    wire(graph, "d", "out", "cat", "in");
    const std::string before = to_text(graph);
    const Edit undo = apply(graph, remove_edit(graph, {"b", "c"}, true));
    ASSERT_EQ(graph.wires().size(), 2u);
    EXPECT_EQ(graph.wires()[0].str(), "a.out -> cat.in")
        << "the order of Concat's inputs must stay";
    EXPECT_EQ(graph.wires()[1].str(), "d.out -> cat.in");
    apply(graph, undo);
    EXPECT_EQ(to_text(graph), before);
    apply(graph, remove_edit(graph, {"b", "c"}, false));
    EXPECT_EQ(graph.wires().size(), 1u);
}

TEST(Edit, copies_are_pasted_with_fresh_ids_and_inner_wires) {
    Graph graph;
    add(graph, "Linear", {{"out_features", testing::whole(7)}}, "linear1");
    add(graph, "ReLU", {}, "relu1");
    add(graph, "ReLU", {}, "outside");
    wire(graph, "linear1", "out", "relu1", "in");
    wire(graph, "relu1", "out", "outside", "in");
    const std::string text = copy_text(graph, {"linear1", "relu1"});
    const auto [edit, ids] = paste_edit(graph, text, {1000, 500});
    apply(graph, edit);
    EXPECT_EQ(ids, (std::set<std::string>{"linear2", "relu2"}));
    EXPECT_EQ(std::get<std::int64_t>(graph.node("linear2")->params.at("out_features")), 7);
    EXPECT_EQ(graph.node("linear2")->position, (Position{1000, 500}));
    ASSERT_EQ(graph.wires_into("relu2").size(), 1u);
    EXPECT_EQ(graph.wires_into("relu2")[0].from, "linear2");
    EXPECT_EQ(graph.wires().size(), 3u)
        << "a wire to a node that was not copied does not come along";
    graph.check_consistency();
    EXPECT_THROW(paste_edit(graph, "import torch", {}), ValueError);
    EXPECT_THROW(paste_edit(graph, "{}", {}), ValueError);
    EXPECT_THROW(paste_edit(graph, to_text(Graph()), {}), ValueError);
}

TEST(Edit, change_sets_say_what_was_touched) {
    Graph graph;
    add(graph, "ReLU", {}, "a");
    add(graph, "ReLU", {}, "b");
    wire(graph, "a", "out", "b", "in");
    ChangeSet changes;
    apply(graph, {RemoveNode{"a"}}, &changes);
    EXPECT_EQ(changes.removed, std::set<std::string>{"a"});
    EXPECT_EQ(changes.wires_removed.size(), 1u);
    EXPECT_TRUE(changes.structural());
    ChangeSet moved;
    apply(graph, {Move{"b", {1, 2}}}, &moved);
    EXPECT_EQ(moved.moved, std::set<std::string>{"b"});
    EXPECT_FALSE(moved.structural());
}

TEST(Edit, ten_thousand_random_edits_undo_to_the_first_bytes_and_redo_to_the_last) {
    for (std::uint32_t seed = 1; seed <= 4; ++seed) {
        Graph graph;
        const std::string first = to_text(graph);
        testing::RandomEdits fuzz(seed);
        std::vector<Edit> undos;
        int refusals = 0;
        for (int i = 0; i < 2500; ++i) {
            const Edit edit = fuzz.next(graph);
            const Graph before = graph;
            try {
                undos.push_back(apply(graph, edit));
                EXPECT_FALSE(describe(edit, graph).empty());
            } catch (const ValueError&) {
                ++refusals;
                ASSERT_EQ(graph, before) << "seed " << seed << ", edit " << i;
            }
            ASSERT_NO_THROW(graph.check_consistency()) << "seed " << seed << ", edit " << i;
        }
        EXPECT_GT(undos.size(), 1000u);
        EXPECT_GT(refusals, 100);
        const std::string last = to_text(graph);
        std::vector<Edit> redos;
        for (auto undo = undos.rbegin(); undo != undos.rend(); ++undo)
            redos.push_back(apply(graph, *undo));
        EXPECT_EQ(to_text(graph), first);
        EXPECT_EQ(graph, Graph());
        for (auto redo = redos.rbegin(); redo != redos.rend(); ++redo)
            apply(graph, *redo);
        EXPECT_EQ(to_text(graph), last);
    }
}

} // namespace
} // namespace wiregrad::graph
