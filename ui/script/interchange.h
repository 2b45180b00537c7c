// Out and in from the menu: exports to every target, models and weights of other programs. GUI
// thread; exports are written on a thread of their own.
#pragma once

#include <QObject>
#include <QString>

#include <functional>

#include "session/document.h"
#include "ui/script/exporter.h"
#include "ui/window/actions.h"

class QMenu;
class QWidget;

namespace wiregrad::studio {

class Interchange : public QObject {
    Q_OBJECT

  public:
    Interchange(Document& document, QWidget* window);
    /// "file.export.onnx", ... and "file.import".
    void registerActions(Actions& actions, QWidget* window);
    void fill(QMenu* exports, const Actions& actions) const;
    /// Asks for a place when `path` is empty.
    void exportTo(const QString& target, const QString& path = {});
    /// A model becomes a new project, weights go into the open one. False: not taken over; said().
    bool importFile(const QString& path);
    /// Asked before the open project is replaced; false: it stays.
    std::function<bool()> mayReplace{};

  signals:
    void said(const QString& sentence, bool good);
    void adopted(); ///< the document holds another graph

  private:
    bool importWeights(const QString& path);
    bool importModel(const QString& path);
    Document& document_;
    QWidget* window_;
    Exporter exporter_;
};

} // namespace wiregrad::studio
