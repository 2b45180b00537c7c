// More views of a probed value: its distribution over time, its units (channels, features) with the
// dead and saturated ones named, and a table of every number. GUI thread.
#pragma once

#include <QAbstractTableModel>
#include <QWidget>

#include <deque>
#include <vector>

#include "ui/inspect/tensor_views.h"

class QTableView;

namespace wiregrad::studio {

/// The last histograms of one value as columns of a picture: time to the right, values upwards.
class HistoryView : public TensorView {
    Q_OBJECT

  public:
    explicit HistoryView(QWidget* parent = nullptr);
    /// Adds a record, unless it is of a step that is there already.
    void add(const ProbeRecord& record);
    void clear();
    int columns() const { return int(past_.size()); }
    /// Share of the values of column `index` that lie in [low, high].
    double share(int index, double low, double high) const;
    std::pair<double, double> range() const { return {low_, high_}; }
    QString textAt(QPointF position) const override;
    QSize sizeHint() const override;

  protected:
    void prepare() override {}
    void paintEvent(QPaintEvent* event) override;

  private:
    struct Moment {
        std::int64_t step = 0;
        double min = 0, max = 0, mean = 0;
        std::vector<std::int64_t> bins;
        double total = 0;
    };
    QRectF area() const;
    std::deque<Moment> past_;
    double low_ = 0, high_ = 1;
    QImage image_;
    bool stale_ = true;
};

/// What is wrong with a unit.
enum class UnitState { Alive, Dead, Saturated, Constant, Broken };
/// Judged by its values over the batch: dead when all are zero, saturated when 95 % sit at the ends
/// of a bounded activation (`bounded`: tanh, sigmoid), constant when all are equal.
UnitState judge(const UnitStats& unit, double boundLow, double boundHigh);

/// A bar a unit from its smallest to its largest value, with its mean; dead and saturated ones
/// stand out.
class UnitsView : public TensorView {
    Q_OBJECT

  public:
    explicit UnitsView(QWidget* parent = nullptr);
    /// The ends of the activation's range; equal: unbounded.
    void setBounds(double low, double high);
    QString summary() const; ///< "3 of 64 units are dead (always 0)"
    int count(UnitState state) const;
    QString textAt(QPointF position) const override;
    QSize sizeHint() const override;

  protected:
    void prepare() override;
    void paintEvent(QPaintEvent* event) override;

  private:
    QRectF area() const;
    double boundLow_ = 0, boundHigh_ = 0;
    std::vector<UnitState> states_;
    double low_ = 0, high_ = 1;
};

/// The slice as rows and columns: the last dimension across, all others down.
class SliceModel : public QAbstractTableModel {
    Q_OBJECT

  public:
    explicit SliceModel(QObject* parent = nullptr) : QAbstractTableModel(parent) {}
    void show(const ProbeRecord& record);
    void setColumnNames(const QStringList& names); ///< class names, where they fit
    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
    float value(int row, int column) const;

  private:
    Shape shape_;
    std::int64_t from_ = 0;
    std::vector<float> values_;
    QStringList names_;
};

/// The record's slice as NumPy source: "np.array([[1, 2], [3, 4]], dtype=np.float32)".
QString numpyText(const ProbeRecord& record);

} // namespace wiregrad::studio
