// Stops a training step where a breakpoint holds, and lets it be walked op by op, both ways. An
// interpreter above autograd, so that it sees every op of forward, backward and update; and the tap
// of forward, so that it sees the values of ports and their gradients. The trainer's thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "engine/op/op.h"
#include "engine/train/breakpoint.h"
#include "engine/train/probe_set.h"

namespace wiregrad::train {

class Debugger final : public Interpreter, public Tap {
  public:
    /// Tells that the run stands and returns what to do; everything it calls is not watched.
    using Stand = std::function<StepOrder(const Halt&)>;
    Debugger(ProbeSet& probes, Stand stand) : probes_(probes), stand_(std::move(stand)) {}

    void set(std::vector<Breakpoint> breakpoints);
    /// Whether the next step is to be run op by op under this interpreter.
    bool armed() const { return mode_ != Mode::Run || !breakpoints_.empty(); }
    void stop_at_next_op() { mode_ = Mode::Op; }

    void begin_step(std::int64_t step);
    void begin_update() { update_ = true; }
    /// After forward. May stand.
    void see_losses(const std::vector<std::string>& names, const std::vector<double>& values);
    void end_step(); ///< what was kept of it goes

    Tensors run(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs) override;
    bool wants(const std::string&, const std::string&) const override { return !busy_; }
    void see(const std::string& node, const std::string& port, const Tensor& value) override;
    /// Values of this step so far, for all that probes ask for: they may have just been asked for.
    void report_all();

    static constexpr std::size_t kOps = 20'000; ///< kept of a step to look back at, and
    static constexpr std::size_t kBytes = std::size_t{1} << 30; ///< so many bytes of results

  private:
    enum class Mode : std::uint8_t { Run, Op, Node };
    struct Armed {
        Breakpoint what;
        bool quiet = false; ///< has stopped this step
    };
    struct Kept {
        OpLine line;
        Attrs attrs;
        Tensors inputs, outputs;
        std::vector<std::uint32_t> versions; ///< of inputs, then outputs
        std::size_t bytes = 0;
    };
    using Place = std::tuple<std::string, std::string, bool>; ///< node, port, gradient

    static ValueId id_of(const Place& place);
    Phase phase() const;
    void keep(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs,
              const Tensors& outputs);
    void look_at_op(const Tensors& outputs);
    void look_at_port(const std::string& node, const std::string& port, const Tensor& value,
                      bool gradient);
    void halt(int breakpoint, std::string reason, const std::string& port = {});
    Halt describe_at(std::size_t index) const;
    void note_value(const std::string& node, const std::string& port, const Tensor& value,
                    bool gradient);

    ProbeSet& probes_;
    Stand stand_;
    std::vector<Armed> breakpoints_;
    Mode mode_ = Mode::Run;
    std::string left_;   ///< Mode::Node: the node to leave
    bool busy_ = false;  ///< standing or measuring: ops pass unseen
    bool leave_ = false; ///< no more halts in this step
    bool update_ = false, first_op_ = true;
    std::int64_t step_ = 0, count_ = 0;
    std::deque<Kept> kept_;
    std::size_t kept_bytes_ = 0;
    std::map<Place, Tensor> values_; ///< of ports, in this step
    std::vector<Place> fresh_;       ///< since the last halt
};

} // namespace wiregrad::train
