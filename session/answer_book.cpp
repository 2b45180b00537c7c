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

const data::Dataset* datasetOf(const TrainSession::Data& data, bool test) {
    const auto& chosen = test && data.test ? data.test
                         : data.validation ? data.validation
                                           : data.train;
    const auto* loader = dynamic_cast<const data::Loader*>(chosen.get());
    return loader ? &loader->dataset() : nullptr;
}

bool isText(const std::vector<data::Field>& fields) {
    return !fields.empty() && fields[0].kind == data::FieldKind::Tokens &&
           fields[0].class_names.size() > 1;
}

/// A number of [0, 1), another one each time.
double rolled(std::uint64_t& state) {
    state += 0x9e3779b97f4a7c15U;
    std::uint64_t x = state;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return double((x ^ (x >> 31)) >> 11) / 9007199254740992.0;
}

/// The next letter after those of `window`, drawn from the scores at `heat`; -1: the network gives
/// none.
std::int64_t nextLetter(graph::CompiledModel& model, const std::vector<std::int64_t>& window,
                        std::int64_t letters, double heat, std::uint64_t& dice) {
    const auto length = std::int64_t(window.size());
    Tensor x = Tensor::zeros({1, length}, DType::Int64);
    std::copy(window.begin(), window.end(), x.data_mut<std::int64_t>());
    const auto outputs = model.predict(x);
    if (outputs.empty()) return -1;
    const Tensor& out = outputs.front().second;
    // Scores of the classes stand in dimension 1, one for each place of the text or for its end.
    if (out.dim() < 2 || out.size(0) != 1 || out.size(1) < letters) return -1;
    const std::int64_t places = out.numel() / out.size(1);
    const auto values = out.to_vector();
    std::vector<float> scores;
    for (std::int64_t c = 0; c < letters; ++c)
        scores.push_back(float(values[std::size_t(c * places + places - 1)] / heat));
    const auto probabilities = train::probabilities_of(scores);
    double left = rolled(dice);
    for (std::int64_t c = 0; c < letters; ++c) {
        left -= double(probabilities[std::size_t(c)]);
        if (left < 0) return c;
    }
    return letters - 1;
}

} // namespace

struct AnswerBook::Page {
    AnswerKind kind = AnswerKind::None;
    std::int64_t size = 0, first = 0, classes = 0;
    std::vector<train::Answer> answers;
    std::vector<double> targets, guesses;
    std::vector<std::pair<Tensor, Tensor>> pairs;
    std::vector<MaskAnswer> masks;
    train::Confusion pixels;
};

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
    masks_.clear();
    pixels_ = counting_ = {};
    texts_.clear();
    letters_.clear();
    dice_ = 0;
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
    if (isText(session_.data().fields)) {
        write();
        return;
    }
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
            if (y.kind == data::FieldKind::Mask && out.dim() == 4 &&
                out.size(2) * out.size(3) * count == fields[1].numel()) {
                const std::int64_t area = out.size(2) * out.size(3), channels = out.size(1);
                page->kind = AnswerKind::Masks;
                // One score a pixel is that of the second of two classes.
                page->classes = std::max<std::int64_t>(channels == 1 ? 2 : channels, y.classes);
                page->pixels.classes = page->classes;
                page->pixels.counts.assign(std::size_t(page->classes * page->classes), 0);
                const auto labels = fields[1].to_vector();
                for (std::int64_t i = 0; i < count; ++i) {
                    MaskAnswer mask;
                    mask.sample = samples[std::size_t(i)];
                    mask.rows = out.size(2);
                    mask.columns = out.size(3);
                    for (std::int64_t p = 0; p < area; ++p) {
                        const double* score = values.data() + i * width + p;
                        std::int64_t best = 0;
                        for (std::int64_t c = 1; c < channels; ++c)
                            if (score[c * area] > score[best * area]) best = c;
                        if (channels == 1) best = score[0] > 0;
                        const auto truth = std::int64_t(labels[std::size_t(i * area + p)]);
                        mask.guess.push_back(best);
                        mask.truth.push_back(truth);
                        if (truth >= 0 && truth < page->classes)
                            ++page->pixels.counts[std::size_t(truth * page->classes + best)];
                    }
                    if (page->first > 0 || page->masks.size() >= kPairs) continue;
                    const std::int64_t one[] = {mask.sample};
                    mask.picture = data::read_batch(*set, one).front();
                    page->masks.push_back(std::move(mask));
                }
                return;
            }
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
            take(*page);
            emit changed();
        });
}

void AnswerBook::take(Page& page) {
    kind_ = page.kind;
    classes_ = page.classes;
    const auto first = std::size_t(page.first);
    next_ = page.first + kBatch;
    if (kind_ == AnswerKind::Classes) {
        if (answers_.size() < first + page.answers.size())
            answers_.resize(first + page.answers.size());
        std::move(page.answers.begin(), page.answers.end(),
                  answers_.begin() + std::ptrdiff_t(first));
    } else if (kind_ == AnswerKind::Numbers) {
        if (page.first == 0 && rounds_ > 0) {
            targets_.clear();
            guesses_.clear();
        }
        targets_.insert(targets_.end(), page.targets.begin(), page.targets.end());
        guesses_.insert(guesses_.end(), page.guesses.begin(), page.guesses.end());
    } else if (kind_ == AnswerKind::Masks) {
        if (page.first == 0) {
            masks_ = std::move(page.masks);
            counting_ = std::move(page.pixels);
        } else if (counting_.counts.size() == page.pixels.counts.size()) {
            for (std::size_t i = 0; i < counting_.counts.size(); ++i)
                counting_.counts[i] += page.pixels.counts[i];
        }
        if (rounds_ == 0 || next_ >= page.size) pixels_ = counting_;
    } else {
        pairs_ = std::move(page.pairs);
        next_ = page.size;
    }
    if (next_ >= page.size) {
        next_ = 0;
        ++rounds_;
    } else {
        stale_ = true;
    }
}

/// The network goes on with the beginning of a sample it was not trained on, some letters at a
/// time, so that training hardly notices.
void AnswerBook::write() {
    struct Written {
        std::vector<std::int64_t> letters, prompt;
        std::string text;
        std::uint64_t dice = 0;
        bool possible = false;
    };
    auto written = std::make_shared<Written>();
    written->letters = letters_;
    written->dice = dice_;
    const QPointer<AnswerBook> alive(this);
    const std::uint64_t generation = generation_;
    const std::int64_t step =
        session_.isTravelling() ? session_.travelStep() : session_.progress().step;
    const std::vector<std::string> names = session_.data().fields[0].class_names;
    asking_ = session_.withData(
        [written, names, test = test_](graph::CompiledModel& model,
                                       const TrainSession::Data& data) {
            if (written->letters.empty()) {
                const data::Dataset* set = datasetOf(data, test);
                if (!set || set->size() < 1) return;
                const std::int64_t one[] = {0};
                for (const double letter : data::read_batch(*set, one).front().to_vector())
                    written->letters.push_back(std::int64_t(letter));
                written->prompt = written->letters;
            }
            constexpr int kLetters = 6;
            constexpr double kHeat = 0.7;
            for (int i = 0; i < kLetters; ++i) {
                const std::int64_t letter = nextLetter(
                    model, written->letters, std::int64_t(names.size()), kHeat, written->dice);
                if (letter < 0) return;
                written->text += names[std::size_t(letter)];
                written->letters.erase(written->letters.begin());
                written->letters.push_back(letter);
            }
            written->possible = true;
        },
        [this, alive, written, generation, step, names] {
            if (!alive) return;
            asking_ = false;
            if (generation != generation_) return;
            stale_ = false;
            rounds_ = std::max<std::int64_t>(rounds_, 1);
            if (!written->possible) {
                emit changed();
                return;
            }
            constexpr qsizetype kLong = 240;
            constexpr std::size_t kTexts = 12;
            kind_ = AnswerKind::Text;
            letters_ = std::move(written->letters);
            dice_ = written->dice;
            if (texts_.empty() || texts_.back().text.size() >= kLong) {
                if (texts_.size() >= kTexts) texts_.erase(texts_.begin());
                WrittenText fresh;
                fresh.step = step;
                for (const std::int64_t letter : written->prompt)
                    if (letter >= 0 && letter < std::int64_t(names.size()))
                        fresh.prompt += QString::fromStdString(names[std::size_t(letter)]);
                texts_.push_back(std::move(fresh));
            }
            texts_.back().text += QString::fromStdString(written->text);
            if (texts_.back().text.size() >= kLong)
                letters_.clear(); // the next one begins anew
            else
                stale_ = true;
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
