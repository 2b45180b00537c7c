#include "datasets/dataset.h"
#include "nodes/types/declare.h"

namespace wiregrad::graph::types {

namespace {

const std::string& text_of(const Params& params, const char* id) {
    static const std::string kNone;
    const auto it = params.find(id);
    const auto* text = it == params.end() ? nullptr : std::get_if<std::string>(&it->second);
    return text ? *text : kNone;
}

bool from_file(const Params& params) {
    return !text_of(params, "path").empty() || text_of(params, "source") == "file";
}
bool generated(const Params& params) {
    const data::SourceInfo* info = data::find_source(text_of(params, "source"));
    return !from_file(params) && info && info->generated;
}
bool disturbed(const Params& params) {
    const data::SourceInfo* info = data::find_source(text_of(params, "source"));
    return generated(params) && info->noise > 0;
}
bool is_text(const Params& params) {
    return from_file(params) || text_of(params, "source") == "tales";
}

/// What is built in, and "file" for everything that is read from a path.
std::vector<Choice> source_choices() {
    std::vector<Choice> choices;
    for (const data::SourceInfo& info : data::sources())
        if (!info.needs_path) choices.push_back({info.id, info.label});
    choices.push_back({"file", "File or folder"});
    return choices;
}

NodeType dataset() {
    NodeType type;
    type.id = type.label = "Dataset";
    type.category = "Data";
    type.help =
        "Where the samples come from: built in, generated, or your own file or folder. x is what "
        "the network "
        "sees, y is what it should answer. Training, validation and test samples never mix.";
    type.synonyms = {"data", "source", "mnist",  "csv",  "images",
                     "load", "file",   "digits", "iris", "spirals"};
    type.role = Role::Dataset;
    PortSpec y = tensor_port("y", "The labels, or the numbers to predict.");
    y.kind = PortKind::Labels;
    type.outputs = {tensor_port("x", "The samples."), y};
    type.params = {
        choice_param("source", "Source", "digits", source_choices(),
                     "What the samples are. Built-in sources need no download."),
        path_param("path", "Path",
                   "A file or folder: MNIST files, CIFAR-10, CSV, image folders, NPY, NPZ, HDF5, "
                   "text. When it is given, it is "
                   "used instead of the source; the format is found by looking at it."),
        shown_if(int_param("samples", "Samples", 0, 0, 100000000,
                           "How many samples to generate, or to take from a file at most. 0: the "
                           "usual number, or all."),
                 [](const Params& params) { return from_file(params) || generated(params); }),
        shown_if(real_param("noise", "Noise", -1, -1, 10,
                            "How much generated samples are disturbed. Negative: the usual amount "
                            "for the source."),
                 disturbed),
        int_param("seed", "Seed", 0, 0, 9007199254740991.0,
                  "Number that decides which samples are generated and how they are split. The "
                  "same seed gives the same data."),
        real_param("validation_fraction", "Validation part", 0.1, 0, 0.9,
                   "Part of the samples kept aside to see, during training, how well the network "
                   "does on what it was not trained on."),
        shown_if(real_param("test_fraction", "Test part", 0.2, 0, 0.9,
                            "Part of the samples kept for the final test, where the source has no "
                            "test samples of its own."),
                 [](const Params& params) { return !generated(params); }),
        choice_param(
            "normalize", "Normalize", "none",
            {{"none", "As they are (images 0 to 1)"},
             {"standardize", "Mean 0, deviation 1"},
             {"minmax", "0 to 1"}},
            "Shift and scale the samples. The numbers are measured on the training samples only."),
        shown_if(text_param("label_column", "Label column",
                            "CSV: name, or number counted from 1, of the column to predict. Empty: "
                            "the last one."),
                 from_file),
        shown_if(bool_param(
                     "regression", "Predict a number", false,
                     "The labels are numbers to be predicted, also where they look like classes."),
                 from_file),
        shown_if(with_unit(int_param("image_size", "Image size", 0, 0, 4096,
                                     "Image folders: pictures are scaled to this many pixels a "
                                     "side. 0: the size of the first picture."),
                           "px"),
                 from_file),
        shown_if(bool_param("grey", "Grey", false,
                            "Image folders: one channel instead of red, green and blue."),
                 from_file),
        later(shown_if(int_param("window", "Window", 64, 1, 65536,
                                 "Text: how many tokens a sample has; for each, the one behind it "
                                 "is to be predicted."),
                       is_text)),
        later(shown_if(
            choice_param(
                "tokens", "Tokens", "characters",
                {{"characters", "Characters"}, {"bytes", "Bytes"}, {"pairs", "Byte pairs"}},
                "Text: what one number stands for. Byte pairs are learned from "
                "the text: frequent pieces of words become one token."),
            is_text)),
        later(shown_if(int_param("vocabulary", "Vocabulary", 512, 256, 65536,
                                 "Text of byte pairs: how many tokens there are at most; the first "
                                 "256 are bytes."),
                       [](const Params& params) {
                           return is_text(params) && text_of(params, "tokens") == "pairs";
                       })),
        later(shown_if(choice_param("missing", "Empty cells", "refuse",
                                    {{"refuse", "Are an error"}, {"drop", "Leave out their rows"}},
                                    "CSV: what is done with rows where a value is missing."),
                       from_file)),
        later(shown_if(text_param("x_name", "Name of x",
                                  "HDF5, NPZ and folders of NPY: the array with the samples. "
                                  "Empty: x, images, data or features."),
                       from_file)),
        later(shown_if(text_param("y_name", "Name of y",
                                  "HDF5, NPZ and folders of NPY: the array to predict; - for none. "
                                  "Empty: y, labels or targets."),
                       from_file)),
        later(shown_if(int_param("classes", "Classes", 0, 0, 1000000,
                                 "How many classes there are. 0: as many as are found."),
                       from_file)),
        later(
            int_param("folds", "Folds", 0, 0, 1000,
                      "Cross-validation: the samples that are not for testing are cut into so "
                      "many equal parts, and one of them is the validation part. 0: by fraction.")),
        later(shown_if(int_param("fold", "Fold", 0, 0, 999,
                                 "Which of the parts is for validation, counted from 0."),
                       [](const Params& params) {
                           const auto it = params.find("folds");
                           const auto* folds = it == params.end()
                                                   ? nullptr
                                                   : std::get_if<std::int64_t>(&it->second);
                           return folds && *folds > 0;
                       })),
        later(bool_param("drop_last", "Drop the last batch", false,
                         "Leave out the last batch of an epoch where it is smaller than the "
                         "others; BatchNorm cannot learn from a batch of one sample.")),
    };
    type.check = [](const Params& params) -> std::string {
        const auto folds = std::get<std::int64_t>(params.at("folds")),
                   fold = std::get<std::int64_t>(params.at("fold"));
        if (folds == 1) return "folds must be 0, or 2 and more, got 1";
        if (folds > 1 && fold >= folds)
            return "fold must be below folds, got " + std::to_string(fold) + " of " +
                   std::to_string(folds);
        return "";
    };
    return type;
}

NodeType input() {
    NodeType type;
    type.id = type.label = "Input";
    type.category = "Data";
    type.help =
        "A place where samples of a given size come in, for a network without a dataset yet.";
    type.synonyms = {"placeholder", "source"};
    type.role = Role::Input;
    type.outputs = {tensor_port("x", "The samples.")};
    type.params = {list_param(
        "shape", "Shape", {1, 28, 28}, 1, 6, 1, 1000000,
        "Size of one sample, without the batch: 1, 28, 28 is a grey picture of 28 × 28 pixels.")};
    return type;
}

} // namespace

std::vector<NodeType> data_types() {
    return {dataset(), input()};
}

} // namespace wiregrad::graph::types
