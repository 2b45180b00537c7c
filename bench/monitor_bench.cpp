// What it costs to redraw a chart of eight curves with a million points each, in processor time of
// the window's thread. build/release/bin/monitor_bench
#include <QApplication>
#include <QPixmap>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "ui/monitor/curve_plot.h"
#include "ui/theme/theme.h"

using namespace wiregrad::studio;

namespace {

constexpr int kCurves = 8, kPoints = 1'000'000, kFrames = 60;

double threadMs() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return double(t.tv_sec) * 1e3 + double(t.tv_nsec) * 1e-6;
}

void report(const char* what, std::vector<double> ms) {
    std::sort(ms.begin(), ms.end());
    std::printf("| %s | %.2f (%.2f-%.2f) |\n", what, ms[ms.size() / 2], ms.front(), ms.back());
}

} // namespace

int main(int argc, char** argv) {
    if (qEnvironmentVariableIsEmpty("QT_QPA_PLATFORM")) qputenv("QT_QPA_PLATFORM", "offscreen");
    QApplication app(argc, argv);
    Theme::instance().apply(QStringLiteral("dark"));
    MetricStore store;
    std::vector<CurvePlot::Entry> entries;
    unsigned state = 1;
    const auto noise = [&state] {
        state = state * 1664525U + 1013904223U;
        return double(state >> 8) / double(1 << 24);
    };
    for (int c = 0; c < kCurves; ++c) {
        const std::string name = "curve " + std::to_string(c);
        for (int i = 1; i <= kPoints; ++i)
            store.append(name, i, std::exp(-i / 2e5) + 0.1 * c + 0.3 * noise());
        CurveStyle style;
        style.label = QString::fromStdString(name);
        style.colour = Token(int(Token::Curve1) + c % 6);
        entries.push_back({style, name});
    }
    CurvePlot plot(QStringLiteral("Loss"));
    plot.resize(1000, 400);
    plot.setCurves(store, entries);
    plot.show();
    plot.setSmoothing(0.9);
    QApplication::processEvents();

    std::printf("%d curves, %d points each, 1000 x 400 pixels\n\n"
                "| redraw | ms (min-max) |\n| --- | --- |\n",
                kCurves, kPoints);
    QPixmap target(plot.size());
    std::vector<double> grown, zoomed;
    for (int frame = 0; frame < kFrames; ++frame) {
        for (int c = 0; c < kCurves; ++c)
            store.append("curve " + std::to_string(c), kPoints + frame + 1, noise());
        const double before = threadMs();
        plot.refresh();
        plot.QWidget::render(&target);
        grown.push_back(threadMs() - before);
    }
    for (int frame = 0; frame < kFrames; ++frame) {
        const double before = threadMs();
        plot.setZoom({1000.0 * frame, 500'000 + 1000.0 * frame});
        plot.QWidget::render(&target);
        zoomed.push_back(threadMs() - before);
    }
    report("eight new points", grown);
    report("another stretch of steps", zoomed);
    return 0;
}
