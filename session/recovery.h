// Autosave: each edit reaches a journal within a second, so that kill -9 loses at most the last
// second. A lock file tells a live document from an abandoned one. GUI thread; writing is atomic.
#pragma once

#include <QDateTime>
#include <QObject>
#include <QString>

#include <memory>
#include <vector>

#include "session/document.h"

namespace wiregrad::studio {

struct Abandoned {
    QString journal;      ///< file to restore from
    QString originalPath; ///< empty: never saved
    QString title;
    QDateTime time;
    QString runs; ///< folder of its runs; may be empty
};

class Recovery : public QObject {
    Q_OBJECT

  public:
    /// Watches `document`; `folder` empty: the user's state folder.
    explicit Recovery(Document& document, const QString& folder = {}, QObject* parent = nullptr);
    ~Recovery() override; ///< a clean end removes the journal
    /// Journals whose program is gone, newest first.
    static std::vector<Abandoned> abandoned(const QString& folder = {});
    /// Loads the journal into the document (modified, with its original path). Throws
    /// wiregrad::Error.
    void restore(const Abandoned& abandoned);
    static void discard(const Abandoned& abandoned);
    void flush(); ///< writes now
    /// Where the runs of a project without a file are kept: told to whoever restores it.
    void setRunsFolder(const QString& folder);

  signals:
    void failed(const QString& sentence); ///< unwritable folder, full disk: said once, retried

  private:
    struct Impl;
    std::unique_ptr<Impl> d;
};

} // namespace wiregrad::studio
