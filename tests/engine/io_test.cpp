#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <random>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>

#include "engine/core/error.h"
#include "engine/io/npy.h"
#include "engine/io/safetensors.h"
#include "tests/engine/referee.h"

namespace wiregrad {
namespace {

using test::TempFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::byte> bytes_of(std::string_view text) {
    const auto* begin = reinterpret_cast<const std::byte*>(text.data());
    return {begin, begin + text.size()};
}
std::string text_of(const std::vector<std::byte>& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class F> std::string error_of(const F& f) {
    try {
        f();
    } catch (const FileError& error) {
        return error.what();
    }
    return "no FileError";
}

/// One tensor of each dtype with awkward values.
std::vector<nn::NamedTensor> one_of_each() {
    std::vector<nn::NamedTensor> result;
    const float inf = std::numeric_limits<float>::infinity();
    Tensor floats = Tensor::from(std::vector<float>{0, -0.0F, 1.5F, inf, -inf, 1e-40F}, {2, 3});
    result.push_back({"f32", floats});
    result.push_back({"f64", Tensor::from(std::vector<double>{0.1, -1e300, 5e-324}, {3})});
    for (const DType dtype : {DType::Float16, DType::BFloat16}) {
        Tensor small = Tensor::empty({2, 3}, dtype);
        small.copy_(floats);
        result.push_back({std::string(name_of(dtype)), small});
    }
    result.push_back({"i64", Tensor::from(std::vector<std::int64_t>{-(1LL << 62), 7}, {2, 1})});
    result.push_back({"i32", Tensor::from(std::vector<std::int32_t>{-5}, {})});
    result.push_back({"u8", Tensor::from(std::vector<std::uint8_t>{0, 128, 255}, {3, 1, 1})});
    Tensor flags = Tensor::empty({4}, DType::Bool);
    flags.copy_(Tensor::from(std::vector<float>{1, 0, 0, 1}, {4}));
    result.push_back({"bool", flags});
    result.push_back({"empty", Tensor::empty({0, 5})});
    return result;
}

// --- atomic_file

TEST(AtomicFile, WritesReplacesAndReads) {
    const TempFolder folder;
    const std::string path = folder / "a.txt";
    io::write_file(path, "first");
    EXPECT_EQ(text_of(io::read_file(path)), "first");
    ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
    io::write_file(path, "2");
    EXPECT_EQ(text_of(io::read_file(path)), "2");
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U); // kept
    io::write_file(path, "");
    EXPECT_TRUE(io::read_file(path).empty());
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(AtomicFile, FollowsLinksAndRefusesWhatIsNoFile) {
    const TempFolder folder;
    io::write_file(folder / "real", "old");
    std::filesystem::create_symlink(folder / "real", folder / "link");
    io::write_file(folder / "link", "new");
    EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
    EXPECT_EQ(text_of(io::read_file(folder / "real")), "new");
    EXPECT_THAT(error_of([&] { io::write_file(folder.path(), "x"); }),
                HasSubstr("not a regular file"));
    EXPECT_THAT(error_of([&] { io::write_file("/dev/full", "x"); }),
                HasSubstr("not a regular file"));
    EXPECT_THAT(error_of([&] { io::write_file(folder / "no/such/file", "x"); }),
                HasSubstr("No such file"));
    EXPECT_THAT(error_of([&] { (void)io::read_file(folder / "missing"); }), HasSubstr("missing"));
    EXPECT_THAT(error_of([&] { (void)io::read_file(folder.path()); }), HasSubstr("folder"));
    EXPECT_THAT(error_of([&] { (void)io::read_file(folder / "real", 2); }),
                HasSubstr("2 bytes allowed"));
    EXPECT_THAT(error_of([&] { (void)io::read_file("/dev/zero", 100000); }),
                HasSubstr("100000 bytes allowed"));
}

TEST(AtomicFile, LeavesTheOldFileWholeWhenTheDiskIsFull) {
    const TempFolder folder;
    const std::string path = folder / "weights";
    io::write_file(path, "old");
    struct rlimit before {};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    struct rlimit small = before;
    small.rlim_cur = 1000; // write() then stops short and fails, as on a full disk
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const std::string error = error_of([&] { io::write_file(path, std::string(5000, 'x')); });
    const std::string hdf5_error = error_of([&] { io::write_hdf5(path, {one_of_each(), {}}); });
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    std::signal(SIGXFSZ, handler);
    EXPECT_THAT(error, HasSubstr("File too large"));
    EXPECT_THAT(error, HasSubstr(path));
    EXPECT_THAT(hdf5_error, HasSubstr("File too large"));
    EXPECT_EQ(text_of(io::read_file(path)), "old");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}),
              1); // nothing left beside it
}

TEST(AtomicFile, SaysThatAFolderIsReadOnly) {
    if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
    const TempFolder folder;
    ASSERT_EQ(::chmod(folder.path().c_str(), 0500), 0);
    EXPECT_THAT(error_of([&] { io::write_file(folder / "x", "y"); }),
                HasSubstr("Permission denied"));
    ASSERT_EQ(::chmod(folder.path().c_str(), 0700), 0);
}

TEST(AtomicFile, IsTheOldOrTheNewFileWhenKilledWhileSaving) {
    const TempFolder folder;
    const std::string path = folder / "file";
    const std::size_t size = 3 << 20;
    io::write_file(path, std::string(size, 'a'));
    std::mt19937 random(7);
    for (int round = 0; round < 20; ++round) {
        int pipe_ends[2];
        ASSERT_EQ(::pipe(pipe_ends), 0);
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            const std::string one(size, 'a'), two(size, 'b');
            for (;;) {
                (void)!::write(pipe_ends[1], "s", 1);
                io::write_file(path, two);
                io::write_file(path, one);
            }
        }
        char started = 0;
        ASSERT_EQ(::read(pipe_ends[0], &started, 1), 1); // a save is about to begin
        ::usleep(std::uniform_int_distribution<useconds_t>(0, 6000)(
            random)); // somewhere within it; any moment will do
        ASSERT_EQ(::kill(child, SIGKILL), 0);
        ASSERT_EQ(::waitpid(child, nullptr, 0), child);
        ::close(pipe_ends[0]);
        ::close(pipe_ends[1]);
        const std::string found = text_of(io::read_file(path));
        ASSERT_EQ(found.size(), size);
        ASSERT_EQ(found.find_first_not_of(found[0]), std::string::npos)
            << "a mixture after round " << round;
    }
    io::write_file(path, "after"); // what a killed writer left does not stand in the way
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(AtomicFile, TakesTurnsBetweenProcesses) {
    const TempFolder folder;
    const std::string path = folder / "file";
    std::vector<pid_t> children;
    for (const char letter : {'a', 'b', 'c'}) {
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            try {
                for (int i = 0; i < 30; ++i)
                    io::write_file(path, std::string(200'000, letter));
                ::_exit(0);
            } catch (...) {
                ::_exit(1);
            }
        }
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    const std::string found = text_of(io::read_file(path));
    ASSERT_EQ(found.size(), 200'000U);
    EXPECT_EQ(found.find_first_not_of(found[0]), std::string::npos);
}

// --- npy

TEST(Npy, KeepsEveryDType) {
    for (const auto& [name, tensor] : one_of_each()) {
        const Tensor back = io::parse_npy(io::encode_npy(tensor), name);
        if (tensor.dtype() == DType::BFloat16) {
            EXPECT_EQ(back.dtype(), DType::Float32);
            EXPECT_EQ(back.to_vector(), tensor.to_vector());
        } else {
            EXPECT_TRUE(test::same_bits(back, tensor)) << name;
        }
    }
}

std::string npy(std::string_view dict, std::string_view data, int major = 1) {
    std::string text = "\x93NUMPY";
    text += static_cast<char>(major);
    text += '\0';
    const auto length = static_cast<std::uint32_t>(dict.size());
    text.append(reinterpret_cast<const char*>(&length), major == 1 ? 2 : 4);
    return text + std::string(dict) + std::string(data);
}

TEST(Npy, ReadsOtherOrdersVersionsAndIntegers) {
    using namespace std::string_literals;
    const auto read = [](const std::string& text) {
        return io::parse_npy(bytes_of(text), "x.npy");
    };
    const Tensor fortran =
        read(npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }\n", "\1\2\3\4\5\6"));
    EXPECT_EQ(fortran.shape(), (Shape{2, 3}));
    EXPECT_TRUE(fortran.is_contiguous());
    EXPECT_THAT(fortran.to_vector(), ElementsAre(1, 3, 5, 2, 4, 6));
    EXPECT_THAT(read(npy("{\"shape\":(2,),'fortran_order':False,'descr':'>i4'}",
                         "\0\0\1\0\xff\xff\xff\xfe"s, 2))
                    .to_vector(),
                ElementsAre(256, -2));
    EXPECT_THAT(read(npy("{'descr': '>f8', 'fortran_order': False, 'shape': (1,)}",
                         "\x3f\xf8\0\0\0\0\0\0"s, 3))
                    .to_vector(),
                ElementsAre(1.5));
    EXPECT_THAT(read(npy("{'descr': '>f2', 'fortran_order': False, 'shape': (1L,)}", "\x3c\0"s))
                    .to_vector(),
                ElementsAre(1));
    const Tensor signed_bytes =
        read(npy("{'descr': '|i1', 'fortran_order': False, 'shape': (2,)}", "\xff\x7f"));
    EXPECT_EQ(signed_bytes.dtype(), DType::Int32);
    EXPECT_THAT(signed_bytes.to_vector(), ElementsAre(-1, 127));
    EXPECT_THAT(read(npy("{'descr': '<u2', 'fortran_order': False, 'shape': (1,)}", "\xff\xff"))
                    .to_vector(),
                ElementsAre(65535));
    EXPECT_THAT(
        read(npy("{'descr': '<u4', 'fortran_order': False, 'shape': ()}", "\xff\xff\xff\xff"))
            .to_vector(),
        ElementsAre(4294967295.0));
    EXPECT_THAT(
        read(npy("{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}", "\7\0"s)).to_vector(),
        ElementsAre(1, 0));
    EXPECT_THAT(read(npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}", "\5 and more"))
                    .to_vector(),
                ElementsAre(5));
}

TEST(Npy, RefusesHostileFiles) {
    using namespace std::string_literals;
    const auto error = [](const std::string& text) {
        return error_of([&] { (void)io::parse_npy(bytes_of(text), "x.npy"); });
    };
    const auto dict = [](const std::string& descr, const std::string& shape) {
        return "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + "}";
    };
    EXPECT_THAT(error(""), HasSubstr("not a .npy file"));
    EXPECT_THAT(error("PK\3\4"), HasSubstr("x.npy"));
    EXPECT_THAT(error("\x93NUMPY\1"), HasSubstr("truncated"));
    EXPECT_THAT(error(npy(dict("<f4", "(3,)"), "0123456789")),
                HasSubstr("do not fit in the 10 bytes"));
    EXPECT_THAT(error(npy(dict("<f4", "(1,)"), "0123", 4)), HasSubstr("version 4"));
    EXPECT_THAT(error("\x93NUMPY\2\0\xff\xff\xff\x7f{}"s), HasSubstr("claims a .npy header"));
    EXPECT_THAT(error("\x93NUMPY\1\0\x50\0{}"s), HasSubstr("truncated"));
    EXPECT_THAT(error(npy(dict("<f4", "(4611686018427387904, 4)"), "0123")),
                HasSubstr("do not fit"));
    EXPECT_THAT(error(npy(dict("<f8", "(1152921504606846976, 2)"), "0123")),
                HasSubstr("do not fit"));
    EXPECT_THAT(error(npy(dict("<f4", "(0, 4611686018427387904, 4)"), "0123")),
                HasSubstr("do not fit"));
    EXPECT_THAT(error(npy(dict("<f4", "(9223372036854775808,)"), "0123")), HasSubstr("broken"));
    EXPECT_THAT(error(npy(dict("<f4", "(-1,)"), "0123")), HasSubstr("broken"));
    EXPECT_THAT(error(npy(dict("<f4", "(1,1,1,1,1,1,1,1,1)"), "0123")), HasSubstr("more than 8"));
    EXPECT_THAT(error(npy(dict("|O", "(1,)"), "01234567")), HasSubstr("Python objects"));
    EXPECT_THAT(error(npy(dict("<c8", "(1,)"), "01234567")), HasSubstr("'<c8'"));
    EXPECT_THAT(error(npy(dict("<f99999999999", "(1,)"), "01234567")),
                HasSubstr("elements of type"));
    EXPECT_THAT(
        error(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "0123")),
        HasSubstr("structured"));
    EXPECT_THAT(error(npy("{'descr': '<f4', 'shape': (1,)}", "0123")), HasSubstr("broken"));
    EXPECT_THAT(error(npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
                          "0123")),
                HasSubstr("broken"));
    EXPECT_THAT(error(npy("{'descr': '<f4", "0123")), HasSubstr("broken"));
    EXPECT_THAT(error(npy(dict("<u8", "(1,)"), "\xff\xff\xff\xff\xff\xff\xff\xff")),
                HasSubstr("int64"));
}

/// Flips, cuts and splices a good file: whatever comes, it is a tensor or a FileError.
template <class Parse>
void survive_mutations(const std::vector<std::byte>& good, const Parse& parse) {
    std::mt19937 random(11);
    const auto below = [&](std::size_t n) {
        return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
    };
    int refused = 0;
    for (int round = 0; round < 4000; ++round) {
        std::vector<std::byte> bytes = good;
        for (std::size_t edits = 1 + below(4); edits > 0; --edits) {
            if (bytes.size() < 2) break;
            switch (below(4)) {
            case 0:
                bytes[below(std::min<std::size_t>(bytes.size(), 200))] =
                    static_cast<std::byte>(below(256));
                break;
            case 1:
                bytes.resize(below(bytes.size()) + 1);
                break;
            case 2:
                bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(
                                                 below(std::min<std::size_t>(bytes.size(), 200))),
                             static_cast<std::byte>("0123456789,()[]{}'"[below(18)]));
                break;
            default:
                bytes[below(bytes.size())] ^= static_cast<std::byte>(1U << below(8));
            }
        }
        try {
            parse(bytes);
        } catch (const FileError&) {
            ++refused;
        }
    }
    EXPECT_GT(refused, 1000);
}

TEST(Npy, SurvivesMutations) {
    survive_mutations(io::encode_npy(Tensor::zeros({3, 4, 5}, DType::Float64)),
                      [](const auto& bytes) { (void)io::parse_npy(bytes, "x"); });
}

TEST(Npy, AgreesWithNumPy) {
    if (!test::python_has("numpy, h5py")) GTEST_SKIP() << "no NumPy with h5py in /usr/bin/python3";
    const TempFolder folder;
    const auto tensors = one_of_each();
    for (const auto& [name, tensor] : tensors)
        io::write_npy(folder / (name + ".npy"), tensor);
    const io::Hdf5File answer =
        test::ask_python("import glob, os\nfor f in glob.glob('" + folder.path() + R"(/*.npy'):
    a = np.load(f)
    put(os.path.basename(f)[:-4], a)
    swapped = a.astype(a.dtype.newbyteorder('>'))
    np.save(f, np.asfortranarray(swapped) if a.ndim else swapped)
)");
    for (const auto& [name, tensor] : tensors) {
        EXPECT_EQ(test::at(answer, name).to_vector(), tensor.to_vector()) << name;
        const Tensor swapped = io::read_npy(folder / (name + ".npy"));
        EXPECT_EQ(swapped.shape(), tensor.shape()) << name;
        EXPECT_EQ(swapped.to_vector(), tensor.to_vector()) << name;
    }
}

// --- safetensors

TEST(SafeTensors, KeepsEveryDTypeAndMetadata) {
    const TempFolder folder;
    io::SafeTensors file{one_of_each(), {{"format", "pt"}, {"umlaut", "äöü"}}};
    io::write_safetensors(folder / "a.safetensors", file);
    const io::SafeTensors back = io::read_safetensors(folder / "a.safetensors");
    EXPECT_EQ(back.metadata, file.metadata);
    ASSERT_EQ(back.tensors.size(), file.tensors.size());
    for (const auto& [name, tensor] : file.tensors) {
        const auto found = std::find_if(back.tensors.begin(), back.tensors.end(),
                                        [&](const auto& t) { return t.name == name; });
        ASSERT_NE(found, back.tensors.end());
        EXPECT_TRUE(test::same_bits(found->tensor, tensor)) << name;
    }
    EXPECT_THROW((void)io::encode_safetensors({{file.tensors[0], file.tensors[0]}, {}}),
                 ValueError);
}

std::string safetensors(std::string_view json, std::string_view data) {
    const std::uint64_t length = json.size();
    return std::string(reinterpret_cast<const char*>(&length), 8) + std::string(json) +
           std::string(data);
}

TEST(SafeTensors, ReadsAFileWrittenByHand) {
    const auto file = io::parse_safetensors(
        bytes_of(safetensors(
            R"({"b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]},"a":{"dtype":"I32","shape":[],"data_offsets":[0,4]}}  )",
            std::string_view("\x01\x01\0\0\x07\x08", 6))),
        "x");
    ASSERT_EQ(file.tensors.size(), 2U);
    EXPECT_EQ(file.tensors[0].name, "a");
    EXPECT_EQ(file.tensors[0].tensor.item(), 257);
    EXPECT_THAT(file.tensors[1].tensor.to_vector(), ElementsAre(7, 8));
}

TEST(SafeTensors, RefusesHostileFiles) {
    const auto error = [](const std::string& text) {
        return error_of([&] { (void)io::parse_safetensors(bytes_of(text), "x.st"); });
    };
    const auto tensor = [&](const std::string& fields, std::string_view data = "01234567") {
        return error(safetensors("{\"a\":{" + fields + "}}", data));
    };
    EXPECT_THAT(error("1234"), HasSubstr("too short"));
    EXPECT_THAT(error(std::string(8, '\xff') + "{}"), HasSubstr("claims a header"));
    EXPECT_THAT(error(safetensors("[]", "")), HasSubstr("not a JSON object"));
    EXPECT_THAT(error(safetensors("{\"a\":", "")), HasSubstr("not a JSON object"));
    EXPECT_THAT(error(safetensors(std::string(100000, '['), "")), HasSubstr("nested too deeply"));
    EXPECT_THAT(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"),
                HasSubstr("needs 8 bytes"));
    EXPECT_THAT(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,16])"),
                HasSubstr("there are 8 bytes"));
    EXPECT_THAT(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[8,0])"),
                HasSubstr("bytes 8 to 0"));
    EXPECT_THAT(tensor(R"("dtype":"F32","shape":[1],"data_offsets":[4,8])"),
                HasSubstr("where 0 was expected"));
    EXPECT_THAT(tensor(R"("dtype":"F32","shape":[1],"data_offsets":[0,4])"),
                HasSubstr("account for 4"));
    EXPECT_THAT(tensor(R"("dtype":"F8","shape":[8],"data_offsets":[0,8])"),
                HasSubstr("unknown dtype \"F8\""));
    EXPECT_THAT(tensor(R"("dtype":"U8","shape":[-8],"data_offsets":[0,8])"),
                HasSubstr("whole number"));
    EXPECT_THAT(tensor(R"("dtype":"U8","shape":[8.5],"data_offsets":[0,8])"),
                HasSubstr("whole number"));
    EXPECT_THAT(tensor(R"("dtype":"U8","shape":[4611686018427387904,16],"data_offsets":[0,0])"),
                HasSubstr("too large"));
    EXPECT_THAT(tensor(R"("dtype":"U8","shape":[0,4611686018427387904,16],"data_offsets":[0,0])"),
                HasSubstr("too large"));
    EXPECT_THAT(tensor(R"("dtype":"U8","shape":[1,1,1,1,1,1,1,1,8],"data_offsets":[0,8])"),
                HasSubstr("9 dimensions"));
    EXPECT_THAT(tensor(R"("dtype":"U8","shape":"8","data_offsets":[0,8])"),
                HasSubstr("not a list"));
    EXPECT_THAT(tensor(R"("dtype":"U8","data_offsets":[0,8])"), HasSubstr("no dtype, shape"));
    EXPECT_THAT(error(safetensors(R"({"__metadata__":{"a":1}})", "")), HasSubstr("not a string"));
    EXPECT_THAT(
        error(safetensors(
            R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
            "012345")),
        HasSubstr("where 4 was expected"));
}

TEST(SafeTensors, SurvivesMutations) {
    survive_mutations(io::encode_safetensors({one_of_each(), {{"a", "b"}}}),
                      [](const auto& bytes) { (void)io::parse_safetensors(bytes, "x"); });
}

// --- hdf5

TEST(Hdf5, KeepsEveryDTypeGroupsOrderAndAttributes) {
    const TempFolder folder;
    io::Hdf5File file{one_of_each(),
                      {{"z", "first"}, {"a", ""}, {"text", std::string(200'000, 'x') + "ä"}}};
    file.tensors.push_back({"group/inner/z.weight", Tensor::full({2}, 4)});
    file.tensors.push_back({"group/inner/a.weight", Tensor::full({1}, 5)});
    io::write_hdf5(folder / "a.h5", file);
    const io::Hdf5File back = io::read_hdf5(folder / "a.h5");
    EXPECT_EQ(back.attributes, file.attributes);
    ASSERT_EQ(back.tensors.size(), file.tensors.size());
    for (std::size_t i = 0; i < back.tensors.size(); ++i) {
        EXPECT_EQ(back.tensors[i].name, file.tensors[i].name);
        EXPECT_TRUE(test::same_bits(back.tensors[i].tensor, file.tensors[i].tensor))
            << back.tensors[i].name;
    }
}

TEST(Hdf5, RefusesImpossibleNames) {
    const Tensor x = Tensor::zeros({1});
    for (const char* name : {"", "a//b", "/a", "a/", ".", "a/./b"})
        EXPECT_THROW((void)io::encode_hdf5({{{name, x}}, {}}), ValueError) << name;
    EXPECT_THROW((void)io::encode_hdf5({{{std::string("a\0b", 3), x}}, {}}), ValueError);
    EXPECT_THROW((void)io::encode_hdf5({{{"a", x}, {"a", x}}, {}}), ValueError);
    EXPECT_THROW((void)io::encode_hdf5({{{"a", x}, {"a/b", x}}, {}}),
                 FileError); // a tensor is no group
}

TEST(Hdf5, ReadsRows) {
    const TempFolder folder;
    io::write_hdf5(folder / "a.h5",
                   {{{"x", Tensor::from(std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7}, {4, 2})}}, {}});
    const io::Hdf5Reader reader(folder / "a.h5");
    EXPECT_EQ(reader.entries().at(0).shape, (Shape{4, 2}));
    EXPECT_THAT(reader.read_rows("x", 1, 2).to_vector(), ElementsAre(2, 3, 4, 5));
    EXPECT_EQ(reader.read_rows("x", 4, 0).numel(), 0);
    EXPECT_THROW((void)reader.read_rows("x", 3, 2), ValueError);
    EXPECT_THROW((void)reader.read_rows("x", -1, 2), ValueError);
    EXPECT_THROW((void)reader.read("y"), FileError);
}

TEST(Hdf5, RefusesBrokenFiles) {
    const TempFolder folder;
    const auto error = [&](std::string_view text) {
        io::write_file(folder / "x.h5", text);
        return error_of([&] { (void)io::read_hdf5(folder / "x.h5"); });
    };
    EXPECT_THAT(error(""), HasSubstr("not a readable HDF5 file"));
    EXPECT_THAT(error("just some text that is no HDF5 file at all"), HasSubstr("x.h5"));
    EXPECT_THAT(error_of([&] { (void)io::read_hdf5(folder / "missing.h5"); }),
                HasSubstr("not a readable HDF5 file"));
    EXPECT_THAT(error_of([&] { (void)io::read_hdf5(folder.path()); }),
                HasSubstr("not a readable HDF5 file"));
    const std::string good = text_of(io::encode_hdf5({one_of_each(), {{"a", "b"}}}));
    for (std::size_t size = 0; size + 16 < good.size(); size += 97)
        EXPECT_THAT(error(good.substr(0, size)), HasSubstr("HDF5")) << size;
    // Headers carry checksums: a flipped bit there is found.
    std::string flipped = good;
    flipped[20] = static_cast<char>(flipped[20] ^ 1);
    EXPECT_THAT(error(flipped), HasSubstr("HDF5"));
}

TEST(Hdf5, NoticesEveryDamageToItsOwnFiles) {
    const TempFolder folder;
    io::Hdf5File file{one_of_each(), {{"a", "b"}}};
    file.tensors.push_back({"group/x", Tensor::zeros({3})});
    const std::vector<std::byte> good = io::encode_hdf5(file);
    std::mt19937 random(3);
    for (int round = 0; round < 300; ++round) {
        std::vector<std::byte> bytes = good;
        bytes[random() % (bytes.size() - 12)] ^= static_cast<std::byte>(1U << random() % 8);
        io::write_file(folder / "x.h5", bytes);
        EXPECT_THAT(error_of([&] { (void)io::read_hdf5(folder / "x.h5"); }),
                    HasSubstr("is damaged"));
    }
}

TEST(Hdf5, SurvivesDamagedFilesOfOthers) {
    const TempFolder folder;
    // A file in the library's old format, without checksums, as most programs write.
    const std::string path = folder / "x.h5";
    const std::string command =
        "/usr/bin/python3 -c \"import h5py, numpy as np; f = h5py.File('" + path +
        "', 'w'); f['x'] = np.arange(600.).reshape(20, 30); f.create_dataset('y', "
        "data=np.arange(20), chunks=(5,), "
        "compression='gzip'); f['g/z'] = 'text'; f.attrs['title'] = 'a text'\" 2>/dev/null";
    if (std::system(command.c_str()) != 0) GTEST_SKIP() << "python3-h5py is not installed";
    const std::vector<std::byte> good = io::read_file(path);
    std::mt19937 random(11);
    int refused = 0;
    constexpr int kFiles = 300;
    for (int round = 0; round < kFiles; ++round) {
        std::vector<std::byte> bytes = good;
        for (int hits = 0; hits < 1 + round % 8; ++hits)
            bytes[random() % bytes.size()] = static_cast<std::byte>(random() % 256);
        const std::string file = folder / ("x" + std::to_string(round) + ".h5");
        io::write_file(file, bytes);
        refused += error_of([&] { (void)io::read_hdf5(file); }) != "no FileError";
    }
    EXPECT_GT(refused, kFiles / 20);
}

TEST(Hdf5, RefusesGroupsThatHoldEachOtherInTooManyWays) {
    if (!test::python_has("numpy, h5py")) GTEST_SKIP() << "no NumPy with h5py in /usr/bin/python3";
    const TempFolder folder;
    (void)test::ask_python("f = h5py.File('" + folder.path() + R"(/x.h5', 'w')
inner = f.create_group('0')
for depth in range(1, 25):
    outer = f.create_group(str(depth))
    for name in range(8):
        outer[str(name)] = inner
    inner = outer
f.close()
)");
    EXPECT_THAT(error_of([&] { const io::Hdf5Reader reader(folder / "x.h5"); }),
                HasSubstr("groups"));
}

TEST(Hdf5, IsReadByH5pyAndReadsItsFiles) {
    if (!test::python_has("numpy, h5py")) GTEST_SKIP() << "no NumPy with h5py in /usr/bin/python3";
    const TempFolder folder;
    const io::Hdf5File file{one_of_each(), {{"title", "ä"}}};
    std::vector<nn::NamedTensor> readable = file.tensors; // NumPy has no bfloat16
    std::erase_if(readable, [](const auto& t) { return t.tensor.dtype() == DType::BFloat16; });
    io::write_hdf5(folder / "ours.h5", {readable, file.attributes});
    const io::Hdf5File answer =
        test::ask_python("ours = h5py.File('" + folder.path() +
                         "/ours.h5', 'r')\ntheirs = h5py.File('" + folder.path() +
                         R"(/theirs.h5', 'w')
title = ours.attrs['title']
assert (title.decode() if isinstance(title, bytes) else title) == 'ä'
for name in ours:
    put(name, ours[name][()])
assert ours['bool'].dtype == np.bool_ and ours['float16'].dtype == np.float16
theirs.attrs['text'] = 'über'
theirs.attrs['fixed'] = np.bytes_('abc')
theirs.attrs['number'] = 3
theirs.create_dataset('deflated', data=np.arange(1000).reshape(10, 100).astype('>i2'), compression='gzip', shuffle=True)
theirs['strings'] = np.array(['a', 'b'], dtype=object)
theirs['wide'] = np.zeros((1,) * 9)
theirs.create_dataset('bomb', shape=(1 << 40,), chunks=(1 << 20,), dtype='f4', compression='gzip')
theirs['loop/again'] = h5py.SoftLink('/')
theirs['loop/hard'] = theirs['/']
theirs.close()
)");
    for (const auto& [name, tensor] : readable)
        EXPECT_EQ(test::at(answer, name).to_vector(), tensor.to_vector()) << name;
    EXPECT_THAT(error_of([&] { const io::Hdf5Reader reader(folder / "theirs.h5"); }),
                HasSubstr("nested deeper"));
    (void)test::ask_python("f = h5py.File('" + folder.path() +
                           "/theirs.h5', 'a')\ndel f['loop']\nf.close()\n");
    const io::Hdf5Reader reader(folder / "theirs.h5");
    EXPECT_THAT(reader.attributes(), ::testing::UnorderedElementsAre(std::pair("text", "über"),
                                                                     std::pair("fixed", "abc")));
    EXPECT_EQ(reader.read("deflated").to_vector()[999], 999);
    EXPECT_EQ(reader.read_rows("deflated", 9, 1).to_vector()[0], 900);
    EXPECT_THAT(error_of([&] { (void)reader.read("bomb"); }), HasSubstr("stores only"));
    EXPECT_THAT(error_of([&] { (void)reader.read("strings"); }), HasSubstr("no numbers"));
    EXPECT_THAT(error_of([&] { (void)reader.read("wide"); }), HasSubstr("9 dimensions"));
}

} // namespace
} // namespace wiregrad
