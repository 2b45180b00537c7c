#include "nodes/fuzz/targets.h"
#include "nodes/places.h"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const wiregrad::graph::Graph iris =
        wiregrad::graph::load_project(wiregrad::graph::examples_folder() + "/iris.wiregrad");
    wiregrad::graph::fuzz::safetensors(std::as_bytes(std::span(data, size)), iris);
    return 0;
}
