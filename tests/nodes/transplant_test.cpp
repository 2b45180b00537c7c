// Networks edited while they are trained: what stays, what begins as identity, what an undo brings
// back. Against straight runs, bit for bit.
#include "nodes/transplant.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <condition_variable>
#include <mutex>

#include "nodes/analysis.h"
#include "nodes/compile.h"
#include "nodes/group.h"
#include "tests/nodes/helpers.h"

namespace wiregrad::graph {
namespace {

using testing::add;
using testing::whole;
using testing::wire;

CompileOptions quiet() {
    CompileOptions options;
    options.prefetch = false;
    options.threads = 1;
    return options;
}

/// A run of a graph that can be edited, step by step, as the session does it.
class EditedRun : public train::Sink {
  public:
    explicit EditedRun(const Graph& graph) : graph_(graph), lineage_(graph), running_(graph) {
        numbers_ = lineage_.numbers();
        remember();
        CompileOptions options = quiet();
        options.opened = [this](const data::Splits& splits) { data_ = splits; };
        train::TrainPlan plan = compile(graph_, options);
        plan.validation = plan.test = nullptr;
        self_ = std::shared_ptr<train::Sink>(this, [](train::Sink*) {});
        trainer_ = std::make_unique<train::Trainer>(std::move(plan), self_);
        trainer_->pause();
        trainer_->start();
    }
    ~EditedRun() override { trainer_.reset(); }

    std::vector<double> train_to(std::int64_t step) {
        trainer_->run_to(step);
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return paused_ && std::int64_t(losses_.size()) >= step; });
        paused_ = false;
        return losses_;
    }

    /// Applies it to the graph and to the run; returns the inverse.
    Edit edit(const Edit& edit, std::uint64_t command) {
        Edit inverse = apply(graph_, edit);
        lineage_.follow(edit, graph_, command);
        plan = plan_transplant(running_, numbers_, graph_, lineage_.numbers(), trained_);
        EXPECT_EQ(plan.refusal, "");
        if (!plan.changes) return inverse;
        CompileOptions options = quiet();
        options.data = data_;
        bool told = false;
        trainer_->exchange(
            compile(graph_, options),
            [&](const train::Exchange& exchange) { return carry(plan, exchange, attic_); },
            [&](const train::Exchanged& result) {
                const std::lock_guard lock(mutex_);
                exchanged = result;
                told = true;
                changed_.notify_all();
            });
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return told; });
        EXPECT_TRUE(exchanged.done) << exchanged.error_node << ": " << exchanged.error;
        running_ = graph_;
        numbers_ = lineage_.numbers();
        remember();
        return inverse;
    }

    void on_step(const train::StepRecord& record) override {
        const std::lock_guard lock(mutex_);
        losses_.push_back(record.losses.at(0));
    }
    void on_state(train::RunState state) override {
        const std::lock_guard lock(mutex_);
        paused_ = state == train::RunState::Paused;
        changed_.notify_all();
    }

    const Graph& graph() const { return graph_; }
    Transplant plan;
    train::Exchanged exchanged;

  private:
    void remember() {
        for (const std::string& path : trained_nodes(graph_))
            trained_.insert(lineage_.numbers().at(path));
    }
    Graph graph_;
    Lineage lineage_;
    Graph running_;
    Lineage::Numbers numbers_;
    std::set<std::uint64_t> trained_;
    Attic attic_;
    data::Splits data_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool paused_ = false;
    std::vector<double> losses_;
    std::shared_ptr<train::Sink> self_;
    std::unique_ptr<train::Trainer> trainer_;
};

/// Shapes -> conv, norm, relu, pool, conv, relu, flatten, linear.
Graph small_net(const std::string& optimizer = "Adam") {
    Graph graph = testing::chain("shapes",
                                 {{"Conv2d",
                                   {{"out_channels", whole(6)},
                                    {"kernel_size", testing::list({3, 3})},
                                    {"padding", testing::list({1, 1})}}},
                                  {"BatchNorm2d", {}},
                                  {"ReLU", {}},
                                  {"MaxPool2d", {}},
                                  {"Conv2d",
                                   {{"out_channels", whole(6)},
                                    {"kernel_size", testing::list({3, 3})},
                                    {"padding", testing::list({1, 1})}}},
                                  {"Flatten", {}},
                                  {"Linear", {{"out_features", whole(12)}}},
                                  {"Tanh", {}},
                                  {"Linear", {{"out_features", whole(10)}}}},
                                 "CrossEntropyLoss", optimizer);
    testing::set(graph, "data", "samples", whole(64));
    Training training = graph.training();
    training.batch_size = 8;
    training.epochs = 10;
    apply(graph, {SetTraining{training}});
    return graph;
}

/// `nodes` in a row between `from` and what it feeds.
Edit insert(const Graph& graph, const std::string& from, std::vector<Node> nodes) {
    Batch batch;
    std::vector<Wire> old = graph.wires_out_of(from);
    for (const Wire& one : old)
        batch.edits.push_back({Disconnect{one}});
    std::string last = from;
    for (Node& node : nodes) {
        const std::string id = node.id;
        batch.edits.push_back({AddNode{std::move(node)}});
        batch.edits.push_back({Connect{{last, "out", id, "in"}}});
        last = id;
    }
    for (const Wire& one : old)
        batch.edits.push_back({Connect{{last, "out", one.to, one.to_port}}});
    return {std::move(batch)};
}

Node made(const Graph& graph, const std::string& type, const std::string& id, Params params = {}) {
    Node node = make_node(graph, type, {});
    node.id = id;
    for (auto& [name, value] : params)
        node.params[name] = value;
    return node;
}

/// Inserts, looks, undoes: the loss of the same batch before, with it, and after.
void expect_identity(const Graph& graph, const Edit& edit, double within = 1e-5) {
    constexpr std::int64_t kBefore = 3, kAfter = 7;
    EditedRun straight(graph), edited(graph);
    const std::vector<double> expected = straight.train_to(kAfter);
    edited.train_to(kBefore);
    const Edit inverse = edited.edit(edit, 1);
    ASSERT_EQ(edited.exchanged.step, kBefore);
    ASSERT_EQ(edited.exchanged.losses_before.at(0), expected[kBefore]);
    EXPECT_NEAR(edited.exchanged.losses_after.at(0), expected[kBefore], within);
    EXPECT_TRUE(edited.plan.losses.empty()) << edited.plan.losses[0];
    edited.edit(inverse, 1);
    EXPECT_EQ(edited.exchanged.losses_after.at(0), expected[kBefore]); // bit for bit
    EXPECT_EQ(edited.train_to(kAfter), expected);
}

TEST(HotEdits, UX_54_an_inserted_linear_layer_begins_as_identity_and_its_undo_is_exact) {
    const Graph graph = small_net();
    expect_identity(graph, insert(graph, "tanh1",
                                  {made(graph, "Linear", "more", {{"out_features", whole(12)}})}));
}

TEST(HotEdits, UX_54_an_inserted_convolution_begins_as_identity) {
    const Graph graph = small_net();
    expect_identity(graph, insert(graph, "relu1",
                                  {made(graph, "Conv2d", "more",
                                        {{"out_channels", whole(6)},
                                         {"kernel_size", testing::list({3, 3})},
                                         {"padding", testing::list({1, 1})}})}));
    // One filter a channel.
    expect_identity(graph, insert(graph, "relu1",
                                  {made(graph, "Conv2d", "more",
                                        {{"out_channels", whole(6)},
                                         {"groups", whole(6)},
                                         {"kernel_size", testing::list({5, 5})},
                                         {"padding", testing::list({2, 2})}})}));
}

TEST(HotEdits, UX_54_an_inserted_normalization_undoes_itself_on_the_next_batch) {
    const Graph graph = small_net();
    expect_identity(graph, insert(graph, "conv2", {made(graph, "BatchNorm2d", "norm")}));
}

TEST(HotEdits, UX_54_layers_in_a_row_with_an_activation_that_changes_nothing_there) {
    const Graph graph = small_net("SGD");
    expect_identity(graph, insert(graph, "relu1",
                                  {made(graph, "Conv2d", "more",
                                        {{"out_channels", whole(6)},
                                         {"kernel_size", testing::list({3, 3})},
                                         {"padding", testing::list({1, 1})}}),
                                   made(graph, "BatchNorm2d", "norm"), made(graph, "ReLU", "again"),
                                   made(graph, "PReLU", "slope")}));
}

TEST(HotEdits, UX_54_a_residual_branch_begins_silent) {
    const Graph graph = small_net();
    Batch batch;
    for (const Wire& one : graph.wires_out_of("relu1"))
        batch.edits.push_back({Disconnect{one}});
    const Params same{{"out_channels", whole(6)},
                      {"kernel_size", testing::list({3, 3})},
                      {"padding", testing::list({1, 1})}};
    std::string last = "relu1";
    using Pair = std::pair<const char*, const char*>;
    for (const auto& [type, id] :
         {Pair("Conv2d", "b1"), Pair("BatchNorm2d", "b2"), Pair("ReLU", "b3"), Pair("Conv2d", "b4"),
          Pair("BatchNorm2d", "b5")}) {
        batch.edits.push_back(
            {AddNode{made(graph, type, id, type == std::string("Conv2d") ? same : Params())}});
        batch.edits.push_back({Connect{{last, "out", id, "in"}}});
        last = id;
    }
    batch.edits.push_back({AddNode{made(graph, "Add", "sum")}});
    batch.edits.push_back({Connect{{"relu1", "out", "sum", "in"}}});
    batch.edits.push_back({Connect{{last, "out", "sum", "in"}}});
    for (const Wire& one : graph.wires_out_of("relu1"))
        batch.edits.push_back({Connect{{"sum", "out", one.to, one.to_port}}});
    expect_identity(graph, {batch}, 1e-12);
}

TEST(HotEdits, UX_54_widening_keeps_the_function_and_what_was_trained) {
    const Graph graph = small_net();
    expect_identity(graph, {SetParam{"linear1", "out_features", whole(30)}});
    expect_identity(graph, {SetParam{"conv2", "out_channels", whole(9)}});
}

TEST(HotEdits, UX_54_a_removed_layer_comes_back_with_its_weights_and_momentum) {
    const Graph graph = small_net();
    EditedRun straight(graph), edited(graph);
    const std::vector<double> expected = straight.train_to(10);
    edited.train_to(6);
    const Edit inverse = edited.edit(remove_edit(graph, {"batchnorm1"}, true), 3);
    ASSERT_EQ(edited.plan.losses.size(), 1U);
    EXPECT_EQ(edited.plan.losses[0], "12 trained weights of batchnorm1 leave the run");
    EXPECT_NE(edited.exchanged.losses_after.at(0), expected[6]);
    edited.edit(inverse, 3);
    EXPECT_EQ(edited.exchanged.losses_after.at(0), expected[6]);
    EXPECT_EQ(edited.train_to(10), expected);
}

TEST(HotEdits, UX_54_cutting_is_said_and_its_undo_brings_the_rest_back) {
    const Graph graph = small_net();
    EditedRun straight(graph), edited(graph);
    const std::vector<double> expected = straight.train_to(12);
    edited.train_to(4);
    const Edit inverse = edited.edit({SetParam{"linear1", "out_features", whole(5)}}, 8);
    EXPECT_THAT(edited.plan.losses, ::testing::Contains(::testing::HasSubstr(
                                        "trained weights of linear1 are cut off")));
    edited.edit(inverse, 8);
    EXPECT_EQ(edited.train_to(12), expected);
}

TEST(HotEdits, UX_47_grouping_ungrouping_and_renaming_during_a_run_change_no_number) {
    const Graph graph = small_net();
    EditedRun straight(graph), edited(graph);
    const std::vector<double> expected = straight.train_to(10);
    edited.train_to(2);
    const auto [grouping, group] =
        group_edit(edited.graph(), {"conv1", "batchnorm1", "relu1"}, "Stem");
    const Edit ungrouping = edited.edit(grouping, 1);
    ASSERT_TRUE(edited.graph().node(group));
    EXPECT_TRUE(edited.plan.losses.empty());
    edited.train_to(4);
    edited.edit({Rename{group, "the beginning"}}, 2);
    edited.edit({SetParam{group, "times", whole(1)}}, 3);
    edited.train_to(6);
    edited.edit(ungroup_edit(edited.graph(), group).first, 4);
    edited.train_to(8);
    edited.edit(grouping, 5);
    edited.edit(ungrouping, 5);
    EXPECT_EQ(edited.train_to(10), expected);
}

TEST(HotEdits, UX_54_a_rate_changes_at_the_boundary_and_the_moments_stay) {
    const Graph graph = small_net();
    EditedRun straight(graph), edited(graph);
    const std::vector<double> expected = straight.train_to(10);
    edited.train_to(5);
    const double old = std::get<double>(graph.node("optimizer")->params.at("lr"));
    edited.edit({SetParam{"optimizer", "lr", 0.02}}, 1);
    EXPECT_TRUE(edited.plan.losses.empty());
    edited.edit({SetParam{"optimizer", "lr", old}}, 2);
    EXPECT_EQ(edited.train_to(10), expected);
}

TEST(HotEdits, UX_54_what_makes_another_run_is_refused_in_words) {
    const Graph graph = small_net();
    const Lineage lineage(graph);
    const auto refusal = [&](const Edit& edit) {
        Graph after = graph;
        apply(after, edit);
        return plan_transplant(graph, lineage.numbers(), after, lineage.numbers(), {}).refusal;
    };
    EXPECT_EQ(refusal({SetParam{"data", "samples", whole(32)}}), "Other data make another run");
    Training training = graph.training();
    training.batch_size = 4;
    EXPECT_EQ(refusal({SetTraining{training}}), "Another batch size makes another run");
    training = graph.training();
    training.seed = 5;
    EXPECT_EQ(refusal({SetTraining{training}}), "Another seed makes another run");
    training = graph.training();
    training.epochs = 99;
    EXPECT_EQ(refusal({SetTraining{training}}), "");
}

TEST(Lineage, follows_nodes_into_groups_and_repeats_and_back) {
    Graph graph = small_net();
    const auto [grouping, group] = group_edit(graph, {"linear1", "tanh1"}, "Block");
    Graph grouped = graph;
    const Edit back = apply(grouped, grouping);
    auto from = came_from(graph, grouping, grouped);
    EXPECT_EQ(from.at(group + ".linear1"), "linear1");
    EXPECT_EQ(from.at("linear2"), "linear2");
    EXPECT_EQ(came_from(grouped, back, graph).at("linear1"), group + ".linear1");
    // One more repetition: the first is the one that was there, the second is new.
    Graph repeated = grouped;
    const Edit more{SetParam{group, "times", whole(2)}};
    apply(repeated, more);
    from = came_from(grouped, more, repeated);
    EXPECT_EQ(from.at(group + ".0.linear1"), group + ".linear1");
    EXPECT_FALSE(from.contains(group + ".1.linear1"));
    // Inside a definition, in every instance.
    const std::string definition = repeated.node(group)->group;
    const auto [nested, inner] = group_edit(repeated.sheet(definition), {"linear1"}, "Deep");
    const Edit inside = on_sheet(definition, nested);
    Graph deep = repeated;
    apply(deep, inside);
    from = came_from(repeated, inside, deep);
    EXPECT_EQ(from.at(group + ".1." + inner + ".linear1"), group + ".1.linear1");
    // Taken apart, each repetition keeps its own.
    const auto [apart, born] = ungroup_edit(repeated, group);
    Graph flat = repeated;
    apply(flat, apart);
    from = came_from(repeated, apart, flat);
    std::set<std::string> sources;
    for (const std::string& id : born)
        sources.insert(from.at(id));
    EXPECT_EQ(sources, (std::set<std::string>{group + ".0.linear1", group + ".0.tanh1",
                                              group + ".1.linear1", group + ".1.tanh1"}));
}

TEST(Lineage, another_node_with_the_same_id_is_another_one_and_undo_brings_the_first_back) {
    Graph graph = small_net();
    Lineage lineage(graph);
    const std::uint64_t first = lineage.numbers().at("linear1");
    const auto step = [&](const Edit& edit, std::uint64_t command) {
        Edit inverse = apply(graph, edit);
        lineage.follow(edit, graph, command);
        return inverse;
    };
    const Edit undo_remove = step({RemoveNode{"linear1"}}, 1);
    const Edit undo_add = step({AddNode{made(graph, "Linear", "linear1")}}, 2);
    const std::uint64_t second = lineage.numbers().at("linear1");
    EXPECT_NE(second, first);
    const Edit redo_add = step(undo_add, 2);
    const Edit redo_remove = step(undo_remove, 1);
    EXPECT_EQ(lineage.numbers().at("linear1"), first);
    step(redo_remove, 1);
    step(redo_add, 2);
    EXPECT_EQ(lineage.numbers().at("linear1"), second);
}

} // namespace
} // namespace wiregrad::graph
