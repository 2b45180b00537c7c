// One level of the open project as if it were a graph of its own: the whole, or the inside of a
// group. What the canvas and the properties show and edit. GUI thread only. No widgets here.
#pragma once

#include <QObject>
#include <QString>
#include <QStringList>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "session/document.h"

namespace wiregrad::studio {

class Sheet : public QObject {
    Q_OBJECT

  public:
    explicit Sheet(Document& document, QObject* parent = nullptr);
    ~Sheet() override;

    Document& document() const;
    const graph::Graph& graph() const;
    /// Facts and problems by the ids of this level; what is wrong deep inside a group is told of
    /// the group, and its node says where.
    const graph::Analysis& analysis() const;
    /// As Document::apply, for this level.
    bool apply(const graph::Edit& edit, quint64 gesture = 0);
    QString lastError() const;

    /// Group nodes from the outside in; empty: the whole project.
    const std::vector<std::string>& groups() const;
    QString definition() const; ///< whose inside this is; empty: the whole project
    QStringList titles() const; ///< names of the groups on the way, for the breadcrumb
    /// Goes into a group of this level; false when the node is none.
    bool enter(const std::string& node);
    void leave(); ///< one level up
    void goTo(const std::vector<std::string>& groups);
    /// The path of a node of this level, as runs and problems name it: "block.0.conv1".
    std::string path_of(const std::string& node) const;
    /// A node of this level for a path: the node itself or the group around it; nothing elsewhere.
    std::optional<std::string> local(const std::string& path) const;

  signals:
    /// Of this level only; everything when another level is shown.
    void changed(const wiregrad::graph::ChangeSet& changes);
    void analysed();
    void levelChanged(); ///< after changed(everything)

  private:
    struct Impl;
    std::unique_ptr<Impl> d;
};

} // namespace wiregrad::studio
