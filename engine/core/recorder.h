// Who watches ops while a step is traced (engine/program/trace.h), and the name of the node that
// ops belong to. For core, op, autograd, program, train and nodes. Everything is per thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace wiregrad {

class Tensor;
class Attrs;
struct Op;

/// Tracing runs a step with shapes only, with autograd, and shows every op to a recorder below
/// autograd.
class Recorder {
  public:
    virtual ~Recorder() = default;
    virtual void record(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs,
                        std::span<const Tensor> outputs) = 0;
    /// `tensor` was made with this value in all elements.
    virtual void filled(const Tensor& tensor, double value) = 0;
};
/// Null outside a trace.
Recorder* recorder();
/// Returns the previous one. Makes tensors of this thread shape-only while one is set.
Recorder* set_recorder(Recorder* recorder);

/// Ops called within the scope belong to this node (an id): printed programs, errors and memory
/// figures name it. Autograd keeps it with what it records.
class Origin {
  public:
    explicit Origin(const std::string& node) : previous_(current_) { current_ = intern(node); }
    explicit Origin(std::uint32_t id) : previous_(current_) { current_ = id; }
    ~Origin() { current_ = previous_; }
    Origin(const Origin&) = delete;
    Origin& operator=(const Origin&) = delete;

    static std::uint32_t current() { return current_; } ///< 0: none
    static const std::string& name(std::uint32_t id);   ///< "" for 0

  private:
    static std::uint32_t intern(const std::string& node);
    static thread_local std::uint32_t current_;
    std::uint32_t previous_;
};

} // namespace wiregrad
