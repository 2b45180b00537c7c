#include "ui/script/exporter.h"

#include <QElapsedTimer>
#include <QFileInfo>

#include "engine/core/error.h"
#include "nodes/export/export.h"

namespace wiregrad::studio {

namespace {

std::shared_ptr<ScriptPreview> make(const graph::Graph& graph, const QString& target) {
    auto result = std::make_shared<ScriptPreview>();
    result->target = target;
    QElapsedTimer clock;
    clock.start();
    try {
        const graph::ExportTarget* found = graph::find_export_target(target.toStdString());
        if (found && found->preview) result->source = found->preview(graph);
    } catch (const Error& error) {
        result->error = QString::fromStdString(error.text());
        result->node = QString::fromStdString(error.where());
        if (error.where().find('/') != std::string::npos) result->node.clear(); // a file
    } catch (const std::exception& error) {
        result->error = QString::fromUtf8(error.what());
    }
    result->milliseconds = double(clock.nsecsElapsed()) / 1e6;
    return result;
}

} // namespace

Exporter::Exporter(QObject* parent) : QObject(parent) {
    pool_.setMaxThreadCount(1);
    pool_.setExpiryTimeout(-1); // what the engine keeps for a thread is kept
    pool_.setThreadPriority(QThread::LowPriority);
}

Exporter::~Exporter() {
    wished_.reset();
    pool_.waitForDone();
}

void Exporter::preview(const graph::Graph& graph, const QString& target) {
    wished_ = std::make_shared<const graph::Graph>(graph);
    wishedTarget_ = target;
    if (!previewing_) next();
}

void Exporter::next() {
    const auto graph = std::exchange(wished_, nullptr);
    previewing_ = graph != nullptr;
    if (!graph) return;
    ++running_;
    pool_.start([this, graph, target = wishedTarget_] {
        const std::shared_ptr<const ScriptPreview> result = make(*graph, target);
        QMetaObject::invokeMethod(
            this,
            [this, result] {
                --running_;
                emit previewed(result);
                next();
            },
            Qt::QueuedConnection);
    });
}

void Exporter::exportTo(const graph::Graph& graph, std::vector<nn::NamedTensor> weights,
                        const QString& target, const QString& path, const QString& project) {
    ++running_;
    const bool initial = weights.empty();
    auto options = std::make_shared<graph::ExportOptions>();
    options->path = path.toStdString();
    options->project = project.toStdString();
    options->weights = std::move(weights);
    pool_.start([this, graph, options, target, path, initial] {
        QString sentence, node;
        bool good = false;
        try {
            const graph::ExportTarget* found = graph::find_export_target(target.toStdString());
            if (!found) throw ValueError("there is no such export");
            if (!found->drawing)
                for (const std::string& problem : graph::export_problems(graph))
                    throw ValueError("the network is not finished: " + problem);
            const auto files = found->make(graph, *options);
            graph::write_export(files);
            sentence = files.size() == 1
                           ? tr("Wrote %1").arg(QFileInfo(path).fileName())
                           : tr("Wrote %1 and %n more beside it", nullptr, int(files.size()) - 1)
                                 .arg(QFileInfo(path).fileName());
            if (initial && !found->drawing)
                sentence += tr("; the weights are initial ones: nothing was trained yet");
            good = true;
        } catch (const Error& error) {
            sentence = QString::fromStdString(error.what());
            node = QString::fromStdString(error.where());
        } catch (const std::exception& error) {
            sentence = QString::fromUtf8(error.what());
        }
        QMetaObject::invokeMethod(
            this,
            [this, good, sentence, node, path] {
                --running_;
                if (good)
                    emit exported(path, sentence);
                else
                    emit failed(sentence, node);
            },
            Qt::QueuedConnection);
    });
}

} // namespace wiregrad::studio

#include "moc_exporter.cpp"
