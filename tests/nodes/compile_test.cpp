#include "nodes/compile.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/io/hdf5.h"
#include "engine/op/ops.h"
#include "nodes/project.h"
#include "tests/nodes/examples.h"
#include "tests/nodes/helpers.h"
#include "tests/nodes/torch.h"
#include "tests/source_dir.h"

namespace wiregrad::graph {
namespace {

using testing::add;
using testing::chain;
using testing::set;
using testing::whole;
using testing::wire;

constexpr std::uint64_t kSeed = 3;

CompileOptions quick() {
    CompileOptions options;
    options.prefetch = false;
    return options;
}

nn::ForwardContext training_context() {
    nn::ForwardContext context;
    context.state.random = Tensor::zeros({2}, DType::Int64);
    return context;
}

/// A made-up batch, the same as in torch_reference.py.
train::Batch made_up_batch(const std::string& name, const Shape& shape, std::int64_t classes) {
    const auto numbers = [&](const Shape& of, std::int64_t factor) {
        std::vector<std::int64_t> values(static_cast<std::size_t>(numel(of)));
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = static_cast<std::int64_t>(i) * factor % classes;
        return Tensor::from(values, of);
    };
    train::Batch texts;
    texts.fields = {numbers(shape, 37), numbers(shape, 7)};
    if (name.starts_with("char-")) return texts;
    std::vector<float> x(static_cast<std::size_t>(numel(shape)));
    for (std::size_t i = 0; i < x.size(); ++i)
        x[i] = static_cast<float>(static_cast<double>(i * 37 % 101) / 101);
    std::vector<std::int64_t> y(static_cast<std::size_t>(shape[0]));
    for (std::size_t i = 0; i < y.size(); ++i)
        y[i] = static_cast<std::int64_t>(i * 7) % classes;
    train::Batch batch;
    batch.fields = {Tensor::from(x, shape), Tensor::from(y, {shape[0]})};
    if (name == "unet-small") batch.fields[1] = numbers({shape[0], shape[2], shape[3]}, 7);
    return batch;
}

struct FirstStep {
    std::vector<nn::NamedTensor> start, gradients;
    double loss = 0;
};

FirstStep first_step(const std::string& name) {
    const std::map<std::string, std::pair<Shape, std::int64_t>> batches = {
        {"spirals", {{16, 2}, 2}},
        {"digits-mlp", {{16, 1, 28, 28}, 10}},
        {"digits-lenet", {{16, 1, 28, 28}, 10}},
        {"cnn-small", {{8, 3, 32, 32}, 10}},
        {"iris", {{16, 4}, 3}},
        {"autoencoder", {{16, 1, 28, 28}, 10}},
        {"resnet18", {{4, 3, 32, 32}, 10}},
        {"unet-small", {{2, 1, 64, 64}, 2}},
        {"char-lstm", {{4, 64}, 65}},
        {"char-gpt", {{4, 64}, 65}}};
    Graph graph = load_project(testing::example_path(name));
    Training training = graph.training();
    training.seed = kSeed;
    apply(graph, {SetTraining{training}});
    // Masks come from another generator than PyTorch's: without them the two can be compared.
    for (const auto& [id, node] : graph.nodes())
        for (const char* param : {"p", "dropout"})
            if (node.params.contains(param)) apply(graph, {SetParam{id, param, 0.0}});
    const auto model = compile_model(graph);
    FirstStep result;
    for (const nn::NamedTensor& weight : model->module().parameters())
        result.start.push_back({weight.name, weight.tensor.clone()});
    const auto& [shape, classes] = batches.at(name);
    const train::StepValues values =
        model->forward(made_up_batch(name, shape, classes), training_context(), nullptr);
    result.loss = values.losses.at(0).item();
    autograd::backward(values.losses[0]);
    for (const nn::NamedTensor& weight : model->module().parameters())
        result.gradients.push_back({weight.name, weight.tensor.grad()});
    return result;
}

TEST(Compile, first_step_equals_the_committed_golden_of_pytorch) {
    std::ifstream stream(source_dir() + "/tests/nodes/goldens/first_step.json");
    const auto golden = nlohmann::json::parse(stream);
    ASSERT_EQ(golden.size(), testing::examples().size());
    for (const auto& [name, expected] : golden.items()) {
        const FirstStep step = first_step(name);
        EXPECT_NEAR(step.loss, expected["loss"].get<double>(),
                    1e-5 * expected["loss"].get<double>())
            << name;
        const auto compare = [&](const std::vector<nn::NamedTensor>& mine,
                                 const nlohmann::json& theirs, double rtol) {
            ASSERT_EQ(mine.size(), theirs.size()) << name;
            for (std::size_t i = 0; i < mine.size(); ++i) {
                ASSERT_TRUE(mine[i].tensor.defined()) << name << " " << mine[i].name;
                double sum = 0, squares = 0;
                for (double value : mine[i].tensor.to_vector()) {
                    sum += value;
                    squares += value * value;
                }
                const double norm = theirs[i][1].get<double>();
                EXPECT_NEAR(std::sqrt(squares), norm, rtol * norm + 1e-9)
                    << name << " " << mine[i].name;
                const double count = std::sqrt(static_cast<double>(mine[i].tensor.numel()));
                EXPECT_NEAR(sum, theirs[i][0].get<double>(), rtol * norm * count + 1e-7)
                    << name << " " << mine[i].name;
            }
        };
        compare(step.start, expected["start"], 1e-12);
        compare(step.gradients, expected["gradient"], 1e-4);
    }
}

TEST(Compile, initial_weights_loss_and_gradients_equal_pytorchs_live) {
    if (!testing::torch_installed()) GTEST_SKIP() << "python3-torch is not installed";
    io::Hdf5File file;
    for (const auto& [name, graph] : testing::examples()) {
        const FirstStep step = first_step(name);
        file.tensors.push_back({name + "/loss", Tensor::scalar(step.loss, DType::Float64)});
        for (std::size_t i = 0; i < step.start.size(); ++i) {
            file.tensors.push_back({name + "/start/" + std::to_string(i) + " " + step.start[i].name,
                                    step.start[i].tensor});
            file.tensors.push_back(
                {name + "/grad/" + std::to_string(i) + " " + step.gradients[i].name,
                 step.gradients[i].tensor});
        }
    }
    const std::string path = std::filesystem::temp_directory_path() /
                             ("wiregrad_examples_" + std::to_string(::getpid()) + ".h5");
    io::write_hdf5(path, file);
    const auto [good, output] = testing::run_reference("examples " + path);
    EXPECT_TRUE(good) << output;
    std::filesystem::remove(path);
}

TEST(Compile, weights_are_named_by_node_and_drawn_from_the_seed) {
    const Graph graph =
        chain("iris", {{"Linear", {}}, {"ReLU", {}}, {"Linear", {{"out_features", whole(3)}}}});
    const auto model = compile_model(graph);
    std::vector<std::string> names;
    for (const auto& weight : model->module().parameters())
        names.push_back(weight.name);
    EXPECT_EQ(names, (std::vector<std::string>{"linear1.weight", "linear1.bias", "linear2.weight",
                                               "linear2.bias"}));
    EXPECT_EQ(model->loss_names(), std::vector<std::string>{"loss"});
    EXPECT_EQ(model->class_names().size(), 3u);
    EXPECT_TRUE(model->predicts_classes("linear2"));
    EXPECT_FALSE(model->predicts_classes("linear1"));
    const auto again = compile_model(graph);
    EXPECT_EQ(model->module().parameters()[0].tensor.to_vector(),
              again->module().parameters()[0].tensor.to_vector());
    Graph other = graph;
    apply(other, {SetTraining{{.seed = 1}}});
    EXPECT_NE(compile_model(other)->module().parameters()[0].tensor.to_vector(),
              model->module().parameters()[0].tensor.to_vector());
}

TEST(Compile, without_torch_order_other_nodes_keep_their_initial_weights) {
    Graph graph =
        chain("iris", {{"Linear", {}}, {"ReLU", {}}, {"Linear", {{"out_features", whole(3)}}}});
    CompileOptions options = quick();
    options.torch_init = false;
    const auto before = compile_model(graph, options)->module().parameters()[2];
    ASSERT_EQ(before.name, "linear2.weight");
    const std::string extra = add(graph, "Linear", {{"out_features", whole(128)}}, "extra");
    apply(graph, {Batch{{{Disconnect{{"linear1", "out", "relu1", "in"}}},
                         {Connect{{"linear1", "out", extra, "in"}}},
                         {Connect{{extra, "out", "relu1", "in"}}}}}});
    for (const auto& weight : compile_model(graph, options)->module().parameters())
        if (weight.name == "linear2.weight") {
            EXPECT_EQ(weight.tensor.to_vector(), before.tensor.to_vector());
        }
}

TEST(Compile, muted_layers_are_left_out) {
    Graph graph = chain("iris", {{"Linear", {{"out_features", whole(3)}}}, {"ReLU", {}}});
    const auto with = compile_model(graph);
    apply(graph, {SetMuted{"relu1", true}});
    const auto without = compile_model(graph);
    const Tensor x = Tensor::from(std::vector<float>{5, 3, 1, 0.2F, 6, 3, 5, 2}, {2, 4});
    const auto a = with->predict(x), b = without->predict(x);
    ASSERT_EQ(a.size(), 1u);
    ASSERT_EQ(b.size(), 1u);
    EXPECT_EQ(a[0].first, "relu1");
    EXPECT_EQ(b[0].first, "linear1");
    const auto rectified = a[0].second.to_vector(), plain = b[0].second.to_vector();
    int negative = 0;
    for (std::size_t i = 0; i < plain.size(); ++i) {
        EXPECT_EQ(rectified[i], std::max(plain[i], 0.0));
        negative += plain[i] < 0;
    }
    EXPECT_GT(negative, 0);
    EXPECT_EQ(with->value("linear1", "out", x).to_vector(), plain);
    EXPECT_THROW(with->value("nobody", "out", x), ValueError);
    EXPECT_THROW(with->value("loss", "loss", x), ValueError);
}

TEST(Compile, branches_join_and_the_gradient_is_the_sum) {
    // x -> linear -> (a: x, b: relu) -> add -> loss against the plain formula.
    Graph graph;
    add(graph, "Dataset", {{"source", "iris"}}, "data");
    add(graph, "Linear", {{"out_features", whole(3)}, {"bias", false}}, "linear");
    add(graph, "ReLU", {}, "relu");
    add(graph, "Add", {}, "join");
    add(graph, "CrossEntropyLoss", {}, "loss");
    add(graph, "SGD", {}, "sgd");
    wire(graph, "data", "x", "linear", "in");
    wire(graph, "linear", "out", "relu", "in");
    wire(graph, "linear", "out", "join", "in");
    wire(graph, "relu", "out", "join", "in");
    wire(graph, "join", "out", "loss", "input");
    wire(graph, "data", "y", "loss", "target");
    wire(graph, "loss", "loss", "sgd", "loss");
    const auto model = compile_model(graph);
    const train::Batch batch = made_up_batch("", {6, 4}, 3);
    const train::StepValues values = model->forward(batch, training_context(), nullptr);
    autograd::backward(values.losses[0]);
    const Tensor weight = model->module().parameters()[0].tensor;
    const Tensor copy = weight.clone().set_requires_grad(true);
    const Tensor h = linear(batch.fields[0], copy);
    const Tensor loss = cross_entropy(wiregrad::add(h, relu(h)), batch.fields[1]);
    autograd::backward(loss);
    EXPECT_EQ(values.losses[0].item(), loss.item());
    EXPECT_EQ(weight.grad().to_vector(), copy.grad().to_vector());
}

TEST(Compile, each_optimizer_trains_what_lies_before_its_losses) {
    Graph graph;
    add(graph, "Dataset", {{"source", "iris"}}, "data");
    for (const std::string side : {"a", "b"}) {
        add(graph, "Linear", {{"out_features", whole(3)}}, side);
        add(graph, "CrossEntropyLoss", {}, "loss_" + side);
        wire(graph, "data", "x", side, "in");
        wire(graph, side, "out", "loss_" + side, "input");
        wire(graph, "data", "y", "loss_" + side, "target");
    }
    add(graph, "SGD", {{"clip_grad_norm", 2.0}}, "sgd");
    add(graph, "AdamW", {{"schedule", "cosine"}, {"lr", 0.1}, {"eta_min", 0.01}}, "adamw");
    wire(graph, "loss_a", "loss", "sgd", "loss");
    wire(graph, "loss_b", "loss", "adamw", "loss");
    const train::TrainPlan plan = compile(graph, quick());
    ASSERT_EQ(plan.optimizers.size(), 2u);
    for (const train::OptimizerPlan& optimizer : plan.optimizers) {
        const std::string side = optimizer.name == "sgd" ? "a" : "b";
        ASSERT_EQ(optimizer.losses.size(), 1u);
        EXPECT_EQ(plan.model->loss_names()[optimizer.losses[0]], "loss_" + side);
        ASSERT_EQ(optimizer.optimizer->parameters().size(), 2u);
        EXPECT_EQ(optimizer.optimizer->parameters()[0].name, side + ".weight");
        if (side == "a") {
            EXPECT_EQ(optimizer.clip_grad_norm, 2);
        } else {
            EXPECT_EQ(optimizer.schedule.kind, train::Schedule::Kind::Cosine);
            EXPECT_DOUBLE_EQ(optimizer.schedule.min_factor, 0.1);
        }
    }
    EXPECT_EQ(plan.graph_hash, graph_hash(graph));
    EXPECT_TRUE(plan.train && plan.validation && plan.test);
}

TEST(Compile, taps_see_the_values_that_they_ask_for) {
    struct Recorder : train::Tap {
        std::map<std::string, std::string> seen;
        bool wants(const std::string& node, const std::string&) const override {
            return node != "relu1";
        }
        void see(const std::string& node, const std::string& port, const Tensor& value) override {
            seen[node + "." + port] = value.shape().str();
        }
    } recorder;
    const Graph graph =
        chain("iris", {{"Linear", {}}, {"ReLU", {}}, {"Linear", {{"out_features", whole(3)}}}});
    compile_model(graph)->forward(made_up_batch("", {5, 4}, 3), training_context(), &recorder);
    const std::map<std::string, std::string> expected = {{"data.x", "[5, 4]"},
                                                         {"data.y", "[5]"},
                                                         {"linear1.out", "[5, 128]"},
                                                         {"linear2.out", "[5, 3]"},
                                                         {"loss.loss", "[]"}};
    EXPECT_EQ(recorder.seen, expected);
}

TEST(Compile, errors_name_the_node) {
    Graph graph = chain("digits", {{"Linear", {}}});
    try {
        compile(graph, quick());
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.where(), "loss");
    }
    const Graph iris = chain("iris", {{"Linear", {{"out_features", whole(3)}}}});
    const auto model = compile_model(iris);
    try { // labels out of range, as a broken file would give
        train::Batch batch = made_up_batch("", {5, 4}, 3);
        batch.fields[1] = Tensor::full({5}, 7, DType::Int64);
        model->forward(batch, training_context(), nullptr);
        FAIL();
    } catch (const ValueError& error) {
        EXPECT_EQ(error.where(), "loss");
        EXPECT_NE(error.text().find("7"), std::string::npos);
    }
    Graph gpu = iris;
    Training training = gpu.training();
    training.device = "cuda";
    apply(gpu, {SetTraining{training}});
    EXPECT_THROW(compile(gpu, quick()), DeviceError);
}

TEST(Compile, metrics_count_right_answers) {
    Graph graph = chain("iris", {{"Linear", {{"out_features", whole(3)}}}});
    add(graph, "Accuracy", {}, "accuracy");
    wire(graph, "linear1", "out", "accuracy", "input");
    wire(graph, "data", "y", "accuracy", "target");
    const auto model = compile_model(graph);
    train::Batch batch = made_up_batch("", {30, 4}, 3);
    const auto scores = model->predict(batch.fields[0]).at(0).second.to_vector();
    const auto labels = batch.fields[1].to_vector();
    int right = 0;
    for (std::size_t i = 0; i < 30; ++i)
        right += std::max_element(scores.begin() + static_cast<long>(3 * i),
                                  scores.begin() + static_cast<long>(3 * i + 3)) -
                     scores.begin() - static_cast<long>(3 * i) ==
                 static_cast<long>(labels[i]);
    const train::StepValues values = model->forward(batch, training_context(), nullptr);
    EXPECT_EQ(values.metrics.at(0).read().count, 30);
    EXPECT_EQ(values.metrics.at(0).read().sum, right);
}

TEST(Compile, random_batches_have_the_shapes_of_the_data) {
    CompileOptions options = quick();
    options.random_data = true;
    const train::TrainPlan plan = compile(testing::example("digits-lenet"), options);
    const train::Batch batch = plan.train->batch(0, 0);
    EXPECT_EQ(batch.fields[0].shape(), (Shape{64, 1, 28, 28}));
    EXPECT_EQ(batch.fields[1].dtype(), DType::Int64);
    for (double label : batch.fields[1].to_vector())
        EXPECT_TRUE(label >= 0 && label < 10);
    EXPECT_EQ(plan.train->batch(3, 4).fields[0].to_vector(), batch.fields[0].to_vector());
    EXPECT_TRUE(
        std::isfinite(plan.model->forward(batch, training_context(), nullptr).losses[0].item()));
}

TEST(Compile, a_run_ends_with_a_network_that_knows_the_flowers) {
    train::TrainPlan plan = compile(testing::example("iris"), quick());
    plan.epochs = 25;
    const auto test = plan.test;
    ASSERT_TRUE(test);
    train::Trainer trainer(std::move(plan), std::make_shared<train::Sink>());
    trainer.start();
    trainer.wait();
    EXPECT_EQ(trainer.state(), train::RunState::Finished);
    EXPECT_GE(train::evaluate(trainer.model(), *test, "test").metrics.at(0), 0.85);
}

TEST(Compile, settings_of_a_layer_decide_its_first_weights_and_how_it_learns) {
    Graph graph = chain("iris", {{"Linear", {{"out_features", whole(4)}}},
                                 {"ReLU", {}},
                                 {"Linear", {{"out_features", whole(3)}}}});
    std::vector<std::string> linear;
    for (const auto& [id, node] : graph.nodes())
        if (node.type == "Linear") linear.push_back(id);
    ASSERT_EQ(linear.size(), 2u);
    set(graph, linear[0], "weight_init", std::string("constant"));
    set(graph, linear[0], "init_value", 0.25);
    set(graph, linear[0], "bias_init", std::string("ones"));
    set(graph, linear[0], "lr_scale", 0.0);
    set(graph, linear[1], "frozen", true);
    train::TrainPlan plan = compile(graph, quick());
    std::map<std::string, Tensor> weights;
    for (const nn::NamedTensor& weight : plan.model->module().parameters())
        weights[weight.name] = weight.tensor;
    for (const double value : weights.at(linear[0] + ".weight").to_vector())
        EXPECT_EQ(value, 0.25);
    for (const double value : weights.at(linear[0] + ".bias").to_vector())
        EXPECT_EQ(value, 1);
    // Only the layer that is not frozen is given to the optimizer, and its rate is 0.
    EXPECT_EQ(plan.optimizers[0].optimizer->parameters().size(), 2u);
    const std::vector<double> before = weights.at(linear[0] + ".weight").to_vector();
    const train::StepValues values =
        plan.model->forward(plan.train->batch(0, 0), training_context(), nullptr);
    autograd::backward(values.losses[0]);
    plan.optimizers[0].optimizer->step(1);
    EXPECT_EQ(weights.at(linear[0] + ".weight").to_vector(), before);
    EXPECT_FALSE(weights.at(linear[1] + ".weight").grad().defined());
}

TEST(Compile, optimizer_nodes_become_what_they_say) {
    for (const char* type : {"SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax",
                             "NAdam", "RAdam", "Muon"}) {
        Graph graph =
            chain("iris", {{"Linear", {{"out_features", whole(3)}}}}, "CrossEntropyLoss", type);
        set(graph, "optimizer", "lr", 0.5);
        set(graph, "optimizer", "schedule", std::string("one_cycle"));
        set(graph, "optimizer", "warmup", whole(2));
        set(graph, "optimizer", "ema_decay", 0.9);
        set(graph, "optimizer", "decay_on", std::string("matrices"));
        set(graph, "optimizer", "accumulate", whole(3));
        const train::TrainPlan plan = compile(graph, quick());
        const train::OptimizerPlan& own = plan.optimizers.at(0);
        EXPECT_EQ(own.optimizer->base_lr(), 0.5) << type;
        EXPECT_EQ(own.average, 0.9);
        EXPECT_EQ(plan.accumulate, 3);
        EXPECT_NEAR(own.schedule.factor({0, 10, 0, 4}), 0.1, 1e-12);  // the warm-up's first rate
        EXPECT_NEAR(own.schedule.factor({2, 10, 8, 4}), 0.04, 1e-12); // then the cycle's
    }
}

} // namespace
} // namespace wiregrad::graph
