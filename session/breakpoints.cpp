#include "session/breakpoints.h"

#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QSaveFile>

#include <algorithm>
#include <array>
#include <cmath>

namespace wiregrad::studio {

namespace {

using train::Breakpoint;
using When = Breakpoint::When;

constexpr std::array<const char*, 10> kWhen{"broken", "magnitude", "mean", "max",  "min",
                                            "norm",   "zeros",     "loss", "step", "every"};
constexpr std::array<const char*, 3> kSide{"forward", "backward", "both"};
constexpr std::array<const char*, 3> kBad{"stop", "skip", "warn"};
constexpr qsizetype kMost = 1000;

/// The position of `text` among `names`; -1: unknown.
template <std::size_t N>
int indexOf(const std::array<const char*, N>& names, const QJsonValue& text) {
    for (std::size_t i = 0; i < N; ++i)
        if (text.toString() == QLatin1String(names[i])) return int(i);
    return -1;
}

} // namespace

Breakpoints::Breakpoints(QObject* parent) : QObject(parent) {}

const Breakpoint* Breakpoints::find(int id) const {
    const auto it =
        std::find_if(list_.begin(), list_.end(), [id](const Breakpoint& b) { return b.id == id; });
    return it == list_.end() ? nullptr : &*it;
}

int Breakpoints::add(Breakpoint breakpoint) {
    breakpoint.id = next_++;
    list_.push_back(std::move(breakpoint));
    changedNow();
    return list_.back().id;
}

void Breakpoints::change(const Breakpoint& breakpoint) {
    for (Breakpoint& one : list_)
        if (one.id == breakpoint.id && !(one == breakpoint)) {
            one = breakpoint;
            changedNow();
            return;
        }
}

void Breakpoints::setEnabled(int id, bool enabled) {
    if (const Breakpoint* one = find(id)) {
        Breakpoint copy = *one;
        copy.enabled = enabled;
        change(copy);
    }
}

void Breakpoints::remove(int id) {
    if (std::erase_if(list_, [id](const Breakpoint& b) { return b.id == id; }) > 0) changedNow();
}

void Breakpoints::clear() {
    if (list_.empty()) return;
    list_.clear();
    changedNow();
}

bool Breakpoints::any() const {
    return std::any_of(list_.begin(), list_.end(), [](const Breakpoint& b) { return b.enabled; });
}

void Breakpoints::setBadNumbers(train::BadNumbers what) {
    if (what == badNumbers_) return;
    badNumbers_ = what;
    changedNow();
}

void Breakpoints::setFile(const QString& path) {
    if (path == path_) return;
    path_ = path;
    if (QFileInfo::exists(path)) {
        if (load()) emit changed();
    } else if (!list_.empty() || badNumbers_ != train::BadNumbers::Stop) {
        save();
    }
}

void Breakpoints::forget() {
    path_.clear();
    const bool had = !list_.empty() || badNumbers_ != train::BadNumbers::Stop;
    list_.clear();
    badNumbers_ = train::BadNumbers::Stop;
    if (had) emit changed();
}

void Breakpoints::changedNow() {
    save();
    emit changed();
}

void Breakpoints::save() const {
    if (path_.isEmpty()) return;
    QJsonArray array;
    for (const Breakpoint& b : list_)
        array.append(QJsonObject{
            {QStringLiteral("node"), QString::fromStdString(b.node)},
            {QStringLiteral("port"), QString::fromStdString(b.port)},
            {QStringLiteral("side"), QLatin1String(kSide[std::size_t(b.side)])},
            {QStringLiteral("when"), QLatin1String(kWhen[std::size_t(b.when)])},
            {QStringLiteral("below"), b.below},
            {QStringLiteral("limit"), b.limit},
            {QStringLiteral("enabled"), b.enabled},
        });
    const QJsonObject root{
        {QStringLiteral("bad_numbers"), QLatin1String(kBad[std::size_t(badNumbers_)])},
        {QStringLiteral("breakpoints"), array}};
    QDir().mkpath(QFileInfo(path_).absolutePath());
    QSaveFile file(path_);
    if (!file.open(QIODevice::WriteOnly)) return; // kept for this session all the same
    file.write(QJsonDocument(root).toJson());
    file.commit();
}

/// False: not readable; what is there stays.
bool Breakpoints::load() {
    QFile file(path_);
    if (!file.open(QIODevice::ReadOnly)) return false;
    const QJsonObject root = QJsonDocument::fromJson(file.readAll()).object();
    if (!root.contains(QStringLiteral("breakpoints"))) return false;
    std::vector<Breakpoint> read;
    const QJsonArray array = root[QStringLiteral("breakpoints")].toArray();
    for (qsizetype i = 0; i < std::min(array.size(), kMost); ++i) {
        const QJsonObject one = array[i].toObject();
        const int when = indexOf(kWhen, one[QStringLiteral("when")]);
        const int side = indexOf(kSide, one[QStringLiteral("side")]);
        const double limit = one[QStringLiteral("limit")].toDouble();
        if (when < 0 || side < 0 || !std::isfinite(limit)) continue;
        Breakpoint b;
        b.id = next_++;
        b.node = one[QStringLiteral("node")].toString().toStdString();
        b.port = one[QStringLiteral("port")].toString().toStdString();
        b.when = When(when);
        b.side = Breakpoint::Side(side);
        b.below = one[QStringLiteral("below")].toBool();
        b.limit = limit;
        b.enabled = one[QStringLiteral("enabled")].toBool(true);
        read.push_back(std::move(b));
    }
    list_ = std::move(read);
    badNumbers_ =
        train::BadNumbers(std::max(0, indexOf(kBad, root[QStringLiteral("bad_numbers")])));
    return true;
}

} // namespace wiregrad::studio

#include "moc_breakpoints.cpp"
