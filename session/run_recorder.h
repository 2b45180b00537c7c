// Writes one run into its folder while it goes on: what is told first, then an append-only journal.
// GUI thread; buffered, flushed twice a second. A folder that cannot be written ends the recording,
// never the run.
#pragma once

#include <QFile>
#include <QObject>
#include <QTimer>

#include <map>
#include <string>

#include "session/run_store.h"

namespace wiregrad::studio {

class RunRecorder : public QObject {
    Q_OBJECT

  public:
    /// Makes a fresh folder below `root` and writes what `info` says of the run's beginning.
    RunRecorder(const QString& root, RunInfo info, QObject* parent = nullptr);
    ~RunRecorder() override;
    bool isOpen() const { return file_.isOpen(); }
    const RunInfo& info() const { return info_; }
    void append(const std::string& curve, const CurvePoint& point);
    void mark(const RunMarker& marker);
    void digest(const RunDigest& digest);
    void final(const std::string& name, double value);
    void verdict(const QString& sentence);
    /// The run goes on with another network.
    void edited(std::string graphText, const QString& graphHash);
    void end(RunEnd end, std::int64_t steps, std::int64_t epochs, double seconds,
             const QString& error);
    void flush();

  signals:
    void failed(const QString& sentence);

  private:
    void write(const QByteArray& line);
    bool writeHead() const;
    RunInfo info_;
    QFile file_;
    QTimer timer_;
    std::map<std::string, int> curves_;
    struct Last {
        double step = -1, wall = 0;
        CurvePoint held;
        bool holds = false;
    };
    std::map<int, Last> last_;
    void put(int curve, const CurvePoint& point);
    double now() const;
};

} // namespace wiregrad::studio
