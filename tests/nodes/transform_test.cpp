// Transform nodes in a graph: training samples change, everything else sees the sizes of training
// and nothing by chance.
#include <gtest/gtest.h>

#include "engine/core/error.h"
#include "engine/train/trainer.h"
#include "nodes/analysis.h"
#include "nodes/compile.h"
#include "tests/nodes/helpers.h"

namespace wiregrad::graph {
namespace {

using testing::add;
using testing::chain;
using testing::list;
using testing::set;
using testing::whole;
using testing::wire;

/// Small digits, cropped and normalised, and a network; `crop` and `normalize` are the transforms.
Graph augmented() {
    Graph graph = chain("digits", {{"RandomCrop", {{"size", list({24})}, {"padding", whole(2)}}},
                                   {"Normalize", {}},
                                   {"Flatten", {}},
                                   {"Linear", {{"out_features", whole(10)}}}});
    set(graph, "data", "samples", whole(90));
    apply(graph, {SetTraining{{.epochs = 2, .batch_size = 20}}});
    return graph;
}

std::vector<std::string> errors_of(const Graph& graph) {
    std::vector<std::string> result;
    for (const Problem& problem : analyze(graph, false).problems)
        if (problem.severity == Severity::Error) result.push_back(problem.code);
    return result;
}

TEST(TransformNodes, ChangeTrainingSamplesOnly) {
    const Graph graph = augmented();
    ASSERT_EQ(errors_of(graph), std::vector<std::string>());
    const train::TrainPlan plan = compile(graph);
    const train::Batch batch = plan.train->batch(0, 0), again = plan.train->batch(0, 0),
                       later = plan.train->batch(1, 0);
    ASSERT_EQ(batch.fields.size(), 4u); // x, y, cropped, normalised
    EXPECT_EQ(batch.fields[0].shape(), (Shape{20, 1, 28, 28}));
    EXPECT_EQ(batch.fields[2].shape(), (Shape{20, 1, 24, 24}));
    EXPECT_EQ(batch.fields[3].to_vector(), again.fields[3].to_vector());
    EXPECT_NE(batch.fields[3].to_vector(), later.fields[3].to_vector());
    const auto cropped = batch.fields[2].to_vector(), normal = batch.fields[3].to_vector();
    for (std::size_t i = 0; i < cropped.size(); ++i)
        ASSERT_NEAR(normal[i], (cropped[i] - 0.5) / 0.5, 1e-6);
    ASSERT_EQ(plan.validation->batch(0, 0).fields.size(), 2u);
}

/// The loss of a batch as the model sees it.
double loss_of(train::Model& model, const train::Batch& batch, bool training) {
    nn::ForwardContext context;
    context.training = training;
    context.state.random = Tensor::zeros({2}, DType::Int64);
    return model.forward(batch, context, nullptr).losses[0].item();
}

TEST(TransformNodes, TheNetworkSeesWhatTheyMadeAndInValidationTheMiddle) {
    const Graph graph = augmented();
    const train::TrainPlan plan = compile(graph);
    train::Batch batch = plan.train->batch(0, 0);
    const double changed = loss_of(*plan.model, batch, true);
    // What the last transform made is what counts.
    train::Batch other = batch;
    other.fields[0] = Tensor::zeros(batch.fields[0].shape());
    other.fields[2] = Tensor::zeros(batch.fields[2].shape());
    EXPECT_EQ(loss_of(*plan.model, other, true), changed);
    other.fields[3] = Tensor::zeros(batch.fields[3].shape());
    EXPECT_NE(loss_of(*plan.model, other, true), changed);
    // Without it the middle of x is taken and normalised, by the model itself.
    batch.fields.resize(2);
    const double plain = loss_of(*plan.model, batch, false);
    EXPECT_NE(plain, changed);
    auto* model = dynamic_cast<CompiledModel*>(plan.model.get());
    ASSERT_NE(model, nullptr);
    const Tensor seen = model->value("normalize1", "out", batch.fields[0]);
    ASSERT_EQ(seen.shape(), (Shape{20, 1, 24, 24}));
    const auto x = batch.fields[0].to_vector(), y = seen.to_vector();
    EXPECT_NEAR(y[0], (x[2 * 28 + 2] - 0.5) / 0.5, 1e-6);
}

TEST(TransformNodes, LoaderAndModelAgreeOnWhatIsNoChance) {
    Graph graph = chain("shapes", {{"Resize", {{"size", list({21, 40})}}},
                                   {"CenterCrop", {{"size", list({24, 30})}}},
                                   {"Grayscale", {{"num_output_channels", "3"}}},
                                   {"Normalize", {{"mean", "0.1, 0.2, 0.3"}, {"std", "0.5"}}},
                                   {"Flatten", {}},
                                   {"Linear", {{"out_features", whole(10)}}}});
    set(graph, "data", "samples", whole(40));
    ASSERT_EQ(errors_of(graph), std::vector<std::string>());
    const train::TrainPlan plan = compile(graph);
    const train::Batch batch = plan.train->batch(0, 0);
    auto* model = dynamic_cast<CompiledModel*>(plan.model.get());
    std::size_t field = 2;
    for (const char* node : {"resize1", "centercrop1", "grayscale1", "normalize1"}) {
        const auto ours = batch.fields.at(field++).to_vector(),
                   theirs = model->value(node, "out", batch.fields[0]).to_vector();
        ASSERT_EQ(ours.size(), theirs.size()) << node;
        for (std::size_t i = 0; i < ours.size(); ++i)
            ASSERT_NEAR(ours[i], theirs[i], 1e-5) << node << " " << i;
    }
}

/// The losses of the steps of a whole run.
std::vector<double> curve(const Graph& graph, int threads, bool prefetch) {
    CompileOptions options;
    options.threads = threads;
    options.prefetch = prefetch;
    struct Losses : train::Sink {
        std::vector<double> values;
        void on_step(const train::StepRecord& record) override {
            values.insert(values.end(), record.losses.begin(), record.losses.end());
        }
    };
    const auto sink = std::make_shared<Losses>();
    train::Trainer trainer(compile(graph, options), sink);
    trainer.start();
    trainer.wait();
    return sink->values;
}

TEST(TransformNodes, ARunIsTheSameForAnyNumberOfThreads) {
    const Graph graph = augmented();
    const std::vector<double> one = curve(graph, 1, false);
    EXPECT_EQ(one.size(), 10u); // 81 training samples: 5 batches an epoch
    EXPECT_EQ(one, curve(graph, 2, true));
    Graph plain = augmented();
    set(plain, "randomcrop1", "padding", whole(0));
    EXPECT_NE(one, curve(plain, 1, false));
}

TEST(TransformNodes, BehindALayerAreRefused) {
    Graph graph = chain("digits", {{"ReLU", {}},
                                   {"RandomHorizontalFlip", {}},
                                   {"Flatten", {}},
                                   {"Linear", {{"out_features", whole(10)}}}});
    const Analysis analysis = analyze(graph, false);
    const auto found =
        std::find_if(analysis.problems.begin(), analysis.problems.end(),
                     [](const Problem& problem) { return problem.code == "transform-place"; });
    ASSERT_NE(found, analysis.problems.end());
    EXPECT_EQ(found->node, "randomhorizontalflip1");
    EXPECT_EQ(found->severity, Severity::Error);
    EXPECT_EQ(
        found->text,
        "randomhorizontalflip1 changes samples while they are read: only other transforms may "
        "stand between it and the dataset, relu1 is a layer");
    EXPECT_THROW(compile(graph), ValueError);
}

TEST(TransformNodes, AMutedOneIsLeftOut) {
    Graph graph = augmented();
    apply(graph, {SetMuted{"randomcrop1", true}});
    const train::TrainPlan plan = compile(graph);
    const train::Batch batch = plan.train->batch(0, 0);
    ASSERT_EQ(batch.fields.size(), 3u);
    EXPECT_EQ(batch.fields[2].shape(), (Shape{20, 1, 28, 28}));
}

TEST(TransformNodes, TheLastBatchIsDroppedWhereThatIsAsked) {
    Graph graph = augmented(); // 81 training samples in batches of 20
    EXPECT_EQ(compile(graph).train->batches_per_epoch(), 5);
    set(graph, "data", "drop_last", true);
    const train::TrainPlan plan = compile(graph);
    EXPECT_EQ(plan.train->batches_per_epoch(), 4);
    EXPECT_EQ(plan.train->samples_per_epoch(), 80);
    EXPECT_GT(plan.validation->samples_per_epoch(), 0);
}

TEST(TransformNodes, AMetricThatCountsWhatTheLossIgnoresIsSaid) {
    Graph graph = augmented();
    const std::string accuracy = add(graph, "Accuracy");
    wire(graph, "linear1", "out", accuracy, "input");
    wire(graph, "data", "y", accuracy, "target");
    const auto warned = [&] {
        for (const Problem& problem : analyze(graph, false).problems)
            if (problem.code == "ignored-label") return problem.text;
        return std::string();
    };
    EXPECT_EQ(warned(), "");
    set(graph, "loss", "ignore_index", whole(3));
    EXPECT_EQ(warned(), "loss ignores label 3, accuracy1 counts it");
    set(graph, accuracy, "ignore_index", whole(3));
    EXPECT_EQ(warned(), "");
}

} // namespace
} // namespace wiregrad::graph
