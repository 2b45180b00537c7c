#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "engine/core/error.h"
#include "nodes/fuzz/targets.h"
#include "nodes/graph_access.h"
#include "nodes/migrate.h"
#include "nodes/project.h"
#include "tests/nodes/helpers.h"
#include "tests/source_dir.h"

namespace wiregrad::graph {
namespace {

const std::string kGolden = source_dir() + "/tests/nodes/goldens/v1.wiregrad";

std::string read(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    std::stringstream text;
    text << stream.rdbuf();
    return text.str();
}

std::string reason(const std::string& text) {
    try {
        from_text(text, "p");
    } catch (const FileError& error) {
        EXPECT_EQ(error.where(), "p");
        return error.text();
    }
    return "";
}

/// A project with these lines in the usual frame.
std::string project(const std::string& nodes, const std::string& wires = "[]",
                    const std::string& more = "") {
    return "{\n\"format\": \"wiregrad\",\n\"format_version\": 1,\n" + more + "\"nodes\": " + nodes +
           ",\n\"wires\": " + wires + "\n}\n";
}

TEST(Project, the_golden_file_of_version_1_reads_and_writes_back_byte_for_byte) {
    const std::string text = read(kGolden);
    ASSERT_FALSE(text.empty());
    const Graph graph = from_text(text);
    graph.check_consistency();
    EXPECT_EQ(graph.nodes().size(), 8u);
    EXPECT_EQ(graph.wires().size(), 7u);
    EXPECT_EQ(graph.training().epochs, 12);
    EXPECT_EQ(graph.training().seed, 18446744073709551615U);
    EXPECT_EQ(graph.title(), "Golden \"v1\" — äöü");
    EXPECT_EQ(graph.node("linear1")->name, "hidden");
    EXPECT_TRUE(graph.node("relu1")->muted);
    EXPECT_EQ(std::get<double>(graph.node("sgd1")->params.at("lr")), 0.02);
    EXPECT_EQ(graph.node("future1")->type, "HolographicMemory");
    EXPECT_EQ(to_text(graph), text);
}

TEST(Project, unknown_keys_types_and_parameters_survive) {
    const std::string text = project(
        R"([{"id": "a", "type": "ReLU", "v": 1, "params": {"colour": {"r": [1, 2.5, null]}, "extra": 3}, "shape": "star"},
            {"id": "b", "type": "Mystery", "v": 7, "params": {"n": 3, "x": 0.5, "t": true, "s": "q", "l": [1, 2], "o": {"deep": [[]]}, "big": 18446744073709551615}}])",
        R"(["a.out -> b.side door"])",
        R"("theme": {"dark": true}, "training": {"epochs": 3, "mixup": 0.2}, "positions": {"a": [1, 2], "gone": "away"},)");
    EXPECT_EQ(
        reason(text),
        "line 6: a wire must be text like \"conv1.out -> relu1.in\", is \"a.out -> b.side door\"");
    const std::string good = std::string(text).replace(text.find("side door"), 9, "side");
    const std::string written = to_text(from_text(good));
    const auto json = nlohmann::json::parse(written);
    EXPECT_EQ(json["theme"], nlohmann::json::parse(R"({"dark": true})"));
    EXPECT_EQ(json["training"]["mixup"], 0.2);
    EXPECT_EQ(json["training"]["epochs"], 3);
    EXPECT_EQ(json["positions"]["gone"], "away");
    EXPECT_EQ(json["nodes"][0]["shape"], "star");
    EXPECT_EQ(json["nodes"][0]["params"],
              nlohmann::json::parse(R"({"colour": {"r": [1, 2.5, null]}, "extra": 3})"));
    EXPECT_EQ(json["nodes"][1]["v"], 7);
    EXPECT_EQ(
        json["nodes"][1]["params"],
        nlohmann::json::parse(
            R"({"n": 3, "x": 0.5, "t": true, "s": "q", "l": [1, 2], "o": {"deep": [[]]}, "big": 18446744073709551615})"));
    EXPECT_EQ(json["wires"][0], "a.out -> b.side");
    EXPECT_EQ(to_text(from_text(written)), written);
}

TEST(Project, what_a_type_got_later_is_written_once_it_is_set) {
    Graph graph = testing::chain("spirals", {{"Linear", {}}});
    const std::string id = graph.wires_out_of("data")[0].to;
    const std::string before = graph_hash(graph);
    EXPECT_EQ(to_text(graph).find("weight_init"), std::string::npos);
    testing::set(graph, id, "weight_init", std::string("orthogonal"));
    EXPECT_NE(to_text(graph).find("\"weight_init\": \"orthogonal\""), std::string::npos);
    EXPECT_NE(graph_hash(graph), before);
    EXPECT_EQ(to_text(from_text(to_text(graph))), to_text(graph));
    testing::set(graph, id, "weight_init", std::string("default"));
    EXPECT_EQ(graph_hash(graph), before);
}

TEST(Project, every_parameter_is_written_and_one_node_or_wire_stands_on_a_line) {
    Graph graph = testing::chain("spirals", {{"Linear", {}}, {"Tanh", {}}});
    const std::string text = to_text(graph);
    for (const auto& [id, node] : graph.nodes()) {
        std::istringstream lines(text);
        int found = 0;
        for (std::string line; std::getline(lines, line);)
            if (line.find("{\"id\": \"" + id + "\"") != std::string::npos) {
                ++found;
                for (const auto& [param, value] : node.params)
                    // What a type got later is left out while it is at its default.
                    EXPECT_EQ(line.find("\"" + param + "\": ") == std::string::npos,
                              find_type(node.type)->param(param)->later)
                        << param;
            }
        EXPECT_EQ(found, 1) << id;
    }
    EXPECT_EQ(from_text(text), graph);
}

TEST(Project, missing_parameters_become_defaults_and_wrong_ones_are_kept_as_problems) {
    const Graph graph = from_text(project(
        R"([{"id": "a", "type": "Linear", "params": {"out_features": 0}}, {"id": "b", "type": "Linear"}, {"id": "c", "type": "SGD", "params": {"lr": 1}}])"));
    EXPECT_EQ(std::get<std::int64_t>(graph.node("a")->params.at("out_features")), 0);
    EXPECT_EQ(std::get<bool>(graph.node("a")->params.at("bias")), true);
    EXPECT_EQ(std::get<std::int64_t>(graph.node("b")->params.at("out_features")), 128);
    EXPECT_EQ(std::get<double>(graph.node("c")->params.at("lr")), 1.0);
}

TEST(Project, numbers_that_are_not_finite_are_refused_with_their_path) {
    Graph graph;
    testing::add(graph, "SGD", {}, "sgd");
    GraphAccess::nodes(graph).at("sgd").params["lr"] = std::numeric_limits<double>::infinity();
    try {
        to_text(graph);
        FAIL();
    } catch (const ValueError& error) {
        EXPECT_EQ(error.text(), "nodes.sgd.params.lr is not a finite number");
    }
    GraphAccess::nodes(graph).at("sgd").params["lr"] = 1.0;
    GraphAccess::nodes(graph).at("sgd").position.y = std::nan("");
    try {
        to_text(graph);
        FAIL();
    } catch (const ValueError& error) {
        EXPECT_EQ(error.text(), "positions.sgd is not a finite number");
    }
}

TEST(Project, broken_files_are_refused_with_line_and_reason) {
    EXPECT_EQ(reason(""),
              "line 1: not JSON: unexpected end of input; expected '[', '{', or a literal");
    EXPECT_NE(reason("{\n\"format\": \"wiregrad\",\n\"format_version\": 1,\n\"nodes\": [}")
                  .find("line 4: not JSON: "),
              std::string::npos);
    EXPECT_EQ(reason("[]"), "line 1: a project is an object, this is array");
    EXPECT_EQ(reason("{}"), "line 1: \"format\" is missing");
    EXPECT_EQ(reason("{\n\"format\": \"onnx\"}"),
              "line 2: this is a \"onnx\" file, not a \"wiregrad\" one");
    EXPECT_EQ(reason("{\"format\": \"wiregrad\",\n\"format_version\": 3}"),
              "line 2: made by a newer Wiregrad (format 3; this one reads up to 2)");
    EXPECT_EQ(reason("{\"format\": \"wiregrad\"}"), "line 1: \"format_version\" is missing");
    EXPECT_EQ(reason(project(
                  "[\n{\"id\": \"a\", \"type\": \"ReLU\"},\n{\"id\": \"a\", \"type\": \"ReLU\"}]")),
              "line 6: there are two nodes \"a\"");
    EXPECT_EQ(reason(project("[{\"id\": \"A b\", \"type\": \"ReLU\"}]")),
              "line 4: \"A b\" cannot be the id of a node: small letters, digits and _ only");
    EXPECT_EQ(reason(project("[{\"id\": \"a\"}]")), "line 4: \"type\" is missing");
    EXPECT_EQ(reason(project("[{\"id\": \"a\", \"type\": \"ReLU\"}]", "[\n\"a.out -> b.in\"]")),
              "line 6: wire a.out -> b.in ends at \"b\", and there is no such node");
    EXPECT_EQ(
        reason(project("[{\"id\": \"a\", \"type\": \"ReLU\"},{\"id\": \"b\", \"type\": \"ReLU\"}]",
                       "[\"a.out -> b.in\",\n\"b.out -> a.in\"]")),
        "line 5: wire a.out -> b.in closes a cycle");
    EXPECT_EQ(reason(project("[]", "[]", "\"training\": {\"epochs\": 0},\n")),
              "line 4: epochs must be from 1 to 1000000, got 0");
    EXPECT_EQ(reason(project("[{\"id\": \"a\", \"type\": \"ReLU\"}]", "[]",
                             "\"positions\": {\n\"a\": [1, \"x\"]},\n")),
              "line 5: the position of \"a\" must be two numbers, is [1,\"x\"]");
    EXPECT_EQ(
        reason(project("[{\"id\": \"a\", \"type\": \"ReLU\", \"name\": \"\xff\"}]")).substr(0, 17),
        "line 4: not JSON:");
    EXPECT_NE(reason(project("[{\"id\": \"a\", \"type\": \"SGD\", \"params\": {\"lr\": 1e999}}]"))
                  .find("too large"),
              std::string::npos);
}

TEST(Project, hostile_files_are_refused_before_they_cost_anything) {
    EXPECT_EQ(reason(std::string(100000, '[')), "line 1: nested deeper than 64 levels");
    std::string many = "{\"format\": \"wiregrad\", \"format_version\": 1, \"x\": [";
    for (int i = 0; i < 2'000'001; ++i)
        many += "1,";
    EXPECT_EQ(reason(many), "line 1: more than 2000000 values");
    std::string nodes = "[";
    for (int i = 0; i < 20'001; ++i)
        nodes += (i ? "," : "") + ("{\"id\":\"n" + std::to_string(i) + "\",\"type\":\"Note\"}");
    EXPECT_EQ(reason(project(nodes + "]")), "line 4: 20001 nodes are too many (at most 20000)");
    EXPECT_EQ(reason(std::string((64U << 20) + 1, ' ')),
              "67108865 bytes are too many for a project (at most 67108864)");
}

TEST(Project, a_mutated_file_never_crashes_and_what_is_read_is_consistent) {
    const std::string golden = read(kGolden);
    std::mt19937 random(7);
    int accepted = 0, refused = 0;
    for (int i = 0; i < 4000; ++i) {
        std::string text = golden;
        for (std::size_t k = 0; k < 1 + random() % 4; ++k) {
            const std::size_t at = random() % text.size();
            switch (random() % 6) {
            case 0:
                text[at] = static_cast<char>(random());
                break;
            case 1:
                text.erase(at, random() % 40);
                break;
            case 2:
                text.insert(at, text.substr(random() % text.size(), random() % 60));
                break;
            case 3:
                text.resize(at + 1);
                break;
            case 4:
                text[at] = "{}[]\",:0-e.x"[random() % 12];
                break;
            default:
                text.insert(at, std::string(1 + random() % 3, "9[{\"n"[random() % 5]));
                break;
            }
            if (text.empty()) text = "x";
        }
        (fuzz::project(text) ? accepted : refused) += 1;
    }
    EXPECT_GT(accepted, 200);
    EXPECT_GT(refused, 1000);
}

TEST(Project, migrations_run_in_order_from_the_files_version) {
    NodeType type;
    type.id = "Sample";
    type.version = 3;
    type.migrations = {{1,
                        [](Params& params) {
                            params["b"] = std::get<std::int64_t>(params.at("a")) + 1;
                            params.erase("a");
                        }},
                       {2, [](Params& params) {
                            params["c"] = std::get<std::int64_t>(params.at("b")) * 10;
                            params.erase("b");
                        }}};
    Node node;
    node.version = 1;
    node.params["a"] = std::int64_t{4};
    migrate(type, node);
    EXPECT_EQ(node.version, 3);
    EXPECT_EQ(node.params, (Params{{"c", std::int64_t{50}}}));
    Node newer;
    newer.version = 9;
    newer.params["z"] = std::int64_t{1};
    migrate(type, newer);
    EXPECT_EQ(newer.version, 9);
    EXPECT_EQ(newer.params.size(), 1u);
}

TEST(Project, weights_lie_beside_the_project) {
    EXPECT_EQ(weights_path("/a/digits.wiregrad"), "/a/digits.weights.h5");
    EXPECT_EQ(weights_path("net"), "net.weights.h5");
}

TEST(Project, the_hash_belongs_to_shapes_and_wiring_only) {
    Graph graph = testing::chain(
        "spirals",
        {{"Linear", {}}, {"Tanh", {}}, {"Linear", {{"out_features", testing::whole(2)}}}});
    const std::string hash = graph_hash(graph);
    apply(graph, {Move{"linear1", {5, 5}}});
    apply(graph, {Rename{"linear1", "first"}});
    testing::set(graph, "optimizer", "lr", 0.5);
    EXPECT_EQ(graph_hash(graph), hash);
    testing::set(graph, "linear1", "out_features", std::int64_t{64});
    EXPECT_NE(graph_hash(graph), hash);
    testing::set(graph, "linear1", "out_features", std::int64_t{128});
    EXPECT_EQ(graph_hash(graph), hash);
    apply(graph, remove_edit(graph, {"tanh1"}, true));
    EXPECT_NE(graph_hash(graph), hash);
}

TEST(Project, projects_and_weights_come_back_from_disk) {
    const auto folder =
        std::filesystem::temp_directory_path() / ("wiregrad_project_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    const std::string path = (folder / "a.wiregrad").string();
    const Graph graph = testing::chain("iris", {{"Linear", {{"out_features", testing::whole(3)}}}});
    save_project(path, graph);
    EXPECT_EQ(load_project(path), graph);
    const std::vector<nn::NamedTensor> weights = {
        {"linear1.weight", Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3})},
        {"linear1.bias", Tensor::from(std::vector<float>{-1, 0.5F}, {2})}};
    save_weights(weights_path(path), weights, graph);
    std::string hash;
    const auto loaded = load_weights(weights_path(path), &hash);
    EXPECT_EQ(hash, graph_hash(graph));
    ASSERT_EQ(loaded.size(), 2u);
    for (const auto& weight : weights) {
        const auto it = std::find_if(loaded.begin(), loaded.end(),
                                     [&](const auto& other) { return other.name == weight.name; });
        ASSERT_NE(it, loaded.end());
        EXPECT_EQ(it->tensor.shape(), weight.tensor.shape());
        EXPECT_EQ(it->tensor.to_vector(), weight.tensor.to_vector());
    }
    EXPECT_THROW(load_weights(path), FileError);
    EXPECT_THROW(load_project((folder / "none.wiregrad").string()), FileError);
    EXPECT_THROW(save_project("/proc/nowhere/a.wiregrad", graph), FileError);
    std::filesystem::remove_all(folder);
}

} // namespace
} // namespace wiregrad::graph
