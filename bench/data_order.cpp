// Prints the order in which a run visits its training samples, one epoch a line: for
// bench/accuracy, so that PyTorch can be given the same batches. usage: data_order SAMPLES SEED
// EPOCHS
#include <cstdio>
#include <cstdlib>

#include "datasets/loader.h"

namespace {

/// Only the number of samples matters for an order.
class Counted : public wiregrad::data::Dataset {
  public:
    explicit Counted(std::int64_t size) : size_(size), fields_{{.name = "x", .shape = {1}}} {}
    const std::vector<wiregrad::data::Field>& fields() const override { return fields_; }
    std::int64_t size() const override { return size_; }
    void read(std::int64_t, wiregrad::data::Row) const override {}

  private:
    std::int64_t size_;
    std::vector<wiregrad::data::Field> fields_;
};

} // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: data_order SAMPLES SEED EPOCHS\n");
        return 2;
    }
    wiregrad::data::LoaderOptions options;
    options.seed = std::strtoull(argv[2], nullptr, 10);
    options.prefetch = 0;
    const wiregrad::data::Loader loader(std::make_shared<Counted>(std::atoll(argv[1])), options);
    for (std::int64_t epoch = 0; epoch < std::atoll(argv[3]); ++epoch) {
        for (const std::int64_t sample : loader.order(epoch)) {
            std::printf("%lld ", static_cast<long long>(sample));
        }
        std::printf("\n");
    }
    return 0;
}
