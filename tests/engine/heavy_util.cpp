#include "heavy_util.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace wiregrad::heavy {

bool Torch::available() {
    static const bool found =
        std::system("/usr/bin/python3 -c 'import torch' > /dev/null 2>&1") == 0;
    return found;
}

Torch::Torch() {
    std::string name = (std::filesystem::temp_directory_path() / "wiregrad_torch_XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = name;
    prelude_ =
        "import torch, numpy as np\nimport torch.nn.functional as F\ntorch.set_num_threads(1)\n"
        "def out(name, t): t.detach().to(torch.float64).contiguous().numpy().tofile('" +
        folder_ + "/' + name + '.out')\n";
}

Torch::~Torch() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

void Torch::give(const std::string& name, const Tensor& tensor) {
    const Tensor x = tensor.contiguous();
    std::ofstream(folder_ + "/" + name + ".in", std::ios::binary)
        .write(static_cast<const char*>(x.raw()), static_cast<std::streamsize>(x.nbytes()));
    std::string shape = "(";
    for (std::int64_t size : x.shape())
        shape += std::to_string(size) + ",";
    prelude_ += name + " = torch.from_numpy(np.fromfile('" + folder_ + "/" + name +
                ".in', dtype=np." + std::string(name_of(x.dtype())) + ").reshape(" + shape +
                "))).clone()\n";
    if (is_floating(x.dtype())) prelude_ += name + ".requires_grad_()\n";
}

void Torch::run(const std::string& script) {
    std::ofstream(folder_ + "/script.py") << prelude_ << script;
    const std::string command = "OPENBLAS_NUM_THREADS=1 /usr/bin/python3 '" + folder_ +
                                "/script.py' > '" + folder_ + "/log' 2>&1";
    if (std::system(command.c_str()) == 0) return;
    std::ifstream log(folder_ + "/log");
    throw std::runtime_error("the script failed: " +
                             std::string(std::istreambuf_iterator<char>(log), {}));
}

std::vector<double> Torch::take(const std::string& name) const {
    std::ifstream file(folder_ + "/" + name + ".out", std::ios::binary | std::ios::ate);
    if (!file) throw std::runtime_error("the script made no " + name);
    std::vector<double> values(static_cast<std::size_t>(file.tellg()) / sizeof(double));
    file.seekg(0);
    file.read(reinterpret_cast<char*>(values.data()),
              static_cast<std::streamsize>(values.size() * sizeof(double)));
    return values;
}

} // namespace wiregrad::heavy
