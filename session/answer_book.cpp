#include "session/answer_book.h"

#include <QPointer>

#include <algorithm>

#include "datasets/loader.h"

namespace wiregrad::studio {

namespace {

constexpr int kAskMs = 60;
constexpr int kBatch = 128;
constexpr std::int64_t kMost = 20'000; ///< samples that are kept in view
constexpr std::size_t kPairs = 24;

struct Page {
    AnswerKind kind = AnswerKind::None;
    std::int64_t size = 0, first = 0, classes = 0;
    std::vector<train::Answer> answers;
    std::vector<double> targets, guesses;
    std::vector<std::pair<Tensor, Tensor>> pairs;
};

const data::Dataset* datasetOf(const TrainSession::Data& data, bool test) {
    const auto& chosen = test && data.test ? data.test
                         : data.validation ? data.validation
                                           : data.train;
    const auto* loader = dynamic_cast<const data::Loader*>(chosen.get());
    return loader ? &loader->dataset() : nullptr;
}

} // namespace

AnswerBook::AnswerBook(TrainSession& session, QObject* parent)
    : QObject(parent), session_(session) {
    timer_.setInterval(kAskMs);
    connect(&timer_, &QTimer::timeout, this, [this] { ask(); });
    connect(&session_, &TrainSession::stateChanged, this, [this] {
        if (session_.state() == train::RunState::Preparing) reset();
        stale_ = true;
    });
    connect(&session_, &TrainSession::frame, this, [this] { stale_ = true; });
    connect(&session_, &TrainSession::travelled, this, [this] {
        next_ = 0;
        rounds_ = 0;
        stale_ = true;
    });
}

void AnswerBook::reset() {
    ++generation_;
    kind_ = AnswerKind::None;
    answers_.clear();
    targets_.clear();
    guesses_.clear();
    pairs_.clear();
    classes_ = next_ = rounds_ = 0;
    emit changed();
}

void AnswerBook::setOn(bool on) {
    if (on_ == on) return;
    on_ = on;
    if (on)
        timer_.start();
    else
        timer_.stop();
}

void AnswerBook::setTest(bool test) {
    if (test_ == test) return;
    test_ = test;
    reset();
    stale_ = true;
}

QStringList AnswerBook::classNames() const {
    QStringList names;
    const auto& fields = session_.data().fields;
    if (fields.size() > 1)
        for (const std::string& name : fields[1].class_names)
            names << QString::fromStdString(name);
    return names;
}

QString AnswerBook::className(std::int64_t index) const {
    const auto& fields = session_.data().fields;
    return fields.size() > 1 && index >= 0 && index < std::int64_t(fields[1].class_names.size())
               ? QString::fromStdString(fields[1].class_names[std::size_t(index)])
               : QString::number(index);
}

void AnswerBook::ask() {
    if (asking_ || !on_ || session_.state() == train::RunState::Preparing) return;
    // What does not move is asked once round and then left in peace.
    const bool moves = session_.state() == train::RunState::Running;
    if (!moves && rounds_ > 0 && !stale_) return;
    auto page = std::make_shared<Page>();
    const QPointer<AnswerBook> alive(this);
    const std::uint64_t generation = generation_;
    asking_ = session_.withData(
        [page, first = next_, test = test_](graph::CompiledModel& model,
                                            const TrainSession::Data& data) {
            const data::Dataset* set = datasetOf(data, test);
            if (!set || set->size() < 1 || set->fields().size() < 2) return;
            page->size = std::min(set->size(), kMost);
            page->first = first < page->size ? first : 0;
            std::vector<std::int64_t> samples;
            for (std::int64_t i = page->first; i < std::min(page->size, page->first + kBatch); ++i)
                samples.push_back(i);
            const auto fields = data::read_batch(*set, samples);
            const auto outputs = model.predict(fields[0]);
            if (outputs.empty()) return;
            const auto& [node, out] = outputs.front();
            const auto count = std::int64_t(samples.size());
            if (out.dim() == 0 || out.size(0) != count) return;
            const data::Field& y = set->fields()[1];
            const std::int64_t width = out.numel() / count;
            const auto values = out.to_vector();
            if (out.dim() == 4 && out.size(2) > 1 && out.size(3) > 1) {
                page->kind = AnswerKind::Pictures;
                for (std::int64_t i = 0; i < std::min<std::int64_t>(count, kPairs); ++i) {
                    const std::int64_t one[] = {samples[std::size_t(i)]};
                    const Tensor x = data::read_batch(*set, one).front();
                    const auto* row = values.data() + std::size_t(i * width);
                    std::vector<float> pixels(row, row + width);
                    page->pairs.emplace_back(
                        x, Tensor::from(pixels, {1, out.size(1), out.size(2), out.size(3)}));
                }
                return;
            }
            const auto labels = fields[1].to_vector();
            const bool binary = width == 1 && y.kind == data::FieldKind::Label;
            if (y.kind == data::FieldKind::Label && (model.predicts_classes(node) || binary)) {
                page->kind = AnswerKind::Classes;
                page->classes = std::max<std::int64_t>(binary ? 2 : width, y.classes);
                for (std::int64_t i = 0; i < count; ++i) {
                    std::vector<float> scores(values.begin() + i * width,
                                              values.begin() + (i + 1) * width);
                    page->answers.push_back({samples[std::size_t(i)],
                                             std::int64_t(labels[std::size_t(i)]),
                                             train::probabilities_of(scores)});
                }
            } else if (std::int64_t(labels.size()) == count * width) {
                // One number a sample; of several, all of them.
                page->kind = AnswerKind::Numbers;
                page->targets = labels;
                page->guesses = values;
            }
        },
        [this, alive, page, generation] {
            if (!alive) return;
            asking_ = false;
            if (generation != generation_) return;
            stale_ = false;
            if (page->kind == AnswerKind::None) {
                rounds_ = 1;
                emit changed();
                return;
            }
            kind_ = page->kind;
            classes_ = page->classes;
            const auto first = std::size_t(page->first);
            if (kind_ == AnswerKind::Classes) {
                if (answers_.size() < first + page->answers.size())
                    answers_.resize(first + page->answers.size());
                std::move(page->answers.begin(), page->answers.end(),
                          answers_.begin() + std::ptrdiff_t(first));
                next_ = page->first + kBatch;
            } else if (kind_ == AnswerKind::Numbers) {
                if (page->first == 0 && rounds_ > 0) {
                    targets_.clear();
                    guesses_.clear();
                }
                targets_.insert(targets_.end(), page->targets.begin(), page->targets.end());
                guesses_.insert(guesses_.end(), page->guesses.begin(), page->guesses.end());
                next_ = page->first + kBatch;
            } else {
                pairs_ = std::move(page->pairs);
                next_ = page->size;
            }
            if (next_ >= page->size) {
                next_ = 0;
                ++rounds_;
            } else {
                stale_ = true;
            }
            emit changed();
        });
}

void AnswerBook::fetch(std::int64_t sample, std::function<void(Tensor)> take) {
    auto found = std::make_shared<Tensor>();
    session_.withData(
        [found, sample, test = test_](graph::CompiledModel&, const TrainSession::Data& data) {
            const data::Dataset* set = datasetOf(data, test);
            if (!set || sample < 0 || sample >= set->size()) return;
            const std::int64_t one[] = {sample};
            *found = data::read_batch(*set, one).front();
        },
        [found, take] {
            if (found->defined()) take(*found);
        });
}

} // namespace wiregrad::studio

#include "moc_answer_book.cpp"
