// The picture of a network: well-formed XML with text as text, for any graph and any names.
#include "nodes/picture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>

#include "nodes/edit.h"
#include "tests/nodes/examples.h"
#include "tests/nodes/helpers.h"
#include "tests/nodes/random_edits.h"

namespace wiregrad::graph {
namespace {

/// Each opening tag is closed in its order, and no letter stands where XML forbids it.
void expect_well_formed(const std::string& svg) {
    std::vector<std::string> open;
    for (std::size_t i = 0; i < svg.size(); ++i) {
        if (svg[i] == '&') {
            const std::string entity = svg.substr(i, svg.find(';', i) - i + 1);
            ASSERT_TRUE(entity == "&amp;" || entity == "&lt;" || entity == "&gt;" ||
                        entity == "&quot;")
                << entity;
        }
        if (svg[i] != '<') {
            ASSERT_NE(svg[i], '>');
            continue;
        }
        const std::size_t end = svg.find('>', i);
        ASSERT_NE(end, std::string::npos);
        const std::string tag = svg.substr(i + 1, end - i - 1);
        ASSERT_EQ(tag.find('<'), std::string::npos);
        if (tag[0] == '/') {
            ASSERT_FALSE(open.empty());
            ASSERT_EQ(open.back(), tag.substr(1));
            open.pop_back();
        } else if (tag[0] != '?' && tag.back() != '/') {
            open.push_back(tag.substr(0, tag.find(' ')));
        }
        i = end;
    }
    EXPECT_TRUE(open.empty());
}

TEST(Picture, UX_63_text_stays_text_and_every_node_is_there) {
    Graph graph = testing::example("digits-lenet");
    apply(graph, {Rename{graph.nodes().begin()->first, "a <b> & \"c\"\n\x01 é"}});
    const std::string svg = svg_picture(graph);
    expect_well_formed(svg);
    EXPECT_NE(svg.find(">a &lt;b&gt; &amp; "), std::string::npos);
    EXPECT_NE(svg.find(">MaxPool2d</text>"), std::string::npos);
    EXPECT_NE(svg.find("N × 6 × "), std::string::npos) << "shapes are in the picture";
    std::size_t wires = 0;
    for (std::size_t at = svg.find("fill=\"none\""); at != std::string::npos;
         at = svg.find("fill=\"none\"", at + 1))
        ++wires;
    EXPECT_EQ(wires, graph.wires().size());
    EXPECT_EQ(svg_picture(graph), svg) << "the same graph gives the same bytes";
    EXPECT_NE(svg_picture(graph, {true, true}), svg);
}

TEST(Picture, random_graphs_give_well_formed_files) {
    Graph graph;
    testing::RandomEdits edits(11);
    for (int i = 0; i < 300; ++i) {
        try {
            apply(graph, edits.next(graph));
        } catch (const ValueError&) {
            continue;
        }
        if (i % 30 == 0) expect_well_formed(svg_picture(graph));
    }
    expect_well_formed(svg_picture(Graph()));
}

} // namespace
} // namespace wiregrad::graph
