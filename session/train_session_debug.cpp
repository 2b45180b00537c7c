// Breakpoints of a run, standing inside a step, and the chain rule of one weight.
#include "engine/core/error.h"
#include "engine/train/derivation.h"
#include "session/train_session_impl.h"

namespace wiregrad::studio {

namespace {

/// Batches that make one step.
std::int64_t batchesAStep(const graph::Graph& graph) {
    std::int64_t most = 1;
    for (const auto& [id, node] : graph.nodes())
        if (const auto it = node.params.find("accumulate"); it != node.params.end())
            if (const auto* count = std::get_if<std::int64_t>(&it->second))
                most = std::max(most, *count);
    return most;
}

} // namespace

Breakpoints& TrainSession::breakpoints() {
    return d->breakpoints;
}

const train::Halt* TrainSession::halt() const {
    return d->halt && d->state == RunState::Paused ? &*d->halt : nullptr;
}

void TrainSession::go(train::StepOrder order) {
    if (!isActive() && order != train::StepOrder::Run) {
        d->begin(Impl::First::Op);
        return;
    }
    if (!d->trainer || d->state != RunState::Paused) return;
    d->trainer->go(order);
    d->clock.wake();
}

void TrainSession::Impl::watchBreakpoints() {
    QObject::connect(&breakpoints, &Breakpoints::changed, &q, [this] {
        if (trainer) trainer->set_breakpoints(breakpoints.list());
    });
    QObject::connect(&store, &RunStore::changed, &q, [this] {
        if (!store.folder().isEmpty())
            breakpoints.setFile(store.folder() + QStringLiteral("/breakpoints.json"));
    });
}

bool TrainSession::deriveWeight(const train::WeightPlace& place,
                                std::function<void(const Derived&)> done) {
    if (d->halt && d->state == RunState::Paused) return false;
    const std::int64_t step = isTravelling() ? travelStep() : d->progress.step;
    auto answer = std::make_shared<Derived>();
    answer->step = step + 1;
    const std::uint64_t seed = d->trained.training().seed;
    const std::int64_t group = batchesAStep(d->trained);
    return withData(
        [answer, place, step, seed, group](graph::CompiledModel& model, const Data& data) {
            const std::int64_t batches = data.train->batches_per_epoch();
            if (batches < 1) return;
            const std::int64_t steps = (batches + group - 1) / group; // an epoch
            nn::ForwardContext context;
            context.training = true;
            context.state.random = Tensor::zeros({2}, DType::Int64);
            context.state.random.data_mut<std::int64_t>()[0] = static_cast<std::int64_t>(seed);
            context.state.random.data_mut<std::int64_t>()[1] = step * group;
            try {
                answer->result = train::derive(
                    model, data.train->batch(step / steps, step % steps * group), context, place);
            } catch (const Error& error) {
                answer->error = QString::fromStdString(error.text());
            } catch (const std::bad_alloc&) {
                answer->error = tr("There is not enough memory to follow this weight.");
            }
        },
        [answer, done = std::move(done)] { done(*answer); });
}

} // namespace wiregrad::studio
