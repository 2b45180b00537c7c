// Explanations against finite differences and against a network whose answer is known.
#include <cmath>

#include <gmock/gmock.h>

#include "engine/train/explain.h"
#include "tests/engine/toy.h"

namespace wiregrad {
namespace {

using train::Question;
using train::ValuePlace;

/// score 0 = 3 * (pixel [0, 1, 1] of the input, through relu maps), score 1 = sum of squares.
class Known : public train::Model {
  public:
    struct Net : nn::Module {
        Tensors forward(std::span<const Tensor>, const nn::ForwardContext&) override { return {}; }
    };
    Net& module() override { return net_; }
    const std::vector<std::string>& loss_names() const override { return none_; }
    const std::vector<std::string>& metric_names() const override { return none_; }
    train::StepValues forward(const train::Batch& batch, const nn::ForwardContext&,
                              train::Tap* tap) override {
        const Tensor maps = relu(batch.fields[0]);
        if (tap->wants("maps", "out")) tap->see("maps", "out", maps);
        const Tensor pixel = select(select(select(select(maps, 0, 0), 0, 0), 0, 1), 0, 1);
        const Tensor first = mul(pixel, Tensor::full({}, 3.0));
        const Tensor second = sum(mul(batch.fields[0], batch.fields[0]));
        const std::vector<Tensor> both{first, second};
        const Tensor scores = stack(both, 0);
        if (tap->wants("scores", "out")) tap->see("scores", "out", scores);
        return {};
    }

  private:
    Net net_;
    std::vector<std::string> none_;
};

train::Batch picture() {
    std::vector<float> values(9, 0.5F);
    values[4] = 2;
    return {{Tensor::from(values, {1, 1, 3, 3})}, {0}};
}
const ValuePlace kScores{"scores", "out"}, kMaps{"maps", "out"};

TEST(Explain, FindsTheOnePixelThatCounts) {
    Known model;
    const train::Batch batch = picture();
    const Question question{batch, kScores, 0};
    EXPECT_EQ(train::score_of(model, question), 6);
    const auto s = train::saliency(model, question).to_vector();
    const auto ig = train::integrated_gradients(model, question).to_vector();
    const auto cam = train::grad_cam(model, question, kMaps).to_vector();
    const auto hidden = train::occlusion(model, question, 1, 1).to_vector();
    for (std::size_t i = 0; i < 9; ++i) {
        EXPECT_NEAR(s[i], i == 4 ? 3 : 0, 1e-6);
        EXPECT_NEAR(ig[i], i == 4 ? 6 : 0, 1e-5);
        EXPECT_NEAR(hidden[i], i == 4 ? 6 : 0, 1e-6);
    }
    // One map, its weight is the mean gradient: 3 / 9.
    EXPECT_NEAR(cam[4], 2.0 / 3, 1e-6);
    EXPECT_NEAR(cam[0], 0.5 / 3, 1e-6);
    // Larger squares: every pixel shares the fall of the squares over it.
    const auto wide = train::occlusion(model, question, 2, 1).to_vector();
    EXPECT_GT(wide[4], 5.9);
    EXPECT_GT(wide[0], 5.9);
    EXPECT_NEAR(wide[8], 6.0 / 4, 1e-6); // one of the four squares over it covers the middle
}

TEST(Explain, IntegratedGradientsAddUpToTheScore) {
    Known model;
    const train::Batch batch = picture();
    double total = 0;
    for (const double part : train::integrated_gradients(model, {batch, kScores, 1}).to_vector())
        total += part;
    EXPECT_NEAR(total, train::score_of(model, {batch, kScores, 1}), 1e-4); // score(0) = 0
}

TEST(Explain, SaliencyIsTheSlope) {
    auto plan = test::toy_plan();
    const train::Batch all = plan.train->batch(0, 0);
    std::vector<float> point{all.fields[0].data<float>()[0], all.fields[0].data<float>()[1]};
    const train::Batch one{
        {Tensor::from(point, {1, 2}), Tensor::from(std::vector<std::int64_t>{0}, {1})}, {0}};
    const ValuePlace scores{"second", "out"};
    const auto found = train::saliency(*plan.model, {one, scores, 1}).to_vector();
    for (std::size_t i = 0; i < 2; ++i) {
        const float h = 1e-2F;
        const auto at = [&](float delta) {
            std::vector<float> moved = point;
            moved[i] += delta;
            const train::Batch batch{{Tensor::from(moved, {1, 2}), one.fields[1]}, {0}};
            return train::score_of(*plan.model, {batch, scores, 1});
        };
        const double slope = (at(h) - at(-h)) / (2 * h);
        EXPECT_NEAR(found[i], std::abs(slope), 1e-3 + 1e-2 * std::abs(slope));
    }
}

TEST(Explain, RefusesInWords) {
    Known model;
    const train::Batch batch = picture();
    EXPECT_THROW(train::saliency(model, {batch, kScores, 2}), ValueError);
    EXPECT_THROW(train::saliency(model, {batch, {"nothing", "out"}, 0}), ValueError);
    EXPECT_THROW(train::grad_cam(model, {batch, kScores, 0}, {"scores", "out"}), ValueError);
    EXPECT_THROW(train::occlusion(model, {batch, kScores, 0}, 0, 1), ValueError);
}

} // namespace
} // namespace wiregrad
