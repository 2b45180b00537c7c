// Asks Debian's PyTorch (or NumPy, h5py) the same question: tensors go in and come back by HDF5
// files. Tests that use it skip where /usr/bin/python3 lacks the modules.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "engine/core/error.h"
#include "engine/io/atomic_file.h"
#include "engine/io/hdf5.h"

namespace wiregrad::test {

/// A folder of its own for each test, removed at the end.
class TempFolder {
  public:
    TempFolder() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "wiregrad-test-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw FileError("no temporary folder", pattern);
        path_ = pattern;
    }
    ~TempFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    std::string operator/(const std::string& name) const { return (path_ / name).string(); }
    std::string path() const { return path_.string(); }

  private:
    std::filesystem::path path_;
};

/// Whether all of "numpy, h5py" are installed; they are found, not loaded, which would take
/// seconds.
inline bool python_has(const std::string& modules) {
    const std::string script =
        "from importlib.util import find_spec; import sys; "
        "sys.exit(not all(find_spec(m.strip()) for m in sys.argv[1].split(\",\")))";
    return std::system(("/usr/bin/python3 -c '" + script + "' '" + modules + "' >/dev/null 2>&1")
                           .c_str()) == 0;
}

/// Runs `script` with `given` (a dict of arrays) and `put(name, array)` for answers; numpy is np.
inline io::Hdf5File ask_python(const std::string& script, const io::Hdf5File& given = {}) {
    const TempFolder folder;
    io::write_hdf5(folder / "in.h5", given);
    io::write_file(folder / "script.py", std::string_view(std::string(R"(
import sys, h5py, numpy as np
given = {}
h5py.File(sys.argv[1], 'r').visititems(lambda name, item: given.__setitem__(name, item[()]) if isinstance(item, h5py.Dataset) else None)
answers = h5py.File(sys.argv[2], 'w', track_order=True)
def put(name, array):
    answers[name] = np.asarray(array)
)") + script + "\nanswers.close()\n"));
    const std::string command = "/usr/bin/python3 " + (folder / "script.py") + " " +
                                (folder / "in.h5") + " " + (folder / "out.h5");
    if (std::system(command.c_str()) != 0) throw Error("the referee failed");
    return io::read_hdf5(folder / "out.h5");
}

inline const Tensor& at(const io::Hdf5File& file, const std::string& name) {
    for (const nn::NamedTensor& entry : file.tensors)
        if (entry.name == name) return entry.tensor;
    throw Error("the referee gave no '" + name + "'");
}

/// Shape, dtype and every byte.
inline ::testing::AssertionResult same_bits(const Tensor& a, const Tensor& b) {
    if (!(a.shape() == b.shape()) || a.dtype() != b.dtype())
        return ::testing::AssertionFailure() << name_of(a.dtype()) << a.shape().str() << " and "
                                             << name_of(b.dtype()) << b.shape().str();
    const Tensor x = a.contiguous(), y = b.contiguous();
    const auto *p = static_cast<const unsigned char*>(x.numel() > 0 ? x.raw() : nullptr),
               *q = static_cast<const unsigned char*>(y.numel() > 0 ? y.raw() : nullptr);
    std::int64_t differing = 0, first = -1;
    const auto size = static_cast<std::int64_t>(size_of(a.dtype()));
    for (std::int64_t i = 0; i < x.numel(); ++i)
        if (!std::equal(p + i * size, p + (i + 1) * size, q + i * size)) {
            ++differing;
            first = first < 0 ? i : first;
        }
    if (differing == 0) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure()
           << differing << " of " << x.numel() << " elements differ, the first is number " << first
           << ": " << x.to_vector()[static_cast<std::size_t>(first)] << " and "
           << y.to_vector()[static_cast<std::size_t>(first)];
}

} // namespace wiregrad::test
