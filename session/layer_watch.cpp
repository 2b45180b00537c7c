#include "session/layer_watch.h"

#include <algorithm>
#include <cmath>

namespace wiregrad::studio {

namespace {
constexpr double kLooksPerSecond = 4;
constexpr ProbeWhat kWhats[] = {ProbeWhat::Weight, ProbeWhat::WeightGradient,
                                ProbeWhat::WeightUpdate};
} // namespace

LayerWatch::LayerWatch(const Document& document, TrainSession& session, QObject* parent)
    : QObject(parent), document_(document), session_(session) {
    connect(&session_, &TrainSession::probesArrived, this, [this] { take(); });
    connect(&session_, &TrainSession::stateChanged, this, [this] {
        if (session_.state() != train::RunState::Preparing) return;
        seen_.clear();
        lastTotal_ = 0;
        if (on_ && handles_.empty()) subscribe();
    });
    connect(&document_, &Document::analysed, this, [this] {
        if (!on_) return;
        unsubscribe();
        subscribe();
    });
}

LayerWatch::~LayerWatch() {
    unsubscribe();
}

void LayerWatch::setOn(bool on) {
    if (on == on_) return;
    on_ = on;
    unsubscribe();
    if (on) subscribe();
}

void LayerWatch::unsubscribe() {
    session_.unsubscribe(handles_);
    handles_.clear();
}

void LayerWatch::subscribe() {
    weights_.clear();
    for (const auto& [id, facts] : document_.analysis().nodes)
        for (const auto& [name, shape] : facts.weight_shapes)
            weights_.emplace_back(id, name);
    std::vector<ProbeRequest> requests;
    for (const auto& [node, name] : weights_)
        for (const ProbeWhat what : kWhats) {
            ProbeRequest request;
            request.value = {node, name, what};
            request.histogram_bins = 0;
            request.max_elements = 0;
            request.max_per_second = kLooksPerSecond;
            requests.push_back(std::move(request));
        }
    handles_ = session_.exchange({}, requests);
}

double LayerWatch::norm(const ProbeRecord& record) {
    const double n = double(numel(record.shape) - record.nans - record.infs);
    if (record.nans + record.infs > 0) return std::nan("");
    return std::sqrt(
        std::max(0.0, (n - 1) * record.std * record.std + n * record.mean * record.mean));
}

void LayerWatch::take() {
    if (!on_ || session_.isTravelling()) return;
    double squares = 0;
    std::int64_t newest = 0, oldest = INT64_MAX;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
        const auto& [node, name] = weights_[i];
        const auto read = [&](ProbeWhat what) {
            const ProbeRecord* record = session_.latest({node, name, what});
            return record ? Seen{record->step, norm(*record)} : Seen{};
        };
        const Seen weight = read(ProbeWhat::Weight), gradient = read(ProbeWhat::WeightGradient),
                   update = read(ProbeWhat::WeightUpdate);
        const std::string label = node + "." + name;
        if (gradient.step > seen_[{i, 0}].step) {
            seen_[{i, 0}] = gradient;
            session_.addScalar("gradient/" + label, double(gradient.step), gradient.norm);
        }
        if (update.step > seen_[{i, 1}].step && weight.norm > 0) {
            seen_[{i, 1}] = update;
            session_.addScalar("update/" + label, double(update.step), update.norm / weight.norm);
        }
        if (gradient.step == 0) continue; // a buffer, or a frozen weight
        squares += gradient.norm * gradient.norm;
        newest = std::max(newest, gradient.step);
        oldest = std::min(oldest, gradient.step);
    }
    // All of the same step: then it is the norm of the whole gradient.
    if (newest > lastTotal_ && newest == oldest) {
        lastTotal_ = newest;
        session_.addScalar("gradient_norm", double(newest), std::sqrt(squares));
    }
}

} // namespace wiregrad::studio

#include "moc_layer_watch.cpp"
