// What a source gives to open(): its parts before splitting. One row a source, in sources.cpp; only
// datasets/ includes this.
#pragma once

#include <string>
#include <vector>

#include "datasets/dataset.h"

namespace wiregrad::data {

/// `main` is what open() splits; a part of the source's own is used as it is.
struct Parts {
    DatasetPtr main;
    DatasetPtr validation{}, test{};
    bool ordered = false; ///< neighbouring samples belong together (text): validation and test are
                          ///< the source's business
    std::vector<std::string> notes{};
};

/// The request, and the way to report and to be cancelled.
class Opening {
  public:
    Opening(const DatasetSpec& spec, Progress progress)
        : spec(spec), progress_(std::move(progress)) {}
    const DatasetSpec& spec; ///< the caller's, who keeps it
    Opening with(const DatasetSpec& other) const { return {other, progress_}; }
    /// Throws Cancelled when the caller wants no more.
    void report(const std::string& what, double fraction) const;

  private:
    Progress progress_;
};

struct Source {
    SourceInfo info;
    Parts (*open)(const Opening&);
    std::vector<Field> (*describe)(const DatasetSpec&);
};

const Source&
source_row(const DatasetSpec& spec); ///< throws ValueError when there is none of that id
/// Spec values of generated sources, with the source's defaults filled in.
std::int64_t sample_count(const DatasetSpec& spec);
std::int64_t test_count(const DatasetSpec& spec);
double noise_level(const DatasetSpec& spec);

// one pair for each file in sources/
Parts open_digits(const Opening&);
std::vector<Field> describe_digits(const DatasetSpec&);
Parts open_toy(const Opening&);
std::vector<Field> describe_toy(const DatasetSpec&);
Parts open_iris(const Opening&);
std::vector<Field> describe_iris(const DatasetSpec&);
Parts open_shapes(const Opening&);
std::vector<Field> describe_shapes(const DatasetSpec&);
Parts open_cells(const Opening&);
std::vector<Field> describe_cells(const DatasetSpec&);
Parts open_idx(const Opening&);
std::vector<Field> describe_idx(const DatasetSpec&);
Parts open_cifar10(const Opening&);
std::vector<Field> describe_cifar10(const DatasetSpec&);
Parts open_csv(const Opening&);
std::vector<Field> describe_csv(const DatasetSpec&);
Parts open_image_folder(const Opening&);
std::vector<Field> describe_image_folder(const DatasetSpec&);
Parts open_text(const Opening&);
std::vector<Field> describe_text(const DatasetSpec&);
Parts open_tales(const Opening&);
std::vector<Field> describe_tales(const DatasetSpec&);
Parts open_npy(const Opening&);
std::vector<Field> describe_npy(const DatasetSpec&);
Parts open_npz(const Opening&);
std::vector<Field> describe_npz(const DatasetSpec&);
Parts open_hdf5(const Opening&);
std::vector<Field> describe_hdf5(const DatasetSpec&);

} // namespace wiregrad::data
