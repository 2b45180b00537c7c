// Pictures of a probe record: histogram, heat map, image tiles, bars. Each says its scale and
// answers the mouse with place and value. Painted from the record's slice only. GUI thread.
#pragma once

#include <QImage>
#include <QString>
#include <QWidget>

#include <array>
#include <optional>
#include <vector>

#include "engine/train/probe.h"

namespace wiregrad::studio {

enum class PictureKind { Number, Images, HeatMap, Bars, Units, History, Values, Chain, Map };
QString pictureName(PictureKind kind);
/// Pictures that make sense for this value, the best first; empty without a slice.
std::vector<PictureKind> picturesFor(const ProbeRecord& record);

/// Values to colours: grey from black to white, or the theme's heat colours, sequential or
/// diverging about zero.
class ColourScale {
  public:
    enum class Kind { Grey, Sequential, Diverging };
    ColourScale() = default;
    /// Chooses by the finite values: anything negative makes it diverge, symmetric about zero.
    static ColourScale of(const std::vector<float>& values, bool grey);
    QRgb colour(float value) const; ///< NaN and infinities: the error colour
    Kind kind() const { return kind_; }
    double low() const { return low_; }
    double high() const { return high_; }

  private:
    Kind kind_ = Kind::Grey;
    double low_ = 0, high_ = 1;
    std::array<QRgb, 256> table_{};
    QRgb broken_ = 0;
};

/// Base of the views: keeps the record, paints itself anew on a theme change.
class TensorView : public QWidget {
    Q_OBJECT

  public:
    explicit TensorView(QWidget* parent = nullptr);
    void show(const ProbeRecord& record);
    /// What the mouse at `position` is told; empty: nothing there.
    virtual QString textAt(QPointF position) const = 0;
    /// The element of the whole value at `position`, row-major; -1: none.
    std::int64_t elementAt(QPointF position) const;

  signals:
    void picked(std::int64_t element); ///< clicked

  protected:
    /// Of the slice.
    virtual std::int64_t sliceElementAt(QPointF) const { return -1; }
    virtual void prepare() = 0; ///< the record, the size or the theme changed
    bool event(QEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    ProbeRecord record_;
};

class HistogramView : public TensorView {
    Q_OBJECT

  public:
    explicit HistogramView(QWidget* parent = nullptr);
    QString textAt(QPointF position) const override;
    QSize sizeHint() const override;

  protected:
    void prepare() override;
    void paintEvent(QPaintEvent* event) override;

  private:
    QRectF area() const;
};

class HeatMapView : public TensorView {
    Q_OBJECT

  public:
    explicit HeatMapView(QWidget* parent = nullptr);
    QString textAt(QPointF position) const override;
    QSize sizeHint() const override;
    int rows() const { return rows_; }
    int columns() const { return columns_; }
    const ColourScale& scale() const { return scale_; }
    const QImage& image() const { return image_; } ///< one pixel an element

  protected:
    std::int64_t sliceElementAt(QPointF position) const override;
    void prepare() override;
    void paintEvent(QPaintEvent* event) override;

  private:
    QRectF area() const;
    int rows_ = 0, columns_ = 0;
    ColourScale scale_;
    QImage image_;
};

class ImageTilesView : public TensorView {
    Q_OBJECT

  public:
    explicit ImageTilesView(QWidget* parent = nullptr);
    QString textAt(QPointF position) const override;
    QSize sizeHint() const override;
    int tiles() const { return static_cast<int>(tiles_.size()); }
    const QImage& tile(int index) const { return tiles_[static_cast<std::size_t>(index)].image; }
    const ColourScale& scale() const { return scale_; }

  protected:
    std::int64_t sliceElementAt(QPointF position) const override;
    void prepare() override;
    void paintEvent(QPaintEvent* event) override;

  private:
    struct Tile {
        QImage image;
        QString name; ///< "channel 3", "sample 2", "filter 4, input 1"
        std::size_t offset = 0;
    };
    struct Grid {
        int columns = 1, zoom = 1;
        double pitchX = 1, pitchY = 1;
    };
    Grid grid(int width) const;
    /// The tile there and the pixel within it; null: between tiles.
    const Tile* tileAt(QPointF position, int& x, int& y) const;
    int heightFor(int width) const;
    void makeTiles();
    std::vector<Tile> tiles_;
    int columnsWanted_ = 0; ///< filters × inputs keep their columns; 0: as many as fit
    bool colour_ = false;   ///< tiles are red, green, blue planes
    QString caption_;
    ColourScale scale_;
};

class BarsView : public TensorView {
    Q_OBJECT

  public:
    explicit BarsView(QWidget* parent = nullptr);
    QString textAt(QPointF position) const override;
    QSize sizeHint() const override;
    int bars() const { return static_cast<int>(values_.size()); }

  protected:
    std::int64_t sliceElementAt(QPointF position) const override;
    void prepare() override;
    void paintEvent(QPaintEvent* event) override;

  private:
    QRectF area() const;
    double valueY(double value) const;
    std::vector<float> values_;
    double low_ = 0, high_ = 1;
    QString caption_;
};

} // namespace wiregrad::studio
