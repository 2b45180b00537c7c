// One of PyTorch's sample calls: arguments by position or by name, as PyTorch's signature has them.
// For the maps of tests/parity, which translate it into a call of ours.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/core/error.h"
#include "engine/op/losses.h"
#include "engine/op/tensor_ops.h"

namespace wiregrad::parity {

/// A sample that asks for what we do not offer; the text is the reason shown in the table.
struct Unsupported : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Call {
  public:
    Call(const nlohmann::json& line, const Tensors& tensors) : line_(line), tensors_(tensors) {}

    int count() const;                                     ///< of positional arguments
    bool has(int position, const std::string& name) const; ///< given and not None
    bool is_tensor(int position, const std::string& name) const;
    bool is_list(int position, const std::string& name) const;
    bool is_text(int position, const std::string& name) const;
    Tensor tensor(int position, const std::string& name = "") const;
    Tensor maybe_tensor(int position, const std::string& name) const; ///< undefined when not given
    Tensors tensors(int position, const std::string& name) const;
    double real(int position, const std::string& name) const;
    double real(int position, const std::string& name, double standard) const;
    std::int64_t integer(int position, const std::string& name) const;
    std::int64_t integer(int position, const std::string& name, std::int64_t standard) const;
    bool flag(int position, const std::string& name, bool standard) const;
    std::string text(int position, const std::string& name, const std::string& standard) const;
    /// A list of integers, or one alone; all arguments from there on when they are integers.
    Dims dims(int position, const std::string& name) const;
    Dims dims(int position, const std::string& name, const Dims& standard) const;
    /// Two numbers, or one for both.
    Dims pair(int position, const std::string& name, const Dims& standard) const;
    DType dtype(int position, const std::string& name, DType standard) const;
    Reduction reduction(int position) const;
    /// Throws Unsupported when any of these is given and is not None or false.
    void without(std::initializer_list<const char*> names) const;
    /// A tensor, or a 0-dim one made of a number; `like` gives a number's category.
    Tensor operand(int position, const std::string& name) const;

  private:
    const nlohmann::json* find(int position, const std::string& name) const;
    const nlohmann::json& line_;
    const Tensors& tensors_;
};

/// How one OpInfo is computed here.
struct Entry {
    std::string name;              ///< PyTorch's, with the variant behind a dot
    std::vector<std::string> rows; ///< rows of our op table that it proves
    std::function<Tensors(const Call&)> run;
    /// Where PyTorch's own tolerance is not met, and why; 0: theirs.
    double rtol64 = 0, rtol32 = 0, atol32 = 0;
    std::string reason{};
    /// Samples or parts that are skipped on purpose, with the reason.
    std::string no_gradient{}; ///< gradients are not compared
    std::string no_twice{};    ///< second gradients are not compared
    std::string only_floats{}; ///< samples of integers
};

/// All entries, from the map_*.cpp files.
const std::vector<Entry>& entries();
/// Rows of the op table without a counterpart in op_db: why.
const std::vector<std::pair<std::string, std::string>>& rows_without_counterpart();

std::vector<Entry> elementwise_map();
std::vector<Entry> reduce_map();
std::vector<Entry> shape_map();
std::vector<Entry> layer_map();
std::vector<Entry> loss_map();

} // namespace wiregrad::parity
