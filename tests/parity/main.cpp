// The tests, and with arguments the tool behind tools/parity:
//   test_parity --names                 OpInfo names that have an entry, one a line
//   test_parity --table PACK [OP] [-v]  runs a pack of dump_pytorch.py and prints the table
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cstring>
#include <exception>

#include "tests/parity/run.h"

int main(int argc, char** argv) {
    using namespace wiregrad::parity;
    if (argc > 1 && std::strcmp(argv[1], "--names") == 0) {
        for (const Entry& entry : entries())
            fmt::print("{}\n", entry.name);
        return 0;
    }
    if (argc > 2 && std::strcmp(argv[1], "--table") == 0) {
        try {
            const bool verbose = std::strcmp(argv[argc - 1], "-v") == 0;
            const bool named = argc > 3 && argv[3][0] != '-';
            return print_table(run_pack(argv[2], named ? argv[3] : ""), verbose) ? 0 : 1;
        } catch (const std::exception& error) {
            fmt::print(stderr, "{}\n", error.what());
            return 2;
        }
    }
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
