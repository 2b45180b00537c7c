// Groups: made, dissolved, nested, repeated, shared; in edits, files, the clipboard and runs.
#include "nodes/group.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/op/ops.h"
#include "nodes/analysis.h"
#include "nodes/compile.h"
#include "nodes/flatten.h"
#include "nodes/project.h"
#include "tests/nodes/helpers.h"

namespace wiregrad::graph {
namespace {

using testing::add;
using testing::set;
using testing::whole;
using testing::wire;

/// Two branches that join, so that the order of a Concat's inputs matters.
Graph branched() {
    Graph graph;
    add(graph, "Input", {{"shape", std::vector<std::int64_t>{6}}}, "data");
    add(graph, "Linear", {{"out_features", whole(5)}}, "left");
    add(graph, "Linear", {{"out_features", whole(4)}}, "right");
    add(graph, "Tanh", {}, "tanh");
    add(graph, "Concat", {}, "cat");
    add(graph, "Linear", {{"out_features", whole(3)}}, "head");
    wire(graph, "data", "x", "left", "in");
    wire(graph, "data", "x", "right", "in");
    wire(graph, "right", "out", "tanh", "in");
    wire(graph, "tanh", "out", "cat", "in");
    wire(graph, "left", "out", "cat", "in");
    wire(graph, "cat", "out", "head", "in");
    return graph;
}

/// Weights that depend on the last parts of their names only, so that "left.weight" and
/// "group1.left.weight" get the same numbers.
void fill(CompiledModel& model) {
    for (nn::NamedTensor& weight : model.module().parameters()) {
        const auto dot = weight.name.rfind('.', weight.name.rfind('.') - 1);
        const std::string name =
            dot == std::string::npos ? weight.name : weight.name.substr(dot + 1);
        std::uint32_t state = 7;
        for (const char c : name)
            state = state * 31 + static_cast<unsigned char>(c);
        std::vector<float> values(static_cast<std::size_t>(weight.tensor.numel()));
        for (float& value : values) {
            state = state * 1664525U + 1013904223U;
            value = static_cast<float>(state >> 8) / 16777216.0F - 0.5F;
        }
        const autograd::NoGrad scope;
        weight.tensor.copy_(Tensor::from(values, weight.tensor.shape()));
    }
}

std::vector<float> outputs(const Graph& graph, std::int64_t features) {
    CompileOptions options;
    options.prefetch = false;
    const auto model = compile_model(graph, options);
    fill(*model);
    std::vector<float> x(static_cast<std::size_t>(4 * features));
    for (std::size_t i = 0; i < x.size(); ++i)
        x[i] = static_cast<float>(i * 37 % 101) / 101.0F;
    const auto result = model->predict(Tensor::from(x, {4, features}));
    std::vector<float> all;
    for (const auto& [id, tensor] : result) {
        const Tensor dense = tensor.contiguous();
        all.insert(all.end(), dense.data<float>(), dense.data<float>() + dense.numel());
    }
    return all;
}

std::vector<std::string> weight_names(const Graph& graph) {
    const auto model = compile_model(graph, {});
    std::vector<std::string> names;
    for (const nn::NamedTensor& weight : model->module().parameters())
        names.push_back(weight.name);
    return names;
}

std::string refusal(Graph graph, const Edit& edit) {
    const Graph before = graph;
    try {
        apply(graph, edit);
    } catch (const ValueError& error) {
        EXPECT_EQ(graph, before) << "a refused edit must leave the graph as it was";
        return error.text();
    }
    return "";
}

/// A residual block `x + tanh(linear(x))` of a width, repeated.
Graph repeated(std::int64_t times, const std::string& weights = "own") {
    Graph graph;
    add(graph, "Input", {{"shape", std::vector<std::int64_t>{6}}}, "data");
    add(graph, "Linear", {{"out_features", whole(6)}}, "linear");
    add(graph, "Tanh", {}, "tanh");
    add(graph, "Add", {}, "sum");
    wire(graph, "data", "x", "linear", "in");
    wire(graph, "linear", "out", "tanh", "in");
    wire(graph, "data", "x", "sum", "in");
    wire(graph, "tanh", "out", "sum", "in");
    const auto [edit, id] = group_edit(graph, {"linear", "tanh", "sum"}, "Block");
    apply(graph, edit);
    EXPECT_EQ(id, "block1");
    set(graph, id, "times", times);
    set(graph, id, "weights", weights);
    graph.check_consistency();
    return graph;
}

TEST(Group, grouping_and_ungrouping_leave_the_function_as_it_is) {
    Graph graph = branched();
    const std::string first = to_text(graph);
    const std::vector<float> before = outputs(graph, 6);
    ASSERT_EQ(before.size(), 12u);
    const auto [edit, id] = group_edit(graph, {"right", "tanh", "left"}, "Both");
    const Edit undo = apply(graph, edit);
    graph.check_consistency();
    EXPECT_EQ(graph.nodes().size(), 4u);
    const NodeType* type = graph.type_of(id);
    ASSERT_TRUE(type);
    EXPECT_EQ(type->label, "Both");
    EXPECT_EQ(type->inputs.size(), 1u) << "both take the same value: one port";
    EXPECT_EQ(type->outputs.size(), 2u);
    EXPECT_EQ(outputs(graph, 6), before);
    EXPECT_EQ(weight_names(graph), (std::vector<std::string>{
                                       "both1.left.weight", "both1.left.bias", "both1.right.weight",
                                       "both1.right.bias", "head.weight", "head.bias"}));
    const std::string grouped = to_text(graph);

    const auto [apart, born] = ungroup_edit(graph, id);
    const Edit regroup = apply(graph, apart);
    graph.check_consistency();
    EXPECT_EQ(born, (std::set<std::string>{"left", "right", "tanh"}));
    EXPECT_TRUE(graph.definitions().empty());
    EXPECT_EQ(outputs(graph, 6), before);
    apply(graph, regroup);
    EXPECT_EQ(to_text(graph), grouped);
    apply(graph, undo);
    EXPECT_EQ(to_text(graph), first);
}

TEST(Group, a_repeat_is_its_repetitions_one_after_another) {
    Graph graph = repeated(3);
    EXPECT_EQ(weight_names(graph),
              (std::vector<std::string>{"block1.0.linear.weight", "block1.0.linear.bias",
                                        "block1.1.linear.weight", "block1.1.linear.bias",
                                        "block1.2.linear.weight", "block1.2.linear.bias"}));
    // x + tanh(W x + b), three times, worked out by hand with the same numbers.
    const std::vector<float> got = outputs(graph, 6);
    const auto model = compile_model(graph, {});
    fill(*model);
    const auto parameters = model->module().parameters();
    std::vector<double> x(6);
    for (std::size_t i = 0; i < 6; ++i)
        x[i] = static_cast<double>(static_cast<float>(i * 37 % 101) / 101.0F);
    for (std::size_t turn = 0; turn < 3; ++turn) {
        const float* w = parameters[2 * turn].tensor.data<float>();
        const float* b = parameters[2 * turn + 1].tensor.data<float>();
        std::vector<double> next(6);
        for (std::size_t i = 0; i < 6; ++i) {
            double sum = static_cast<double>(b[i]);
            for (std::size_t k = 0; k < 6; ++k)
                sum += static_cast<double>(w[i * 6 + k]) * x[k];
            next[i] = x[i] + std::tanh(sum);
        }
        x = next;
    }
    ASSERT_EQ(got.size(), 24u);
    for (std::size_t i = 0; i < 6; ++i)
        EXPECT_NEAR(got[i], x[i], 1e-5);
    // Taken apart it is the same chain of nodes.
    const auto [edit, born] = ungroup_edit(graph, "block1");
    apply(graph, edit);
    EXPECT_EQ(born.size(), 9u);
    EXPECT_EQ(weight_names(graph).size(), 6u);
    EXPECT_TRUE(graph.definitions().empty());
}

TEST(Group, shared_weights_are_one_set_of_weights_that_sums_its_gradients) {
    const Graph graph = repeated(3, "shared");
    EXPECT_EQ(weight_names(graph),
              (std::vector<std::string>{"block1.0.linear.weight", "block1.0.linear.bias"}));
    EXPECT_EQ(analyze(graph, false).weights, 42);
    EXPECT_EQ(analyze(repeated(3), false).weights, 126);
    EXPECT_THROW(ungroup_edit(graph, "block1"), ValueError);
    // `fill` gives every repetition the same numbers, so both compute the same.
    EXPECT_EQ(outputs(graph, 6), outputs(repeated(3), 6));
    const auto gradient = [](const Graph& of) {
        const auto model = compile_model(of, {});
        fill(*model);
        std::vector<float> ones(12, 1.0F);
        nn::ForwardContext context;
        context.training = false;
        context.state.random = Tensor::zeros({2}, DType::Int64);
        auto values =
            model->module().forward(std::vector<Tensor>{Tensor::from(ones, {2, 6})}, context);
        autograd::backward(sum(values[0]));
        double total = 0;
        for (const nn::NamedTensor& weight : model->module().parameters()) {
            const Tensor grad = weight.tensor.grad().contiguous();
            for (std::int64_t i = 0; i < grad.numel(); ++i)
                total += static_cast<double>(grad.data<float>()[i]);
        }
        return total;
    };
    EXPECT_NEAR(gradient(graph), gradient(repeated(3)), 1e-3);
}

TEST(Group, instances_follow_their_definition_and_unique_ones_do_not) {
    Graph graph = repeated(1);
    Node second = make_instance(graph, "block", {900, 0});
    EXPECT_EQ(second.id, "block2");
    apply(graph, {AddNode{second}});
    wire(graph, "block1", "out1", "block2", "in1");
    EXPECT_EQ(instances_of(graph, "block"), 2);
    EXPECT_EQ(weight_names(graph).size(), 4u) << "a shared definition is not shared weights";
    const std::string before = to_text(graph);

    // A port that goes takes the wires of every instance along; undo brings them back.
    const Edit back = apply(graph, {Inside{"block", {{RemoveNode{"out1"}}}}});
    graph.check_consistency();
    EXPECT_TRUE(graph.wires_into("block2").empty());
    const std::string without = to_text(graph);
    const Edit again = apply(graph, back);
    EXPECT_EQ(to_text(graph), before);
    apply(graph, apply(graph, again));
    EXPECT_EQ(to_text(graph), before);
    apply(graph, again);
    EXPECT_EQ(to_text(graph), without);
    graph = from_text(before);

    apply(graph, make_unique_edit(graph, "block2"));
    apply(graph, on_sheet("block", {AddNode{make_node(graph.sheet("block"), "ReLU", {})}}));
    EXPECT_EQ(graph.definition("block")->body.nodes().size(), 6u);
    EXPECT_EQ(graph.definition("block2")->body.nodes().size(), 5u);
    graph.check_consistency();
}

TEST(Group, names_of_ports_change_without_touching_wires) {
    Graph graph = repeated(1);
    const auto wires = graph.wires();
    ChangeSet changes;
    apply(graph, {Inside{"block", {{Rename{"in1", "residual stream"}}}}}, &changes);
    EXPECT_EQ(graph.wires(), wires);
    EXPECT_EQ(graph.type_of("block1")->inputs[0].label, "residual stream");
    EXPECT_TRUE(changes.changed.contains("block1")) << "the instance looks different now";
    EXPECT_TRUE(changes.inside.at("block").changed.contains("in1"));
}

TEST(Group, exposed_parameters_belong_to_each_instance) {
    Graph graph = repeated(1);
    apply(graph, {AddNode{make_instance(graph, "block", {})}});
    const std::string before = to_text(graph);
    const Edit undo = apply(graph, expose_edit(graph, "block", "linear", "bias", true));
    graph.check_consistency();
    ASSERT_TRUE(graph.type_of("block1")->param("linear_bias"));
    EXPECT_EQ(std::get<bool>(graph.node("block1")->params.at("linear_bias")), true);
    set(graph, "block1", "linear_bias", false);
    wire(graph, "block1", "out1", "block2", "in1");
    EXPECT_EQ(weight_names(graph),
              (std::vector<std::string>{"block1.linear.weight", "block2.linear.weight",
                                        "block2.linear.bias"}));
    const Graph same = from_text(to_text(graph));
    EXPECT_EQ(same, graph);
    apply(graph, {Disconnect{{"block1", "out1", "block2", "in1"}}});
    set(graph, "block1", "linear_bias", true);
    apply(graph, undo);
    EXPECT_EQ(to_text(graph), before);
    // Taking the group apart keeps the instance's own value.
    apply(graph, expose_edit(graph, "block", "linear", "bias", true));
    set(graph, "block1", "linear_bias", false);
    apply(graph, ungroup_edit(graph, "block1").first);
    EXPECT_EQ(std::get<bool>(graph.node("linear")->params.at("bias")), false);
}

TEST(Group, a_path_that_leaves_and_comes_back_is_refused) {
    Graph graph;
    for (const char* id : {"a", "b", "c"})
        add(graph, "ReLU", {}, id);
    wire(graph, "a", "out", "b", "in");
    wire(graph, "b", "out", "c", "in");
    EXPECT_THROW(group_edit(graph, {"a", "c"}), ValueError);
    EXPECT_THROW(group_edit(graph, {}), ValueError);
    EXPECT_NO_THROW(group_edit(graph, {"a", "b"}));
}

TEST(Group, groups_in_groups_are_flat_when_they_run) {
    Graph graph = repeated(2);
    add(graph, "ReLU", {}, "relu");
    wire(graph, "block1", "out1", "relu", "in");
    const std::vector<float> before = outputs(graph, 6);
    // A group around the repeat, and one around that, made inside of it.
    apply(graph, group_edit(graph, {"block1", "relu"}, "Outer").first);
    const Graph inside = graph.sheet("outer");
    apply(graph, on_sheet("outer", group_edit(inside, {"block1"}, "Middle").first));
    graph.check_consistency();
    EXPECT_EQ(graph.definitions().size(), 3u);
    EXPECT_EQ(outputs(graph, 6), before);
    EXPECT_EQ(weight_names(graph)[0], "outer1.middle1.block1.0.linear.weight");
    EXPECT_EQ(from_text(to_text(graph)), graph);

    const FlatPlace place = place_of("outer1.middle1.block1.1.linear");
    EXPECT_EQ(place.groups, (std::vector<std::string>{"outer1", "middle1", "block1"}));
    EXPECT_EQ(place.node, "linear");
    EXPECT_FALSE(place.first);
    EXPECT_EQ(sheet_at(graph, place.groups), "block");
    EXPECT_EQ(flat_prefix(graph, place.groups), "outer1.middle1.block1.0.");
}

TEST(Group, a_group_cannot_stand_in_itself_nor_deeper_than_64) {
    Graph graph = repeated(1);
    EXPECT_EQ(refusal(graph, {Inside{"block", {{AddNode{make_instance(graph, "block", {})}}}}}),
              "Block cannot stand in itself");
    std::string chosen = "block1";
    int depth = 1;
    std::string sentence;
    for (; depth < 100 && sentence.empty(); ++depth) {
        try {
            const auto [edit, id] = group_edit(graph, {chosen}, "Level");
            apply(graph, edit);
            chosen = id;
        } catch (const ValueError& error) {
            sentence = error.text();
        }
    }
    EXPECT_EQ(depth - 1, kMaxNesting);
    EXPECT_EQ(sentence, "groups may be nested 64 deep, not deeper");
    EXPECT_EQ(weight_names(graph).size(), 2u);
    EXPECT_EQ(from_text(to_text(graph)), graph);
}

TEST(Group, unfolding_without_end_is_a_problem_and_no_hang) {
    Graph graph = repeated(1000);
    std::string chosen = "block1";
    for (int level = 0; level < 20; ++level) {
        const auto [edit, id] = group_edit(graph, {chosen}, "Level");
        apply(graph, edit);
        chosen = id;
        set(graph, id, "times", std::int64_t{1000});
    }
    const Analysis analysis = analyze(graph);
    ASSERT_EQ(analysis.problems.size(), 1u);
    EXPECT_EQ(analysis.problems[0].code, "too-large");
    EXPECT_FALSE(analysis.runnable());
}

TEST(Group, facts_and_problems_have_their_place_in_groups) {
    Graph graph = repeated(3);
    Analysis analysis = analyze(graph);
    EXPECT_EQ(analysis.nodes.at("block1").output_text, "N × 6");
    EXPECT_EQ(analysis.nodes.at("block1").weights, 126);
    EXPECT_EQ(analysis.nodes.at("block1.0.linear").weights, 42);
    EXPECT_EQ(analysis.nodes.at("block1.0.in1").output_text, "N × 6");
    // A width that no longer fits the sum: said once, at the first repetition, with a repair on
    // the group's own sheet.
    apply(graph, {Inside{"block", {{SetParam{"linear", "out_features", std::int64_t{7}}}}}});
    analysis = analyze(graph);
    const Problem* found = nullptr;
    for (const Problem& problem : analysis.problems)
        if (problem.code == "shape-mismatch") {
            EXPECT_FALSE(found) << problem.node;
            found = &problem;
        }
    ASSERT_TRUE(found);
    EXPECT_EQ(found->node, "block1.0.sum");
    ASSERT_FALSE(found->fixes.empty());
    EXPECT_EQ(found->fixes[0].label, "Set out_features of linear to 6");
    apply(graph, found->fixes[0].edit);
    for (const Problem& problem : analyze(graph).problems)
        EXPECT_NE(problem.code, "shape-mismatch") << problem.text;
    // An input of the group that gets nothing is the group's problem, not that of what is inside.
    apply(graph, {Disconnect{{"data", "x", "block1", "in1"}}});
    int missing = 0;
    for (const Problem& problem : analyze(graph).problems)
        if (problem.code == "missing-input") {
            ++missing;
            EXPECT_EQ(problem.node, "block1");
            EXPECT_EQ(problem.port, "in1");
            EXPECT_FALSE(problem.fixes.empty());
        }
    EXPECT_EQ(missing, 1);
}

TEST(Group, repeats_need_outputs_that_fit_their_inputs) {
    Graph graph = repeated(1);
    // A second output without an input to feed.
    const Graph inside = graph.sheet("block");
    Node port = make_node(inside, "GroupOutput", {});
    port.id = "out2";
    apply(graph, {Inside{"block", {{AddNode{port}}, {Connect{{"tanh", "out", "out2", "in"}}}}}});
    EXPECT_TRUE(analyze(graph, false).of_node("block1").empty());
    set(graph, "block1", "times", std::int64_t{2});
    const Analysis analysis = analyze(graph);
    ASSERT_EQ(analysis.of_node("block1").size(), 1u);
    EXPECT_EQ(analysis.of_node("block1")[0]->code, "repeat-ports");
    EXPECT_EQ(analysis.of_node("block1")[0]->fixes.size(), 1u);
}

TEST(Group, muted_groups_hand_on_what_comes_in) {
    Graph graph = repeated(2);
    add(graph, "Linear", {{"out_features", whole(2)}}, "head");
    wire(graph, "block1", "out1", "head", "in");
    apply(graph, {SetMuted{"block1", true}});
    EXPECT_EQ(weight_names(graph), (std::vector<std::string>{"head.weight", "head.bias"}));
    EXPECT_EQ(analyze(graph, false).nodes.at("block1").output_text, "N × 6");
}

TEST(Group, what_is_copied_brings_its_definitions_along) {
    Graph graph = repeated(2);
    apply(graph, group_edit(graph, {"block1"}, "Outer").first);
    const std::string text = copy_text(graph, {"outer1"});
    // Where the definitions are, they are shared.
    const auto [here, ids] = paste_edit(graph, text, {500, 0});
    apply(graph, here);
    EXPECT_EQ(ids, std::set<std::string>{"outer2"});
    EXPECT_EQ(graph.definitions().size(), 2u);
    // In another project they come along.
    Graph other;
    apply(other, paste_edit(other, text, {}).first);
    other.check_consistency();
    EXPECT_EQ(other.definitions().size(), 2u);
    // Where the names mean something else, they come under new ones.
    Graph third = repeated(1);
    apply(third, paste_edit(third, text, {}).first);
    third.check_consistency();
    EXPECT_EQ(third.definitions().size(), 2u) << "Block there has the same content";
    apply(third, {Inside{"block", {{Rename{"tanh", "squash"}}}}});
    apply(third, paste_edit(third, text, {}).first);
    third.check_consistency();
    EXPECT_EQ(third.definitions().size(), 4u);
    // Not into itself.
    EXPECT_THROW(paste_edit(graph.sheet("block"), text, {}), ValueError);
}

TEST(Group, removing_the_last_instance_removes_the_definition) {
    Graph graph = repeated(2);
    const std::string before = to_text(graph);
    const Edit undo = apply(graph, remove_edit(graph, {"block1"}));
    EXPECT_TRUE(graph.definitions().empty());
    apply(graph, undo);
    EXPECT_EQ(to_text(graph), before);
    EXPECT_EQ(refusal(graph, {Undefine{"block"}}), "group \"block\" is in use");
}

TEST(Group, files_keep_what_they_do_not_know_and_say_their_version) {
    const Graph graph = repeated(2);
    std::string text = to_text(graph);
    EXPECT_NE(text.find("\"format_version\": 2"), std::string::npos);
    EXPECT_NE(to_text(branched()).find("\"format_version\": 1"), std::string::npos)
        << "a project without groups opens in older versions";
    text.insert(text.find("\"name\": \"Block\""), "\"colour\": \"red\", ");
    const Graph read = from_text(text);
    const std::string again = to_text(read);
    EXPECT_NE(again.find("\"colour\": \"red\""), std::string::npos);
    EXPECT_EQ(to_text(from_text(again)), again);
    EXPECT_EQ(from_text(to_text(graph)), graph);
}

std::string load_error(const std::string& text) {
    try {
        from_text(text);
    } catch (const FileError& error) {
        return error.text();
    }
    return "";
}

std::string project(const std::string& groups, const std::string& nodes) {
    return "{\"format\": \"wiregrad\", \"format_version\": 2,\n\"groups\": {\n" + groups +
           "},\n\"nodes\": [" + nodes + "]}";
}

TEST(Group, hostile_files_are_refused_in_words) {
    const std::string empty = R"("a": {"nodes": []})";
    EXPECT_EQ(load_error(project(empty, R"({"id": "g", "type": "Group", "group": "a"})")), "");
    EXPECT_EQ(load_error(project(empty, R"({"id": "g", "type": "Group", "group": "b"})")),
              "line 4: g is an instance of \"b\", and there is no such group");
    EXPECT_EQ(load_error(project(empty, R"({"id": "g", "type": "Group"})")),
              "line 4: \"group\" is missing");
    EXPECT_EQ(load_error(project("\"a\": {\"nodes\": [\n"
                                 "{\"id\": \"g\", \"type\": \"Group\", \"group\": \"a\"}]}",
                                 "")),
              "line 3: group \"a\" stands in itself");
    EXPECT_EQ(load_error(project(
                  R"("a": {"nodes": [{"id": "g", "type": "Group", "group": "b"}]},
"b": {"nodes": [{"id": "g", "type": "Group", "group": "a"}]})",
                  "")),
              "line 4: group \"a\" stands in itself");
    EXPECT_EQ(load_error(project("\"a\": 3", "")), "line 3: a group must be an object, is number");
    EXPECT_EQ(load_error(project("\"A b\": {}", "")),
              "line 3: \"A b\" cannot be the id of a group: small letters, digits and _ only");
    EXPECT_EQ(load_error(project("", R"({"id": "p", "type": "GroupInput"})")),
              "line 4: p is a port of a group, and stands in none");
    EXPECT_EQ(load_error(
                  project(R"("a": {"exposed": [{"id": "times", "node": "n", "param": "p"}]})", "")),
              "line 3: \"times\" cannot be the id of a group's parameter");
    std::string deep = "\"g0\": {}";
    for (int i = 1; i <= 70; ++i)
        deep += ",\n\"g" + std::to_string(i) +
                "\": {\"nodes\": [{\"id\": \"n\", \"type\": \"Group\", \"group\": \"g" +
                std::to_string(i - 1) + "\"}]}";
    EXPECT_NE(load_error(project(deep, "")).find("nested 64 deep"), std::string::npos);
}

TEST(Group, shared_repetitions_draw_masks_of_their_own) {
    Graph graph;
    add(graph, "Input", {{"shape", std::vector<std::int64_t>{400}}}, "data");
    add(graph, "Dropout", {{"p", 0.5}}, "drop");
    add(graph, "Linear", {{"out_features", whole(400)}, {"bias", false}}, "fc");
    wire(graph, "data", "x", "drop", "in");
    wire(graph, "drop", "out", "fc", "in");
    const auto [edit, group] = group_edit(graph, {"drop", "fc"});
    apply(graph, edit);
    set(graph, group, "times", whole(2));
    set(graph, group, "weights", std::string("shared"));
    CompileOptions options;
    options.prefetch = false;
    const auto model = compile_model(graph, options);
    ASSERT_EQ(model->module().parameters().size(), 1U); // they still share this one
    Tensor weight = model->module().parameters()[0].tensor;
    const autograd::NoGrad scope;
    for (std::int64_t i = 0; i < 400; ++i)
        for (std::int64_t k = 0; k < 400; ++k)
            weight.data_mut<float>()[i * 400 + k] = i == k ? 1 : 0;
    nn::ForwardContext context;
    context.state.random = Tensor::zeros({2}, DType::Int64);
    const Tensor x = Tensor::full({4, 400}, 1, DType::Float32);
    const std::vector<double> y = model->module().forward(std::span(&x, 1), context)[0].to_vector();
    // A quarter is left by two masks, half by one that is used twice.
    const auto left = std::count_if(y.begin(), y.end(), [](double v) { return v != 0; });
    EXPECT_NEAR(static_cast<double>(left) / 1600, 0.25, 0.05);
}

} // namespace
} // namespace wiregrad::graph
