// A project and its data move together: paths inside the project's folder are stored from there.
#include <gtest/gtest.h>

#include "nodes/edit.h"
#include "nodes/paths.h"
#include "nodes/project.h"

namespace wiregrad::graph {
namespace {

Graph with_path(const std::string& path) {
    Graph graph;
    Node node = make_node(graph, "Dataset", {});
    node.params["path"] = path;
    apply(graph, {AddNode{node}});
    return graph;
}

std::string path_in(const Graph& graph) {
    return std::get<std::string>(graph.nodes().begin()->second.params.at("path"));
}

std::string stored(const std::string& path, const std::string& folder) {
    Graph graph = with_path(path);
    make_paths_relative(graph, folder);
    return path_in(graph);
}

std::string opened(const std::string& path, const std::string& folder) {
    Graph graph = with_path(path);
    make_paths_absolute(graph, folder);
    return path_in(graph);
}

TEST(Paths, InsideTheFolderTheyAreStoredFromThere) {
    EXPECT_EQ(stored("/lab/digits/train.csv", "/lab"), "digits/train.csv");
    EXPECT_EQ(stored("/lab/my data ü/x.csv", "/lab/"), "my data ü/x.csv");
    EXPECT_EQ(stored("/other/train.csv", "/lab"), "/other/train.csv");
    EXPECT_EQ(stored("/laboratory/train.csv", "/lab"), "/laboratory/train.csv");
    EXPECT_EQ(stored("/lab", "/lab"), "/lab");
    EXPECT_EQ(stored("", "/lab"), "");
}

TEST(Paths, OpenedFromTheProjectsFolder) {
    EXPECT_EQ(opened("digits/train.csv", "/lab"), "/lab/digits/train.csv");
    EXPECT_EQ(opened("../train.csv", "/lab/one"), "/lab/train.csv");
    EXPECT_EQ(opened("/other/train.csv", "/lab"), "/other/train.csv");
    EXPECT_EQ(opened("", "/lab"), "");
}

TEST(Paths, APathThatIsNoUtf8StaysWhatAProjectCanHold) {
    Graph graph = with_path("x.csv");
    make_paths_absolute(graph, "/lab/\xff");
    EXPECT_EQ(path_in(graph), "x.csv");
    EXPECT_NO_THROW(to_text(graph));
}

} // namespace
} // namespace wiregrad::graph
