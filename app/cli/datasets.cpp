// `wiregrad datasets`: what is built in, what can be read, and what can be fetched when a person
// asks.
#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "datasets/downloads.h"

namespace wiregrad::cli {
using Json = nlohmann::ordered_json;

namespace {

int fetch(const DatasetsOptions& options) {
    const data::Downloadable* what = data::find_downloadable(options.download);
    if (!what) {
        std::string known;
        for (const data::Downloadable& each : data::downloadables()) {
            known += (known.empty() ? "" : ", ") + each.id;
        }
        throw UsageError(fmt::format("there is no dataset {} to download; there are {}",
                                     options.download, known));
    }
    catch_interrupts();
    data::DownloadOptions download_options;
    download_options.base_url = options.base_url;
    const bool terminal = !options.json && isatty(2);
    std::int64_t printed = -1;
    const auto progress = [&](const data::DownloadProgress& now) {
        const std::int64_t percent = now.total > 0 ? 100 * now.done / now.total : 0;
        if (percent != printed) {
            printed = percent;
            if (options.json) {
                print_line(Json{{"event", "download"},
                                {"file", now.file},
                                {"bytes", now.done},
                                {"total", now.total}});
            } else if (terminal) {
                fmt::print(stderr, "\r\x1b[2K{} {} % of {}", now.file, percent,
                           bytes_text(double(now.total)));
            }
        }
        return !interrupted();
    };
    std::string folder;
    try {
        folder = data::download(*what, options.to.empty() ? what->id : options.to, progress,
                                download_options);
    } catch (const Cancelled&) {
        throw RunError("stopped; the same command goes on where it ended");
    } catch (const FileError& error) {
        throw RunError(error.what());
    }
    if (options.json) {
        print_line(Json{{"event", "done"}, {"dataset", what->id}, {"folder", folder}});
    } else {
        fmt::print("{}{}: in {}\n", terminal ? "\r\x1b[2K" : "", what->label, folder);
    }
    return 0;
}

} // namespace

int datasets(const DatasetsOptions& options) {
    if (!options.download.empty()) {
        return fetch(options);
    }
    for (const data::SourceInfo& source : data::sources()) {
        if (options.json) {
            print_line(Json{{"source", source.id},
                            {"label", source.label},
                            {"help", source.help},
                            {"needs_path", source.needs_path},
                            {"generated", source.generated},
                            {"samples", source.samples},
                            {"test_samples", source.test_samples}});
        } else {
            fmt::print("{:<14} {:<12} {}\n", source.id,
                       source.needs_path ? "from files" : "built in", source.help);
        }
    }
    for (const data::Downloadable& each : data::downloadables()) {
        if (options.json) {
            print_line(Json{{"download", each.id},
                            {"label", each.label},
                            {"read_by", each.source},
                            {"bytes", each.size()},
                            {"origin", each.origin}});
        } else {
            fmt::print("{:<14} {:<12} {}, {}: wiregrad datasets --download {} --to FOLDER\n",
                       each.id, "to fetch", each.label, bytes_text(double(each.size())), each.id);
        }
    }
    return 0;
}

} // namespace wiregrad::cli
