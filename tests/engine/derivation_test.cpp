// The chain rule of one weight, with a batch's numbers: against the definition of a linear layer,
// against autograd, and against what the loss does when the weight is nudged.
#include <gmock/gmock.h>

#include "engine/train/derivation.h"
#include "tests/engine/toy.h"

namespace wiregrad {
namespace {

using test::toy_plan;
using ::testing::HasSubstr;

nn::ForwardContext context_of(std::int64_t step) {
    nn::ForwardContext context;
    context.training = true;
    context.state.random = Tensor::zeros({2}, DType::Int64);
    context.state.random.data_mut<std::int64_t>()[1] = step;
    return context;
}

TEST(Derivation, OfALinearLayerIsGradientTimesInput) {
    auto plan = toy_plan();
    const train::Batch batch = plan.train->batch(0, 0);
    const nn::ForwardContext context = context_of(3);
    // first.weight is [16, 2]: element 7 belongs to output 3 and input 1.
    const auto found = train::derive(*plan.model, batch, context, {"first", "weight", 7});
    EXPECT_FALSE(found.measured);
    EXPECT_EQ(found.port, "out");
    EXPECT_EQ(found.shape, (Shape{8, 16}));
    ASSERT_EQ(found.largest.size(), 8U); // one a sample: other outputs do not depend on it
    const float* x = batch.fields[0].data<float>();
    for (const train::ChainTerm& term : found.largest) {
        EXPECT_EQ(term.element % 16, 3);
        const std::int64_t row = term.element / 16;
        EXPECT_EQ(term.sample, batch.samples[static_cast<std::size_t>(row)]);
        EXPECT_FLOAT_EQ(static_cast<float>(term.local), x[2 * row + 1]);
        EXPECT_FLOAT_EQ(static_cast<float>(found.of_samples[static_cast<std::size_t>(row)]),
                        static_cast<float>(term.product()));
    }
    for (std::size_t i = 1; i < found.largest.size(); ++i)
        EXPECT_GE(std::abs(found.largest[i - 1].product()), std::abs(found.largest[i].product()));
}

TEST(Derivation, TheProductIsTheGradientAndTheDifference) {
    auto plan = toy_plan();
    train::Model& model = *plan.model;
    const auto before = model.module().state();
    std::vector<std::vector<double>> values;
    for (const nn::NamedTensor& one : before)
        values.push_back(one.tensor.to_vector());
    const train::Batch batch = plan.train->batch(0, 1);
    const nn::ForwardContext context = context_of(1);
    int large = 0;
    for (const auto& [node, weight, count] : {std::tuple("first", "weight", 32),
                                              {"first", "bias", 16},
                                              {"norm", "weight", 16},
                                              {"second", "weight", 32},
                                              {"second", "bias", 2}})
        for (std::int64_t element = 0; element < count; element += 3) {
            const auto found = train::derive(model, batch, context, {node, weight, element});
            // What is shown adds up to what training uses, to rounding; and the world agrees.
            EXPECT_NEAR(found.sum, found.gradient, 1e-6) << node << weight << element;
            EXPECT_NEAR(found.sum, found.difference, 1e-3 * std::max(0.1, std::abs(found.sum)))
                << node << weight << element;
            large += std::abs(found.sum) > 0.02;
            ASSERT_FALSE(found.way.empty());
            EXPECT_EQ(found.way.front().node, node);
            // A bias before a batch norm does nothing, so its nudge dies out on the way.
            if (std::abs(found.gradient) > 1e-4) {
                EXPECT_EQ(found.way.back().node, "loss");
            }
            for (const train::ChainStation& station : found.way) // this network has no side way
                EXPECT_NEAR(station.product, found.gradient,
                            2e-3 * std::max(0.1, std::abs(found.gradient)))
                    << station.node;
        }
    EXPECT_GT(large, 5); // zeros would agree, too
    // Nothing has changed: weights, running statistics, gradients.
    for (std::size_t i = 0; i < before.size(); ++i) {
        EXPECT_EQ(model.module().state()[i].tensor.to_vector(), values[i]) << before[i].name;
        EXPECT_FALSE(model.module().state()[i].tensor.grad().defined());
    }
}

TEST(Derivation, RefusesWhatIsNoWeight) {
    auto plan = toy_plan();
    const train::Batch batch = plan.train->batch(0, 0);
    const nn::ForwardContext context = context_of(0);
    const auto message = [&](const train::WeightPlace& place) -> std::string {
        try {
            train::derive(*plan.model, batch, context, place);
        } catch (const ValueError& error) {
            return error.what();
        }
        return {};
    };
    EXPECT_THAT(message({"first", "nothing", 0}), HasSubstr("there is no weight 'nothing'"));
    EXPECT_THAT(message({"norm", "running_mean", 0}), HasSubstr("there is no weight"));
    EXPECT_THAT(message({"first", "bias", 16}), HasSubstr("16 elements, there is no number 16"));
}

} // namespace
} // namespace wiregrad
