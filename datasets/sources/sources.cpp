#include <array>
#include <vector>

#include <fmt/format.h>

#include "datasets/sources/source.h"
#include "engine/core/error.h"

namespace wiregrad::data {
namespace {

const std::vector<Source>& table() {
    static const std::vector<Source> rows = {
        {{.id = "digits",
          .label = "Drawn digits",
          .help = "28 × 28 grey digits drawn from strokes, ten classes.",
          .generated = true,
          .samples = 10000,
          .test_samples = 2000,
          .noise = 0.06},
         open_digits,
         describe_digits},
        {{.id = "spirals",
          .label = "Two spirals",
          .help = "Points on two arms that wind around each other.",
          .generated = true,
          .samples = 1000,
          .test_samples = 500,
          .noise = 0.1},
         open_toy,
         describe_toy},
        {{.id = "moons",
          .label = "Two moons",
          .help = "Points on two half circles that reach into each other.",
          .generated = true,
          .samples = 1000,
          .test_samples = 500,
          .noise = 0.1},
         open_toy,
         describe_toy},
        {{.id = "circles",
          .label = "Circles",
          .help = "A ring of points around a smaller ring.",
          .generated = true,
          .samples = 1000,
          .test_samples = 500,
          .noise = 0.1},
         open_toy,
         describe_toy},
        {{.id = "xor",
          .label = "Exclusive or",
          .help = "Four squares; opposite ones belong together.",
          .generated = true,
          .samples = 1000,
          .test_samples = 500,
          .noise = 0.05},
         open_toy,
         describe_toy},
        {{.id = "gaussians",
          .label = "Two clouds",
          .help = "Two round clouds of points.",
          .generated = true,
          .samples = 1000,
          .test_samples = 500,
          .noise = 0.6},
         open_toy,
         describe_toy},
        {{.id = "iris",
          .label = "Iris",
          .help = "150 flowers of three species, four measurements in centimetres each.",
          .generated = false,
          .needs_path = false},
         open_iris,
         describe_iris},
        {{.id = "shapes",
          .label = "Coloured shapes",
          .help = "32 × 32 colour pictures of ten shapes on textured ground.",
          .generated = true,
          .samples = 10000,
          .test_samples = 2000,
          .noise = 0.06},
         open_shapes,
         describe_shapes},
        {{.id = "cells",
          .label = "Cells",
          .help = "64 × 64 microscope-like pictures with a mask of the cells in them.",
          .generated = true,
          .samples = 500,
          .test_samples = 100,
          .noise = 0.06},
         open_cells,
         describe_cells},
        {{.id = "tales",
          .label = "Little tales",
          .help = "A made-up text of simple sentences; the next character is to be predicted.",
          .generated = true,
          .samples = 3000,
          .test_samples = 300},
         open_tales,
         describe_tales},
        {{.id = "idx",
          .label = "IDX images (MNIST)",
          .help = "A folder with the files of MNIST or Fashion-MNIST, packed or not.",
          .needs_path = true},
         open_idx,
         describe_idx},
        {{.id = "cifar10",
          .label = "CIFAR-10",
          .help = "The binary version: a folder, one batch, or the archive.",
          .needs_path = true},
         open_cifar10,
         describe_cifar10},
        {{.id = "image-folder",
          .label = "Folder of pictures",
          .help = "PNG and JPEG pictures, one folder a class.",
          .needs_path = true},
         open_image_folder,
         describe_image_folder},
        {{.id = "csv",
          .label = "Table (CSV)",
          .help = "Numbers in columns, with a column to be predicted.",
          .needs_path = true},
         open_csv,
         describe_csv},
        {{.id = "npy",
          .label = "NumPy arrays",
          .help = "x.npy with one row a sample, and y.npy beside it.",
          .needs_path = true},
         open_npy,
         describe_npy},
        {{.id = "npz",
          .label = "NumPy archive",
          .help = "An .npz archive that holds x and y.",
          .needs_path = true},
         open_npz,
         describe_npz},
        {{.id = "hdf5",
          .label = "HDF5 file",
          .help = "Datasets named x and y, or images and labels.",
          .needs_path = true},
         open_hdf5,
         describe_hdf5},
        {{.id = "text",
          .label = "Text",
          .help = "Windows of characters; the next character is to be predicted.",
          .needs_path = true},
         open_text,
         describe_text},
    };
    return rows;
}

} // namespace

const Source& source_row(const DatasetSpec& spec) {
    for (const Source& row : table())
        if (row.info.id == spec.source) return row;
    std::string known;
    for (const Source& row : table())
        known += (known.empty() ? "" : ", ") + row.info.id;
    throw ValueError(
        fmt::format("there is no dataset source \"{}\"; known are {}", spec.source, known));
}

std::span<const SourceInfo> sources() {
    static const std::vector<SourceInfo> infos = [] {
        std::vector<SourceInfo> list;
        for (const Source& row : table())
            list.push_back(row.info);
        return list;
    }();
    return infos;
}

const SourceInfo* find_source(const std::string& id) {
    for (const SourceInfo& info : sources())
        if (info.id == id) return &info;
    return nullptr;
}

std::int64_t sample_count(const DatasetSpec& spec) {
    return spec.samples > 0 ? spec.samples : source_row(spec).info.samples;
}

std::int64_t test_count(const DatasetSpec& spec) {
    return spec.test_samples > 0 ? spec.test_samples : source_row(spec).info.test_samples;
}

double noise_level(const DatasetSpec& spec) {
    return spec.noise >= 0 ? spec.noise : source_row(spec).info.noise;
}

} // namespace wiregrad::data
