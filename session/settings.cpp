#include "session/settings.h"

#include <QFileInfo>
#include <QSettings>
#include <QStandardPaths>

namespace wiregrad::studio {

namespace {

constexpr int kMaxRecent = 12;

QSettings& store() {
    // One per process: QSettings shares and merges the file between processes by itself.
    static QSettings settings(
        QStandardPaths::writableLocation(QStandardPaths::GenericConfigLocation) +
            QStringLiteral("/wiregrad/studio.ini"),
        QSettings::IniFormat);
    return settings;
}

void addFirst(const QString& key, const QString& entry) {
    QStringList list = store().value(key).toStringList();
    list.removeAll(entry);
    list.prepend(entry);
    store().setValue(key, list.mid(0, kMaxRecent));
}

} // namespace

QString Settings::theme() {
    return value(QStringLiteral("theme"), QStringLiteral("system"));
}

void Settings::setTheme(const QString& theme) {
    setValue(QStringLiteral("theme"), theme);
}

QStringList Settings::recentFiles() {
    QStringList result;
    for (const QString& path : store().value(QStringLiteral("recentFiles")).toStringList())
        if (QFileInfo::exists(path)) result.append(path);
    return result;
}

void Settings::addRecentFile(const QString& path) {
    addFirst(QStringLiteral("recentFiles"), QFileInfo(path).absoluteFilePath());
}

QStringList Settings::recentTypes() {
    return store().value(QStringLiteral("recentTypes")).toStringList();
}

void Settings::addRecentType(const QString& type) {
    addFirst(QStringLiteral("recentTypes"), type);
}

QByteArray Settings::layout(const QString& key) {
    return store().value(QStringLiteral("layout/") + key).toByteArray();
}

void Settings::setLayout(const QString& key, const QByteArray& state) {
    store().setValue(QStringLiteral("layout/") + key, state);
}

QString Settings::value(const QString& key, const QString& standard) {
    return store().value(key, standard).toString();
}

void Settings::setValue(const QString& key, const QString& value) {
    store().setValue(key, value);
}

} // namespace wiregrad::studio
