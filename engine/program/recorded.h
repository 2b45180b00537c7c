// A pure function of tensors that is recorded at the first call of each kind and replayed:
// evaluation and prediction. Belongs to one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/program/execute.h"

namespace wiregrad::program {

class Recorded {
  public:
    using Function = std::function<Tensors(const Tensors&)>;

    /// What `function` gives for `inputs`, without autograd. It may read tensors outside, such as
    /// weights, and is recorded anew when `revision`, a shape or the number of threads is another.
    /// Results are valid until the next call. What cannot be recorded runs eagerly.
    const Tensors& operator()(const Tensors& inputs, std::uint64_t revision,
                              const Function& function);
    /// Why the last call ran eagerly; "" when it was replayed.
    const std::string& reason() const { return reason_; }
    /// Of the last call; null when it ran eagerly.
    const Executable* program() const { return program_; }

    static constexpr std::size_t kKinds = 4; ///< kept; the one used longest ago goes

  private:
    struct Kind {
        std::vector<std::int64_t> key;
        std::unique_ptr<Executable> program;
        Tensors outputs;
        std::string refused; ///< why
        std::uint64_t used = 0;
    };
    void record(Kind& kind, const Tensors& inputs, const Function& function);

    std::vector<Kind> kinds_;
    std::vector<std::int64_t> key_;
    Tensors eager_;
    std::string reason_;
    const Executable* program_ = nullptr;
    std::uint64_t clock_ = 0;
};

/// Adds what a recording depends on of an input: dtype and shape.
void add_to_key(std::vector<std::int64_t>& key, const Tensor& input);

} // namespace wiregrad::program
