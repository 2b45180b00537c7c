// Traces a step: runs it with shapes only, with autograd, and records every op below autograd.
// Nothing is computed and no state changes, so it can be done at any time. The tracing thread only.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "engine/core/recorder.h"
#include "engine/program/program.h"

namespace wiregrad::program {

class Tracer final : private Recorder {
  public:
    Tracer();
    ~Tracer();

    /// A stand-in without data for what each run is given; use it in place of `like`.
    Tensor input(const std::string& name, const Tensor& like);
    /// Names a tensor outside, so that printed programs and exporters can tell.
    void name_state(const std::string& name, const Tensor& tensor);

    /// From construction to finish() ops are recorded within scopes of this class. A step that
    /// reads values on the host throws ValueError there.
    class Scope {
      public:
        explicit Scope(Tracer& tracer) : previous_(set_recorder(&tracer)) {}
        ~Scope() { set_recorder(previous_); }
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;

      private:
        Recorder* previous_;
    };
    /// What is recorded from here on belongs to the update.
    void begin_update() { update_ = true; }
    void output(const std::string& name, const Tensor& tensor);
    Program finish() { return std::move(program_); }

  private:
    void record(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs,
                std::span<const Tensor> outputs) override;
    void filled(const Tensor& tensor, double value) override;

    int value_of(const Tensor& tensor);
    int of_storage(const Tensor& tensor);
    bool overwrites(const Instruction& instruction) const;
    int as_view(int root, const Tensor& tensor);
    void mark(const Tensor& tensor, int id);

    Program program_;
    std::uint64_t serial_; ///< tells this trace's marks from older ones
    std::unordered_map<const void*, int> storages_;
    bool update_ = false;
};

} // namespace wiregrad::program
