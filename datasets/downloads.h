// Downloads of known datasets, only when a person asks. Blocking: call it off the window's thread;
// a download belongs to the thread that called it. A file appears under its name only once it is
// complete and its checksum is right.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace wiregrad::data {

/// One file of a dataset, and what is published of it.
struct DownloadFile {
    std::string name; ///< "train-images-idx3-ubyte.gz"
    std::string url;
    std::int64_t size = 0; ///< bytes
    std::string md5;       ///< as published by the authors; hexadecimal
    std::string sha256{};  ///< where it is published; empty: md5 alone
};

struct Downloadable {
    std::string id;     ///< "mnist"
    std::string label;  ///< "MNIST"
    std::string source; ///< the DatasetSpec::source that reads its folder
    std::string origin; ///< who made it, and under which terms
    std::vector<DownloadFile> files;
    std::int64_t size() const;
};

std::span<const Downloadable> downloadables();
const Downloadable* find_downloadable(const std::string& id); ///< null when there is none

struct DownloadProgress {
    std::string file;       ///< being fetched or checked
    std::int64_t done = 0;  ///< bytes of all files
    std::int64_t total = 0; ///< bytes of all files
};
/// Returns false to cancel.
using DownloadCallback = std::function<bool(const DownloadProgress&)>;

struct DownloadOptions {
    std::string base_url{}; ///< replaces everything before the file name (mirrors, tests)
    long connect_timeout_s = 20;
    long stall_timeout_s = 30; ///< no byte for so long ends it
    int retries = 3;           ///< after a cut connection; each goes on where the last one ended
};

/// Fetches the files of `what` into `folder` (made if needed) and returns the folder. A file that
/// is there with the right checksum is kept; one that is begun ("NAME.part") is gone on with.
/// Throws FileError (no network, 404, wrong checksum, disk full; a sentence each) and Cancelled;
/// what was begun stays for next time, except after a wrong checksum.
std::string download(const Downloadable& what, const std::string& folder,
                     const DownloadCallback& progress = {}, const DownloadOptions& options = {});
/// By id; throws ValueError when there is none.
std::string download(const std::string& id, const std::string& folder,
                     const DownloadCallback& progress = {}, const DownloadOptions& options = {});

} // namespace wiregrad::data
