// Runs on disk: what was recorded is read back, also after a kill, half written, or damaged; and an
// event file parses back into what went in.
#include <QDir>
#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QTemporaryDir>
#include <QtTest>

#include <cmath>
#include <cstring>

#include "session/event_file.h"
#include "session/run_recorder.h"
#include "session/run_store.h"

using namespace wiregrad::studio;

namespace {

RunInfo someRun() {
    RunInfo info;
    info.title = QStringLiteral("Digits");
    info.seed = 18446744073709551615ULL; // more than a double holds
    info.epochs = 3;
    info.batchSize = 64;
    info.totalSteps = 300;
    info.device = QStringLiteral("cpu");
    info.engineVersion = QStringLiteral("1.2.3");
    info.graphHash = QStringLiteral("abc");
    info.dataHash = QStringLiteral("def");
    info.graphText = "{\"format\": \"a\nb\"}";
    return info;
}

CurvePoint at(double step, double value) {
    return {step, value, value, value};
}

bool writeFile(const QString& path, const QByteArray& bytes) {
    QFile file(path);
    return file.open(QIODevice::WriteOnly) && file.write(bytes) == bytes.size();
}

QByteArray readFile(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

// A reader of event files, written for this test from the format's description.
struct Event {
    double time = 0;
    quint64 step = 0;
    QByteArray version, tag;
    float value = 0;
};
struct Bytes {
    const QByteArray& all;
    qsizetype at = 0;
    bool end() const { return at >= all.size(); }
    template <class T> T raw() {
        T value{};
        if (at + qsizetype(sizeof(T)) <= all.size())
            std::memcpy(&value, all.constData() + at, sizeof(T));
        at += qsizetype(sizeof(T));
        return value;
    }
    quint64 varint() {
        quint64 value = 0;
        for (int shift = 0; !end(); shift += 7) {
            const auto byte = quint8(all[at++]);
            value |= quint64(byte & 0x7f) << shift;
            if (!(byte & 0x80)) break;
        }
        return value;
    }
    QByteArray bytes() {
        const auto size = qsizetype(varint());
        const QByteArray part = all.mid(at, size);
        at += size;
        return part;
    }
};
Event parseEvent(const QByteArray& data) {
    Event event;
    Bytes in{data};
    while (!in.end()) {
        const quint64 key = in.varint();
        if (key == (1 << 3 | 1))
            event.time = in.raw<double>();
        else if (key == (2 << 3 | 0))
            event.step = in.varint();
        else if (key == (3 << 3 | 2))
            event.version = in.bytes();
        else if (key == (5 << 3 | 2)) {
            const QByteArray summary = in.bytes();
            Bytes s{summary};
            s.varint();
            const QByteArray value = s.bytes();
            Bytes v{value};
            while (!v.end()) {
                const quint64 field = v.varint();
                if (field == (1 << 3 | 2))
                    event.tag = v.bytes();
                else
                    event.value = v.raw<float>();
            }
        }
    }
    return event;
}

/// The polynomial division bit by bit: slow, and another way than the table.
std::uint32_t slowCrc(const QByteArray& bytes) {
    std::uint32_t value = 0xffffffffU;
    for (const char byte : bytes) {
        value ^= std::uint8_t(byte);
        for (int bit = 0; bit < 8; ++bit)
            value = value & 1 ? (value >> 1) ^ 0x82f63b78U : value >> 1;
    }
    return ~value;
}

} // namespace

class RunStoreTest : public QObject {
    Q_OBJECT

  private slots:
    void whatIsRecordedIsReadBack() {
        QTemporaryDir dir;
        QString id;
        {
            RunRecorder recorder(dir.path(), someRun());
            QVERIFY(recorder.isOpen());
            id = recorder.info().id;
            recorder.append("train/loss", at(1, 2.5));
            recorder.append("validation/top 5 accuracy", at(1, 0.1));
            recorder.flush();
            recorder.append("train/loss", {2, 1.25, 3.5, 0.1});
            recorder.mark({2, RunMarker::Kind::Rate, QStringLiteral("learning rate\n0.1")});
            recorder.digest({1, 2, 0xfedcba9876543210ULL});
            recorder.final("test/accuracy", 0.75);
            recorder.end(RunEnd::Failed, 2, 1, 0.5, QStringLiteral("Loss became NaN."));
        }
        RunStore store;
        store.setFolder(dir.path());
        QCOMPARE(store.runs().size(), std::size_t(1));
        const RunInfo& run = store.runs().front();
        QCOMPARE(run.id, id);
        QCOMPARE(run.seed, 18446744073709551615ULL);
        QCOMPARE(run.graphText, someRun().graphText);
        QCOMPARE(run.dataHash, QStringLiteral("def"));
        QCOMPARE(int(run.end), int(RunEnd::Failed));
        QCOMPARE(run.error, QStringLiteral("Loss became NaN."));
        QCOMPARE(run.steps, std::int64_t(2));
        QCOMPARE(run.digests, (std::vector<RunDigest>{{1, 2, 0xfedcba9876543210ULL}}));
        QCOMPARE(*run.final("test/accuracy"), 0.75);
        QCOMPARE(*run.final("train/loss"), 0.1);
        QVERIFY(!run.final("nothing"));
        QCOMPARE(run.damagedLines, std::int64_t(0));
        const auto curves = store.curves(id);
        const Curve* loss = curves->find("train/loss");
        QVERIFY(loss);
        const auto points = loss->sample(-1e300, 1e300, 100);
        QCOMPARE(points.size(), std::size_t(2));
        QCOMPARE(points[1].last, 0.1);
        QCOMPARE(points[1].max, 3.5);
        QCOMPARE(curves->find("validation/top 5 accuracy")->lastValue(), 0.1);
        const auto markers = store.markers(id);
        QCOMPARE(markers.size(), std::size_t(1));
        QCOMPARE(markers[0].text, QStringLiteral("learning rate 0.1"));
    }

    void aBurstKeepsItsExtremesAndItsEnd() {
        QTemporaryDir dir;
        QString id;
        {
            RunRecorder recorder(dir.path(), someRun());
            id = recorder.info().id;
            for (int step = 1; step <= 100000; ++step)
                recorder.append("train/loss", at(step, step == 777 ? 99 : step == 888 ? -5 : 1));
            recorder.end(RunEnd::Finished, 100000, 1, 1, {});
        }
        RunStore store;
        store.setFolder(dir.path());
        const auto points = store.curves(id)->find("train/loss")->sample(-1e300, 1e300, 1 << 20);
        QVERIFY(points.size() < 5000);
        double least = 0, most = 0;
        for (const CurvePoint& point : points) {
            least = std::min(least, point.min);
            most = std::max(most, point.max);
        }
        QCOMPARE(least, -5.0);
        QCOMPARE(most, 99.0);
        QCOMPARE(points.back().step, 100000.0);
    }

    void aKilledRunIsReadUpToItsLastLine() {
        QTemporaryDir dir;
        RunRecorder recorder(dir.path(), someRun());
        recorder.append("train/loss", at(1, 0.5));
        recorder.flush();
        const QString folder = recorder.info().folder;
        QCOMPARE(int(RunStore::read(folder)->end), int(RunEnd::Running)); // its owner lives
        // The same folder as a program left it that is gone, in the middle of a line.
        const QString left = dir.filePath(QStringLiteral("left"));
        QDir().mkpath(left);
        QJsonObject head =
            QJsonDocument::fromJson(readFile(folder + QStringLiteral("/run.json"))).object();
        QJsonObject owner = head.value(QStringLiteral("owner")).toObject();
        QProcess gone;
        gone.start(QStringLiteral("true"), QStringList());
        QVERIFY(gone.waitForStarted());
        owner.insert(QStringLiteral("pid"), double(gone.processId()));
        owner.insert(QStringLiteral("started"), QStringLiteral("1"));
        QVERIFY(gone.waitForFinished());
        head.insert(QStringLiteral("owner"), owner);
        QVERIFY(writeFile(left + QStringLiteral("/run.json"), QJsonDocument(head).toJson()));
        QVERIFY(
            writeFile(left + QStringLiteral("/journal.log"),
                      readFile(folder + QStringLiteral("/journal.log")) + "p 0 2 0.2\np 0 3 0."));
        const auto run = RunStore::read(left);
        QVERIFY(run);
        QCOMPARE(int(run->end), int(RunEnd::Interrupted));
        QCOMPARE(*run->final("train/loss"), 0.2);
        QCOMPARE(run->steps, std::int64_t(2));
        QCOMPARE(run->damagedLines, std::int64_t(0));
    }

    void halfWrittenAndDamagedFoldersAreReadable() {
        QTemporaryDir dir;
        const auto make = [&](const char* name, const QByteArray& head, const QByteArray& journal) {
            const QString folder = dir.filePath(QLatin1String(name));
            QDir().mkpath(folder);
            if (!head.isNull()) writeFile(folder + QStringLiteral("/run.json"), head);
            if (!journal.isNull()) writeFile(folder + QStringLiteral("/journal.log"), journal);
        };
        make("empty", {}, {});
        make("only_head", "{\"title\": \"T\", \"seed\": \"5\"}", {});
        make("only_journal", {}, "c 0 train/loss\np 0 1 0.5\n");
        make("broken_head", "{\"title\": ", "c 0 train/loss\np 0 4 0.5\n");
        make("rubbish", "[]",
             QByteArray("p\np 9 1 1\nq 1\nc\n\0\0\n\xff\xfe\np 0 nan\ne 1\nd 99 1 1 1\n"
                        "m 1 party x\nc 0 a\np 0 1 inf\np 0 2 3 4\n",
                        78));
        RunStore store;
        store.setFolder(dir.path());
        QCOMPARE(store.runs().size(), std::size_t(4));
        QCOMPARE(store.find(QStringLiteral("only_head"))->title, QStringLiteral("T"));
        QCOMPARE(store.find(QStringLiteral("only_head"))->seed, quint64(5));
        QCOMPARE(store.find(QStringLiteral("only_journal"))->steps, std::int64_t(1));
        QCOMPARE(store.find(QStringLiteral("broken_head"))->steps, std::int64_t(4));
        QVERIFY(store.find(QStringLiteral("rubbish"))->damagedLines >= 8);
        QVERIFY(store.curves(QStringLiteral("rubbish")));
        QVERIFY(store.curves(QStringLiteral("no such run"))->names().empty());
        for (const RunInfo& run : store.runs())
            QCOMPARE(int(run.end), int(RunEnd::Interrupted));
    }

    void namesTagsAndNotesStay() {
        QTemporaryDir dir;
        QString id;
        {
            RunRecorder recorder(dir.path(), someRun());
            id = recorder.info().id;
            recorder.end(RunEnd::Finished, 1, 1, 1, {});
        }
        RunStore store;
        store.setFolder(dir.path());
        QVERIFY(store.describe(id, QStringLiteral("Wide \"one\""),
                               {QStringLiteral("baseline"), QStringLiteral("für später")},
                               QStringLiteral("two\nlines")));
        RunStore other;
        other.setFolder(dir.path());
        QCOMPARE(other.find(id)->name, QStringLiteral("Wide \"one\""));
        QCOMPARE(other.find(id)->tags.at(1), QStringLiteral("für später"));
        QCOMPARE(other.find(id)->notes, QStringLiteral("two\nlines"));
        QTemporaryDir elsewhere;
        QVERIFY(other.moveTo(elsewhere.filePath(QStringLiteral("net.runs"))));
        QCOMPARE(other.find(id)->tags.size(), 2);
        QVERIFY(other.remove(id));
        QVERIFY(other.runs().empty());
        QVERIFY(!QDir(elsewhere.filePath(QStringLiteral("net.runs/") + id)).exists());
    }

    void anUnwritableFolderIsNoRun() {
        RunRecorder recorder(QStringLiteral("/proc/nothing"), someRun());
        QVERIFY(!recorder.isOpen());
        recorder.append("train/loss", at(1, 1));
        recorder.end(RunEnd::Finished, 1, 1, 1, {});
    }

    void theFirstDifferentEpochIsFound() {
        RunInfo a, b;
        a.digests = {{1, 10, 5}, {2, 20, 6}, {3, 30, 7}};
        b.digests = {{1, 10, 5}, {2, 20, 6}};
        QCOMPARE(firstDifferentEpoch(a, b), std::int64_t(0));
        b.digests[1].value = 9;
        QCOMPARE(firstDifferentEpoch(a, b), std::int64_t(2));
    }

    // --- TensorBoard

    void crcIsCastagnolis() {
        const char digits[] = "123456789"; // the check value of the published catalogue of CRCs
        QCOMPARE(crc32c({digits, 9}), 0xe3069283U);
        QCOMPARE(crc32c({digits, 0}), 0U);
        QByteArray all;
        for (int i = 0; i < 1000; ++i)
            all.append(char(i * 7));
        QCOMPARE(crc32c({all.constData(), std::size_t(all.size())}), slowCrc(all));
    }

    void eventFilesParseBack() {
        MetricStore store;
        for (int step = 1; step <= 300; ++step) {
            store.append("train/loss", step, 1.0 / step);
            store.append("seconds", step, step * 0.5);
        }
        store.append("validation/accuracy", 300, 0.9);
        const QByteArray file = eventFile(store, 1000);
        Bytes in{file};
        std::vector<Event> events;
        while (!in.end()) {
            const qsizetype begin = in.at;
            const auto length = in.raw<quint64>();
            const QByteArray lengthBytes = file.mid(begin, 8);
            QCOMPARE(in.raw<quint32>(),
                     ((slowCrc(lengthBytes) >> 15) | (slowCrc(lengthBytes) << 17)) + 0xa282ead8U);
            const QByteArray data = file.mid(in.at, qsizetype(length));
            QCOMPARE(data.size(), qsizetype(length));
            in.at += data.size();
            QCOMPARE(in.raw<quint32>(),
                     ((slowCrc(data) >> 15) | (slowCrc(data) << 17)) + 0xa282ead8U);
            events.push_back(parseEvent(data));
        }
        QCOMPARE(in.at, file.size());
        QCOMPARE(events.size(), std::size_t(302));
        QCOMPARE(events[0].version, QByteArray("brain.Event:2"));
        int losses = 0;
        for (const Event& event : events) {
            if (event.tag != "train/loss") continue;
            ++losses;
            QCOMPARE(event.step, quint64(losses));
            QCOMPARE(event.value, 1.0F / float(losses));
            QCOMPARE(event.time, 1000 + losses * 0.5);
        }
        QCOMPARE(losses, 300);
        QCOMPARE(events.back().tag, QByteArray("validation/accuracy"));
        QCOMPARE(events.back().value, 0.9F);
    }
};

QTEST_GUILESS_MAIN(RunStoreTest)
#include "run_store_test.moc"
