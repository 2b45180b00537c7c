// Problems, log and history, driven by keys and mouse.
#include <QClipboard>
#include <QGuiApplication>
#include <QLabel>
#include <QPushButton>
#include <QToolButton>
#include <QtTest>

#include "session/train_session.h"
#include "tests/ui/helpers/tiny_graph.h"
#include "ui/panels/format.h"
#include "ui/panels/history_panel.h"
#include "ui/panels/log_panel.h"
#include "ui/panels/problems_panel.h"

using namespace wiregrad;
using namespace wiregrad::studio;
using namespace wiregrad::studio::testing;

class PanelsTest : public QObject {
    Q_OBJECT

  private slots:
    void problemsAreListedCountedAndFixed() {
        Document document;
        const Classifier net = addClassifier(document, 1);
        ProblemsPanel panel(document);
        panel.resize(600, 300);
        panel.show();
        QSignalSpy counts(&panel, &ProblemsPanel::countChanged),
            places(&panel, &ProblemsPanel::activated);
        QTRY_COMPARE(panel.errors(), 0);
        const std::string input = graph::find_type("Linear")->inputs[0].id;
        document.apply({graph::Disconnect{{net.data, "x", net.layer, input}}});
        QTRY_VERIFY(panel.errors() > 0);
        QVERIFY(!counts.isEmpty());
        QCOMPARE(counts.last().at(0).toInt(), panel.errors());
        // The fixes come after the sentences, from the event loop.
        ProblemRow* broken = nullptr;
        const auto find = [&] {
            for (ProblemRow* row : panel.rows()) {
                if (!row->fixButtons().empty()) {
                    broken = row;
                    return true;
                }
            }
            return false;
        };
        QTRY_VERIFY(find());
        QTest::mouseClick(broken, Qt::LeftButton, {}, QPoint(broken->width() - 5, 8));
        QCOMPARE(places.size(), 1);
        QVERIFY(document.graph().node(places[0][0].toString().toStdString()));
        broken->setFocus();
        QTest::keyClick(broken, Qt::Key_Return);
        QCOMPARE(places.size(), 2);
        const int steps = document.undoStack().index();
        QTest::mouseClick(broken->fixButtons().front(), Qt::LeftButton);
        QTRY_COMPARE(panel.errors(), 0);
        QCOMPARE(document.undoStack().index(), steps + 1);
        QCOMPARE(counts.last().at(0).toInt(), 0);
        document.undo();
        QTRY_VERIFY(panel.errors() > 0);
    }

    void rowsSurviveChangesThatAreNotTheirs() {
        Document document;
        const std::string conv = add(document, "Conv2d");
        ProblemsPanel panel(document);
        QTRY_VERIFY(!panel.rows().empty());
        QTest::qWait(1);
        const auto rows = panel.rows();
        document.apply({graph::Move{conv, {100, 50}}});
        QCoreApplication::processEvents();
        QVERIFY(panel.rows() == rows); // the focus and the scroll position live in them
    }

    void logKeepsLinesAndCopies() {
        Document document;
        TrainSession session(document);
        LogPanel panel(session);
        emit session.logged(QStringLiteral("first"));
        panel.append(QStringLiteral("second\nof two lines"));
        const QStringList lines = panel.text().split(QLatin1Char('\n'));
        QCOMPARE(lines.size(), 2);
        QVERIFY(QRegularExpression(QStringLiteral("^\\d\\d:\\d\\d:\\d\\d  first$"))
                    .match(lines[0])
                    .hasMatch());
        QVERIFY(lines[1].endsWith(QStringLiteral("second of two lines")));
        panel.findChild<QToolButton*>(QStringLiteral("logCopy"))->click();
        QCOMPARE(QGuiApplication::clipboard()->text(), panel.text());
        panel.findChild<QToolButton*>(QStringLiteral("logClear"))->click();
        QVERIFY(panel.text().isEmpty());
    }

    void aClickInTheHistoryGoesThere() {
        Document document;
        HistoryPanel panel(document);
        panel.resize(260, 300);
        panel.show();
        for (const char* type : {"Conv2d", "ReLU", "MaxPool2d"}) {
            add(document, type);
        }
        QCOMPARE(panel.rows(), 4);
        QVERIFY(panel.text(1).contains(QStringLiteral("Conv2d")));
        const auto click = [&](int row) {
            const QModelIndex index = panel.view()->model()->index(row, 0);
            QTest::mouseClick(panel.view()->viewport(), Qt::LeftButton, {},
                              panel.view()->visualRect(index).center());
        };
        click(1);
        QCOMPARE(document.undoStack().index(), 1);
        QCOMPARE(document.graph().nodes().size(), std::size_t(1));
        QCOMPARE(panel.rows(), 4); // what was undone stays to be redone
        click(3);
        QCOMPARE(document.graph().nodes().size(), std::size_t(3));
        click(0);
        QVERIFY(document.graph().nodes().empty());
    }

    void theHistoryObeysTheDocument() {
        Document document;
        HistoryPanel panel(document);
        add(document, "Conv2d");
        document.setGuard([](const Document::Intent&) { return QStringLiteral("A run goes on."); });
        panel.goTo(0);
        QCOMPARE(document.undoStack().index(), 1);
        QCOMPARE(document.graph().nodes().size(), std::size_t(1));
        QCOMPARE(panel.view()->currentIndex().row(), 1);
    }

    void numbersForPeople() {
        QCOMPARE(countText(1234567), QStringLiteral("1,234,567"));
        QCOMPARE(countText(-1000), QString(QChar(0x2212)) + QStringLiteral("1,000"));
        QCOMPARE(numberText(12345.6), QStringLiteral("12346"));
        QCOMPARE(numberText(0.04123), QStringLiteral("0.04123"));
        QCOMPARE(numberText(std::nan("")), QStringLiteral("NaN"));
        QCOMPARE(durationText(3723), QStringLiteral("1:02:03"));
        QCOMPARE(durationText(42.4), QStringLiteral("0:42"));
        QCOMPARE(bytesText(1536), QStringLiteral("1.50\u00A0KB"));
        QCOMPARE(percentText(0.98254), QStringLiteral("98.25\u00A0%"));
        QCOMPARE(shapeText(Shape{64, 1, 28}), QStringLiteral("64 × 1 × 28"));
        QCOMPARE(niceInterval(9.3, 5), 2.0);
        QCOMPARE(niceInterval(0.011, 5), 0.005);
    }
};

QTEST_MAIN(PanelsTest)
#include "panels_test.moc"
