// The committed part of PyTorch's samples (goldens/opinfo.*), and the completeness of the map.
#include <gtest/gtest.h>

#include <set>

#include "engine/op/op.h"
#include "tests/parity/run.h"
#include "tests/source_dir.h"

namespace wiregrad::parity {
namespace {

TEST(Parity, EveryRowHasACounterpartOrAReason) {
    std::set<std::string> covered;
    for (const Entry& entry : entries())
        covered.insert(entry.rows.begin(), entry.rows.end());
    for (const auto& [row, reason] : rows_without_counterpart()) {
        EXPECT_FALSE(covered.contains(row)) << row << " has both";
        EXPECT_GT(reason.size(), 10u) << row;
        covered.insert(row);
    }
    std::set<std::string> rows;
    for (const Op* op : op_table()) {
        rows.insert(std::string(op->name));
        EXPECT_TRUE(covered.contains(std::string(op->name)))
            << op->name << " has neither a mapping to PyTorch's samples (tests/parity/map_*.cpp) "
            << "nor a reason in rows_without_counterpart()";
    }
    for (const std::string& row : covered)
        EXPECT_TRUE(rows.contains(row)) << "the map names " << row << ", which is no row";
}

TEST(Parity, ToleranceOverridesHaveReasons) {
    for (const Entry& entry : entries()) {
        const bool loosened = entry.rtol64 > 0 || entry.rtol32 > 0 || entry.atol32 > 0;
        EXPECT_EQ(loosened, !entry.reason.empty()) << entry.name;
    }
}

TEST(Parity, CommittedSamplesOfPyTorchPass) {
    const auto tallies = run_pack(source_dir() + "/tests/parity/goldens/opinfo");
    int run = 0, refused = 0;
    for (const auto& [name, tally] : tallies) {
        run += tally.run;
        refused += tally.refused;
        for (const std::string& failure : tally.failures)
            ADD_FAILURE() << name << ", " << failure << "\n    test_parity --table "
                          << "tests/parity/goldens/opinfo " << name << " -v";
    }
    EXPECT_GE(run, 500);
    EXPECT_GE(refused, 50);
}

} // namespace
} // namespace wiregrad::parity
