#include "datasets/downloads.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <mutex>
#include <system_error>

#include <curl/curl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "datasets/io/checksum.h"
#include "engine/core/error.h"

namespace wiregrad::data {
namespace {

namespace fs = std::filesystem;

/// The addresses and sums that the authors, or the mirror they name, publish.
const std::vector<Downloadable>& table() {
    static const std::vector<Downloadable> rows = {
        {.id = "mnist",
         .label = "MNIST",
         .source = "idx",
         .origin =
             "Y. LeCun, C. Cortes and C. J. C. Burges: 70,000 handwritten digits; CC BY-SA 3.0.",
         .files = {{"train-images-idx3-ubyte.gz",
                    "https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz",
                    9912422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"},
                   {"train-labels-idx1-ubyte.gz",
                    "https://ossci-datasets.s3.amazonaws.com/mnist/train-labels-idx1-ubyte.gz",
                    28881, "d53e105ee54ea40749a09fcbcd1e9432"},
                   {"t10k-images-idx3-ubyte.gz",
                    "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-images-idx3-ubyte.gz",
                    1648877, "9fb629c4189551a2d022fa330f9573f3"},
                   {"t10k-labels-idx1-ubyte.gz",
                    "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-labels-idx1-ubyte.gz", 4542,
                    "ec29112dd5afa0611ce80d1b7f02629c"}}},
        {.id = "fashion-mnist",
         .label = "Fashion-MNIST",
         .source = "idx",
         .origin = "Zalando Research: 70,000 pictures of clothes; MIT licence.",
         .files = {{"train-images-idx3-ubyte.gz",
                    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
                    "train-images-idx3-ubyte.gz",
                    26421880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"},
                   {"train-labels-idx1-ubyte.gz",
                    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
                    "train-labels-idx1-ubyte.gz",
                    29515, "25c81989df183df01b3e8a0aad5dffbe"},
                   {"t10k-images-idx3-ubyte.gz",
                    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
                    "t10k-images-idx3-ubyte.gz",
                    4422102, "bef4ecab320f06d8554ea6380940ec79"},
                   {"t10k-labels-idx1-ubyte.gz",
                    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
                    "t10k-labels-idx1-ubyte.gz",
                    5148, "bb300cfdad3c16e7a12a480ee83cd310"}}},
        {.id = "cifar10",
         .label = "CIFAR-10",
         .source = "cifar10",
         .origin = "A. Krizhevsky, V. Nair and G. Hinton: 60,000 colour pictures of ten things.",
         .files = {{"cifar-10-binary.tar.gz",
                    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", 170052171,
                    "c32a1d4ab5d03f1284b67883e8d87530",
                    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"}}},
    };
    return rows;
}

std::int64_t size_on_disk(const std::string& path) {
    std::error_code error;
    const auto size = fs::file_size(path, error);
    return error ? -1 : static_cast<std::int64_t>(size);
}

class Fetch {
  public:
    Fetch(const Downloadable& what, const std::string& folder, const DownloadCallback& progress,
          const DownloadOptions& options)
        : folder_(folder), progress_(progress), options_(options) {
        state_.total = what.size();
    }

    void file(const DownloadFile& file) {
        state_.file = file.name;
        file_ = &file;
        const std::string path = (fs::path(folder_) / file.name).string();
        if (size_on_disk(path) == file.size && right_sums(path)) {
            state_.done += file.size;
            return;
        }
        const std::string part = path + ".part";
        fetch(part);
        if (!right_sums(part)) {
            fs::remove(part);
            throw FileError(
                "the checksum is wrong: what came is not the published file; it was thrown away",
                part);
        }
        std::error_code error;
        fs::rename(part, path, error);
        if (error) throw FileError("the file cannot be put in its place: " + error.message(), path);
        state_.done += file.size;
    }

  private:
    void tell(std::int64_t of_this_file) {
        DownloadProgress now = state_;
        now.done += of_this_file;
        if (progress_ && !progress_(now))
            throw Cancelled(fmt::format("the download of {} was cancelled", state_.file));
    }

    /// True when the file has the published sums. Long files take a while: it reports and can be
    /// cancelled.
    bool right_sums(const std::string& path) {
        const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                                   std::fclose);
        if (!file)
            throw FileError(fmt::format("the file cannot be read back: {}", std::strerror(errno)),
                            path);
        Md5 md5;
        Sha256 sha256;
        std::vector<std::byte> buffer(std::size_t{1} << 20);
        while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), file.get())) {
            const auto bytes = std::span<const std::byte>(buffer).first(got);
            md5.add(bytes);
            if (!file_->sha256.empty()) sha256.add(bytes);
            tell(file_->size);
        }
        if (std::ferror(file.get())) throw FileError("the file cannot be read back", path);
        return md5.hex() == file_->md5 && (file_->sha256.empty() || sha256.hex() == file_->sha256);
    }

    std::string url() const {
        if (options_.base_url.empty()) return file_->url;
        return options_.base_url + (options_.base_url.ends_with('/') ? "" : "/") + file_->name;
    }

    void fetch(const std::string& part) {
        for (int attempt = 0;; ++attempt) {
            const std::int64_t before = std::max<std::int64_t>(0, size_on_disk(part));
            if (before == file_->size) return;
            const std::int64_t from = before > file_->size ? 0 : before;
            if (from != before) fs::remove(part);
            const bool complete = attempt_from(part, from, attempt >= options_.retries);
            if (complete) return;
        }
    }

    /// One connection. True when all is there; false when it was cut and may be tried again; throws
    /// otherwise.
    bool attempt_from(const std::string& part, std::int64_t from, bool last) {
        const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
        out_.reset(std::fopen(part.c_str(), from > 0 ? "ab" : "wb"));
        if (!curl || !out_)
            throw FileError(fmt::format("the file cannot be written: {}", std::strerror(errno)),
                            part);
        received_ = from;
        too_long_ = false;
        write_error_ = 0;
        pending_ = nullptr;
        handle_ = curl.get();
        const std::string address = url();
        char reason[CURL_ERROR_SIZE] = {};
        curl_easy_setopt(handle_, CURLOPT_URL, address.c_str());
        curl_easy_setopt(handle_, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(handle_, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(handle_, CURLOPT_FOLLOWLOCATION, 1L);
        curl_easy_setopt(handle_, CURLOPT_MAXREDIRS, 5L);
        curl_easy_setopt(handle_, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(handle_, CURLOPT_FAILONERROR, 1L);
        curl_easy_setopt(handle_, CURLOPT_CONNECTTIMEOUT, options_.connect_timeout_s);
        curl_easy_setopt(handle_, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(handle_, CURLOPT_LOW_SPEED_TIME, options_.stall_timeout_s);
        curl_easy_setopt(handle_, CURLOPT_USERAGENT, "wiregrad");
        curl_easy_setopt(handle_, CURLOPT_ERRORBUFFER, reason);
        curl_easy_setopt(handle_, CURLOPT_WRITEFUNCTION, &Fetch::on_bytes);
        curl_easy_setopt(handle_, CURLOPT_WRITEDATA, this);
        curl_easy_setopt(handle_, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(handle_, CURLOPT_XFERINFOFUNCTION, &Fetch::on_progress);
        curl_easy_setopt(handle_, CURLOPT_XFERINFODATA, this);
        if (from > 0)
            curl_easy_setopt(handle_, CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(from));
        CURLcode code = curl_easy_perform(handle_);
        long status = 0;
        curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
        // Bytes may still be in the stream's buffer, and a full disk may show only now.
        if (std::fflush(out_.get()) != 0 && write_error_ == 0) write_error_ = errno;
        if (write_error_ == 0 && code == CURLE_OK && fsync(fileno(out_.get())) != 0)
            write_error_ = errno;
        out_.reset();
        handle_ = nullptr;
        if (pending_) std::rethrow_exception(pending_);
        if (write_error_ != 0)
            throw FileError(
                write_error_ == ENOSPC
                    ? fmt::format("the disk is full; {} needs {} more bytes", file_->name,
                                  file_->size - received_)
                    : fmt::format("the file cannot be written: {}", std::strerror(write_error_)),
                part);
        if (too_long_) {
            fs::remove(part);
            throw FileError(fmt::format("the server sends more than the {} bytes of {}",
                                        file_->size, file_->name),
                            address);
        }
        if (code == CURLE_RANGE_ERROR || (from > 0 && status == 416)) {
            fs::remove(part); // the server cannot go on in the middle: from the beginning
            if (last)
                throw FileError("the server does not go on with a file that was begun", address);
            return false;
        }
        if (code == CURLE_OK && received_ == file_->size) return true;
        if (!last && (code == CURLE_OK || code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR ||
                      code == CURLE_SEND_ERROR || code == CURLE_GOT_NOTHING))
            return false;
        throw FileError(explain(code, status, reason), address);
    }

    std::string explain(CURLcode code, long status, const char* reason) const {
        switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY:
            return "the server's name is not found; is this computer connected to the network?";
        case CURLE_COULDNT_CONNECT:
            return "the server cannot be reached; is this computer connected to the network?";
        case CURLE_OPERATION_TIMEDOUT:
            return fmt::format(
                "the server does not answer any more; {} of {} bytes came and are kept", received_,
                file_->size);
        case CURLE_HTTP_RETURNED_ERROR:
            return status == 404 ? std::string("the file is not there any more (404)")
                                 : fmt::format("the server refuses the file (status {})", status);
        case CURLE_OK:
        case CURLE_PARTIAL_FILE:
        case CURLE_RECV_ERROR:
        case CURLE_SEND_ERROR:
        case CURLE_GOT_NOTHING:
            return fmt::format("the connection was cut {} times; {} of {} bytes came and are kept",
                               options_.retries + 1, received_, file_->size);
        default:
            return fmt::format("the download failed: {}",
                               *reason ? reason : curl_easy_strerror(code));
        }
    }

    static std::size_t on_bytes(char* bytes, std::size_t unit, std::size_t count, void* self) {
        return static_cast<Fetch*>(self)->write(bytes, unit * count);
    }

    std::size_t write(const char* bytes, std::size_t count) {
        if (received_ + static_cast<std::int64_t>(count) > file_->size) {
            too_long_ = true;
            return 0;
        }
        errno = 0;
        const std::size_t written = std::fwrite(bytes, 1, count, out_.get());
        received_ += static_cast<std::int64_t>(written);
        if (written < count) write_error_ = errno != 0 ? errno : EIO;
        return written;
    }

    static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
        auto* fetch = static_cast<Fetch*>(self);
        try {
            fetch->tell(fetch->received_);
            return 0;
        } catch (...) {
            fetch->pending_ = std::current_exception(); // must not pass through C
            return 1;
        }
    }

    struct CloseFile {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    const std::string& folder_;
    const DownloadCallback& progress_;
    const DownloadOptions& options_;
    DownloadProgress state_;
    const DownloadFile* file_ = nullptr;
    CURL* handle_ = nullptr;
    std::unique_ptr<std::FILE, CloseFile> out_;
    std::int64_t received_ = 0; ///< bytes of this file on disk
    int write_error_ = 0;
    bool too_long_ = false;
    std::exception_ptr pending_;
};

} // namespace

std::int64_t Downloadable::size() const {
    std::int64_t sum = 0;
    for (const DownloadFile& file : files)
        sum += file.size;
    return sum;
}

std::span<const Downloadable> downloadables() {
    return table();
}

const Downloadable* find_downloadable(const std::string& id) {
    for (const Downloadable& row : table())
        if (row.id == id) return &row;
    return nullptr;
}

std::string download(const Downloadable& what, const std::string& folder,
                     const DownloadCallback& progress, const DownloadOptions& options) {
    static std::once_flag once; // curl's own start-up is not safe from two threads
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) throw FileError("the folder cannot be made: " + error.message(), folder);
    Fetch fetch(what, folder, progress, options);
    for (const DownloadFile& file : what.files)
        fetch.file(file);
    return folder;
}

std::string download(const std::string& id, const std::string& folder,
                     const DownloadCallback& progress, const DownloadOptions& options) {
    const Downloadable* what = find_downloadable(id);
    if (!what)
        throw ValueError(fmt::format(
            "there is no dataset \"{}\" to download; there are mnist, fashion-mnist and cifar10",
            id));
    return download(*what, folder, progress, options);
}

} // namespace wiregrad::data
