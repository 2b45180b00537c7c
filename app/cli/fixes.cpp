// wiregrad fixes: how many networks that were broken on purpose train after one offered repair.
#include <cstdio>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "nodes/mutations.h"
#include "nodes/project.h"

namespace wiregrad::cli {
namespace {

using Json = nlohmann::ordered_json;

/// Two steps on random data in the shapes of the real ones. Empty, or why it did not train.
std::string train_shortly(graph::Graph graph) {
    class Result : public train::Sink {
      public:
        void on_done(const train::DoneRecord& record) override { done = record; }
        train::DoneRecord done;
    };
    try {
        graph::Training training = graph.training();
        training.batch_size = 4;
        graph::apply(graph, {graph::SetTraining{training}});
        graph::CompileOptions options;
        options.random_data = true;
        options.threads = 1;
        train::TrainPlan plan = graph::compile(graph, options);
        plan.max_steps = 2;
        const auto result = std::make_shared<Result>();
        train::Trainer trainer(std::move(plan), result);
        trainer.start();
        trainer.wait();
        return result->done.error;
    } catch (const Error& error) {
        return error.what();
    }
}

} // namespace

int fixes(const FixesOptions& options) {
    // Small ones, so that the hundred are trained within seconds.
    std::vector<std::pair<std::string, graph::Graph>> good;
    for (const char* name : {"spirals", "iris", "digits-mlp", "digits-lenet", "autoencoder"})
        good.emplace_back(name, graph::load_project(example_path(name)));
    const auto broken = graph::broken_graphs(good, static_cast<int>(options.count), options.seed);
    int first = 0, trained = 0;
    std::map<std::string, std::pair<int, int>> kinds; // trained, all
    for (const graph::Broken& one : broken) {
        const graph::Repair repair = graph::try_repairs(one.graph);
        std::string why = repair.unrepaired;
        if (repair.fitting >= 0) why = train_shortly(repair.repaired);
        const bool good_now = repair.fitting >= 0 && why.empty();
        trained += good_now;
        first += good_now && repair.fitting == 0;
        kinds[one.kind].first += good_now;
        ++kinds[one.kind].second;
        if (options.json)
            print_line({{"event", "broken"},
                        {"kind", one.kind},
                        {"origin", one.origin},
                        {"offered", repair.offered},
                        {"trains", good_now},
                        {"fix", repair.label},
                        {"number", repair.fitting},
                        {"reason", why}});
        else if (!good_now)
            std::printf("%-18s %-13s %d offered, none trains: %s\n", one.kind.c_str(),
                        one.origin.c_str(), repair.offered, why.c_str());
    }
    if (options.json) {
        print_line({{"event", "done"},
                    {"broken", broken.size()},
                    {"trains_after_one_fix", trained},
                    {"after_the_first_offered", first}});
        return 0;
    }
    for (const auto& [kind, counts] : kinds)
        std::printf("%-18s %d of %d\n", kind.c_str(), counts.first, counts.second);
    std::printf("%d of %zu broken networks train after one offered repair, %d of them after the "
                "first one offered.\n",
                trained, broken.size(), first);
    return 0;
}

} // namespace wiregrad::cli
