// What a person prefers, kept between starts (QSettings in a file under the configuration folder).
// GUI thread.
#pragma once

#include <QByteArray>
#include <QString>
#include <QStringList>

namespace wiregrad::studio {

class Settings {
  public:
    static QString theme(); ///< "system" | "light" | "dark"
    static void setTheme(const QString& theme);
    static QStringList recentFiles(); ///< newest first, at most 12, existing only
    static void addRecentFile(const QString& path);
    static QStringList recentTypes(); ///< node types last used
    static void addRecentType(const QString& type);
    static QByteArray layout(const QString& key); ///< dock layout, geometry
    static void setLayout(const QString& key, const QByteArray& state);
    static QString value(const QString& key, const QString& standard = {});
    static void setValue(const QString& key, const QString& value);
};

} // namespace wiregrad::studio
