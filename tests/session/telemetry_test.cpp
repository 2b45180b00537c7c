// The hub never loses the last value nor an extreme, however long nobody looks; the clock stands
// when nothing moves.
#include <QSignalSpy>
#include <QTest>

#include <cmath>
#include <thread>

#include "session/frame_clock.h"
#include "session/telemetry_hub.h"

using namespace wiregrad;
using namespace wiregrad::studio;

namespace {

train::StepRecord record(std::int64_t step, double loss) {
    train::StepRecord r;
    r.step = step;
    r.losses = {loss};
    r.metrics = {loss / 2};
    return r;
}

ProbeRecord probe(const std::string& node, std::int64_t step) {
    ProbeRecord r;
    r.value = {node, "out", ProbeWhat::Activation};
    r.step = step;
    return r;
}

} // namespace

class TelemetryTest : public QObject {
    Q_OBJECT

  private slots:
    void stepsArriveInOrder() {
        TelemetryHub hub(16);
        for (int i = 1; i <= 10; ++i)
            hub.on_step(record(i, i));
        const Telemetry news = hub.take();
        QCOMPARE(news.steps.size(), std::size_t(10));
        for (std::size_t i = 0; i < 10; ++i)
            QCOMPARE(news.steps[i].last.step, std::int64_t(i + 1));
        QVERIFY(hub.take().empty());
    }

    void foldingKeepsLastAndExtremes() {
        TelemetryHub hub(8);
        double least = 1e9, most = -1e9;
        for (int i = 1; i <= 1001; ++i) {
            const double loss = i == 333 ? -50.0 : i == 777 ? 99.0 : std::sin(i);
            least = std::min(least, loss);
            most = std::max(most, loss);
            hub.on_step(record(i, loss));
        }
        const Telemetry news = hub.take();
        QVERIFY(news.steps.size() <= 8);
        std::int64_t steps = 0, before = 0;
        double foundLeast = 1e9, foundMost = -1e9;
        for (const StepFold& fold : news.steps) {
            steps += fold.steps;
            QVERIFY(fold.last.step > before);
            before = fold.last.step;
            const double low = fold.minima.empty() ? fold.last.losses[0] : fold.minima[0];
            const double high = fold.maxima.empty() ? fold.last.losses[0] : fold.maxima[0];
            foundLeast = std::min(foundLeast, low);
            foundMost = std::max(foundMost, high);
        }
        QCOMPARE(steps, std::int64_t(1001));
        QCOMPARE(foundLeast, least);
        QCOMPARE(foundMost, most);
        QCOMPARE(news.steps.back().last.step, std::int64_t(1001));
        QCOMPARE(news.steps.back().last.losses[0], std::sin(1001.0));
    }

    void aBurstOfAMillionKeepsItsNumbers() {
        // The window stands still meanwhile: nobody takes anything.
        TelemetryHub hub;
        constexpr int kSteps = 1'000'000;
        double least = 1e9, most = -1e9;
        for (int i = 1; i <= kSteps; ++i) {
            const double loss = i == 123'457 ? -7.5 : i == 987'654 ? 1234.5 : std::sin(i * 0.37);
            least = std::min(least, loss);
            most = std::max(most, loss);
            hub.on_step(record(i, loss));
        }
        const Telemetry news = hub.take();
        QVERIFY(news.steps.size() <= 4096);
        std::int64_t steps = 0;
        double low[2] = {1e9, 1e9}, high[2] = {-1e9, -1e9};
        for (const StepFold& fold : news.steps) {
            steps += fold.steps;
            for (std::size_t m = 0; m < 2; ++m) { // the loss, and the metric: half of it
                const double value = m == 0 ? fold.last.losses[0] : fold.last.metrics[0];
                low[m] = std::min(low[m], fold.steps > 1 ? fold.minima.at(m) : value);
                high[m] = std::max(high[m], fold.steps > 1 ? fold.maxima.at(m) : value);
            }
        }
        QCOMPARE(steps, std::int64_t(kSteps));
        QCOMPARE(news.steps.back().last.step, std::int64_t(kSteps));
        QCOMPARE(news.steps.back().last.losses[0], std::sin(kSteps * 0.37));
        QCOMPARE(low[0], least);
        QCOMPARE(high[0], most);
        QCOMPARE(low[1], least / 2);
        QCOMPARE(high[1], most / 2);
    }

    void whereARunStandsIsTold() {
        TelemetryHub hub;
        train::Halt halt;
        halt.step = 3;
        hub.on_halt(&halt);
        Telemetry news = hub.take();
        QVERIFY(!news.empty() && news.haltNews && news.halt);
        QCOMPARE(news.halt->step, std::int64_t(3));
        hub.on_halt(&halt);
        hub.on_halt(nullptr); // it went on before anybody looked
        news = hub.take();
        QVERIFY(news.haltNews && !news.halt);
        QVERIFY(!hub.take().haltNews);
    }

    void aNanIsNotFoldedAway() {
        TelemetryHub hub(4);
        for (int i = 1; i <= 64; ++i)
            hub.on_step(record(i, i == 7 ? NAN : 1.0));
        bool seen = false;
        for (const StepFold& fold : hub.take().steps)
            seen = seen || std::isnan(fold.minima.empty() ? fold.last.losses[0] : fold.minima[0]);
        QVERIFY(seen);
    }

    void theNewestProbeWins() {
        TelemetryHub hub;
        for (int i = 1; i <= 100; ++i) {
            hub.on_probe(probe("a", i));
            hub.on_probe(probe("b", i * 2));
        }
        const Telemetry news = hub.take();
        QCOMPARE(news.probes.size(), std::size_t(2));
        QCOMPARE(news.probes[0].step, std::int64_t(100));
        QCOMPARE(news.probes[1].step, std::int64_t(200));
    }

    void theEndIsNeverLost() {
        TelemetryHub hub(2);
        train::DoneRecord done;
        done.state = train::RunState::Finished;
        done.steps = 12;
        hub.on_done(done);
        for (int i = 0; i < 100; ++i)
            hub.on_step(record(i, 0));
        hub.on_state(train::RunState::Finished);
        const Telemetry news = hub.take();
        QVERIFY(news.done.has_value());
        QCOMPARE(news.done->steps, std::int64_t(12));
    }

    void wakesOncePerSleep() {
        int woken = 0;
        TelemetryHub hub(16, [&woken] { ++woken; });
        hub.on_step(record(1, 1));
        QCOMPARE(woken, 0);
        QVERIFY(!hub.sleep()); // something waits already
        hub.take();
        QVERIFY(hub.sleep());
        hub.on_step(record(2, 1));
        hub.on_step(record(3, 1));
        QCOMPARE(woken, 1);
    }

    void twoThreadsLoseNothing() {
        TelemetryHub hub(64);
        constexpr std::int64_t kSteps = 50'000;
        std::thread writer([&hub] {
            for (std::int64_t i = 1; i <= kSteps; ++i)
                hub.on_step(record(i, double(i)));
            hub.on_done({});
        });
        std::int64_t steps = 0, last = 0;
        for (bool done = false; !done;) {
            const Telemetry news = hub.take();
            for (const StepFold& fold : news.steps) {
                steps += fold.steps;
                QVERIFY(fold.last.step > last);
                last = fold.last.step;
            }
            done = news.done.has_value();
        }
        writer.join();
        QCOMPARE(steps, kSteps);
        QCOMPARE(last, kSteps);
    }

    void theClockStandsWhenNothingMoves() {
        int frames = 0;
        bool moving = true, mayRest = false;
        FrameClock clock(
            [&] {
                ++frames;
                return moving;
            },
            [&] { return mayRest; });
        QVERIFY(!clock.isRunning());
        clock.wake();
        QTRY_VERIFY(frames >= 10);
        QVERIFY(clock.isRunning());
        moving = false;
        const int then = frames;
        QTRY_VERIFY(frames >= then + 10); // it may not rest yet
        QVERIFY(clock.isRunning());
        mayRest = true;
        QTRY_VERIFY(!clock.isRunning());
        const int stopped = frames;
        clock.wake();
        QVERIFY(clock.isRunning());
        QTRY_VERIFY(frames > stopped);
    }
};

QTEST_GUILESS_MAIN(TelemetryTest)
#include "telemetry_test.moc"
