// One training step of LeNet (batch 64, SGD with momentum 0.9) out of plain engine ops on random
// data. Usage: lenet_step [SECONDS] [--profile]. Prints one JSON line with the median; --profile
// adds the time of each op. WIREGRAD_THREADS sets the threads.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <string>

#include "engine/autograd/tape.h"
#include "engine/core/config.h"
#include "engine/core/random.h"
#include "engine/op/ops.h"
#include "engine/train/optim.h"

using namespace wiregrad;

namespace {

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

/// Processor time of this process: what a step costs on a machine that others use as well.
double processor() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// Times every op on its way down.
class Profiler : public Interpreter {
  public:
    Tensors run(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs) override {
        const double start = now();
        Tensors out = below(op, inputs, attrs);
        auto& entry = times_[std::string(op.name)];
        entry.first += now() - start;
        ++entry.second;
        return out;
    }
    void print(int steps) const {
        for (const auto& [name, entry] : times_)
            std::fprintf(stderr, "%-24s %8.4f ms  %5.1f calls a step\n", name.c_str(),
                         entry.first / steps * 1e3, 1.0 * entry.second / steps);
    }

  private:
    std::map<std::string, std::pair<double, int>> times_;
};

} // namespace

int main(int argc, char** argv) {
    double seconds = 2;
    bool profile = false;
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "--profile") == 0)
            profile = true;
        else
            seconds = std::atof(argv[i]);
    }
    std::vector<nn::NamedTensor> weights;
    std::uint64_t stream = 0;
    auto weight = [&](const Shape& shape, double bound) {
        Tensor w = Tensor::empty(shape);
        fill_uniform(w, -bound, bound, 1, ++stream);
        w.set_requires_grad(true);
        weights.push_back({"w" + std::to_string(weights.size()), w});
        return w;
    };
    const Tensor c1 = weight({6, 1, 5, 5}, 0.2), b1 = weight({6}, 0.2),
                 c2 = weight({16, 6, 5, 5}, 0.08), b2 = weight({16}, 0.08);
    const Tensor l1 = weight({120, 400}, 0.05), d1 = weight({120}, 0.05),
                 l2 = weight({84, 120}, 0.09), d2 = weight({84}, 0.09), l3 = weight({10, 84}, 0.1),
                 d3 = weight({10}, 0.1);
    Tensor x = Tensor::empty({64, 1, 28, 28});
    fill_normal(x, 0, 1, 2, 0);
    Tensor target = Tensor::empty({64}, DType::Int64);
    for (std::int64_t i = 0; i < 64; ++i)
        target.data_mut<std::int64_t>()[i] = (i * 7) % 10;
    const auto optimizer = train::make_sgd(weights, {.lr = 0.01, .momentum = 0.9});

    auto step = [&] {
        optimizer->zero_grad();
        Tensor h = max_pool2d(relu(conv2d(x, c1, b1, {.padding = {2, 2}})), {});
        h = max_pool2d(relu(conv2d(h, c2, b2)), {});
        h = relu(linear(relu(linear(flatten(h, 1), l1, d1)), l2, d2));
        const Tensor loss = cross_entropy(linear(h, l3, d3), target);
        autograd::backward(loss);
        optimizer->step(1);
        return loss.item();
    };
    const double first = step();
    double last = 0;
    std::vector<double> times, processor_times;
    for (int i = 0; i < 5; ++i)
        step();
    Profiler profiler;
    for (const double end = now() + seconds; now() < end || times.size() < 10;) {
        const double start = now(), processor_start = processor();
        if (profile) {
            const PushInterpreter scope(profiler);
            last = step();
        } else {
            last = step();
        }
        times.push_back(now() - start);
        processor_times.push_back(processor() - processor_start);
    }
    if (profile) profiler.print(static_cast<int>(times.size()));
    const std::size_t steps = times.size();
    std::sort(times.begin(), times.end());
    std::sort(processor_times.begin(), processor_times.end());
    std::printf("{\"model\":\"lenet\",\"batch\":64,\"threads\":%d,\"isa\":\"%s\",\"ms_per_step_"
                "median\":%.4f,\"ms_per_step_min\":%.4f,\"cpu_ms_median\":%.4f,\"steps\":%zu,"
                "\"loss_first\":%.4f,\"loss_last\":%.4f}\n",
                num_threads(), std::string(name_of(isa())).c_str(), times[steps / 2] * 1e3,
                times[0] * 1e3, processor_times[steps / 2] * 1e3, steps, first, last);
}
