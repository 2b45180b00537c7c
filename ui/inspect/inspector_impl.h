// Inside InspectorPanel: its state, shared by what it looks at (inspector_panel.cpp) and the table
// of values (inspector_values.cpp).
#pragma once

#include <QButtonGroup>
#include <QComboBox>
#include <QSpinBox>
#include <QStackedLayout>
#include <QTableView>
#include <QTimer>

#include <array>
#include <functional>
#include <optional>

#include "ui/inspect/derivation_view.h"
#include "ui/inspect/inspector_panel.h"
#include "ui/inspect/map_view.h"
#include "ui/inspect/tensor_views.h"
#include "ui/inspect/value_views.h"
#include "ui/panels/parts.h"

class QHBoxLayout;

namespace wiregrad::studio {

inline constexpr double kLooksPerSecond = 5;
inline constexpr int kBins = 48;
/// 64 KB a look: 32 channels of 22 × 22, or 20 digits.
inline constexpr std::int64_t kElements = 16384;
inline constexpr int kUnits = 512;
/// Of a value that is saved whole: 400 MB.
inline constexpr std::int64_t kWhole = 100'000'000;

inline ProbeRequest requestFor(const ValueId& value) {
    ProbeRequest request;
    request.value = value;
    request.histogram_bins = kBins;
    request.max_elements = kElements;
    request.max_per_second = kLooksPerSecond;
    request.max_units = kUnits;
    return request;
}

enum Stat { Shape_, Type, Step, Min, Max, Mean, Std, Zeros, Broken, StatCount };

struct InspectorPanel::Impl {
    Impl(Document& doc, TrainSession& run, InspectorPanel* panel)
        : document(doc), session(run), q(panel) {}

    Document& document;
    TrainSession& session;
    InspectorPanel* q;
    Focus focus;  ///< what is looked at
    Focus wanted; ///< what was selected last: taken when the pin is lifted
    std::vector<ValueId> values;
    ValueId value;
    bool hasValue = false;
    int handle = 0;
    bool subscribed = false;
    std::optional<ProbeRecord> record;
    quint64 fetch = 0; ///< number of the last weight that was asked for; older answers are dropped
    std::optional<PictureKind> preferred;
    std::vector<PictureKind> kinds;
    PictureKind kind = PictureKind::HeatMap;

    TextLabel *title = nullptr, *subtitle = nullptr;
    QToolButton* pin = nullptr;
    QComboBox* choice = nullptr;
    QStackedLayout* pages = nullptr;
    EmptyState* empty = nullptr;
    std::array<TextLabel*, StatCount> stats{};
    HistogramView* histogram = nullptr;
    TextLabel* histogramTitle = nullptr;
    TextLabel* number = nullptr;
    QWidget* tabs = nullptr;
    QHBoxLayout* tabRow = nullptr;
    QButtonGroup* tabGroup = nullptr;
    HeatMapView* heat = nullptr;
    ImageTilesView* images = nullptr;
    BarsView* bars = nullptr;
    UnitsView* units = nullptr;
    HistoryView* history = nullptr;
    QWidget* valuesPage = nullptr;
    DerivationView* chain = nullptr;
    MapView* map = nullptr;
    QTableView* table = nullptr;
    SliceModel model;
    QSpinBox* from = nullptr;
    TextLabel* part = nullptr;
    QToolButton* findBroken = nullptr;
    std::int64_t sliceFrom = 0;
    QStringList classNames; ///< of the labels of this graph
    QSpinBox* sample = nullptr;
    QToolButton* pinSample = nullptr;
    QTimer sampleTimer;
    bool asking = false; ///< a pinned sample's value is on its way

    const graph::Node* node() const { return document.graph().node(focus.node.toStdString()); }
    const graph::NodeType* type() const {
        return node() ? graph::find_type(node()->type) : nullptr;
    }
    void take(const Focus& next);
    void listValues();
    void setValue(const ValueId& next);
    void resubscribe();
    void unsubscribe();
    void arrived();
    void fetchWeight();
    void take(ProbeRecord next);
    void refreshHeader();
    void refreshBody();
    void refreshEmpty();
    void setKinds(const std::vector<PictureKind>& next);
    void showKind();
    QWidget* makeBody();
    QWidget* makeValues(QWidget* parent);
    ProbeRequest request() const;
    void askForSample();
    bool samplePinned() const;
    void whole(std::function<void(const ProbeRecord&)> take);
    void saveNpy();
    void nameClasses();
    bool isTrainedWeight() const;
    void followWeight(std::int64_t element);
};

} // namespace wiregrad::studio
