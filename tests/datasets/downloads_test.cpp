#include <gmock/gmock.h>

#include "datasets/downloads.h"
#include "datasets/io/checksum.h"
#include "engine/core/error.h"
#include "tests/datasets/helpers.h"
#include "tests/datasets/http_server.h"

namespace wiregrad::data {
namespace {

using test::HttpServer;
using test::message;
using test::TempFolder;
using testing::ElementsAre;
using testing::HasSubstr;

template <class Sum> std::string sum_of(std::string_view text) {
    Sum sum;
    sum.add(std::as_bytes(std::span(text)));
    return sum.hex();
}

/// A megabyte and a bit that looks random.
std::string content(std::uint32_t seed, std::size_t size = 1'200'003) {
    std::string bytes(size, '\0');
    for (char& c : bytes) {
        seed = seed * 1664525u + 1013904223u;
        c = static_cast<char>(seed >> 24);
    }
    return bytes;
}

Downloadable one_file(const std::string& bytes) {
    return {.id = "test",
            .label = "Test",
            .source = "idx",
            .origin = "",
            .files = {{"a.gz", "http://127.0.0.1:9/not/used/a.gz",
                       static_cast<std::int64_t>(bytes.size()), sum_of<Md5>(bytes),
                       sum_of<Sha256>(bytes)}}};
}

TEST(Checksums, KnownAnswers) {
    // RFC 1321, appendix A.5, and FIPS 180-4's examples.
    EXPECT_EQ(sum_of<Md5>(""), "d41d8cd98f00b204e9800998ecf8427e");
    EXPECT_EQ(sum_of<Md5>("abc"), "900150983cd24fb0d6963f7d28e17f72");
    EXPECT_EQ(
        sum_of<Md5>(
            "12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
        "57edf4a22be3c955ac49da2e2107b67a");
    EXPECT_EQ(sum_of<Sha256>(""),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(sum_of<Sha256>("abc"),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(sum_of<Sha256>("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    EXPECT_EQ(sum_of<Sha256>(std::string(1'000'000, 'a')),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    // In pieces of any size it is the same.
    const std::string text = content(1, 1000);
    Md5 pieces;
    for (std::size_t at = 0, step = 1; at < text.size(); at += step, step = step % 97 + 1)
        pieces.add(std::as_bytes(std::span(text)).subspan(at, std::min(step, text.size() - at)));
    EXPECT_EQ(pieces.hex(), sum_of<Md5>(text));
}

TEST(Checksums, RealFilesHaveThePublishedSums) {
    const std::string folder = test::shared("data/mnist");
    if (folder.empty()) GTEST_SKIP() << "no shared data";
    for (const DownloadFile& file : find_downloadable("mnist")->files)
        if (file.name.starts_with("t10k")) {
            const std::string bytes = test::slurp(folder + "/" + file.name);
            EXPECT_EQ(static_cast<std::int64_t>(bytes.size()), file.size);
            EXPECT_EQ(sum_of<Md5>(bytes), file.md5);
        }
}

TEST(Downloads, TheTableIsWellFormed) {
    for (const Downloadable& what : downloadables()) {
        EXPECT_NE(find_source(what.source), nullptr) << what.id;
        for (const DownloadFile& file : what.files) {
            EXPECT_TRUE(file.url.ends_with("/" + file.name)) << file.url;
            EXPECT_EQ(file.md5.size(), 32u);
            EXPECT_TRUE(file.sha256.empty() || file.sha256.size() == 64);
            EXPECT_GT(file.size, 0);
        }
    }
    EXPECT_THAT(message<ValueError>([] { download("imagenet", "/tmp"); }), HasSubstr("imagenet"));
}

TEST(Downloads, FetchesReportsAndKeepsWhatIsThere) {
    const std::string bytes = content(7);
    HttpServer server({{"a.gz", {.content = bytes}}});
    const TempFolder folder;
    const Downloadable what = one_file(bytes);
    std::int64_t last = -1;
    const auto watch = [&](const DownloadProgress& p) {
        EXPECT_EQ(p.file, "a.gz");
        EXPECT_EQ(p.total, static_cast<std::int64_t>(bytes.size()));
        EXPECT_LE(p.done, p.total);
        last = p.done;
        return true;
    };
    const std::string target = folder / "deep/folder";
    EXPECT_EQ(download(what, target, watch, {.base_url = server.url()}), target);
    EXPECT_EQ(last, static_cast<std::int64_t>(bytes.size()));
    EXPECT_EQ(test::slurp(target + "/a.gz"), bytes);
    EXPECT_FALSE(std::filesystem::exists(target + "/a.gz.part"));
    download(what, target, watch, {.base_url = server.url()});
    EXPECT_THAT(server.requests(), ElementsAre("a.gz from 0")); // the second time nothing was asked
    // A damaged file of the right size is noticed and fetched again.
    std::string damaged = bytes;
    damaged[1000] ^= 1;
    test::write(target + "/a.gz", damaged);
    download(what, target, watch, {.base_url = server.url()});
    EXPECT_EQ(test::slurp(target + "/a.gz"), bytes);
}

TEST(Downloads, GoesOnAfterCutConnections) {
    const std::string bytes = content(8);
    HttpServer server({{"a.gz", {.content = bytes, .cut_after = 500'000}}});
    const TempFolder folder;
    download(one_file(bytes), folder.str(), {}, {.base_url = server.url()});
    EXPECT_EQ(test::slurp(folder / "a.gz"), bytes);
    EXPECT_THAT(server.requests(),
                ElementsAre("a.gz from 0", "a.gz from 500000", "a.gz from 1000000"));
}

TEST(Downloads, GoesOnWithWhatAnEarlierCallBegan) {
    const std::string bytes = content(9);
    const TempFolder folder;
    {
        HttpServer server({{"a.gz", {.content = bytes, .cut_after = 100'000}}});
        EXPECT_THAT(message<FileError>([&] {
                        download(one_file(bytes), folder.str(), {},
                                 {.base_url = server.url(), .retries = 1});
                    }),
                    testing::AllOf(HasSubstr("cut 2 times"), HasSubstr("200000 of 1200003"),
                                   HasSubstr("are kept")));
        EXPECT_FALSE(std::filesystem::exists(folder / "a.gz"));
    }
    HttpServer server({{"a.gz", {.content = bytes}}});
    download(one_file(bytes), folder.str(), {}, {.base_url = server.url()});
    EXPECT_THAT(server.requests(), ElementsAre("a.gz from 200000"));
    EXPECT_EQ(test::slurp(folder / "a.gz"), bytes);
}

TEST(Downloads, BeginsAnewWhereTheServerKnowsNoRanges) {
    const std::string bytes = content(10);
    HttpServer server(
        {{"a.gz", {.content = bytes, .cut_after = 300'000, .cuts = 1, .ranges = false}}});
    const TempFolder folder;
    download(one_file(bytes), folder.str(), {}, {.base_url = server.url()});
    EXPECT_EQ(test::slurp(folder / "a.gz"), bytes);
    EXPECT_THAT(server.requests(), ElementsAre("a.gz from 0", "a.gz from 300000", "a.gz from 0"));
}

TEST(Downloads, WrongContentIsThrownAway) {
    const std::string bytes = content(11);
    std::string wrong = bytes;
    wrong[77] ^= 1;
    HttpServer server({{"a.gz", {.content = wrong}}});
    const TempFolder folder;
    EXPECT_THAT(message<FileError>([&] {
                    download(one_file(bytes), folder.str(), {}, {.base_url = server.url()});
                }),
                HasSubstr("checksum"));
    EXPECT_TRUE(std::filesystem::is_empty(folder.str()));
    HttpServer longer({{"a.gz", {.content = bytes + "more"}}});
    EXPECT_THAT(message<FileError>([&] {
                    download(one_file(bytes), folder.str(), {}, {.base_url = longer.url()});
                }),
                HasSubstr("more than the 1200003 bytes"));
    EXPECT_TRUE(std::filesystem::is_empty(folder.str()));
}

TEST(Downloads, RefusalsAndMissingNetworkAreSentences) {
    const std::string bytes = content(12, 1000);
    HttpServer server({{"b.gz", {.content = "other"}}});
    const TempFolder folder;
    const auto text = [&](const std::string& base) {
        return message<FileError>(
            [&] { download(one_file(bytes), folder.str(), {}, {.base_url = base}); });
    };
    EXPECT_THAT(text(server.url()), testing::AllOf(HasSubstr("404"), HasSubstr("/data/a.gz")));
    HttpServer refusing({{"a.gz", {.content = {}, .status = 503}}});
    EXPECT_THAT(text(refusing.url()), HasSubstr("503"));
    std::string gone;
    {
        const HttpServer closed(std::map<std::string, HttpServer::File>{});
        gone = closed.url();
    }
    EXPECT_THAT(text(gone), HasSubstr("cannot be reached"));
    EXPECT_THAT(text("http://no-such-name.invalid"), HasSubstr("not found"));
    EXPECT_THAT(text("file:///etc"), HasSubstr("failed")); // only the web is asked
    test::write(folder / "plain", "");
    EXPECT_THAT(message<FileError>([&] {
                    download(one_file(bytes), folder / "plain/below", {}, {.base_url = gone});
                }),
                HasSubstr("folder"));
}

TEST(Downloads, AFullDiskIsSaid) {
    const std::string bytes = content(13);
    HttpServer server({{"a.gz", {.content = bytes}}});
    const TempFolder folder;
    std::filesystem::create_symlink("/dev/full", folder / "a.gz.part");
    EXPECT_THAT(message<FileError>([&] {
                    download(one_file(bytes), folder.str(), {}, {.base_url = server.url()});
                }),
                HasSubstr("disk is full"));
    EXPECT_FALSE(std::filesystem::exists(folder / "a.gz"));
}

TEST(Downloads, CancelKeepsWhatCame) {
    const std::string bytes = content(14, 20'000'000);
    HttpServer server({{"a.gz", {.content = bytes}}});
    const TempFolder folder;
    EXPECT_THROW(download(one_file(bytes), folder.str(),
                          [](const DownloadProgress& p) { return p.done < 1'000'000; },
                          {.base_url = server.url()}),
                 Cancelled);
    EXPECT_FALSE(std::filesystem::exists(folder / "a.gz"));
    EXPECT_GT(std::filesystem::file_size(folder / "a.gz.part"), 0u);
    download(one_file(bytes), folder.str(), {}, {.base_url = server.url()});
    EXPECT_EQ(test::slurp(folder / "a.gz"), bytes);
}

TEST(Downloads, AServerThatFallsSilentIsLeft) {
    const std::string bytes = content(15, 1000);
    HttpServer server({{"a.gz", {.content = bytes, .stall = true}}});
    const TempFolder folder;
    EXPECT_THAT(message<FileError>([&] {
                    download(one_file(bytes), folder.str(), {},
                             {.base_url = server.url(), .stall_timeout_s = 1});
                }),
                HasSubstr("does not answer"));
}

} // namespace
} // namespace wiregrad::data
