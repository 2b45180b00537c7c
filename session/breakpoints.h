// The breakpoints of a project, and what a run does where a loss is no number. Kept beside the
// project's runs, so that they are there the next time. GUI thread.
#pragma once

#include <QObject>
#include <QString>

#include <vector>

#include "engine/train/breakpoint.h"

namespace wiregrad::studio {

class Breakpoints : public QObject {
    Q_OBJECT

  public:
    explicit Breakpoints(QObject* parent = nullptr);
    const std::vector<train::Breakpoint>& list() const { return list_; }
    const train::Breakpoint* find(int id) const;
    /// The id is given here.
    int add(train::Breakpoint breakpoint);
    void change(const train::Breakpoint& breakpoint); ///< the one with its id
    void setEnabled(int id, bool enabled);
    void remove(int id);
    void clear();
    bool any() const; ///< an enabled one
    train::BadNumbers badNumbers() const { return badNumbers_; }
    void setBadNumbers(train::BadNumbers what);

    /// Where they are kept from now on: read when it is there, else written as they are. A file
    /// that cannot be read is left alone until something changes.
    void setFile(const QString& path);
    /// Another project: empty, without a file.
    void forget();

  signals:
    void changed();

  private:
    void changedNow();
    void save() const;
    bool load();
    std::vector<train::Breakpoint> list_;
    train::BadNumbers badNumbers_ = train::BadNumbers::Stop;
    int next_ = 1;
    QString path_;
};

} // namespace wiregrad::studio
