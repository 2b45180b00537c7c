// The runs of a project on disk: one folder a run, with its settings, graph, curves and last
// checkpoint. A run's curves are an append-only journal, so that a killed program leaves a run that
// is readable up to its last half second. GUI thread; reading does not disturb a run that is being
// written.
#pragma once

#include <QDateTime>
#include <QObject>
#include <QString>
#include <QStringList>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "session/metric_store.h"

namespace wiregrad::studio {

enum class RunEnd { Running, Finished, Stopped, Failed, Interrupted };

/// Something that happened at a step: an epoch's end, a checkpoint, a changed setting.
struct RunMarker {
    enum class Kind { Epoch, Checkpoint, Rate, Edit, Branch, Warning };
    double step = 0;
    Kind kind = Kind::Epoch;
    QString text;
    bool operator==(const RunMarker&) const = default;
};
QString markerName(RunMarker::Kind kind); ///< "epoch", as in the journal

/// Losses and metrics of all steps up to here, bit for bit.
struct RunDigest {
    std::int64_t epoch = 0, step = 0;
    quint64 value = 0;
    bool operator==(const RunDigest&) const = default;
};

struct RunInfo {
    QString id, folder;
    QDateTime started;
    QString title;
    quint64 seed = 0;
    std::int64_t epochs = 0, batchSize = 0, totalSteps = 0;
    QString device, engineVersion, graphHash, dataHash;
    std::string graphText; ///< the project as it was run, at its end
    int edits = 0;         ///< of the network while it ran
    QString origin;        ///< id of the run that this one repeats or goes on from; may be empty
    std::int64_t originStep = -1; ///< -1: it repeats the whole run

    // --- how it went; as far as the journal goes
    RunEnd end = RunEnd::Running;
    std::int64_t steps = 0, epochsDone = 0;
    double seconds = 0;
    QString error;
    QString verdict; ///< of a repeated run: whether it was the same
    std::vector<std::pair<std::string, double>> finals; ///< last value of each curve, and test ones
    std::vector<RunDigest> digests;
    std::int64_t damagedLines = 0;
    bool ownerLives = false; ///< the program that recorded it still runs

    // --- what a person says about it
    QString name, notes;
    QStringList tags;

    QString label() const; ///< the name, else title and time
    const double* final(const std::string& curve) const;
    QString checkpointPath() const;
};
QString endText(RunEnd end);

class RunStore : public QObject {
    Q_OBJECT

  public:
    explicit RunStore(QObject* parent = nullptr);
    ~RunStore() override;
    /// Where the runs of this project are; reads them. The folder need not exist.
    void setFolder(const QString& folder);
    QString folder() const;
    /// All runs, newest first.
    const std::vector<RunInfo>& runs() const;
    const RunInfo* find(const QString& id) const;
    void reload();
    void reload(const QString& id); ///< one of them changed
    /// Curves and markers as the journal has them now; kept while somebody holds them.
    std::shared_ptr<const MetricStore> curves(const QString& id);
    std::vector<RunMarker> markers(const QString& id);
    /// What a person says; written at once. False when the folder cannot be written.
    bool describe(const QString& id, const QString& name, const QStringList& tags,
                  const QString& notes);
    bool remove(const QString& id); ///< folder and all
    /// Moves all runs to another folder: an unsaved project was saved. False: they stay.
    bool moveTo(const QString& folder);

    /// Reads one run's folder; nothing when it holds no run at all.
    static std::optional<RunInfo> read(const QString& folder, MetricStore* curves = nullptr,
                                       std::vector<RunMarker>* markers = nullptr);
    static QString folderBeside(const QString& projectPath); ///< "/a/net.wiregrad": "/a/net.runs"

  signals:
    void changed();

  private:
    struct Impl;
    std::unique_ptr<Impl> d;
};

/// Equal up to where? The first epoch whose steps differ, 0 when all that both have are equal.
std::int64_t firstDifferentEpoch(const RunInfo& a, const RunInfo& b);

} // namespace wiregrad::studio
