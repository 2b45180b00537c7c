// The network as the source that people would write, live while it is wired: PyTorch, JAX, Keras,
// C++. A click on a line selects its node, a selected node shows its lines. GUI thread; the sources
// are made on a thread of their own.
#pragma once

#include <QString>
#include <QWidget>

#include <memory>
#include <set>
#include <vector>

#include "session/document.h"
#include "session/sheet.h"

namespace wiregrad::studio {

class SourceView;

class ScriptPanel : public QWidget {
    Q_OBJECT

  public:
    /// `sheet`: the level that the canvas shows, for what is selected there.
    ScriptPanel(Document& document, Sheet& sheet, QWidget* parent = nullptr);
    ~ScriptPanel() override;

    QString target() const; ///< "pytorch"
    void setTarget(const QString& id);
    QString text() const;    ///< as shown
    QString problem() const; ///< why there is no newer source; empty: there is
    SourceView& view();
    QString nodeOf(int line) const;  ///< path; empty: of none
    double lastMilliseconds() const; ///< what the source took to be made
    void copy() const;
    /// Writes script, weights, data and proof; asks for a place when `path` is empty.
    void save(const QString& path = {});

  public slots:
    void showNodes(const std::set<QString>& nodes); ///< of the level that is shown

  signals:
    void activated(const QString& node); ///< path of the node whose line was clicked
    void previewed();
    void said(const QString& sentence, bool good); ///< an export ended

  protected:
    void showEvent(QShowEvent* event) override;

  private:
    struct Impl;
    std::unique_ptr<Impl> d;
};

} // namespace wiregrad::studio
