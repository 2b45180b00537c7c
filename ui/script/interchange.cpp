#include "ui/script/interchange.h"

#include <QFileDialog>
#include <QFileInfo>
#include <QMenu>
#include <QStandardPaths>

#include "engine/core/error.h"
#include "nodes/export/export.h"
#include "nodes/export/names.h"
#include "nodes/import/onnx.h"
#include "nodes/import/scopes.h"
#include "nodes/import/weights.h"
#include "session/settings.h"
#include "ui/script/weights_dialog.h"

namespace wiregrad::studio {

namespace {

QString folder() {
    return Settings::value(QStringLiteral("folder"),
                           QStandardPaths::writableLocation(QStandardPaths::DocumentsLocation));
}
QString idOf(const graph::ExportTarget& target) {
    return QStringLiteral("file.export.") + QLatin1String(target.id);
}

} // namespace

Interchange::Interchange(Document& document, QWidget* window)
    : QObject(window), document_(document), window_(window) {
    connect(&exporter_, &Exporter::exported, this,
            [this](const QString&, const QString& sentence) { emit said(sentence, true); });
    connect(&exporter_, &Exporter::failed, this,
            [this](const QString& sentence, const QString&) { emit said(sentence, false); });
}

void Interchange::registerActions(Actions& actions, QWidget* window) {
    for (const graph::ExportTarget& target : graph::export_targets()) {
        if (target.drawing) continue; // Graph, Save picture
        const QString id = QLatin1String(target.id), label = QLatin1String(target.label);
        window->addAction(actions.add({idOf(target),
                                       tr("%1 …").arg(label),
                                       QStringLiteral("export"),
                                       {},
                                       tr("Export the network: %1").arg(label)},
                                      [this, id] { exportTo(id); }));
    }
    window->addAction(actions.add({QStringLiteral("file.import"),
                                   tr("&Import …"),
                                   QStringLiteral("open"),
                                   {},
                                   tr("An ONNX model as a new project, or weights from HDF5, "
                                      "Keras, safetensors or NPZ into this one")},
                                  [this] {
                                      const QString path = QFileDialog::getOpenFileName(
                                          window_, tr("Import a model or weights"), folder(),
                                          tr("Models and weights (*.onnx *.h5 *.hdf5 *.keras "
                                             "*.safetensors *.npz);;All files (*)"));
                                      if (!path.isEmpty()) importFile(path);
                                  }));
}

void Interchange::fill(QMenu* exports, const Actions& actions) const {
    for (const graph::ExportTarget& target : graph::export_targets())
        if (QAction* action = actions.action(idOf(target))) exports->addAction(action);
}

void Interchange::exportTo(const QString& target, const QString& asked) {
    const graph::ExportTarget* found = graph::find_export_target(target.toStdString());
    if (!found) return;
    const QString extension = QLatin1String(found->extension);
    QString path = asked;
    if (path.isEmpty()) {
        // What is missing is said before somebody thinks of a file name.
        for (const std::string& problem : graph::export_problems(document_.graph())) {
            emit said(tr("The network is not finished: %1").arg(QString::fromStdString(problem)),
                      false);
            return;
        }
        QString stem = QFileInfo(document_.path()).completeBaseName();
        if (stem.isEmpty())
            stem = QString::fromStdString(graph::identifier(document_.graph().title()));
        if (stem.isEmpty()) stem = QStringLiteral("network");
        path = QFileDialog::getSaveFileName(
            window_, tr("Export: %1").arg(QLatin1String(found->label)),
            folder() + QLatin1Char('/') + stem + extension,
            QStringLiteral("%1 (*%2)").arg(QLatin1String(found->label), extension));
        if (path.isEmpty()) return;
    }
    if (QFileInfo(path).suffix().isEmpty()) path += extension;
    exporter_.exportTo(document_.graph(), document_.weights(), target, path,
                       QFileInfo(document_.path()).fileName());
}

bool Interchange::importFile(const QString& path) {
    try {
        return QFileInfo(path).suffix() == QLatin1String("onnx") ? importModel(path)
                                                                 : importWeights(path);
    } catch (const Error& error) {
        emit said(QString::fromStdString(error.what()), false);
        return false;
    }
}

bool Interchange::importModel(const QString& path) {
    graph::ImportedModel model = graph::from_onnx(io::read_onnx(path.toStdString()));
    graph::group_scopes(model);
    std::vector<nn::NamedTensor> weights = graph::take_weights(model.graph, model.weights);
    if (mayReplace && !mayReplace()) return false;
    const auto nodes = int(model.graph.nodes().size());
    document_.adopt(std::move(model.graph), {});
    document_.setWeights(std::move(weights));
    emit adopted();
    emit said(tr("%1 is now a project of %n nodes", nullptr, nodes).arg(QFileInfo(path).fileName()),
              true);
    return true;
}

bool Interchange::importWeights(const QString& path) {
    std::vector<nn::NamedTensor> tensors = graph::read_weights_file(path.toStdString());
    std::vector<std::pair<std::string, std::string>> renames;
    if (!graph::match_weights(document_.graph(), tensors).complete()) {
        WeightsDialog dialog(document_.graph(), tensors, QFileInfo(path).fileName(), window_);
        if (dialog.exec() != QDialog::Accepted) return false;
        renames = dialog.renames();
        // What is left over was seen and not wanted.
        std::erase_if(tensors, [&](const nn::NamedTensor& tensor) {
            return std::none_of(renames.begin(), renames.end(),
                                [&](const auto& rename) { return rename.second == tensor.name; });
        });
    }
    std::vector<nn::NamedTensor> weights = graph::take_weights(document_.graph(), tensors, renames);
    const auto count = int(weights.size());
    document_.setWeights(std::move(weights));
    emit said(tr("%n tensors of %1 are now the weights of this network", nullptr, count)
                  .arg(QFileInfo(path).fileName()),
              true);
    return true;
}

} // namespace wiregrad::studio

#include "moc_interchange.cpp"
