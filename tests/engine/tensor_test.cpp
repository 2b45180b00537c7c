#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <thread>

#include "engine/core/config.h"
#include "engine/core/error.h"
#include "engine/core/half.h"
#include "engine/core/memory.h"
#include "engine/core/tensor_body.h"
#include "engine/op/op.h"

namespace wiregrad {
namespace {

TEST(Dims, HoldsUpToEightSizes) {
    Dims dims{2, 3};
    dims.push_back(4);
    dims.insert(0, 1);
    EXPECT_EQ(dims, (Dims{1, 2, 3, 4}));
    dims.erase(1);
    EXPECT_EQ(dims.str(), "[1, 3, 4]");
    EXPECT_EQ(Dims::filled(8, 5).size(), 8);
    EXPECT_THROW(Dims::filled(9, 5), ShapeError);
    EXPECT_THROW((Dims{1, 2, 3, 4, 5, 6, 7, 8, 9}), ShapeError);
}

TEST(Shape, CountsElementsAndRefusesNonsense) {
    EXPECT_EQ(numel({}), 1);
    EXPECT_EQ(numel({2, 3, 4}), 24);
    EXPECT_EQ(numel({std::int64_t{1} << 40, std::int64_t{1} << 40, 0}), 0);
    EXPECT_THROW(numel({2, -1}), ShapeError);
    EXPECT_THROW(numel({std::int64_t{1} << 32, std::int64_t{1} << 32}), ShapeError);
    EXPECT_THROW(Tensor::empty({std::int64_t{1} << 61}, DType::Float64), OutOfMemory);
}

TEST(Shape, BroadcastsLikeNumPy) {
    EXPECT_EQ(broadcast({2, 1, 3}, {4, 1}), (Shape{2, 4, 3}));
    EXPECT_EQ(broadcast({}, {0, 2}), (Shape{0, 2}));
    EXPECT_EQ(broadcast({1}, {0}), (Shape{0}));
    EXPECT_THROW(broadcast({2}, {0}), ShapeError);
    EXPECT_THROW(broadcast({2, 3}, {3, 2}), ShapeError);
    EXPECT_EQ(wrap_dim(-1, 3), 2);
    EXPECT_EQ(wrap_dim(-1, 0), 0);
    EXPECT_THROW(wrap_dim(3, 3), ShapeError);
    EXPECT_THROW(wrap_dim(-4, 3), ShapeError);
}

TEST(Device, IsParsedAndPrinted) {
    EXPECT_EQ(Device::parse("cpu"), Device{});
    EXPECT_EQ(Device::parse("cuda:3"), (Device{DeviceType::Cuda, 3}));
    EXPECT_EQ(Device::parse("cuda").str(), "cuda:0");
    for (const char* bad : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1 "})
        EXPECT_THROW(Device::parse(bad), ValueError) << bad;
}

// Every 16-bit pattern goes to float and back unchanged, and lies where the format says.
TEST(Half, ConvertsEveryPatternExactly) {
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
        const Half half{static_cast<std::uint16_t>(bits)};
        const int exponent = static_cast<int>(bits >> 10 & 31);
        const double fraction = bits & 1023;
        const double sign = bits >> 15 != 0 ? -1 : 1;
        const float value = to_float(half);
        if (exponent == 31 && fraction != 0) {
            EXPECT_TRUE(std::isnan(value));
            EXPECT_TRUE(std::isnan(to_float(to_half(value))));
            continue;
        }
        const double expected = exponent == 31  ? std::numeric_limits<double>::infinity()
                                : exponent == 0 ? std::ldexp(fraction, -24)
                                                : std::ldexp(1024 + fraction, exponent - 25);
        ASSERT_EQ(value, sign * expected) << bits;
        ASSERT_EQ(to_half(value).bits, bits);
        const BFloat16 brain{static_cast<std::uint16_t>(bits)};
        if (!std::isnan(to_float(brain))) {
            ASSERT_EQ(to_bfloat16(to_float(brain)).bits, bits);
        }
    }
}

TEST(Half, RoundsToNearestEven) {
    EXPECT_EQ(to_half(1 + 0x1p-11F).bits, to_half(1).bits); // a tie goes to the even neighbour
    EXPECT_EQ(to_half(1 + 0x3p-11F).bits, to_half(1 + 0x1p-9F).bits);
    EXPECT_EQ(to_half(1 + 0x1p-11F + 0x1p-20F).bits, to_half(1 + 0x1p-10F).bits);
    EXPECT_EQ(to_half(65519.996F).bits, 0x7bff);
    EXPECT_EQ(to_half(65520).bits, 0x7c00);
    EXPECT_EQ(to_half(0x1p-25F).bits, 0);
    EXPECT_EQ(to_half(0x1.000002p-25F).bits, 1);
    EXPECT_EQ(to_bfloat16(1 + 0x1p-8F).bits, to_bfloat16(1).bits);
    EXPECT_EQ(to_bfloat16(1 + 0x3p-8F).bits, to_bfloat16(1 + 0x1p-6F).bits);
    EXPECT_TRUE(std::isnan(to_float(to_bfloat16(std::numeric_limits<float>::quiet_NaN()))));
}

TEST(Tensor, HoldsItsValues) {
    const Tensor x = Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3});
    EXPECT_EQ(x.str(), "float32[2, 3] {1, 2, 3, 4, 5, 6}");
    EXPECT_EQ(x.size(-1), 3);
    EXPECT_EQ(x.nbytes(), 24U);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(x.raw()) % 64, 0U);
    EXPECT_EQ(x.data<float>()[4], 5);
    EXPECT_THROW(x.data<double>(), DTypeError);
    EXPECT_THROW(x.item(), ShapeError);
    EXPECT_THROW(Tensor::from(std::vector<float>{1, 2}, {3}), ShapeError);
    EXPECT_EQ(Tensor::scalar(2.5).item(), 2.5);
    EXPECT_EQ(Tensor::full({2}, -3, DType::Int64).to_vector(), (std::vector<double>{-3, -3}));
    EXPECT_EQ(Tensor::full({1}, 3, DType::Bool).item(), 1);
    EXPECT_EQ(Tensor::zeros({0, 3}).numel(), 0);
    constexpr std::int64_t kLarge = std::int64_t{1} << 40;
    EXPECT_TRUE(Tensor::zeros({0, kLarge, kLarge}).is_contiguous());
    EXPECT_THROW(Tensor().shape(), ValueError);
    EXPECT_THROW(Tensor::scalar(1).size(0), ShapeError);
}

TEST(Tensor, ViewsShareStorageAndVersion) {
    Tensor x = Tensor::zeros({2, 3});
    const std::uint32_t start = x.version();
    Tensor column = x.as_strided({2}, {3}, 1);
    EXPECT_FALSE(column.is_contiguous());
    column.fill_(7);
    EXPECT_EQ(x.to_vector(), (std::vector<double>{0, 7, 0, 0, 7, 0}));
    EXPECT_EQ(x.version(), start + 1);
    EXPECT_EQ(x.detach().version(), x.version());
    x.data_mut<float>()[4] = 9;
    EXPECT_EQ(column.to_vector(), (std::vector<double>{7, 9}));
    EXPECT_EQ(column.version(), start + 2);
    EXPECT_NE(x.clone().raw(), x.raw());
    EXPECT_TRUE(x.contiguous().same_body(x));
    EXPECT_EQ(column.contiguous().to_vector(), column.to_vector());
}

TEST(Tensor, AsStridedStaysInsideTheStorage) {
    const Tensor x = Tensor::zeros({6});
    EXPECT_NO_THROW(x.as_strided({2, 3}, {3, 1}, 0));
    EXPECT_NO_THROW(x.as_strided({0}, {1}, 6));
    EXPECT_THROW(x.as_strided({2, 3}, {3, 1}, 1), ShapeError);
    EXPECT_THROW(x.as_strided({2}, {-1}, 1), ShapeError);
    EXPECT_THROW(x.as_strided({2}, {1}, -1), ShapeError);
    EXPECT_THROW(x.as_strided({2}, {std::numeric_limits<std::int64_t>::max()}, 1), ShapeError);
}

TEST(Tensor, CopiesBetweenDTypesAndLayouts) {
    Tensor x = Tensor::zeros({2, 2}, DType::Int32);
    const Tensor source = Tensor::from(std::vector<double>{1.9, -2.9, 3, 4}, {2, 2});
    x.copy_(source.as_strided({2, 2}, {1, 2}, 0)); // transposed
    EXPECT_EQ(x.to_vector(), (std::vector<double>{1, 3, -2, 4}));
    EXPECT_THROW(x.copy_(Tensor::zeros({4})), ShapeError);
}

TEST(Tensor, WrapsMemoryOfOthersAndKeepsItAlive) {
    auto owner = std::make_shared<std::vector<float>>(std::vector<float>{1, 2, 3});
    const std::weak_ptr<std::vector<float>> watch = owner;
    Tensor x = Tensor::wrap(owner->data(), {3}, DType::Float32, owner);
    owner.reset();
    EXPECT_FALSE(watch.expired());
    EXPECT_EQ(x.to_vector(), (std::vector<double>{1, 2, 3}));
    x = Tensor();
    EXPECT_TRUE(watch.expired());
}

TEST(Tensor, BodiesAreCounted) {
    const std::int64_t before = live_tensor_count();
    {
        const Tensor a = Tensor::zeros({2});
        const Tensor b = a;
        EXPECT_EQ(live_tensor_count(), before + 1);
        const Tensor c = a.detach();
        EXPECT_EQ(live_tensor_count(), before + 2);
    }
    EXPECT_EQ(live_tensor_count(), before);
}

TEST(Memory, BlocksAreReused) {
    trim_memory();
    void* const first = allocate(5060);
    const MemoryStats one = memory_stats();
    release(first, 5060);
    const MemoryStats none = memory_stats();
    EXPECT_EQ(one.live_bytes, none.live_bytes + 5060);
    EXPECT_GE(none.cached_bytes, 5060U);
    void* const second = allocate(5050); // same bucket
    EXPECT_EQ(second, first);
    EXPECT_EQ(memory_stats().hits, none.hits + 1);
    EXPECT_EQ(memory_stats().cached_bytes, one.cached_bytes);
    release(second, 5050);
    trim_memory();
    EXPECT_EQ(memory_stats().cached_bytes, 0U);
}

TEST(Memory, EverySizeIsAligned) {
    for (std::size_t bytes = 0; bytes < 20000; bytes += bytes / 7 + 1) {
        void* const block = allocate(bytes);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 64, 0U) << bytes;
        std::fill_n(static_cast<char*>(block), bytes, 'x');
        EXPECT_TRUE(guards_intact(block, bytes));
        release(block, bytes);
    }
    const std::size_t big = (std::size_t{5} << 20) + 3;
    void* const block = allocate(big);
    static_cast<char*>(block)[big - 1] = 'x';
    EXPECT_TRUE(guards_intact(block, big));
    release(block, big);
    trim_memory();
}

#ifdef WIREGRAD_DEBUG
TEST(Memory, GuardsNoticeAWriteOutside) {
    auto* const block = static_cast<unsigned char*>(allocate(100));
    EXPECT_TRUE(guards_intact(block, 100));
    for (const int at : {-1, -64, 100, 163}) {
        const unsigned char before = block[at];
        block[at] = 0;
        EXPECT_FALSE(guards_intact(block, 100)) << at;
        block[at] = before;
    }
    release(block, 100);
    EXPECT_TRUE(std::isnan(Tensor::empty({3}).to_vector()[2]));
    EXPECT_TRUE(std::isnan(Tensor::empty({3}, DType::Float16).to_vector()[2]));
}
#endif

TEST(Memory, ALimitIsReportedWithFacts) {
    const std::size_t live = memory_stats().live_bytes;
    set_memory_limit(live + 1000);
    EXPECT_NO_THROW(Tensor::zeros({200}));
    try {
        Tensor::zeros({300});
        FAIL() << "1200 bytes fit under a limit of 1000";
    } catch (const OutOfMemory& error) {
        EXPECT_EQ(error.text(), "Out of memory: 1200 bytes were asked for, " +
                                    std::to_string(live) + " are in use, the limit is " +
                                    std::to_string(live + 1000) + ".");
    }
    set_memory_limit(0);
    EXPECT_EQ(memory_stats().live_bytes, live);
}

TEST(Memory, WhatIsKeptForReuseGivesWayUnderALimit) {
    constexpr std::size_t kRoom = std::size_t{8} << 20;
    trim_memory();
    set_memory_limit(memory_stats().live_bytes + kRoom);
    for (std::size_t i = 1; i <= 40; ++i) { // 100 MiB in blocks of different sizes
        void* const block = allocate(i << 17);
        release(block, i << 17);
    }
    EXPECT_LE(memory_stats().cached_bytes, kRoom);
    set_memory_limit(0);
}

TEST(Memory, PeakIsTheLargestLiveSum) {
    reset_peak_memory();
    const std::size_t before = memory_stats().peak_bytes;
    { const Tensor x = Tensor::zeros({1000}); }
    EXPECT_EQ(memory_stats().peak_bytes, before + 4000);
    reset_peak_memory();
    EXPECT_EQ(memory_stats().peak_bytes, before);
}

TEST(Memory, ServesSeveralThreads) {
    const std::size_t live = memory_stats().live_bytes;
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([t] {
            for (int i = 0; i < 2000; ++i) {
                Tensor x = Tensor::full({i % 97 + 1}, t);
                if (x.to_vector().back() != t) ADD_FAILURE() << "another thread wrote here";
            }
        });
    }
    threads.clear();
    EXPECT_EQ(memory_stats().live_bytes, live);
}

TEST(Memory, ADeviceWithoutPlugInIsAnErrorInWords) {
    EXPECT_THROW(Tensor::empty({2}, DType::Float32, {DeviceType::Cuda, 0}), DeviceError);
}

TEST(Config, RefusesNonsense) {
    EXPECT_GE(num_threads(), 1);
    EXPECT_THROW(set_num_threads(0), ValueError);
    EXPECT_TRUE(deterministic());
    EXPECT_LE(isa(), detected_isa());
}

} // namespace
} // namespace wiregrad
