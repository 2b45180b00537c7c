// Autosave and restore, with a real child process that is killed with SIGKILL.
#include <QCoreApplication>
#include <QDir>
#include <QFile>
#include <QProcess>
#include <QSignalSpy>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QTest>

#include <csignal>
#include <unistd.h>

#include "engine/core/error.h"
#include "session/recovery.h"
#include "session/settings.h"

using namespace wiregrad;
using namespace wiregrad::studio;

namespace {

void addNode(Document& document, const char* id) {
    graph::Node node = graph::make_node(document.graph(), "ReLU", {0, 0});
    node.id = id;
    document.apply({graph::AddNode{node}});
}

/// Run in a child: edits, waits for the journal, says "ready", never ends by itself.
int child(const QStringList& args) {
    Document document;
    Recovery recovery(document, args[2]);
    if (args.size() > 3) document.load(args[3]);
    addNode(document, "from_child");
    for (;;) {
        QCoreApplication::processEvents(QEventLoop::AllEvents, 20);
        if (!QDir(args[2]).entryList({"*.wiregrad"}).isEmpty()) {
            ::write(1, "ready\n", 6);
            for (;;)
                ::pause();
        }
    }
}

} // namespace

class RecoveryTest : public QObject {
    Q_OBJECT

    static qint64 killChild(const QString& folder, const QString& file = {}) {
        QProcess process;
        QStringList args{"--child", folder};
        if (!file.isEmpty()) args << file;
        process.start(QCoreApplication::applicationFilePath(), args);
        const qint64 pid = process.processId();
        while (!process.readAllStandardOutput().contains("ready"))
            if (!process.waitForReadyRead(20'000)) return 0;
        // While it lives, what it works on is not abandoned.
        if (!Recovery::abandoned(folder).empty()) return 0;
        ::kill(pid_t(pid), SIGKILL);
        process.waitForFinished();
        return pid;
    }

  private slots:
    void journalWithinASecondAndCleanEnd() {
        QTemporaryDir folder;
        {
            Document document;
            Recovery recovery(document, folder.path());
            addNode(document, "a");
            QElapsedTimer timer;
            timer.start();
            QTRY_VERIFY(!QDir(folder.path()).entryList({"*.wiregrad"}).isEmpty());
            QVERIFY(timer.elapsed() < 5000);
            QVERIFY(Recovery::abandoned(folder.path()).empty()); // we live
            // A saved document has nothing to lose.
            document.save(folder.filePath("sub.saved"));
            QTRY_VERIFY(QDir(folder.path()).entryList({"*.wiregrad"}).isEmpty());
            addNode(document, "b");
            recovery.flush();
            QVERIFY(!QDir(folder.path()).entryList({"*.wiregrad"}).isEmpty());
        }
        QVERIFY(QDir(folder.path()).entryList({"*.wiregrad", "*.lock"}).isEmpty());
    }

    void aKilledProcessIsRestored() {
        QTemporaryDir folder;
        QVERIFY(killChild(folder.path()));
        const auto found = Recovery::abandoned(folder.path());
        QCOMPARE(found.size(), std::size_t(1));
        QVERIFY(found[0].originalPath.isEmpty());
        Document document;
        Recovery recovery(document, folder.path());
        recovery.restore(found[0]);
        QVERIFY(document.graph().node("from_child"));
        QVERIFY(document.isModified());
        QVERIFY(Recovery::abandoned(folder.path()).empty()); // taken over
        QVERIFY(!QFile::exists(found[0].journal));
        QVERIFY(!QDir(folder.path())
                     .entryList({"*.wiregrad"})
                     .isEmpty()); // our own journal holds it now
    }

    void aKilledProcessOfASavedFileKeepsItsPath() {
        QTemporaryDir folder, files;
        const QString path = files.filePath("mine.wiregrad");
        {
            Document document;
            addNode(document, "old");
            document.save(path);
        }
        QVERIFY(killChild(folder.path(), path));
        const auto found = Recovery::abandoned(folder.path());
        QCOMPARE(found.size(), std::size_t(1));
        QCOMPARE(found[0].originalPath, path);
        QCOMPARE(found[0].title, QString("mine.wiregrad"));
        Document document;
        Recovery recovery(document, folder.path());
        recovery.restore(found[0]);
        QCOMPARE(document.path(), path);
        QVERIFY(document.isModified());
        QVERIFY(document.graph().node("old") && document.graph().node("from_child"));
    }

    void discardForgets() {
        QTemporaryDir folder;
        QVERIFY(killChild(folder.path()));
        const auto found = Recovery::abandoned(folder.path());
        QCOMPARE(found.size(), std::size_t(1));
        Recovery::discard(found[0]);
        QVERIFY(Recovery::abandoned(folder.path()).empty());
        QVERIFY(QDir(folder.path()).entryList({"*.wiregrad", "*.lock"}).isEmpty());
    }

    void aBrokenJournalIsASentence() {
        QTemporaryDir folder;
        QFile journal(folder.filePath("x.wiregrad"));
        QVERIFY(journal.open(QIODevice::WriteOnly));
        journal.write("{ broken");
        journal.close();
        const auto found = Recovery::abandoned(folder.path());
        QCOMPARE(found.size(), std::size_t(1)); // no lock: nobody owns it
        Document document;
        addNode(document, "mine");
        Recovery recovery(document, folder.path());
        QVERIFY_EXCEPTION_THROWN(recovery.restore(found[0]), Error);
        QVERIFY(document.graph().node("mine"));
    }

    void anUnwritableFolderIsSaidOnce() {
        Document document;
        Recovery recovery(document, "/proc/wiregrad-none");
        QSignalSpy failed(&recovery, &Recovery::failed);
        addNode(document, "a");
        recovery.flush();
        addNode(document, "b");
        recovery.flush();
        recovery.flush();
        QCOMPARE(failed.count(), 1);
        QVERIFY(failed[0][0].toString().contains("proc"));
    }

    void settingsRemember() {
        QStandardPaths::setTestModeEnabled(true);
        Settings::setValue("recentFiles", {});
        QTemporaryDir folder;
        QStringList paths;
        for (int i = 0; i < 15; ++i) {
            const QString path = folder.filePath(QString("%1.wiregrad").arg(i));
            QFile file(path);
            QVERIFY(file.open(QIODevice::WriteOnly));
            Settings::addRecentFile(path);
            paths.prepend(path);
        }
        QCOMPARE(Settings::recentFiles(), paths.mid(0, 12));
        Settings::addRecentFile(paths[3]);
        QCOMPARE(Settings::recentFiles().front(), paths[3]);
        QCOMPARE(Settings::recentFiles().size(), qsizetype(12));
        QFile::remove(paths[3]);
        QVERIFY(!Settings::recentFiles().contains(paths[3]));
        Settings::setLayout("test", QByteArray("\0\1\2", 3));
        QCOMPARE(Settings::layout("test"), QByteArray("\0\1\2", 3));
        Settings::setTheme("dark");
        QCOMPARE(Settings::theme(), QString("dark"));
        Settings::setTheme("system");
    }
};

int main(int argc, char** argv) {
    QCoreApplication app(argc, argv);
    if (app.arguments().value(1) == QLatin1String("--child")) return child(app.arguments());
    RecoveryTest test;
    return QTest::qExec(&test, argc, argv);
}

#include "recovery_test.moc"
