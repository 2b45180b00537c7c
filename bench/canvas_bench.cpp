// How long a frame of the canvas takes: 1,000 nodes, 2,000 wires, 1280 × 800; pan, zoom and one
// moved node. Prints one JSON object with medians in milliseconds of the thread's processor time
// (other programs do not count). QT_QPA_PLATFORM=offscreen measures the raster engine alone.
#include <QApplication>
#include <QMouseEvent>
#include <QTemporaryDir>
#include <QWheelEvent>

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <random>
#include <vector>

#include "nodes/edit.h"
#include "session/document.h"
#include "session/train_session.h"
#include "ui/canvas/canvas.h"
#include "ui/theme/theme.h"

using namespace wiregrad;
using namespace wiregrad::studio;

namespace {

constexpr int kColumns = 40, kRows = 25, kWires = 2000;

/// 40 columns of 25 nodes; Concat takes any number of wires.
graph::Graph big_graph() {
    graph::Graph graph;
    std::vector<std::string> ids;
    for (int i = 0; i < kColumns * kRows; ++i) {
        graph::Node node = graph::make_node(graph,
                                            i < kRows ? "Dataset"
                                            : i % 3   ? "Concat"
                                                      : "Add",
                                            {i / kRows * 300.0, i % kRows * 130.0});
        ids.push_back(node.id);
        graph::apply(graph, {graph::AddNode{node}});
    }
    std::mt19937 random(3);
    int wires = 0;
    for (int tries = 0; wires < kWires && tries < 20000; ++tries) {
        const int to = std::uniform_int_distribution<int>(kRows, kColumns * kRows - 1)(random);
        const int column = to / kRows - 1;
        const int from = column * kRows + std::uniform_int_distribution<int>(0, kRows - 1)(random);
        const graph::NodeType* target = graph::find_type(graph.node(ids[to])->type);
        const graph::Wire wire{ids[from], column == 0 ? "x" : "out", ids[to],
                               target->inputs.front().id};
        if (!graph::refuse_wire(graph, wire).empty()) continue;
        try {
            graph::apply(graph, {graph::Connect{wire}});
            ++wires;
        } catch (const std::exception&) {
            continue; // an input that is taken
        }
    }
    return graph;
}

double median(std::vector<double> values) {
    std::nth_element(values.begin(),
                     values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
    return values[values.size() / 2];
}

/// Processor time of this thread in milliseconds.
double now() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

double measure(int frames, const std::function<void(int)>& step) {
    std::vector<double> times;
    for (int i = 0; i < frames; ++i) {
        const double start = now();
        step(i);
        QApplication::processEvents();
        times.push_back(now() - start);
    }
    return median(times);
}

} // namespace

int main(int argc, char** argv) {
    QTemporaryDir home;
    qputenv("XDG_CONFIG_HOME", home.path().toUtf8());
    QApplication app(argc, argv);
    Theme::instance().apply(QStringLiteral("dark"));
    Document document;
    TrainSession session(document);
    Canvas canvas(document, session);
    canvas.resize(1280, 800);
    canvas.show();
    QApplication::processEvents();

    double start = now();
    const graph::Graph graph = big_graph();
    const double built = now() - start;
    start = now();
    document.adopt(graph, {});
    const double shown = now() - start;
    start = now();
    QApplication::processEvents();
    const double first = now() - start;

    QWidget* view = canvas.viewport();
    const auto mouse = [&](QEvent::Type type, QPointF at, Qt::MouseButton button,
                           Qt::MouseButtons held) {
        QMouseEvent event(type, at, view->mapToGlobal(at), button, held, {});
        QApplication::sendEvent(view, &event);
    };
    const auto pan = [&] {
        mouse(QEvent::MouseButtonPress, {640, 400}, Qt::MiddleButton, Qt::MiddleButton);
        const double time = measure(120, [&](int i) {
            mouse(QEvent::MouseMove,
                  {640.0 + (i % 40 < 20 ? i % 20 : 20 - i % 20) * 9, 400.0 + i % 7}, Qt::NoButton,
                  Qt::MiddleButton);
        });
        mouse(QEvent::MouseButtonRelease, {640, 400}, Qt::MiddleButton, Qt::NoButton);
        return time;
    };
    canvas.setZoom(1, {640, 400});
    const double panNear = pan();
    canvas.fitAll();
    const double panAll = pan();
    const double zoom = measure(120, [&](int i) {
        QWheelEvent event({640, 400}, view->mapToGlobal(QPointF(640, 400)), {},
                          {0, i % 40 < 20 ? 120 : -120}, Qt::NoButton, {}, Qt::NoScrollPhase,
                          false);
        QApplication::sendEvent(view, &event);
    });
    canvas.setZoom(1, {640, 400});
    const QString node = QString::fromStdString(graph.nodes().begin()->first);
    canvas.reveal(node);
    QApplication::processEvents();
    const QPointF grab = canvas.nodeCentre(node) - QPointF(0, 20);
    mouse(QEvent::MouseButtonPress, grab, Qt::LeftButton, Qt::LeftButton);
    const double move = measure(120, [&](int i) {
        mouse(QEvent::MouseMove, grab + QPointF(10 + i % 50, 5 + i % 30), Qt::NoButton,
              Qt::LeftButton);
    });
    mouse(QEvent::MouseButtonRelease, grab, Qt::LeftButton, Qt::NoButton);

    std::printf("{\"nodes\":%zu,\"wires\":%zu,\"build_graph_ms\":%.1f,\"show_ms\":%.1f,\"first_"
                "frame_ms\":%.1f,\"pan_ms\":%.2f,\"pan_all_ms\":%.2f,"
                "\"zoom_ms\":%.2f,\"move_node_ms\":%.2f}\n",
                graph.nodes().size(), graph.wires().size(), built, shown, first, panNear, panAll,
                zoom, move);
}
