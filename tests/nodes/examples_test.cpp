#include <gtest/gtest.h>

#include <cstdlib>

#include "engine/autograd/tape.h"
#include "nodes/analysis.h"
#include "nodes/compile.h"
#include "nodes/project.h"
#include "tests/nodes/examples.h"
#include "tests/nodes/helpers.h"

namespace wiregrad::graph {
namespace {

TEST(Examples, files_are_what_the_builders_make) {
    for (const auto& [name, graph] : testing::examples()) {
        if (std::getenv("WIREGRAD_WRITE_EXAMPLES"))
            save_project(testing::example_path(name), graph);
        EXPECT_EQ(to_text(load_project(testing::example_path(name))), to_text(graph)) << name;
    }
}

TEST(Examples, each_has_a_title_a_description_a_layout_and_no_problems) {
    for (const auto& [name, built] : testing::examples()) {
        const Graph graph = load_project(testing::example_path(name));
        EXPECT_FALSE(graph.title().empty()) << name;
        EXPECT_GT(graph.description().size(), 100u) << name;
        const Analysis analysis = analyze(graph);
        for (const Problem& problem : analysis.problems)
            ADD_FAILURE() << name << ": " << problem.node << ": " << problem.text;
        EXPECT_TRUE(analysis.runnable());
        EXPECT_GT(analysis.weights, 0);
        EXPECT_GT(analysis.flops, 0);
        for (const auto& [a, first] : graph.nodes())
            for (const auto& [b, second] : graph.nodes())
                if (a < b) {
                    const bool apart = std::abs(first.position.x - second.position.x) >= 170 ||
                                       std::abs(first.position.y - second.position.y) >= 64;
                    EXPECT_TRUE(apart) << name << ": " << a << " and " << b << " overlap";
                }
    }
}

TEST(Examples, lenet_has_the_numbers_of_the_textbook) {
    const Analysis analysis = analyze(load_project(testing::example_path("digits-lenet")));
    EXPECT_EQ(analysis.weights, 61706); // 156 + 2416 + 48120 + 10164 + 850
    EXPECT_EQ(analysis.nodes.at("conv1").output_text, "N × 6 × 28 × 28");
    EXPECT_EQ(analysis.nodes.at("maxpool2").output_text, "N × 16 × 5 × 5");
    EXPECT_EQ(analysis.nodes.at("linear3").output_text, "N × 10");
    EXPECT_EQ(analysis.nodes.at("conv2").weights, 2416);
    EXPECT_EQ(analysis.nodes.at("conv2").weight_shapes[0].second, (Shape{16, 6, 5, 5}));
    EXPECT_EQ(analysis.nodes.at("linear1").weights, 48120);
}

TEST(Examples, each_trains_some_steps_and_the_loss_of_a_batch_falls) {
    for (const auto& [name, built] : testing::examples()) {
        Graph graph = load_project(testing::example_path(name));
        for (const auto& [id, node] : graph.nodes())
            if (node.type == "Dataset" && id != "iris")
                apply(graph, {SetParam{id, "samples", testing::whole(256)}});
        Training training = graph.training();
        const std::map<std::string, std::pair<int, int>> small = {{"cnn-small", {8, 6}},
                                                                  {"resnet18", {2, 2}},
                                                                  {"unet-small", {2, 3}},
                                                                  {"char-lstm", {2, 5}},
                                                                  {"char-gpt", {2, 5}}};
        const auto found = small.find(name);
        const auto [batch_size, steps] = found == small.end() ? std::pair(32, 25) : found->second;
        training.batch_size = batch_size;
        apply(graph, {SetTraining{training}});
        CompileOptions options;
        options.prefetch = false;
        train::TrainPlan plan = compile(graph, options);
        ASSERT_EQ(plan.optimizers.size(), 1u) << name;
        EXPECT_EQ(plan.optimizers[0].losses, std::vector<std::size_t>{0});
        EXPECT_EQ(plan.optimizers[0].optimizer->parameters().size(),
                  plan.model->module().parameters().size())
            << name;
        const train::Batch batch = plan.train->batch(0, 0);
        double first = 0, last = 0;
        for (int step = 0; step < steps; ++step) {
            nn::ForwardContext context;
            context.state.random = Tensor::from(std::vector<std::int64_t>{0, step}, {2});
            const train::StepValues values = plan.model->forward(batch, context, nullptr);
            ASSERT_EQ(values.losses.size(), 1u);
            ASSERT_EQ(values.metrics.size(), 1u);
            EXPECT_GT(values.metrics[0].read().count, 0);
            last = values.losses[0].item();
            if (step == 0) first = last;
            plan.optimizers[0].optimizer->zero_grad();
            autograd::backward(values.losses[0]);
            // Made for a schedule over many epochs, resnet18's rate is too large for a first step.
            plan.optimizers[0].optimizer->step(name == "resnet18" ? 0.05 : 1.0);
        }
        EXPECT_LT(last, first) << name;
    }
}

} // namespace
} // namespace wiregrad::graph
