// Shared by the tests of datasets: temporary folders, files of bytes, the shared data.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "datasets/dataset.h"
#include "datasets/row_buffer.h"
#include "tests/source_dir.h"

namespace wiregrad::data::test {

/// A folder that is gone when the test ends.
class TempFolder {
  public:
    TempFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "wiregrad-XXXXXX").string();
        if (!mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder");
        path_ = pattern;
    }
    ~TempFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    std::string operator/(const std::string& name) const { return (path_ / name).string(); }
    std::string str() const { return path_.string(); }

  private:
    std::filesystem::path path_;
};

inline void write(const std::string& path, std::string_view bytes) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline std::string slurp(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// The folder of shared data, or empty.
inline std::string shared(const std::string& name) {
    const char* set = std::getenv("WIREGRAD_SHARED");
    const std::filesystem::path root =
        set ? std::filesystem::path(set) : std::filesystem::path(source_dir()) / "../shared";
    return std::filesystem::exists(root / name) ? (root / name).string() : std::string();
}

inline std::vector<float> floats(const Dataset& dataset, std::int64_t index,
                                 std::size_t field = 0) {
    const RowBuffer buffer(dataset.fields());
    dataset.read(index, buffer.row());
    const auto values = buffer.values<float>(field);
    return {values.begin(), values.end()};
}

inline std::int64_t label(const Dataset& dataset, std::int64_t index) {
    const RowBuffer buffer(dataset.fields());
    dataset.read(index, buffer.row());
    return buffer.values<std::int64_t>(1)[0];
}

/// The text of the error that `run` throws, or a sentence that says it threw none.
template <class E, class F> std::string message(F&& run) {
    try {
        run();
    } catch (const E& error) {
        return error.what();
    } catch (const std::exception& error) {
        return std::string("another error: ") + error.what();
    }
    return "no error";
}

} // namespace wiregrad::data::test
