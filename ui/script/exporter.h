// Sources and exports made away from the window: one thread of its own, the newest wish wins, what
// went wrong comes back in words. GUI thread.
#pragma once

#include <QObject>
#include <QString>
#include <QThreadPool>

#include <memory>
#include <vector>

#include "engine/nn/module.h"
#include "nodes/export/source.h"
#include "nodes/graph.h"

namespace wiregrad::studio {

/// The text of one target, or why there is none.
struct ScriptPreview {
    QString target;
    graph::SourceText source;
    QString error; ///< a sentence; empty: there is a source
    QString node;  ///< where the error is, when known
    double milliseconds = 0;
};

class Exporter : public QObject {
    Q_OBJECT

  public:
    explicit Exporter(QObject* parent = nullptr);
    ~Exporter() override; ///< waits for what is being made

    /// Answered by previewed(); an older wish that was not begun is dropped.
    void preview(const graph::Graph& graph, const QString& target);
    /// Answered by exported() or failed(). `weights` by node id; empty: initial ones.
    void exportTo(const graph::Graph& graph, std::vector<nn::NamedTensor> weights,
                  const QString& target, const QString& path, const QString& project);
    bool busy() const { return running_ > 0; }

  signals:
    void previewed(const std::shared_ptr<const wiregrad::studio::ScriptPreview>& preview);
    void exported(const QString& path, const QString& sentence);
    void failed(const QString& sentence, const QString& node);

  private:
    void next();
    QThreadPool pool_;
    int running_ = 0;
    bool previewing_ = false;
    std::shared_ptr<const graph::Graph> wished_;
    QString wishedTarget_;
};

} // namespace wiregrad::studio
