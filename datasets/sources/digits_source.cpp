#include "datasets/parallel.h"
#include "datasets/random.h"
#include "datasets/sources/digits.h"
#include "datasets/sources/memory_dataset.h"
#include "datasets/sources/source.h"

namespace wiregrad::data {
namespace {

DatasetPtr draw(const Opening& opening, std::uint32_t stream, std::int64_t count) {
    constexpr std::size_t kPixels = kDigitSide * kDigitSide;
    const std::uint64_t seed = opening.spec.seed;
    const double noise = noise_level(opening.spec);
    Column x = Column::sized<std::uint8_t>(static_cast<std::size_t>(count) * kPixels);
    Column y = Column::sized<std::uint8_t>(static_cast<std::size_t>(count));
    const auto pixels = x.values<std::uint8_t>();
    const auto labels = y.values<std::uint8_t>();
    parallel_for(
        count,
        [&](std::int64_t i) {
            const auto at = static_cast<std::size_t>(i);
            labels[at] = static_cast<std::uint8_t>(i % 10);
            draw_digit(labels[at], seed, stream, static_cast<std::uint64_t>(i), noise,
                       pixels.subspan(at * kPixels, kPixels));
        },
        [&](double done) { opening.report("Drawing digits", done); });
    return memory_dataset(describe_digits(opening.spec), {std::move(x), std::move(y)}, count,
                          "digits");
}

} // namespace

std::vector<Field> describe_digits(const DatasetSpec&) {
    return {{.name = "x", .shape = {1, kDigitSide, kDigitSide}, .kind = FieldKind::Image},
            {.name = "y",
             .shape = {},
             .dtype = DType::Int64,
             .kind = FieldKind::Label,
             .class_names = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
             .classes = 10,
             .max = 9}};
}

Parts open_digits(const Opening& opening) {
    return {.main = draw(opening, stream::kTrain, sample_count(opening.spec)),
            .test = draw(opening, stream::kTest, test_count(opening.spec))};
}

} // namespace wiregrad::data
