// Working memory of a kernel call: one growing, 64-byte aligned block per thread and purpose, so
// that repeated calls touch the heap only when a shape grows. Never shared between threads.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace wiregrad::cpu {

class Scratch {
  public:
    Scratch() = default;
    ~Scratch() { std::free(block_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    /// At least `count` floats; what they hold is undefined.
    float* floats(std::size_t count) {
        if (count > capacity_) {
            std::free(block_);
            capacity_ = 0;
            const std::size_t bytes = (count * sizeof(float) + 4095) / 4096 * 4096;
            block_ = static_cast<float*>(std::aligned_alloc(64, bytes));
            if (block_ == nullptr) throw std::bad_alloc();
            capacity_ = bytes / sizeof(float);
        }
        return block_;
    }

  private:
    float* block_ = nullptr;
    std::size_t capacity_ = 0;
};

} // namespace wiregrad::cpu
