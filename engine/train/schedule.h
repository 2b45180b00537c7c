// Learning-rate schedules with PyTorch's names, defaults and values, as pure functions of the place
// in the run: the trainer and the preview of the curve call the same code. Values; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace wiregrad::train {

/// A place in a run; all count from 0.
struct ScheduleTime {
    std::int64_t epoch = 0, epochs = 1;         ///< epochs: of the whole run
    std::int64_t step = 0, steps_per_epoch = 1; ///< step: since the run began
};

/// The factor on the base learning rate, and where a schedule moves it, the momentum.
struct Schedule {
    enum class Kind {
        Constant,
        Step,         ///< StepLR: step_size, gamma
        MultiStep,    ///< MultiStepLR: milestones, gamma
        Exponential,  ///< ExponentialLR: gamma
        Cosine,       ///< CosineAnnealingLR: t_max, min_factor
        Linear,       ///< LinearLR: start_factor, end_factor, total
        Fixed,        ///< ConstantLR: start_factor, total
        Polynomial,   ///< PolynomialLR: total, power
        WarmRestarts, ///< CosineAnnealingWarmRestarts: t_0, t_mult, min_factor
        OneCycle,     ///< OneCycleLR; the base rate is its max_lr; by step, over the whole run
        Cyclic,       ///< CyclicLR; the base rate is its base_lr; by step
        Lambda,       ///< LambdaLR: function
        Multiplied,   ///< MultiplicativeLR: the product of function(1) ... function(epoch)
        Sequential,   ///< SequentialLR: parts, each from its milestone on, counting from 0 again
        Chained       ///< ChainedScheduler: the product of parts
    } kind = Kind::Constant;
    std::int64_t step_size = 10; ///< epochs
    double gamma = 0.1;
    std::int64_t t_max = 0;                 ///< epochs; 0: the whole run
    double min_factor = 0;                  ///< eta_min / base rate
    std::vector<std::int64_t> milestones{}; ///< epochs, rising
    double start_factor = 1.0 / 3, end_factor = 1;
    std::int64_t total = 5; ///< total_iters, epochs
    double power = 1;
    std::int64_t t_0 = 10, t_mult = 1; ///< epochs; each cycle is t_mult times as long
    // OneCycle
    double pct_start = 0.3, div_factor = 25, final_div_factor = 1e4;
    bool cosine_anneal = true, three_phase = false;
    // OneCycle and Cyclic
    bool cycle_momentum = true;
    double base_momentum = 0.85, max_momentum = 0.95;
    // Cyclic
    double max_factor = 10;                               ///< max_lr / base_lr
    std::int64_t step_size_up = 2000, step_size_down = 0; ///< steps; 0: as up
    enum class Mode { Triangular, Triangular2, ExpRange } mode = Mode::Triangular;
    std::function<double(double)> function{};
    std::vector<Schedule> parts{};

    double factor(const ScheduleTime& time) const;
    /// At the beginning of an epoch of one step.
    double factor(std::int64_t epoch, std::int64_t epochs) const {
        return factor(ScheduleTime{epoch, epochs, epoch, 1});
    }
    /// Nothing where the schedule leaves the momentum alone.
    std::optional<double> momentum(const ScheduleTime& time) const;

  private:
    double at_epoch(std::int64_t epoch, std::int64_t epochs) const;
    double one_cycle(const ScheduleTime& time, double low, double high, double last) const;
    /// How far between its two ends a cyclic value is, 0 to 1.
    double cyclic(std::int64_t step) const;
};

/// Learning rate before each of `points` places, evenly over the run.
std::vector<double> preview(const Schedule& schedule, double lr, std::int64_t epochs,
                            std::int64_t steps_per_epoch, std::size_t points);

/// ReduceLROnPlateau: watches a number that should fall (or rise) once an epoch.
struct PlateauOptions {
    bool falling = true; ///< mode 'min'
    double factor = 0.1;
    std::int64_t patience = 10;
    double threshold = 1e-4;
    bool relative = true; ///< threshold_mode 'rel'
    std::int64_t cooldown = 0;
    double min_lr = 0, eps = 1e-8;
};
class Plateau {
  public:
    explicit Plateau(const PlateauOptions& options); ///< ValueError for a factor of 1 or more
    /// The rate after an epoch that gave `value`, when it was `lr` in it.
    double next(double lr, double value);
    /// For checkpoints: three numbers.
    std::vector<double> state() const;
    void load(const std::vector<double>& state);

  private:
    PlateauOptions options_;
    double best_;
    std::int64_t bad_ = 0, cooling_ = 0;
};

} // namespace wiregrad::train
