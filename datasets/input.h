// One input from outside (a picture, an array, a row of numbers, a text) made into what a network
// trained on a dataset takes: same shape, same range, same normalisation. Pure; any thread.
#pragma once

#include <string>

#include "datasets/dataset.h"

namespace wiregrad::data {

/// `input` is a PNG or JPEG file, a .npy file (one sample or a batch), a text file, or the numbers
/// themselves
/// ("5.1, 3.5, 1.4, 0.2"). Gives [N, shape of field x...]. Throws FileError and DataError with both
/// shapes; opens the dataset only when its numbers are standardised by what the training split
/// says.
Tensor read_input(const DatasetSpec& spec, const std::string& input);

} // namespace wiregrad::data
