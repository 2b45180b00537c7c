// Names of files and folders that make up datasets. Plain functions; any thread.
#pragma once

#include <string>
#include <vector>

namespace wiregrad::data {

struct FolderListing {
    std::vector<std::string> files, folders; ///< names, sorted; hidden ones left out
};
/// Throws FileError when the folder cannot be read or holds more than a million entries.
FolderListing list_folder(const std::string& path);
/// ".csv": with the dot, in small letters.
std::string lower_extension(const std::string& path);
bool is_picture(const std::string& name); ///< .png, .jpg, .jpeg
bool is_idx_name(
    const std::string& name); ///< "train-images-idx3-ubyte.gz", "t10k-labels.idx1-ubyte"
bool is_cifar_name(
    const std::string& name); ///< "data_batch_1.bin", "test_batch.bin", "cifar-10-binary.tar.gz"

} // namespace wiregrad::data
