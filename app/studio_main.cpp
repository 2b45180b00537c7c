// wiregrad-studio [FILE]: the desktop application.
#include <QApplication>
#include <QCommandLineParser>
#include <QDir>
#include <QDockWidget>
#include <QElapsedTimer>
#include <QFileInfo>
#include <QFont>
#include <QFontDatabase>
#include <QStandardPaths>
#include <QTabBar>
#include <QTimer>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>

#include "engine/core/process.h"
#include "session/settings.h"
#include "ui/canvas/canvas.h"
#include "ui/theme/theme.h"
#include "ui/window/gallery.h"
#include "ui/window/main_window.h"
#include "ui/window/test_positions.h"

namespace {

using namespace wiregrad::studio;

/// An archive carries its own font, so that a bare machine shows letters and not boxes.
void addCarriedFonts() {
    const bool bare = QFontDatabase::families().isEmpty();
    const QDir folder(QCoreApplication::applicationDirPath() + QStringLiteral("/../share/fonts"));
    for (const QFileInfo& file : folder.entryInfoList({QStringLiteral("*.ttf")}, QDir::Files))
        QFontDatabase::addApplicationFont(file.absoluteFilePath());
    if (bare && !QFontDatabase::families().isEmpty())
        QApplication::setFont(QFont(QStringLiteral("DejaVu Sans")));
}

int usage(const QString& sentence) {
    std::fprintf(stderr, "wiregrad-studio: %s\n", qPrintable(sentence));
    return 2;
}

/// Raises the panel "results", or its view "results:roc" once that is there.
void showPanel(MainWindow& window, const QString& wish) {
    const QString name = wish.section(QLatin1Char(':'), 0, 0),
                  view = wish.section(QLatin1Char(':'), 1);
    auto* dock = window.findChild<QDockWidget*>(QStringLiteral("dock.") + name);
    if (!dock) return;
    dock->show();
    dock->raise();
    for (QTabBar* tabs : dock->findChildren<QTabBar*>())
        for (int i = 0; !view.isEmpty() && i < tabs->count(); ++i)
            if (tabs->tabText(i).startsWith(view, Qt::CaseInsensitive)) tabs->setCurrentIndex(i);
}

/// Takes the picture once the run has made `steps` steps (or has ended), then quits.
void takeScreenshot(MainWindow& window, const QString& path, qint64 steps, const QString& select,
                    const QString& panel) {
    auto* timer = new QTimer(&window);
    timer->setInterval(50);
    auto* settled = new int(0);
    QObject::connect(timer, &QObject::destroyed, [settled] { delete settled; });
    QObject::connect(
        timer, &QTimer::timeout, &window, [&window, timer, settled, path, steps, select, panel] {
            const TrainSession& session = window.session();
            if (steps > 0 && session.progress().step < steps && session.isActive() &&
                !session.halt())
                return;
            if (!select.isEmpty() && *settled == 0) window.canvas().select({select});
            if (!panel.isEmpty() && *settled % 6 == 0) showPanel(window, panel);
            const int enough = panel.isEmpty() ? 12 : 24;
            if (++*settled < enough) // layout, analysis and the first probes
                return;
            timer->stop();
            const bool saved = window.grab().save(path);
            if (!saved)
                std::fprintf(stderr, "wiregrad-studio: %s cannot be written\n", qPrintable(path));
            QCoreApplication::exit(saved ? 0 : 1);
        });
    timer->start();
}

/// Watches the window's thread while the run goes on; at its end prints one JSON line and quits.
void measureRun(MainWindow& window) {
    struct Watch {
        QElapsedTimer clock;
        qint64 last = -1, longest = 0;
    };
    auto watch = std::make_shared<Watch>();
    watch->clock.start();
    auto* timer = new QTimer(&window);
    timer->setTimerType(Qt::PreciseTimer);
    timer->setInterval(5);
    QObject::connect(timer, &QTimer::timeout, &window, [&window, watch] {
        const qint64 now = watch->clock.elapsed();
        if (watch->last >= 0 && window.session().progress().step > 0)
            watch->longest = std::max(watch->longest, now - watch->last);
        watch->last = now;
    });
    timer->start();
    QObject::connect(&window.session(), &TrainSession::finished, &window, [&window, watch] {
        const RunProgress progress = window.session().progress();
        std::printf("{\"steps\": %lld, \"seconds\": %.4f, \"longest_pause_ms\": %lld}\n",
                    static_cast<long long>(progress.step), progress.seconds,
                    static_cast<long long>(watch->longest));
        std::fflush(stdout);
        QCoreApplication::exit(window.session().state() == wiregrad::train::RunState::Finished ? 0
                                                                                               : 1);
    });
}

} // namespace

int main(int argc, char** argv) {
    wiregrad::wait_politely(argv);
    // Help and version are text: they need no display.
    for (int i = 1; i < argc; ++i)
        for (const char* text : {"-h", "--help", "--help-all", "-v", "--version"})
            if (std::strcmp(argv[i], text) == 0) qputenv("QT_QPA_PLATFORM", "offscreen");
    QApplication app(argc, argv);
    QApplication::setApplicationName(QStringLiteral("wiregrad"));
    QApplication::setApplicationDisplayName(QStringLiteral("Wiregrad"));
    QApplication::setApplicationVersion(QStringLiteral(WIREGRAD_VERSION));
    QApplication::setDesktopFileName(QStringLiteral("wiregrad"));

    addCarriedFonts();

    QCommandLineParser parser;
    parser.setApplicationDescription(
        QStringLiteral("Wire layers into a neural network and watch it learn."));
    parser.addHelpOption();
    parser.addVersionOption();
    const QCommandLineOption example(QStringLiteral("example"),
                                     QStringLiteral("Open a built-in example."),
                                     QStringLiteral("name"));
    const QCommandLineOption train(QStringLiteral("train"),
                                   QStringLiteral("Start training at once."));
    const QCommandLineOption theme(QStringLiteral("theme"),
                                   QStringLiteral("light, dark or system, for this start only."),
                                   QStringLiteral("theme"));
    const QCommandLineOption size(QStringLiteral("size"),
                                  QStringLiteral("Size of the window, such as 1440x900."),
                                  QStringLiteral("WxH"));
    const QCommandLineOption screenshot(QStringLiteral("screenshot"),
                                        QStringLiteral("Write a picture of the window, then quit."),
                                        QStringLiteral("png"));
    const QCommandLineOption steps(QStringLiteral("after-steps"),
                                   QStringLiteral("Take the picture after so many training steps."),
                                   QStringLiteral("steps"), QStringLiteral("0"));
    const QCommandLineOption select(QStringLiteral("select"),
                                    QStringLiteral("Select a node for the picture."),
                                    QStringLiteral("node"));
    const QCommandLineOption panel(
        QStringLiteral("panel"),
        QStringLiteral("Raise a panel for the picture or the measurement, such as monitor, runs or "
                       "results:roc."),
        QStringLiteral("name"));
    const QCommandLineOption positions(
        QStringLiteral("test-positions"),
        QStringLiteral("Print positions of widgets and ports, for tests."));
    const QCommandLineOption measure(QStringLiteral("measure"),
                                     QStringLiteral("At the end of the run print its speed and the "
                                                    "longest pause of the window, then quit."));
    parser.addOptions(
        {example, train, theme, size, screenshot, steps, select, panel, positions, measure});
    parser.addPositionalArgument(QStringLiteral("file"), QStringLiteral("A .wiregrad project."),
                                 QStringLiteral("[FILE]"));
    parser.process(app);

    const QStringList files = parser.positionalArguments();
    if (files.size() > 1) return usage(QStringLiteral("one FILE at a time"));
    if (!files.isEmpty() && !QFileInfo::exists(files.front()))
        return usage(QStringLiteral("%1: there is no such file").arg(files.front()));
    const QString themeName = parser.isSet(theme) ? parser.value(theme) : Settings::theme();
    if (!QStringList{QStringLiteral("light"), QStringLiteral("dark"), QStringLiteral("system")}
             .contains(themeName))
        return usage(QStringLiteral("--theme is light, dark or system, not %1").arg(themeName));
    bool stepsOk = false;
    const qint64 afterSteps = parser.value(steps).toLongLong(&stepsOk);
    if (!stepsOk || afterSteps < 0)
        return usage(
            QStringLiteral("--after-steps needs a number, not %1").arg(parser.value(steps)));

    const bool apart = parser.isSet(screenshot) || parser.isSet(measure);
    if (apart) QStandardPaths::setTestModeEnabled(true); // the standard layout, not this person's
    Theme::instance().apply(themeName);
    // Pictures and measurements keep their recovery folder to themselves; they neither offer nor
    // leave anything.
    const QString recovery =
        apart ? QDir::tempPath() +
                    QStringLiteral("/wiregrad-picture-%1").arg(QCoreApplication::applicationPid())
              : QString();
    MainWindow window(recovery);
    if (parser.isSet(size)) {
        const QStringList parts = parser.value(size).split(QLatin1Char('x'));
        const int width = parts.value(0).toInt(), height = parts.value(1).toInt();
        if (parts.size() != 2 || width < 400 || height < 300)
            return usage(
                QStringLiteral("--size is such as 1440x900, not %1").arg(parser.value(size)));
        window.resize(width, height);
    }
    window.show();

    bool opened = true;
    if (!files.isEmpty())
        opened = window.openFile(files.front());
    else if (parser.isSet(example))
        opened = window.openExample(parser.value(example), false);
    else
        window.gallery().open();
    if (parser.isSet(measure)) {
        measureRun(window);
        if (parser.isSet(select)) window.canvas().select({parser.value(select)});
        showPanel(window, parser.value(panel));
    }
    if (opened && parser.isSet(train))
        window.actions().action(QStringLiteral("run.start"))->trigger();
    if (!apart) window.offerRestore();
    if (parser.isSet(positions)) new TestPositions(window);
    if (parser.isSet(screenshot))
        takeScreenshot(window, parser.value(screenshot), afterSteps, parser.value(select),
                       parser.value(panel));
    return QApplication::exec();
}
