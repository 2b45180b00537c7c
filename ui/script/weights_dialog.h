// Which tensor of a weights file belongs to which weight of the network, where names differ: a
// table with a choice a row. GUI thread.
#pragma once

#include <QDialog>

#include <string>
#include <utility>
#include <vector>

#include "engine/nn/module.h"
#include "nodes/graph.h"

class QComboBox;
class QPushButton;
class QTableWidget;

namespace wiregrad::studio {

class TextLabel;

class WeightsDialog : public QDialog {
    Q_OBJECT

  public:
    /// Rows begin with what the names say, then with what shape and order suggest.
    WeightsDialog(const graph::Graph& graph, std::vector<nn::NamedTensor> tensors,
                  const QString& file, QWidget* parent = nullptr);
    /// Ours -> theirs, every row that has a choice.
    std::vector<std::pair<std::string, std::string>> renames() const;
    bool complete() const; ///< every weight has a tensor of its own
    int rows() const;
    QComboBox* choice(int row) const;

  private:
    void refresh();
    std::vector<nn::NamedTensor> ours_, theirs_;
    QTableWidget* table_;
    TextLabel* state_;
    QPushButton* take_;
};

} // namespace wiregrad::studio
