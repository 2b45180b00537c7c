#include <numeric>

#include <gmock/gmock.h>

#include "engine/train/probe_set.h"
#include "tests/engine/referee.h"
#include "tests/engine/toy.h"

namespace wiregrad {
namespace {

using test::Memory;
using test::toy_plan;
using ::testing::Each;
using ::testing::ElementsAre;
using train::Trainer;

ProbeRecord look(const Tensor& tensor, int bins = 4, std::int64_t max_elements = 4096) {
    return measure({.value = {"n", "out"}, .histogram_bins = bins, .max_elements = max_elements},
                   tensor, 7);
}

TEST(Measure, CountsByHand) {
    const float inf = std::numeric_limits<float>::infinity();
    const auto r = look(Tensor::from(
        std::vector<float>{0, 1, 2, 3, 4, -0.0F, std::nanf(""), inf, -inf, inf, 1, 1}, {3, 4}));
    EXPECT_EQ(r.value.node, "n");
    EXPECT_EQ(r.step, 7);
    EXPECT_EQ(r.shape, (Shape{3, 4}));
    EXPECT_EQ(r.min, 0);
    EXPECT_EQ(r.max, 4);
    EXPECT_EQ(r.mean, 1.5); // of 0 1 2 3 4 -0 1 1
    EXPECT_DOUBLE_EQ(r.std, std::sqrt((2.25 + .25 + .25 + 2.25 + 6.25 + 2.25 + .25 + .25) / 7));
    EXPECT_EQ(r.zeros, 2);
    EXPECT_EQ(r.nans, 1);
    EXPECT_EQ(r.infs, 3);
    EXPECT_THAT(r.histogram, ElementsAre(2, 3, 1, 2)); // [0,1) [1,2) [2,3) [3,4]
    EXPECT_EQ(r.slice.size(), 12U);
}

TEST(Measure, AgreesWithNumPy) {
    if (!test::python_has("numpy, h5py")) GTEST_SKIP() << "no NumPy with h5py in /usr/bin/python3";
    nn::Generator generator(3);
    Tensor x = Tensor::empty({37, 53}), y = Tensor::empty({1001}, DType::Float64);
    generator.normal_(x, 3, 2);
    generator.uniform_(y, -1e-3, 5e5);
    const auto answer = test::ask_python(R"(
for k, v in given.items():
    v = v.astype(np.float64)
    put(k, np.array([v.min(), v.max(), v.mean(), v.std(ddof=1)]))
    put(k + ' histogram', np.histogram(v, 48)[0])
)",
                                         {{{"x", x}, {"y", y}}, {}});
    for (const auto& [name, tensor] : {std::pair("x", x), std::pair("y", y)}) {
        const auto r = look(tensor, 48);
        const auto wanted = test::at(answer, name).to_vector();
        EXPECT_EQ(r.min, wanted[0]);
        EXPECT_EQ(r.max, wanted[1]);
        EXPECT_NEAR(r.mean, wanted[2], 1e-12 * std::abs(wanted[1]));
        EXPECT_NEAR(r.std, wanted[3], 1e-12 * std::abs(wanted[1]));
        const auto bins = test::at(answer, std::string(name) + " histogram").to_vector();
        EXPECT_EQ(std::vector<double>(r.histogram.begin(), r.histogram.end()), bins);
    }
}

TEST(Measure, TakesEveryDTypeAndLayout) {
    const Tensor base = Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3});
    for (int i = 0; i < kDTypeCount; ++i) {
        Tensor x = Tensor::empty({2, 3}, static_cast<DType>(i));
        x.copy_(base);
        const auto r = look(x);
        const bool flags = x.dtype() == DType::Bool;
        EXPECT_EQ(r.dtype, x.dtype());
        EXPECT_EQ(r.mean, flags ? 1 : 3.5) << name_of(x.dtype());
        EXPECT_EQ(std::accumulate(r.histogram.begin(), r.histogram.end(), std::int64_t{0}), 6);
        EXPECT_EQ(r.slice.at(5), flags ? 1 : 6);
    }
    const auto turned = look(base.as_strided({3, 2}, {1, 3}, 0));
    EXPECT_THAT(turned.slice, ElementsAre(1, 4, 2, 5, 3, 6));
    const auto scalar = look(Tensor::scalar(2));
    EXPECT_EQ(scalar.std, 0);
    EXPECT_EQ(scalar.slice_shape, Shape{});
    EXPECT_THAT(scalar.histogram, ElementsAre(0, 0, 1, 0));
    const auto empty = look(Tensor::empty({0, 3}));
    EXPECT_EQ(empty.histogram.size(), 4U);
    EXPECT_TRUE(empty.slice.empty());
    const auto all_nan = look(Tensor::full({5}, std::nan("")));
    EXPECT_EQ(all_nan.nans, 5);
    EXPECT_EQ(all_nan.mean, 0);
    EXPECT_THAT(all_nan.histogram, Each(0));
    const double huge = 1.7e308;
    const auto wide = look(Tensor::from(std::vector<double>{-huge, huge, 0}, {3}));
    EXPECT_EQ(std::accumulate(wide.histogram.begin(), wide.histogram.end(), std::int64_t{0}), 3);
    EXPECT_THAT(wide.histogram, ElementsAre(1, 0, 1, 1));
}

TEST(Measure, CutsTheLeadingDimensions) {
    const Tensor x = Tensor::zeros({64, 32, 28, 28});
    EXPECT_EQ(look(x, 0, 64 * 32 * 28 * 28).slice_shape, (Shape{64, 32, 28, 28}));
    EXPECT_EQ(look(x, 0, 100'000).slice_shape, (Shape{3, 32, 28, 28}));
    EXPECT_EQ(look(x, 0, 4096).slice_shape, (Shape{1, 5, 28, 28}));
    EXPECT_EQ(look(x, 0, 100).slice_shape, (Shape{1, 1, 3, 28}));
    EXPECT_EQ(look(x, 0, 5).slice_shape, (Shape{1, 1, 1, 5}));
    const auto none = look(x, 0, 0);
    EXPECT_TRUE(none.slice.empty());
    EXPECT_TRUE(none.histogram.empty());
    const auto part =
        look(Tensor::from(std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7}, {2, 2, 2}), 0, 5);
    EXPECT_EQ(part.slice_shape, (Shape{1, 2, 2}));
    EXPECT_THAT(part.slice, ElementsAre(0, 1, 2, 3));
}

TEST(Measure, CountsUnitsAndFindsTheFirstBrokenElement) {
    const float nan = std::nanf("");
    // Two samples, three channels, two pixels.
    const Tensor x =
        Tensor::from(std::vector<float>{0, 0, 1, 2, 5, 5, 0, 0, 3, nan, 5, -5}, {2, 3, 2});
    const auto r = measure({.value = {"n", "out"}, .max_units = 8}, x, 1);
    EXPECT_EQ(r.first_broken, 9);
    EXPECT_EQ(r.unit_count, 3);
    ASSERT_EQ(r.units.size(), 3U);
    EXPECT_EQ(r.units[0].zeros, 4);
    EXPECT_EQ(r.units[0].max, 0);
    EXPECT_EQ(r.units[1].count, 4);
    EXPECT_EQ(r.units[1].broken, 1);
    EXPECT_EQ(r.units[1].mean, 2);
    EXPECT_EQ(r.units[2].min, -5);
    EXPECT_EQ(r.units[2].mean, 2.5);
    // A weight's units are its rows.
    const auto w = measure({.value = {"n", "weight", ProbeWhat::Weight}, .max_units = 1}, x, 1);
    EXPECT_EQ(w.unit_count, 2);
    ASSERT_EQ(w.units.size(), 1U);
    EXPECT_EQ(w.units[0].count, 6);
    EXPECT_EQ(look(x).units.size(), 0U);
    EXPECT_EQ(look(Tensor::zeros({3})).first_broken, -1);
}

TEST(Measure, TheSliceBeginsWhereItIsAsked) {
    const Tensor x = Tensor::from(std::vector<float>{0, 1, 2, 3, 4, 5}, {3, 2});
    const auto r = measure({.value = {"n", "out"}, .max_elements = 2, .slice_from = 1}, x, 1);
    EXPECT_EQ(r.slice_from, 1);
    EXPECT_EQ(r.slice_shape, (Shape{1, 2}));
    EXPECT_THAT(r.slice, ElementsAre(2, 3));
    const auto late = measure({.value = {"n", "out"}, .slice_from = 99}, x, 1);
    EXPECT_EQ(late.slice_from, 2);
    EXPECT_THAT(late.slice, ElementsAre(4, 5));
}

// --- in a run

TEST(Probes, UpdatesAndMomentsAreThoseOfTheStep) {
    const auto memory = std::make_shared<Memory>();
    auto plan = toy_plan({.epochs = 1});
    train::Model* model = plan.model.get();
    train::Optimizer* optimizer = plan.optimizers[0].optimizer.get();
    Tensor before, after, moment; // around step 3
    test::toy_model(plan).before_forward = [&](const train::Batch&,
                                               const nn::ForwardContext& context) {
        const double step = context.training ? context.state.random.to_vector()[1] : -1;
        const auto parameters = model->module().parameters();
        if (step == 2) before = parameters[0].tensor.clone();
        if (step == 3) {
            after = parameters[0].tensor.clone();
            for (const auto& entry : optimizer->state())
                if (entry.name == parameters[0].name + ".exp_avg") moment = entry.tensor.clone();
        }
    };
    const std::string name = model->module().parameters()[0].name; // first.weight
    ASSERT_EQ(name, "first.weight");
    Trainer trainer(std::move(plan), memory);
    ProbeRequest update{.value = {"first", "weight", ProbeWhat::WeightUpdate}};
    ProbeRequest state{.value = {"first", "weight.exp_avg", ProbeWhat::OptimizerState}};
    update.max_per_second = state.max_per_second = 1e12;
    trainer.set_probes({update, state});
    trainer.start();
    trainer.wait();
    int found = 0;
    for (const ProbeRecord& record : memory->probes) {
        if (record.step != 3) continue;
        const Tensor wanted =
            record.value.what == ProbeWhat::WeightUpdate ? sub(after, before) : moment;
        const auto values = wanted.to_vector();
        ASSERT_EQ(record.slice.size(), values.size());
        for (std::size_t i = 0; i < values.size(); ++i)
            EXPECT_EQ(record.slice[i], static_cast<float>(values[i]));
        ++found;
    }
    EXPECT_EQ(found, 2);
}

ProbeRequest often(ValueId value) {
    return {.value = std::move(value), .max_elements = 100'000, .max_per_second = 1e12};
}

TEST(Probes, ArriveAtEveryStepWithTheRightValues) {
    const auto memory = std::make_shared<Memory>();
    auto plan = toy_plan({.epochs = 1});
    // What the model itself sees in step 3, by other means.
    Tensor input, weight, weight_gradient;
    train::Model* model = plan.model.get();
    test::toy_model(plan).before_forward = [&](const train::Batch& batch,
                                               const nn::ForwardContext& context) {
        if (context.training && context.state.random.to_vector()[1] == 2) {
            input = batch.fields[0].clone();
            weight = model->module().parameters()[0].tensor.clone();
        }
    };
    Trainer trainer(std::move(plan), memory);
    trainer.set_probes(
        {often({"first", "out", ProbeWhat::Activation}),
         often({"second", "out", ProbeWhat::ActivationGradient}),
         often({"first", "weight", ProbeWhat::Weight}),
         often({"second", "bias", ProbeWhat::WeightGradient}),
         often({"norm", "running_mean", ProbeWhat::Weight}),
         often({"nothing", "out", ProbeWhat::Activation}),
         {.value = {"act", "out", ProbeWhat::Activation}, .every_steps = 3, .max_per_second = 1e12},
         {.value = {"drop", "out", ProbeWhat::Activation}, .max_per_second = 1e-9}});
    trainer.start();
    trainer.wait();
    const auto of = [&](const std::string& node, const std::string& name, ProbeWhat what) {
        std::vector<ProbeRecord> result;
        for (const auto& record : memory->probes)
            if (record.value == ValueId{node, name, what}) result.push_back(record);
        return result;
    };
    const auto activation = of("first", "out", ProbeWhat::Activation);
    ASSERT_EQ(activation.size(), 7U);
    for (std::size_t i = 0; i < 7; ++i)
        EXPECT_EQ(activation[i].step, static_cast<std::int64_t>(i + 1));
    const auto weights = of("first", "weight", ProbeWhat::Weight);
    ASSERT_EQ(weights.size(), 7U);
    EXPECT_EQ(std::vector<double>(weights[2].slice.begin(), weights[2].slice.end()),
              weight.to_vector()); // as step 3 used it
    // first = x W^T + b; the bias drops out of differences between samples.
    const auto& a = activation[2];
    ASSERT_EQ(a.shape, (Shape{8, 16}));
    const auto x = input.to_vector(), w = weight.to_vector();
    for (std::size_t j = 0; j < 16; ++j) {
        const double wanted = (x[2] - x[0]) * w[2 * j] + (x[3] - x[1]) * w[2 * j + 1];
        EXPECT_NEAR(a.slice[16 + j] - a.slice[j], wanted, 1e-5);
    }
    // The gradient of the last bias is the sum of that of the outputs over the samples.
    const auto outputs = of("second", "out", ProbeWhat::ActivationGradient),
               bias = of("second", "bias", ProbeWhat::WeightGradient);
    ASSERT_EQ(outputs.size(), 7U);
    ASSERT_EQ(bias.size(), 7U);
    for (std::size_t step = 0; step < 7; ++step)
        for (std::size_t j = 0; j < 2; ++j) {
            double sum = 0;
            for (std::size_t i = j; i < outputs[step].slice.size(); i += 2)
                sum += outputs[step].slice[i];
            EXPECT_NEAR(bias[step].slice[j], sum, 1e-6);
        }
    EXPECT_EQ(of("norm", "running_mean", ProbeWhat::Weight).size(), 7U);
    std::vector<std::int64_t> steps;
    for (const auto& record : of("act", "out", ProbeWhat::Activation))
        steps.push_back(record.step);
    EXPECT_THAT(steps, ElementsAre(1, 4, 7));
    EXPECT_EQ(of("drop", "out", ProbeWhat::Activation).size(),
              1U); // at once, and not again in thirty years
    EXPECT_TRUE(of("nothing", "out", ProbeWhat::Activation).empty());
}

TEST(Probes, ReportWeightsAtOnceWhenPaused) {
    const auto memory = std::make_shared<Memory>();
    Trainer trainer(toy_plan(), memory);
    trainer.pause();
    trainer.start();
    ASSERT_TRUE(memory->wait_paused(0));
    trainer.set_probes({{.value = {"second", "weight", ProbeWhat::Weight}},
                        {.value = {"act", "out", ProbeWhat::Activation}}});
    ASSERT_TRUE(memory->wait([](const Memory& m) { return m.probes.size() == 1; }));
    EXPECT_EQ(memory->probes[0].shape, (Shape{2, 16}));
}

TEST(Probes, AreThinnedByTheirBudget) {
    const auto count = [](double budget, double run_seconds) {
        int reports = 0;
        train::ProbeSet probes(
            budget, [&](ProbeRecord) { ++reports; }, 0);
        probes.set({often({"act", "out", ProbeWhat::Activation})});
        const Tensor value = Tensor::zeros({1000});
        for (int step = 1; step <= 10; ++step) {
            probes.begin_step(step, run_seconds);
            if (probes.wants("act", "out")) probes.see("act", "out", value);
        }
        return reports;
    };
    EXPECT_EQ(count(0, 1e9), 1);      // nothing was spent before the first
    EXPECT_EQ(count(0.03, 1e-12), 1); // measuring took longer than that
    EXPECT_EQ(count(0.03, 1e9), 10);
    EXPECT_EQ(count(1, 0), 10);
}

TEST(Accuracy, CountsRightAnswers) {
    const Tensor x = Tensor::from(std::vector<float>{1, 3, 2, 5, 5, 0, 0, 1, 9, 7, 8, 6}, {4, 3});
    const auto target = [](const std::vector<std::int64_t>& values) {
        return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
    };
    auto sum = train::accuracy(x, target({1, 0, 2, 0}));
    EXPECT_EQ(sum.sum, 3); // the tie 5, 5 counts for the first
    EXPECT_EQ(sum.count, 4);
    EXPECT_EQ(train::accuracy(x, target({1, 1, -100, 1})).count, 3);
    EXPECT_EQ(train::accuracy(x, target({1, 1, -100, 1})).sum, 2);
    EXPECT_EQ(train::top_k_accuracy(x, target({2, 1, 0, 2}), 2).sum, 2);
    EXPECT_EQ(train::top_k_accuracy(x, target({2, 1, 0, 2}), 3).sum, 4);
    sum += train::accuracy(x, target({1, 0, 2, 1}));
    EXPECT_EQ(sum.value(), 7.0 / 8);
    const Tensor logits = Tensor::from(std::vector<float>{2, -1, 0.5F, -3}, {4, 1});
    EXPECT_EQ(train::accuracy(logits, Tensor::from(std::vector<float>{1, 0, 0, 0}, {4})).sum, 3);
    // Per pixel: [N, C, H].
    EXPECT_EQ(train::accuracy(Tensor::from(std::vector<float>{1, 0, 0, 1}, {1, 2, 2}),
                              Tensor::from(std::vector<std::int64_t>{0, 0}, {1, 2}))
                  .sum,
              1);
    EXPECT_EQ(train::accuracy(Tensor::full({1, 3}, std::nan("")), target({0})).sum, 0);
    EXPECT_THROW(train::accuracy(x, target({1, 2, 3, 0})), ValueError);
    EXPECT_THROW(train::accuracy(x, target({1, 2})), ShapeError);
    EXPECT_THROW(train::top_k_accuracy(x, target({1, 2, 0, 0}), 0), ValueError);
}

} // namespace
} // namespace wiregrad
