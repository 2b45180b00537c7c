// The properties of what is selected, generated from the node declarations: name, parameters,
// facts, problems; with nothing selected, those of the project. Every change is an Edit. GUI
// thread.
#pragma once

#include <QString>
#include <QWidget>

#include <memory>
#include <set>

#include "session/sheet.h"
#include "session/train_session.h"

namespace wiregrad::studio {

class PropertiesPanel : public QWidget {
    Q_OBJECT

  public:
    /// `sheet`: the level whose nodes are shown; null: the whole project.
    PropertiesPanel(Document& document, TrainSession& session, QWidget* parent = nullptr,
                    Sheet* sheet = nullptr);
    ~PropertiesPanel() override;
    /// Shows these nodes; ids that do not exist are left out, none: the project.
    void showNodes(const std::set<QString>& nodes);
    std::set<QString> nodes() const;
    /// Puts the cursor into the editor of a parameter (problems and the canvas point here).
    void focusParam(const QString& param);
    void focusFirst(); ///< the first setting that can be changed

  private:
    struct Impl;
    std::unique_ptr<Impl> d;
};

} // namespace wiregrad::studio
