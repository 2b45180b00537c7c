// Thousands of broken inputs, the same in every run: the readers may refuse them, nothing else.
#include <string>
#include <vector>

#include "datasets/fuzz/targets.h"
#include "engine/io/npy.h"
#include "tests/mutations.h"

namespace wiregrad::data {
namespace {

using testing::batter;
using testing::bytes_of;

TEST(Mutations, Idx) {
    const std::string images("\0\0\x08\x03\0\0\0\x03\0\0\0\x02\0\0\0\x02"
                             "abcdefghijkl",
                             28);
    const std::string doubles("\0\0\x0E\x01\0\0\0\x01\x40\x09\x21\xFB\x54\x44\x2D\x18", 16);
    batter({bytes_of(images), bytes_of(doubles),
            bytes_of(std::string_view("\0\0\x08\x01\0\0\0\x02\x01\x02", 10))},
           fuzz::idx, 1);
}

TEST(Mutations, Csv) {
    batter({bytes_of("a,b,label\n1,2,x\n3,4,y\n\"5\",6,\"x, \"\"y\"\"\"\n"),
            bytes_of("1,5;2,5;u\r\n2,25;3,5;v\r\n"),
            bytes_of("\xEF\xBB\xBF"
                     "a\tb\n1\t2\n3\t\n-1e300\t4\n")},
           fuzz::csv, 2);
}

TEST(Mutations, Npy) {
    batter({io::encode_npy(Tensor::zeros({3, 4})), io::encode_npy(Tensor::zeros({5}, DType::Int64)),
            io::encode_npy(Tensor::zeros({2, 1, 2}, DType::UInt8))},
           fuzz::npy, 3);
}

} // namespace
} // namespace wiregrad::data
