// Curves against a plain list of all points: extremes kept, tail kept, bounded memory.
#include <QTest>

#include <cmath>
#include <random>

#include "session/metric_store.h"

using namespace wiregrad::studio;

class MetricStoreTest : public QObject {
    Q_OBJECT

  private slots:
    void fewPointsComeBackAsTheyAre() {
        Curve curve;
        for (int i = 1; i <= 37; ++i)
            curve.append(i, i * 0.5);
        const auto points = curve.sample(0, 100, 100);
        QCOMPARE(points.size(), std::size_t(37));
        for (std::size_t i = 0; i < points.size(); ++i) {
            QCOMPARE(points[i].step, double(i + 1));
            QCOMPARE(points[i].last, double(i + 1) * 0.5);
            QCOMPARE(points[i].min, points[i].max);
        }
    }

    void manyPointsKeepExtremesAndTail_data() {
        QTest::addColumn<int>("count");
        for (const int n : {1, 2, 3, 1000, 4097, 65'535, 300'001})
            QTest::addRow("%d", n) << n;
    }
    void manyPointsKeepExtremesAndTail() {
        QFETCH(int, count);
        std::mt19937 random(7);
        std::normal_distribution<double> noise;
        Curve curve;
        double least = 1e300, most = -1e300, last = 0;
        for (int i = 1; i <= count; ++i) {
            last = noise(random);
            least = std::min(least, last);
            most = std::max(most, last);
            curve.append(i, last);
        }
        QCOMPARE(curve.size(), std::int64_t(count));
        const auto points = curve.sample(0, count, 500);
        QVERIFY(points.size() <= 500 + 32);
        QVERIFY(!points.empty());
        double foundLeast = 1e300, foundMost = -1e300, before = 0;
        for (const CurvePoint& p : points) {
            QVERIFY(p.step > before);
            before = p.step;
            foundLeast = std::min(foundLeast, p.min);
            foundMost = std::max(foundMost, p.max);
        }
        QCOMPARE(foundLeast, least);
        QCOMPARE(foundMost, most);
        QCOMPARE(points.back().step, double(count));
        QCOMPARE(points.back().last, last);
        QCOMPARE(curve.lastValue(), last);
        QCOMPARE(curve.lastStep(), double(count));
    }

    void aWindowIsFinerThanTheWhole() {
        Curve curve;
        for (int i = 1; i <= 100'000; ++i)
            curve.append(i, i);
        const auto points = curve.sample(50'000, 50'099, 200);
        QVERIFY(points.size() >= 100 && points.size() <= 102);
        QCOMPARE(points.front().step, 50'000.0);
        QCOMPARE(points[99].step, 50'099.0);
    }

    void nonFiniteIsCountedNotStored() {
        Curve curve;
        curve.append(1, 1);
        curve.append(2, NAN);
        curve.append(3, INFINITY);
        curve.append(4, 2);
        QCOMPARE(curve.size(), std::int64_t(2));
        QCOMPARE(curve.nonFinite(), std::int64_t(2));
        QCOMPARE(curve.sample(0, 10, 10).size(), std::size_t(2));
    }

    void theStoreCountsItsRevisions() {
        MetricStore store;
        const auto first = store.revision();
        store.append("train/loss", 1, 0.5);
        QVERIFY(store.revision() > first);
        QVERIFY(store.find("train/loss"));
        QVERIFY(!store.find("nothing"));
        store.append("lr", 1, 0.1);
        QCOMPARE(store.names(), (std::vector<std::string>{"lr", "train/loss"}));
        store.clear();
        QVERIFY(store.names().empty());
    }
};

QTEST_GUILESS_MAIN(MetricStoreTest)
#include "metric_store_test.moc"
