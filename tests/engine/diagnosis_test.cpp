// Root cause: one corrupt sample of 10,000 is named, with what it did to the network.
#include <gmock/gmock.h>

#include "engine/train/diagnosis.h"
#include "tests/engine/toy.h"

namespace wiregrad {
namespace {

using test::run_to_end;
using test::toy_plan;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t kBad = 7321;

TEST(Diagnosis, NamesOneCorruptSampleOfTenThousand) {
    for (const float planted : {std::nanf(""), 3e38F}) {
        auto plan = toy_plan(
            {.epochs = 1, .samples = 10'000, .batch = 32, .validation = false, .test = false});
        test::toy_data(plan).points().data_mut<float>()[2 * kBad + 1] = planted;
        const auto memory = run_to_end(std::move(plan));
        ASSERT_EQ(memory->dones.size(), 1U);
        EXPECT_EQ(memory->dones[0].state, train::RunState::Failed);
        EXPECT_THAT(memory->dones[0].error, HasSubstr("sample 7321 of the training data"));
    }
}

TEST(Diagnosis, NamesChannelAndOutlier) {
    auto plan = toy_plan({.epochs = 1, .samples = 64, .batch = 16});
    train::Model& model = *plan.model;
    train::Batch batch = plan.train->batch(0, 0);
    nn::ForwardContext context;
    context.training = true;
    context.state.random = Tensor::zeros({2}, DType::Int64);
    batch.fields[0].data_mut<float>()[2 * 5 + 1] = std::nanf("");
    auto found = train::explain_loss(model, batch, context, 0, std::nan(""), 3);
    EXPECT_THAT(found.text, HasSubstr("in field 1, for sample"));
    EXPECT_THAT(found.text, HasSubstr("of the training data, feature 1."));
    EXPECT_EQ(found.sample, batch.samples[5]);

    batch.fields[0].data_mut<float>()[2 * 5 + 1] = 1e30F;
    found = train::explain_loss(model, batch, context, 0, std::nan(""), 3);
    EXPECT_EQ(found.sample, batch.samples[5]);
    EXPECT_THAT(found.text, HasSubstr("holds 1e+30"));

    batch.fields[0].data_mut<float>()[2 * 5 + 1] = 1;
    found = train::explain_loss(model, batch, context, 0, std::nan(""), 3);
    EXPECT_EQ(found.sample, -1);
    EXPECT_THAT(found.text, Not(HasSubstr("usual")));
}

} // namespace
} // namespace wiregrad
