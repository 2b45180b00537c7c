#include "session/run_store.h"

#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QLocale>
#include <QSaveFile>

#include <algorithm>
#include <charconv>
#include <map>

#include "session/owner.h"

namespace wiregrad::studio {

namespace {

constexpr const char* kKinds[] = {"epoch", "checkpoint", "rate", "edit", "branch", "warning"};

/// The words of one line of the journal; the rest of the line may hold spaces.
class Words {
  public:
    explicit Words(const QByteArray& line) : at_(line.constData()), end_(at_ + line.size()) {}
    template <class T> bool number(T& value, int base = 10) {
        skip();
        std::from_chars_result result{};
        if constexpr (std::is_floating_point_v<T>)
            result = std::from_chars(at_, end_, value);
        else
            result = std::from_chars(at_, end_, value, base);
        if (result.ec != std::errc{}) return false;
        at_ = result.ptr;
        return at_ == end_ || *at_ == ' ';
    }
    QByteArray word() {
        skip();
        const char* from = at_;
        at_ = std::find(at_, end_, ' ');
        return QByteArray(from, at_ - from);
    }
    QByteArray rest() {
        skip();
        return QByteArray(at_, end_ - at_);
    }
    bool atEnd() {
        skip();
        return at_ == end_;
    }

  private:
    void skip() {
        while (at_ != end_ && *at_ == ' ')
            ++at_;
    }
    const char *at_, *end_;
};

/// What the journal has told so far.
struct Journal {
    RunInfo& info;
    MetricStore* curves;
    std::vector<RunMarker>* markers;
    std::map<int, std::string> names;
    std::map<std::string, double> lasts;

    bool take(const QByteArray& line) {
        Words words(line);
        const QByteArray kind = words.word();
        if (kind == "p") return point(words);
        if (kind == "c") {
            int id = 0;
            if (!words.number(id) || words.atEnd()) return false;
            names[id] = words.rest().toStdString();
            return true;
        }
        if (kind == "m") {
            RunMarker marker;
            if (!words.number(marker.step)) return false;
            const QByteArray what = words.word();
            const auto found = std::find_if(std::begin(kKinds), std::end(kKinds),
                                            [&](const char* name) { return what == name; });
            if (found == std::end(kKinds)) return false;
            marker.kind = RunMarker::Kind(found - std::begin(kKinds));
            marker.text = QString::fromUtf8(words.rest());
            if (markers) markers->push_back(marker);
            return true;
        }
        if (kind == "e") {
            RunDigest digest;
            if (!words.number(digest.epoch) || !words.number(digest.step) ||
                !words.number(digest.value, 16))
                return false;
            info.digests.push_back(digest);
            info.epochsDone = digest.epoch;
            return true;
        }
        if (kind == "f") {
            double value = 0;
            if (!words.number(value) || words.atEnd()) return false;
            lasts[words.rest().toStdString()] = value;
            return true;
        }
        if (kind == "v") {
            info.verdict = QString::fromUtf8(words.rest());
            return true;
        }
        if (kind == "d") {
            int end = 0;
            if (!words.number(end) || end < 0 || end > int(RunEnd::Interrupted) ||
                !words.number(info.steps) || !words.number(info.epochsDone) ||
                !words.number(info.seconds))
                return false;
            info.end = RunEnd(end);
            info.error = QString::fromUtf8(words.rest());
            return true;
        }
        return false;
    }

    bool point(Words& words) {
        int id = 0;
        CurvePoint point;
        if (!words.number(id) || !words.number(point.step) || !words.number(point.last))
            return false;
        point.min = point.max = point.last;
        if (!words.atEnd() && (!words.number(point.min) || !words.number(point.max))) return false;
        const auto name = names.find(id);
        if (name == names.end()) return false;
        lasts[name->second] = point.last;
        info.steps = std::max(info.steps, std::int64_t(point.step));
        if (name->second == "seconds") info.seconds = point.last;
        if (curves) curves->append(name->second, point);
        return true;
    }
};

} // namespace

QString markerName(RunMarker::Kind kind) {
    return QString::fromLatin1(kKinds[int(kind)]);
}

QString endText(RunEnd end) {
    switch (end) {
    case RunEnd::Running:
        return RunStore::tr("running");
    case RunEnd::Finished:
        return RunStore::tr("finished");
    case RunEnd::Stopped:
        return RunStore::tr("stopped");
    case RunEnd::Failed:
        return RunStore::tr("failed");
    case RunEnd::Interrupted:
        return RunStore::tr("interrupted");
    }
    return {};
}

QString RunInfo::label() const {
    if (!name.isEmpty()) return name;
    const QString time = QLocale().toString(started, QLocale::ShortFormat);
    return title.isEmpty() ? time : title + QStringLiteral(" · ") + time;
}

const double* RunInfo::final(const std::string& curve) const {
    for (const auto& [own, value] : finals)
        if (own == curve) return &value;
    return nullptr;
}

QString RunInfo::checkpointPath() const {
    return folder + QStringLiteral("/checkpoint.h5");
}

std::int64_t firstDifferentEpoch(const RunInfo& a, const RunInfo& b) {
    for (std::size_t i = 0; i < std::min(a.digests.size(), b.digests.size()); ++i)
        if (!(a.digests[i] == b.digests[i])) return a.digests[i].epoch;
    return 0;
}

struct RunStore::Impl {
    QString folder;
    std::vector<RunInfo> runs;
    std::map<QString, std::weak_ptr<const MetricStore>> curves;
};

RunStore::RunStore(QObject* parent) : QObject(parent), d(std::make_unique<Impl>()) {}
RunStore::~RunStore() = default;

QString RunStore::folderBeside(const QString& projectPath) {
    const QFileInfo file(projectPath);
    return file.absolutePath() + QLatin1Char('/') + file.completeBaseName() +
           QStringLiteral(".runs");
}

std::optional<RunInfo> RunStore::read(const QString& folder, MetricStore* curves,
                                      std::vector<RunMarker>* markers) {
    const QDir dir(folder);
    QFile journal(dir.filePath(QStringLiteral("journal.log")));
    QFile head(dir.filePath(QStringLiteral("run.json")));
    const bool hasHead = head.open(QIODevice::ReadOnly);
    if (!hasHead && !journal.exists()) return std::nullopt;

    RunInfo info;
    info.id = dir.dirName();
    info.folder = dir.absolutePath();
    info.started = QDateTime::fromString(info.id.left(19), QStringLiteral("yyyyMMdd-HHmmss-zzz"));
    QJsonObject owner;
    if (hasHead) {
        const QJsonObject told = QJsonDocument::fromJson(head.readAll()).object();
        const auto text = [&told](const char* key) {
            return told.value(QLatin1String(key)).toString();
        };
        const auto whole = [&told](const char* key) {
            return std::int64_t(told.value(QLatin1String(key)).toDouble());
        };
        if (const auto when = QDateTime::fromString(text("started"), Qt::ISODateWithMs);
            when.isValid())
            info.started = when;
        info.title = text("title");
        info.seed = text("seed").toULongLong();
        info.epochs = whole("epochs");
        info.batchSize = whole("batch_size");
        info.totalSteps = whole("total_steps");
        info.device = text("device");
        info.engineVersion = text("engine_version");
        info.graphHash = text("graph_hash");
        info.dataHash = text("data_hash");
        info.graphText = text("graph").toStdString();
        info.edits = int(whole("edits"));
        info.origin = text("origin");
        info.originStep =
            told.contains(QLatin1String("origin_step")) ? whole("origin_step") : std::int64_t(-1);
        owner = told.value(QLatin1String("owner")).toObject();
    }
    QFile said(dir.filePath(QStringLiteral("notes.json")));
    if (said.open(QIODevice::ReadOnly)) {
        const QJsonObject notes = QJsonDocument::fromJson(said.readAll()).object();
        info.name = notes.value(QLatin1String("name")).toString();
        info.notes = notes.value(QLatin1String("notes")).toString();
        for (const QJsonValue& tag : notes.value(QLatin1String("tags")).toArray())
            info.tags.append(tag.toString());
    }
    Journal told{info, curves, markers, {}, {}};
    if (journal.open(QIODevice::ReadOnly)) {
        while (!journal.atEnd()) {
            QByteArray line = journal.readLine();
            if (!line.endsWith('\n')) break; // half a line: the program was killed while writing
            line.chop(1);
            if (!told.take(line)) ++info.damagedLines;
        }
    }
    info.finals.assign(told.lasts.begin(), told.lasts.end());
    info.ownerLives = !owner.isEmpty() && ownerIsAlive(owner);
    if (info.end == RunEnd::Running && !info.ownerLives) info.end = RunEnd::Interrupted;
    return info;
}

void RunStore::setFolder(const QString& folder) {
    if (d->folder == folder) return;
    d->folder = folder;
    reload();
}

QString RunStore::folder() const {
    return d->folder;
}

const std::vector<RunInfo>& RunStore::runs() const {
    return d->runs;
}

const RunInfo* RunStore::find(const QString& id) const {
    const auto it = std::find_if(d->runs.begin(), d->runs.end(),
                                 [&id](const RunInfo& run) { return run.id == id; });
    return it == d->runs.end() ? nullptr : &*it;
}

void RunStore::reload() {
    d->runs.clear();
    d->curves.clear();
    if (!d->folder.isEmpty())
        for (const QFileInfo& entry :
             QDir(d->folder).entryInfoList(QDir::Dirs | QDir::NoDotAndDotDot))
            if (auto run = read(entry.absoluteFilePath())) d->runs.push_back(std::move(*run));
    std::sort(d->runs.begin(), d->runs.end(), [](const RunInfo& a, const RunInfo& b) {
        return a.started != b.started ? a.started > b.started : a.id > b.id;
    });
    emit changed();
}

void RunStore::reload(const QString& id) {
    auto run = read(d->folder + QLatin1Char('/') + id);
    const auto it = std::find_if(d->runs.begin(), d->runs.end(),
                                 [&id](const RunInfo& other) { return other.id == id; });
    d->curves.erase(id);
    if (run && it != d->runs.end())
        *it = std::move(*run);
    else if (run)
        d->runs.insert(d->runs.begin(), std::move(*run));
    else if (it != d->runs.end())
        d->runs.erase(it);
    emit changed();
}

std::shared_ptr<const MetricStore> RunStore::curves(const QString& id) {
    if (auto kept = d->curves[id].lock()) return kept;
    auto fresh = std::make_shared<MetricStore>();
    read(d->folder + QLatin1Char('/') + id, fresh.get());
    d->curves[id] = fresh;
    return fresh;
}

std::vector<RunMarker> RunStore::markers(const QString& id) {
    std::vector<RunMarker> result;
    read(d->folder + QLatin1Char('/') + id, nullptr, &result);
    return result;
}

bool RunStore::describe(const QString& id, const QString& name, const QStringList& tags,
                        const QString& notes) {
    const auto it = std::find_if(d->runs.begin(), d->runs.end(),
                                 [&id](const RunInfo& run) { return run.id == id; });
    if (it == d->runs.end()) return false;
    const QByteArray text =
        QJsonDocument(QJsonObject{{QStringLiteral("name"), name},
                                  {QStringLiteral("tags"), QJsonArray::fromStringList(tags)},
                                  {QStringLiteral("notes"), notes}})
            .toJson();
    QSaveFile file(it->folder + QStringLiteral("/notes.json"));
    if (!file.open(QIODevice::WriteOnly) || file.write(text) != text.size() || !file.commit())
        return false;
    it->name = name;
    it->tags = tags;
    it->notes = notes;
    emit changed();
    return true;
}

bool RunStore::remove(const QString& id) {
    const RunInfo* run = find(id);
    if (!run || !QDir(run->folder).removeRecursively()) return false;
    reload(id);
    return true;
}

bool RunStore::moveTo(const QString& folder) {
    if (folder == d->folder) return true;
    bool all = true;
    QDir().mkpath(folder);
    for (const RunInfo& run : d->runs) {
        const QString target = folder + QLatin1Char('/') + run.id;
        all = QDir().rename(run.folder, target) && all;
    }
    for (const QFileInfo& file : QDir(d->folder).entryInfoList(QDir::Files)) // breakpoints
        QDir().rename(file.absoluteFilePath(), folder + QLatin1Char('/') + file.fileName());
    if (all) QDir().rmdir(d->folder);
    d->folder = folder;
    reload();
    return all;
}

} // namespace wiregrad::studio

#include "moc_run_store.cpp"
