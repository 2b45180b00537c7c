// The order of the passes, and their checks.
#include <algorithm>

#include "engine/core/error.h"
#include "engine/program/passes.h"

namespace wiregrad::program {

const std::vector<Pass>& all_passes() {
    static const std::vector<Pass> passes{
        {"simplify", simplify},     {"optimizers", fuse_optimizers},
        {"layers", fuse_layers},    {"elementwise", fuse_elementwise},
        {"layout", choose_layouts},
    };
    return passes;
}

void optimize(Program& program, const OptimizeOptions& options, const std::vector<Pass>& passes) {
    if (options.last == "none") return;
    const bool known = std::any_of(passes.begin(), passes.end(),
                                   [&](const Pass& pass) { return pass.name == options.last; });
    if (!options.last.empty() && !known) {
        std::string names = "none";
        for (const Pass& pass : passes)
            names += ", " + pass.name;
        throw ValueError("There is no pass named \"" + options.last + "\"; there are " + names +
                         ".");
    }
    const auto check = [&](const std::string& pass, const std::vector<std::string>& before) {
        try {
            verify(program);
        } catch (const Error& error) {
            throw Error("After the pass \"" + pass + "\": " + error.text());
        }
        const std::vector<std::string> after = effects(program);
        for (const std::string& effect : before)
            if (!std::binary_search(after.begin(), after.end(), effect))
                throw Error("The pass \"" + pass + "\" lost this effect: " + effect + ".");
        if (after.size() != before.size())
            throw Error("The pass \"" + pass + "\" added an effect.");
    };
    const std::vector<std::string> before =
        options.check ? effects(program) : std::vector<std::string>{};
    if (options.check) check("trace", before);
    for (const Pass& pass : passes) {
        pass.run(program);
        if (options.check) check(pass.name, before);
        if (pass.name == options.last) return;
    }
}

} // namespace wiregrad::program
