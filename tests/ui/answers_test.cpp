// What a network makes of pictures and text while it learns, against the model itself; and views of
// odd numbers: NaN everywhere, constants, nothing, very much of everything.
#include <QFile>
#include <QSignalSpy>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QtTest>

#include <cmath>
#include <limits>

#include "tests/ui/helpers/tiny_graph.h"
#include "ui/canvas/live_layer.h"
#include "ui/inspect/answer_pictures.h"
#include "ui/inspect/map_view.h"
#include "ui/inspect/results_panel.h"
#include "ui/inspect/tensor_views.h"
#include "ui/inspect/value_views.h"
#include "ui/monitor/curve_plot.h"

using namespace wiregrad;
using namespace wiregrad::studio;
using namespace wiregrad::studio::testing;
using train::RunState;

namespace {

constexpr int kLong = 120'000;

ProbeRecord recordOf(const Tensor& value, int units = 512) {
    ProbeRequest request;
    request.value = {"n", "out", ProbeWhat::Activation};
    request.max_elements = 16384;
    request.max_units = units;
    return measure(request, value, 1);
}

/// Every picture that there is of a value, at two sizes.
void showAll(const ProbeRecord& record) {
    HistogramView histogram;
    HeatMapView heat;
    ImageTilesView tiles;
    BarsView bars;
    UnitsView units;
    HistoryView history;
    history.add(record);
    for (TensorView* view :
         std::initializer_list<TensorView*>{&histogram, &heat, &tiles, &bars, &units}) {
        view->show(record);
        for (const QSize size : {QSize(320, 200), QSize(24, 12)}) {
            view->resize(size);
            QVERIFY(!view->grab().isNull() || view->size().isEmpty()); // no tile, no height
            for (int x = 0; x < size.width(); x += 7)
                for (int y = 0; y < size.height(); y += 7) {
                    view->textAt(QPointF(x, y));
                    const std::int64_t element = view->elementAt(QPointF(x, y));
                    QVERIFY(element >= -1 &&
                            element < std::max<std::int64_t>(numel(record.shape), 1));
                }
        }
    }
    QVERIFY(!history.grab().isNull());
    SliceModel model;
    model.show(record);
    QCOMPARE(std::int64_t(model.rowCount()) * model.columnCount(),
             std::int64_t(record.slice.size()));
    const LiveKind kind = liveKindOf(record);
    const QImage image = livePicture(record, kind);
    QVERIFY(image.width() <= 4096 && image.height() <= 4096);
}

void finish(TrainSession& session) {
    QSignalSpy finished(&session, &TrainSession::finished);
    session.start();
    QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kLong);
    QVERIFY2(session.state() == RunState::Finished, qPrintable(session.errorText()));
}

void setTraining(Document& document, std::int64_t epochs, std::int64_t batch) {
    graph::Training training = document.graph().training();
    training.epochs = epochs;
    training.batch_size = batch;
    document.apply({graph::SetTraining{training}});
}

/// Loss and optimizer behind `node`.
void addLoss(Document& document, const std::string& data, const std::string& node) {
    const std::string loss = add(document, "CrossEntropyLoss"), adam = add(document, "Adam");
    const auto* type = graph::find_type("CrossEntropyLoss");
    QVERIFY(wire(document, node, "out", loss, type->inputs.at(0).id));
    QVERIFY(wire(document, data, "y", loss, type->inputs.at(1).id));
    QVERIFY(wire(document, loss, type->outputs.at(0).id, adam,
                 graph::find_type("Adam")->inputs.at(0).id));
}

} // namespace

class AnswersTest : public QObject {
    Q_OBJECT

  private slots:
    void initTestCase() { QStandardPaths::setTestModeEnabled(true); }

    void segmentationsAreLaidOverTheirPictures() {
        Document document;
        TrainSession session(document);
        const std::string cells = add(document, "Dataset");
        document.apply({graph::SetParam{cells, "source", std::string("cells")}});
        document.apply({graph::SetParam{cells, "samples", std::int64_t(40)}});
        const std::string conv = add(document, "Conv2d");
        document.apply({graph::SetParam{conv, "out_channels", std::int64_t(2)}});
        QVERIFY(wire(document, cells, "x", conv, "in"));
        document.apply({graph::SetParam{conv, "padding", std::vector<std::int64_t>{1}}});
        addLoss(document, cells, conv);
        setTraining(document, 1, 8);
        finish(session);

        ResultsPanel panel(document, session);
        panel.resize(400, 500);
        panel.show();
        QTRY_VERIFY_WITH_TIMEOUT(panel.book().rounds() > 0, kLong);
        QCOMPARE(int(panel.book().kind()), int(AnswerKind::Masks));
        const auto& masks = panel.book().masks();
        QVERIFY(!masks.empty());
        // Every pixel of every validation sample is counted once.
        const std::int64_t area = masks[0].rows * masks[0].columns;
        QCOMPARE(panel.book().pixels().total(),
                 area * session.data().validation->samples_per_epoch());
        // Of the pixels that are shown, those that the model itself answers so.
        std::int64_t wrong = 0;
        QVERIFY(session.withModel(
            [&wrong, mask = masks[0]](graph::CompiledModel& model) {
                const Tensor out = model.predict(mask.picture).front().second;
                const auto values = out.to_vector();
                const std::size_t area = mask.truth.size();
                for (std::size_t i = 0; i < area; ++i)
                    wrong += (values[area + i] > values[i]) != (mask.guess[i] == 1);
            },
            {}));
        bool asked = false;
        session.withModel([](graph::CompiledModel&) {}, [&asked] { asked = true; });
        QTRY_VERIFY_WITH_TIMEOUT(asked, kLong);
        QCOMPARE(wrong, std::int64_t(0));
        QVERIFY2(panel.summary().contains(QStringLiteral("mean IoU")), qPrintable(panel.summary()));
        for (const ResultView view :
             {ResultView::Masks, ResultView::Confusion, ResultView::Classes}) {
            panel.showView(view);
            QVERIFY(!panel.grab().isNull());
        }
        // The overlay: a missed pixel is nearer to the colour of errors than the picture is.
        MaskAnswer one;
        one.picture = Tensor::zeros({1, 1, 1, 3});
        one.rows = 1;
        one.columns = 3;
        one.truth = {0, 1, 0};
        one.guess = {0, 0, 1};
        const QImage guess = maskImage(one, true), truth = maskImage(one, false);
        QCOMPARE(guess.pixelColor(0, 0), QColor(0, 0, 0));
        QVERIFY(guess.pixelColor(1, 0) != guess.pixelColor(2, 0));
        QVERIFY(guess.pixelColor(1, 0).red() > 60);
        QCOMPARE(truth.pixelColor(2, 0), QColor(0, 0, 0));
        QVERIFY(truth.pixelColor(1, 0) != QColor(0, 0, 0));
    }

    void textIsWrittenWhileItLearns() {
        Document document;
        TrainSession session(document);
        const std::string tales = add(document, "Dataset");
        document.apply({graph::SetParam{tales, "source", std::string("tales")}});
        document.apply({graph::SetParam{tales, "samples", std::int64_t(200)}});
        const std::string embedding = add(document, "Embedding"), linear = add(document, "Linear"),
                          permute = add(document, "Permute");
        document.apply({graph::SetParam{embedding, "num_embeddings", std::int64_t(65)}});
        document.apply({graph::SetParam{embedding, "embedding_dim", std::int64_t(16)}});
        document.apply({graph::SetParam{linear, "out_features", std::int64_t(65)}});
        document.apply({graph::SetParam{permute, "dims", std::vector<std::int64_t>{0, 2, 1}}});
        QVERIFY(wire(document, tales, "x", embedding, "in"));
        QVERIFY(wire(document, embedding, "out", linear, "in"));
        QVERIFY(wire(document, linear, "out", permute, "in"));
        addLoss(document, tales, permute);
        setTraining(document, 1, 16);
        ResultsPanel panel(document, session);
        panel.resize(300, 400);
        panel.show();
        finish(session);
        QTRY_VERIFY_WITH_TIMEOUT(
            !panel.book().texts().empty() && panel.book().texts().back().text.size() >= 240, kLong);
        QCOMPARE(int(panel.view()), int(ResultView::Text));
        const WrittenText& written = panel.book().texts().back();
        const auto& names = session.data().fields[0].class_names;
        for (const QChar letter : written.text)
            QVERIFY(std::find(names.begin(), names.end(), QString(letter).toStdString()) !=
                    names.end());
        QCOMPARE(written.prompt.size(), qsizetype(numel(session.data().fields[0].shape)));
        // A letter after which the network knows only one other would be the same each time; drawn
        // letters are not.
        QVERIFY(QSet<QChar>(written.text.begin(), written.text.end()).size() > 4);
        QVERIFY(!panel.grab().isNull());
    }

    void samplesBecomePoints() {
        Document document;
        TrainSession session(document);
        const Classifier net = addClassifier(document, 3);
        MapView view(session);
        view.resize(300, 330);
        view.show();
        view.setValue({net.layer, "out", ProbeWhat::Activation});
        QVERIFY(!view.grab().isNull()); // before the run, too
        finish(session);
        view.ask();
        QTRY_VERIFY_WITH_TIMEOUT(!view.points().x.empty(), kLong);
        const auto count = std::size_t(session.data().validation->samples_per_epoch());
        QCOMPARE(view.points().x.size(), count);
        QCOMPARE(view.labels().size(), count);
        // Distances in the plane are those of the three scores, but for the share that is lost.
        auto scores = std::make_shared<std::vector<double>>();
        auto labels = std::make_shared<std::vector<double>>();
        bool asked = false;
        QVERIFY(session.withData(
            [scores, labels](graph::CompiledModel& model, const TrainSession::Data& data) {
                const train::Batch all = data.validation->batch(0, 0);
                *scores = model.predict(all.fields[0]).front().second.to_vector();
                *labels = all.fields[1].to_vector();
            },
            [&asked] { asked = true; }));
        QTRY_VERIFY_WITH_TIMEOUT(asked, kLong);
        double plane = 0, space = 0;
        const std::size_t some = std::min(count, labels->size());
        for (std::size_t i = 0; i < some; ++i) {
            QCOMPARE(view.labels()[i], int((*labels)[i]));
            for (std::size_t k = 0; k < i; ++k) {
                plane += std::pow(view.points().x[i] - view.points().x[k], 2) +
                         std::pow(view.points().y[i] - view.points().y[k], 2);
                for (std::size_t c = 0; c < 3; ++c)
                    space += std::pow((*scores)[3 * i + c] - (*scores)[3 * k + c], 2);
            }
        }
        const double kept = view.points().share_x + view.points().share_y;
        if (some == count)
            QVERIFY2(std::abs(plane - kept * space) < 1e-3 * space,
                     qPrintable(QStringLiteral("%1 of %2, %3").arg(plane).arg(space).arg(kept)));
        QVERIFY(kept > 0.9 && kept < 1 + 1e-9);
        QVERIFY(!view.grab().isNull());
    }

    void fiveHundredClassesAreReadable() {
        QTemporaryDir dir;
        const QString path = dir.filePath(QStringLiteral("many.csv"));
        QFile file(path);
        QVERIFY(file.open(QIODevice::WriteOnly));
        QByteArray text("a,b,label\n");
        for (int i = 0; i < 2000; ++i)
            text += QByteArray::number(i % 500 * 0.01) + ',' + QByteArray::number(i % 7) +
                    ",class" + QByteArray::number(i % 500) + '\n';
        file.write(text);
        file.close();
        Document document;
        TrainSession session(document);
        const std::string data = add(document, "Dataset");
        document.apply({graph::SetParam{data, "source", std::string("file")}});
        document.apply({graph::SetParam{data, "path", path.toStdString()}});
        document.apply({graph::SetParam{data, "label_column", std::string("label")}});
        const std::string linear = add(document, "Linear");
        document.apply({graph::SetParam{linear, "out_features", std::int64_t(500)}});
        QVERIFY(wire(document, data, "x", linear, "in"));
        addLoss(document, data, linear);
        setTraining(document, 1, 64);
        finish(session);
        ResultsPanel panel(document, session);
        panel.resize(360, 420);
        panel.show();
        QTRY_VERIFY_WITH_TIMEOUT(panel.book().rounds() > 0, kLong);
        QCOMPARE(panel.book().classes(), std::int64_t(500));
        for (const ResultView view :
             {ResultView::Confusion, ResultView::Classes, ResultView::Roc,
              ResultView::PrecisionRecall, ResultView::Calibration, ResultView::Mistakes}) {
            panel.showView(view);
            QVERIFY(!panel.grab().isNull());
            QVERIFY(!panel.summary().isEmpty());
        }
    }

    void oddNumbersHavePictures() {
        const float nan = std::numeric_limits<float>::quiet_NaN(),
                    infinite = std::numeric_limits<float>::infinity();
        const std::vector<Shape> shapes{{},           {0},          {7},       {0, 4},   {4, 10},
                                        {2, 0, 3, 3}, {2, 3, 5, 5}, {2, 4, 6}, {1, 2000}};
        for (const Shape& shape : shapes)
            for (const float value : {nan, infinite, -infinite, 0.0F, 2.5F, 3e38F, 1e-42F})
                showAll(recordOf(Tensor::full(shape, double(value))));
        // One finite number among NaN keeps its statistics.
        Tensor one = Tensor::full({3, 4}, double(nan));
        one.data_mut<float>()[5] = -2;
        const ProbeRecord record = recordOf(one);
        QCOMPARE(record.min, -2.0);
        QCOMPARE(record.max, -2.0);
        QCOMPARE(record.nans, std::int64_t(11));
        showAll(record);
    }

    void muchOfEverythingStaysSmall() {
        // 2,000 channels: some of them are shown, all are judged.
        const ProbeRecord channels = recordOf(Tensor::full({2, 2000, 3, 3}, 1), 4096);
        QCOMPARE(channels.unit_count, std::int64_t(2000));
        QCOMPARE(channels.units.size(), std::size_t(2000));
        ImageTilesView tiles;
        tiles.show(channels);
        QVERIFY(tiles.tiles() <= 256);
        showAll(channels);
        // 10^8 numbers: what is copied out is a slice.
        Tensor huge = Tensor::full({10'000, 10'000}, 0.5);
        huge.data_mut<float>()[99'999'999] = std::numeric_limits<float>::quiet_NaN();
        const ProbeRecord record = recordOf(huge);
        huge = {};
        QVERIFY(record.slice.size() <= 16384);
        QCOMPARE(record.first_broken, std::int64_t(99'999'999));
        QCOMPARE(record.mean, 0.5);
        QCOMPARE(record.units.size(), std::size_t(512));
        showAll(record);
    }

    void curvesThatStopOrJumpBackAreDrawn() {
        MetricStore store;
        for (int i = 1; i <= 2000; ++i)
            store.append("train/loss", i, 1.0 / i);
        for (int i = 1; i <= 10; ++i)
            store.append("validation/loss", i, 2); // stops
        for (int i = 0; i < 200; ++i)
            store.append("clock", (i * 37) % 50, i); // steps that jump
        store.append("nothing", 5, std::nan(""));
        std::vector<CurvePlot::Entry> entries;
        for (const std::string& name : store.names()) {
            CurveStyle style;
            style.label = QString::fromStdString(name);
            entries.push_back({style, name});
        }
        CurvePlot plot(QStringLiteral("Odd"));
        plot.setCurves(store, entries);
        for (const QSize size : {QSize(600, 300), QSize(40, 30), QSize(1, 1)}) {
            plot.resize(size);
            QVERIFY(!plot.grab().isNull());
        }
        plot.setSmoothing(0.99);
        plot.resize(600, 300);
        QVERIFY(!plot.grab().isNull());
    }
};

QTEST_MAIN(AnswersTest)
#include "answers_test.moc"
