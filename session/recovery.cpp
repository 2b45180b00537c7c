#include "session/recovery.h"

#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QJsonDocument>
#include <QJsonObject>
#include <QSaveFile>
#include <QStandardPaths>
#include <QTimer>
#include <QUuid>

#include <algorithm>

#include "engine/core/error.h"
#include "session/owner.h"

namespace wiregrad::studio {

namespace {

constexpr int kDelayMs = 300; // of one journal after the first edit it holds
constexpr int kRetryMs = 5000;

QString standardFolder() {
    QString state = qEnvironmentVariable("XDG_STATE_HOME");
    if (state.isEmpty()) state = QDir::homePath() + QStringLiteral("/.local/state");
    return state + QStringLiteral("/wiregrad/recovery");
}

QString lockOf(const QString& journal) {
    return journal.chopped(int(qstrlen(".wiregrad"))) + QStringLiteral(".lock");
}

QJsonObject readLock(const QString& path) {
    QFile file(path);
    if (!file.open(QIODevice::ReadOnly)) return {};
    return QJsonDocument::fromJson(file.readAll()).object();
}

bool writeWhole(const QString& path, const QByteArray& bytes, QString* reason) {
    QSaveFile file(path); // aside, flushed, renamed
    if (file.open(QIODevice::WriteOnly) && file.write(bytes) == bytes.size() && file.commit())
        return true;
    *reason = file.errorString();
    return false;
}

} // namespace

struct Recovery::Impl {
    Document& document;
    QString folder, journal, lock, runsFolder;
    QTimer timer;
    bool said = false;

    explicit Impl(Document& doc) : document(doc) {}

    QByteArray lockText() const {
        QJsonObject lock = ownerMark();
        lock.insert(QStringLiteral("path"), document.path());
        lock.insert(QStringLiteral("title"), document.title());
        lock.insert(QStringLiteral("runs"), runsFolder);
        return QJsonDocument(lock).toJson(QJsonDocument::Compact);
    }

    void removeFiles() {
        QFile::remove(journal);
        QFile::remove(lock);
    }
};

Recovery::Recovery(Document& document, const QString& folder, QObject* parent)
    : QObject(parent), d(std::make_unique<Impl>(document)) {
    d->folder = folder.isEmpty() ? standardFolder() : folder;
    const QString base =
        d->folder + QLatin1Char('/') + QUuid::createUuid().toString(QUuid::WithoutBraces);
    d->journal = base + QStringLiteral(".wiregrad");
    d->lock = base + QStringLiteral(".lock");
    d->timer.setSingleShot(true);
    connect(&d->timer, &QTimer::timeout, this, [this] { flush(); });
    const auto soon = [this] {
        if (!d->timer.isActive() || d->timer.interval() != kDelayMs) d->timer.start(kDelayMs);
    };
    connect(&document, &Document::changed, this, soon);
    connect(&document, &Document::pathChanged, this, soon);
    connect(&document, &Document::modifiedChanged, this, soon);
}

Recovery::~Recovery() {
    d->removeFiles();
}

void Recovery::setRunsFolder(const QString& folder) {
    if (d->runsFolder == folder) return;
    d->runsFolder = folder;
    if (QFileInfo::exists(d->lock)) flush();
}

void Recovery::flush() {
    d->timer.stop();
    if (!d->document.isModified()) {
        d->removeFiles(); // the file on disk holds everything
        return;
    }
    QString reason;
    try {
        const std::string text = graph::to_text(d->document.graph());
        QDir().mkpath(d->folder);
        if (writeWhole(d->lock, d->lockText(), &reason) &&
            writeWhole(d->journal, QByteArray(text.data(), qsizetype(text.size())), &reason)) {
            d->said = false;
            return;
        }
    } catch (const Error& error) {
        reason = QString::fromStdString(error.what());
    }
    d->timer.start(kRetryMs);
    if (d->said) return;
    d->said = true;
    emit failed(tr("Autosave does not work: %1 cannot be written (%2). Save your project yourself "
                   "until this is fixed.")
                    .arg(QDir::toNativeSeparators(d->folder), reason));
}

std::vector<Abandoned> Recovery::abandoned(const QString& folder) {
    QDir dir(folder.isEmpty() ? standardFolder() : folder);
    std::vector<Abandoned> result;
    for (const QFileInfo& file : dir.entryInfoList({QStringLiteral("*.wiregrad")}, QDir::Files)) {
        const QJsonObject lock = readLock(lockOf(file.absoluteFilePath()));
        if (!lock.isEmpty() && ownerIsAlive(lock)) continue;
        result.push_back({file.absoluteFilePath(), lock.value(QStringLiteral("path")).toString(),
                          lock.value(QStringLiteral("title")).toString(), file.lastModified(),
                          lock.value(QStringLiteral("runs")).toString()});
    }
    // Locks that lost their journal (killed before the first edit was written) hold nothing.
    for (const QFileInfo& file : dir.entryInfoList({QStringLiteral("*.lock")}, QDir::Files)) {
        const QString journal = file.absolutePath() + QLatin1Char('/') + file.completeBaseName() +
                                QStringLiteral(".wiregrad");
        if (!QFileInfo::exists(journal) && !ownerIsAlive(readLock(file.absoluteFilePath())))
            QFile::remove(file.absoluteFilePath());
    }
    std::sort(result.begin(), result.end(),
              [](const Abandoned& a, const Abandoned& b) { return a.time > b.time; });
    return result;
}

void Recovery::restore(const Abandoned& abandoned) {
    QFile file(abandoned.journal);
    if (!file.open(QIODevice::ReadOnly))
        throw FileError(file.errorString().toStdString(), abandoned.journal.toStdString());
    const std::string text = file.readAll().toStdString();
    d->document.adopt(graph::from_text(text, abandoned.title.toStdString()),
                      abandoned.originalPath);
    flush(); // our own journal first, then the old one may go
    if (QFileInfo::exists(d->journal)) discard(abandoned);
}

void Recovery::discard(const Abandoned& abandoned) {
    QFile::remove(abandoned.journal);
    QFile::remove(lockOf(abandoned.journal));
}

} // namespace wiregrad::studio

#include "moc_recovery.cpp"
