// The open project: graph, undo, problems. Every change goes through apply(); every view listens to
// changed(). GUI thread only. No widgets here.
#pragma once

#include <QObject>
#include <QString>
#include <QUndoStack>

#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "nodes/analysis.h"
#include "nodes/edit.h"
#include "nodes/project.h"

namespace wiregrad::studio {

class Document : public QObject {
    Q_OBJECT

  public:
    explicit Document(QObject* parent = nullptr);
    ~Document() override;

    const graph::Graph& graph() const;
    /// Shapes, weights and problems; brought up to date within the event loop turn after a change
    /// (analysed()).
    const graph::Analysis& analysis() const;
    QUndoStack& undoStack(); ///< every entry is an EditCommand

    /// Applies one edit as one undo step. Edits with the same non-zero gesture merge into one step.
    /// False when the edit is refused; the sentence is in lastError() and refused() is emitted.
    bool apply(const graph::Edit& edit, quint64 gesture = 0);
    QString lastError() const;
    static quint64 newGesture(); ///< a fresh number for one drag or scrub
    /// Undo and redo that obey the guard; false, with a sentence in lastError(), when it refuses.
    bool undo();
    bool redo();
    /// A change that is about to happen.
    struct Intent {
        const graph::Edit& edit;
        quint64 gesture = 0;
        bool replay = false; ///< undo or redo
    };
    /// Asked before each change: a sentence when it may not happen now (a run goes on), else empty.
    using Guard = std::function<QString(const Intent&)>;
    void setGuard(Guard guard);

    // --- file
    QString path() const;  ///< empty: never saved
    QString title() const; ///< for the window: file name or graph title
    bool isModified() const;
    void newProject();
    /// Throw wiregrad::Error with a sentence; the document stays as it was.
    void load(const QString& path);
    void loadExample(const QString& path); ///< like load, but saving asks for a new place
    void save(const QString& path);        ///< graph; the weights beside it when there are any
    /// Takes over a graph that came from elsewhere (recovery, import): modified, nothing to undo.
    void adopt(graph::Graph graph, const QString& path);
    /// Weights of the last run, saved with the project. May be empty.
    void setWeights(std::vector<nn::NamedTensor> weights);
    /// Of another network, by its graph_hash(): saved only when the document is that one again.
    void setWeights(std::vector<nn::NamedTensor> weights, std::string hash);
    const std::vector<nn::NamedTensor>& weights() const;

  signals:
    /// Before changed(): what was applied, undone or redone; `command` is the undo step's number.
    void edited(const wiregrad::graph::Edit& edit, quint64 command);
    void changed(const wiregrad::graph::ChangeSet& changes);
    void replayed(const wiregrad::graph::ChangeSet& changes); ///< by undo or redo, after changed()
    void analysed();
    void refused(const QString& sentence);
    void notice(const QString& sentence); ///< something a person should know: weights of another
                                          ///< network left out
    void pathChanged();
    void modifiedChanged(bool modified);

  private:
    friend class EditCommand;
    bool refuse(const QString& sentence);
    void replay(const graph::Edit& edit, quint64 command);
    /// Trained weights go on under their layers' new names.
    void renameWeights(const graph::Graph& before, const graph::Edit& edit);
    void noteChange(const graph::ChangeSet& changes);
    void replaceGraph(graph::Graph graph, const QString& path);
    void loadWeightsBeside();
    void updateModified();
    struct Impl;
    std::unique_ptr<Impl> d;
};

} // namespace wiregrad::studio
