// Binding: an op of a recorded program prepared once for fixed shapes and layouts, then run many
// times on bare pointers. Implemented by backends (engine/backend/cpu) and set in the op's row;
// used by engine/program only. A bound kernel belongs to the thread that computes.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "engine/op/op.h"

namespace wiregrad {

class Layout;

/// An arrangement of a value in memory that only a backend understands, such as oneDNN's nChw16c.
class OpaqueLayout {
  public:
    virtual ~OpaqueLayout() = default;
    virtual std::string name() const = 0;  ///< for the printed program: "nChw16c"
    virtual std::size_t bytes() const = 0; ///< padding included
    virtual bool equals(const OpaqueLayout& other) const = 0;
    /// No padding: each stored element is an element of the value, so that an elementwise
    /// instruction whose operands all have this layout may run over the bytes in storage order.
    virtual bool dense() const = 0;
    /// The same arrangement for a value of this shape with another dtype; plain when there is none.
    virtual Layout as(const TensorMeta& meta) const;
};

/// How a value lies in memory. Plain: by strides, row-major unless it is a view.
class Layout {
  public:
    Layout() = default;
    explicit Layout(std::shared_ptr<const OpaqueLayout> opaque) : opaque_(std::move(opaque)) {}
    bool plain() const { return opaque_ == nullptr; }
    const OpaqueLayout* opaque() const { return opaque_.get(); } ///< null when plain
    std::string name() const { return plain() ? "plain" : opaque_->name(); }
    friend bool operator==(const Layout& a, const Layout& b) {
        if (a.plain() || b.plain()) return a.plain() == b.plain();
        return a.opaque_ == b.opaque_ || a.opaque_->equals(*b.opaque_);
    }

  private:
    std::shared_ptr<const OpaqueLayout> opaque_;
};

inline Layout OpaqueLayout::as(const TensorMeta&) const {
    return Layout();
}

/// One input or output of an instruction that is to be bound.
struct BindValue {
    TensorMeta meta;
    Strides strides;  ///< of a plain value, in elements; row-major unless the value is a view
    Layout layout;    ///< how it comes (input) or is wanted (output)
    bool any = false; ///< the rule may set `layout` to what suits it (strides then do not count)
    bool constant = false; ///< input: the same bytes in every run, so they may be packed once
    bool contiguous() const { return strides == contiguous_strides(meta.shape); }
};

/// What a bind rule is asked. Absent optional inputs have an empty `present` bit.
struct BindCall {
    const Op& op;
    const Attrs& attrs;
    std::span<BindValue> inputs;
    std::span<BindValue> outputs; ///< for an in-place op: its input 0
    Mask present = 0;
    int threads = 1;    ///< the number of threads that run() may use
    bool trial = false; ///< implementations may be timed against each other; else the choice is a
                        ///< function of shapes alone
    bool has(int input) const { return (present >> input) & 1U; }
};

/// A kernel for one instruction. run() neither allocates nor throws for want of memory.
class Bound {
  public:
    virtual ~Bound() = default;
    /// `in` and `out` hold one pointer to each input and output's first element (null where
    /// absent), 64-byte aligned unless the value is a view; inputs that the row's `writes` names
    /// may be written through `in`. `scratch` has scratch_bytes(), aligned to 64 bytes, and holds
    /// nothing from run to run. Pointers may differ from run to run.
    virtual void run(const void* const* in, void* const* out, void* scratch) = 0;
    virtual std::size_t scratch_bytes() const { return 0; }
    /// Which implementation was chosen, for the printed program: "brgconv:avx512_core".
    virtual std::string name() const = 0;
};

/// Prepares an instruction, or returns null when it has nothing better than the row's kernel for
/// these shapes, strides, dtypes and layouts; the program then runs the kernel on plain values. A
/// value with `any` unset must be taken as it comes, or null be returned. Throws nothing but
/// OutOfMemory.
using BindRule = std::unique_ptr<Bound> (*)(BindCall&);

/// Copies a value from one layout into another; both may be plain (row-major). Null when the device
/// cannot. Set once at load by the backend that owns opaque layouts.
using ReorderRule = std::unique_ptr<Bound> (*)(const TensorMeta& meta, const Layout& from,
                                               const Layout& to);
void set_reorder(DeviceType device, ReorderRule rule);
std::unique_ptr<Bound> bind_reorder(const TensorMeta& meta, const Layout& from, const Layout& to);

} // namespace wiregrad
