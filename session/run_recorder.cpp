#include "session/run_recorder.h"

#include <QDir>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QRandomGenerator>
#include <QSaveFile>

#include <algorithm>
#include <chrono>

#include "session/owner.h"

namespace wiregrad::studio {

namespace {

constexpr int kFlushMs = 500;
/// A run of 10,000 steps a second need not fill the disk: more points than that a second are joined
/// to one with their extremes.
constexpr double kPointsPerSecond = 40;

QByteArray number(double value) {
    return QByteArray::number(value, 'g', 17);
}
/// One line, whatever it holds.
QByteArray oneLine(const QString& text) {
    QString flat = text;
    flat.replace(QLatin1Char('\n'), QLatin1Char(' ')).replace(QLatin1Char('\r'), QLatin1Char(' '));
    return flat.toUtf8();
}

} // namespace

RunRecorder::RunRecorder(const QString& root, RunInfo info, QObject* parent)
    : QObject(parent), info_(std::move(info)) {
    if (!info_.started.isValid()) info_.started = QDateTime::currentDateTime();
    info_.id = info_.started.toString(QStringLiteral("yyyyMMdd-HHmmss-zzz-")) +
               QString::number(QRandomGenerator::global()->bounded(0x10000), 16);
    info_.folder = root + QLatin1Char('/') + info_.id;
    info_.end = RunEnd::Running;
    QDir().mkpath(info_.folder);
    if (writeHead()) {
        file_.setFileName(info_.folder + QStringLiteral("/journal.log"));
        file_.open(QIODevice::WriteOnly | QIODevice::Append);
    }
    timer_.setInterval(kFlushMs);
    connect(&timer_, &QTimer::timeout, this, [this] { flush(); });
    if (file_.isOpen()) timer_.start();
}

bool RunRecorder::writeHead() const {
    QJsonObject told{{QStringLiteral("format"), 1},
                     {QStringLiteral("started"), info_.started.toString(Qt::ISODateWithMs)},
                     {QStringLiteral("title"), info_.title},
                     {QStringLiteral("seed"), QString::number(info_.seed)},
                     {QStringLiteral("epochs"), double(info_.epochs)},
                     {QStringLiteral("batch_size"), double(info_.batchSize)},
                     {QStringLiteral("total_steps"), double(info_.totalSteps)},
                     {QStringLiteral("device"), info_.device},
                     {QStringLiteral("engine_version"), info_.engineVersion},
                     {QStringLiteral("graph_hash"), info_.graphHash},
                     {QStringLiteral("data_hash"), info_.dataHash},
                     {QStringLiteral("graph"), QString::fromStdString(info_.graphText)},
                     {QStringLiteral("edits"), info_.edits},
                     {QStringLiteral("origin"), info_.origin},
                     {QStringLiteral("origin_step"), double(info_.originStep)},
                     {QStringLiteral("owner"), ownerMark()}};
    QSaveFile head(info_.folder + QStringLiteral("/run.json"));
    const QByteArray text = QJsonDocument(told).toJson();
    return head.open(QIODevice::WriteOnly) && head.write(text) == text.size() && head.commit();
}

void RunRecorder::edited(std::string graphText, const QString& graphHash) {
    info_.graphText = std::move(graphText);
    info_.graphHash = graphHash;
    ++info_.edits;
    if (!writeHead())
        emit failed(tr("The edited network of this run could not be recorded in %1.")
                        .arg(QDir::toNativeSeparators(info_.folder)));
}

RunRecorder::~RunRecorder() {
    flush();
}

double RunRecorder::now() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

void RunRecorder::write(const QByteArray& line) {
    if (!file_.isOpen()) return;
    if (file_.write(line) == line.size()) return;
    const QString reason = file_.errorString();
    file_.close();
    emit failed(tr("This run is no longer recorded: %1 (%2).")
                    .arg(QDir::toNativeSeparators(info_.folder), reason));
}

void RunRecorder::put(int curve, const CurvePoint& point) {
    QByteArray line =
        "p " + QByteArray::number(curve) + ' ' + number(point.step) + ' ' + number(point.last);
    if (point.min != point.last || point.max != point.last)
        line += ' ' + number(point.min) + ' ' + number(point.max);
    write(line + '\n');
}

void RunRecorder::append(const std::string& curve, const CurvePoint& point) {
    if (!file_.isOpen()) return;
    const auto [it, fresh] = curves_.try_emplace(curve, int(curves_.size()));
    if (fresh)
        write("c " + QByteArray::number(it->second) + ' ' + oneLine(QString::fromStdString(curve)) +
              '\n');
    Last& last = last_[it->second];
    const double time = now();
    CurvePoint joined = point;
    if (last.holds) {
        joined.min = std::min(last.held.min, point.min);
        joined.max = std::max(last.held.max, point.max);
    }
    if (time - last.wall < 1 / kPointsPerSecond) {
        last.held = joined;
        last.holds = true;
        return;
    }
    put(it->second, joined);
    last.holds = false;
    last.wall = time;
}

void RunRecorder::mark(const RunMarker& marker) {
    write("m " + number(marker.step) + ' ' + markerName(marker.kind).toUtf8() + ' ' +
          oneLine(marker.text) + '\n');
}

void RunRecorder::digest(const RunDigest& digest) {
    write("e " + QByteArray::number(qint64(digest.epoch)) + ' ' +
          QByteArray::number(qint64(digest.step)) + ' ' + QByteArray::number(digest.value, 16) +
          '\n');
    info_.digests.push_back(digest);
}

void RunRecorder::final(const std::string& name, double value) {
    write("f " + number(value) + ' ' + oneLine(QString::fromStdString(name)) + '\n');
}

void RunRecorder::verdict(const QString& sentence) {
    write("v " + oneLine(sentence) + '\n');
}

void RunRecorder::end(RunEnd end, std::int64_t steps, std::int64_t epochs, double seconds,
                      const QString& error) {
    for (auto& [curve, last] : last_)
        if (std::exchange(last.holds, false)) put(curve, last.held);
    write("d " + QByteArray::number(int(end)) + ' ' + QByteArray::number(qint64(steps)) + ' ' +
          QByteArray::number(qint64(epochs)) + ' ' + number(seconds) + ' ' + oneLine(error) + '\n');
    info_.end = end;
    flush();
    timer_.stop();
    file_.close();
}

void RunRecorder::flush() {
    if (!file_.isOpen()) return;
    for (auto& [curve, last] : last_)
        if (std::exchange(last.holds, false)) put(curve, last.held);
    if (file_.isOpen()) file_.flush();
}

} // namespace wiregrad::studio

#include "moc_run_recorder.cpp"
