// Every number of a value: the table, what is copied and saved, one sample for all steps.
#include <QFileDialog>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QMessageBox>
#include <QPointer>
#include <QSaveFile>
#include <QVBoxLayout>

#include "datasets/loader.h"
#include "engine/core/error.h"
#include "engine/io/npy.h"
#include "nodes/compile.h"
#include "ui/inspect/inspector_impl.h"
#include "ui/panels/format.h"

namespace wiregrad::studio {

void saveRecordAsNpy(const ProbeRecord& record, const QString& path) {
    const std::vector<std::byte> bytes =
        io::encode_npy(Tensor::from(record.slice, record.slice_shape));
    QSaveFile file(path);
    const auto size = qint64(bytes.size());
    if (!file.open(QIODevice::WriteOnly) ||
        file.write(reinterpret_cast<const char*>(bytes.data()), size) != size || !file.commit())
        throw FileError("The value could not be written: " + file.errorString().toStdString(),
                        path.toStdString());
}

// --- every number, saved and copied

ProbeRequest InspectorPanel::Impl::request() const {
    ProbeRequest result = requestFor(value);
    result.slice_from = sliceFrom;
    return result;
}

/// The class names of this graph's labels, where the value has one number a class.
void InspectorPanel::Impl::nameClasses() {
    classNames.clear();
    const std::string id = value.node;
    bool scores = false;
    for (const graph::Wire& wire : document.graph().wires_out_of(id)) {
        const graph::Node* to = document.graph().node(wire.to);
        scores = scores || (to && to->type == "CrossEntropyLoss" && wire.to_port == "x");
    }
    for (const auto& [name, each] : document.graph().nodes()) {
        const graph::Node* own = document.graph().node(id);
        if (each.type != "Dataset" || (!scores && !(own && own->type == "Softmax"))) continue;
        try {
            const auto fields = data::describe(graph::dataset_spec(document.graph(), each));
            if (fields.size() > 1)
                for (const std::string& one : fields[1].class_names)
                    classNames << QString::fromStdString(one);
        } catch (const Error&) {
            // A dataset that cannot be described has no names; the problem list says why.
        }
        return;
    }
}

/// Once, with every element: from the run when one goes on, from the model's weights otherwise.
void InspectorPanel::Impl::whole(std::function<void(const ProbeRecord&)> take) {
    if (!record) return;
    if (std::int64_t(record->slice.size()) == numel(record->shape)) {
        take(*record);
        return;
    }
    ProbeRequest all = requestFor(value);
    all.max_elements = kWhole;
    all.slice_from = 0;
    const int once = session.subscribe(all);
    auto connection = std::make_shared<QMetaObject::Connection>();
    const std::int64_t wanted = numel(record->shape);
    const auto look = [this, once, connection, take, wanted] {
        const ProbeRecord* latest = session.latest(value);
        if (!latest || std::int64_t(latest->slice.size()) < std::min(wanted, kWhole)) return false;
        disconnect(*connection);
        session.unsubscribe(once);
        take(*latest);
        return true;
    };
    *connection = connect(&session, &TrainSession::probesArrived, q, look);
    if (session.isActive() || value.what != ProbeWhat::Weight) return;
    const std::string name = value.node + "." + value.name;
    auto answer = std::make_shared<std::optional<ProbeRecord>>();
    session.withModel(
        [answer, name, all](graph::CompiledModel& compiled) {
            for (const nn::NamedTensor& weight : compiled.module().state())
                if (weight.name == name) *answer = measure(all, weight.tensor, 0);
        },
        [this, answer, once, connection, take] {
            disconnect(*connection);
            session.unsubscribe(once);
            if (*answer) take(**answer);
        });
}

void InspectorPanel::Impl::saveNpy() {
    whole([this](const ProbeRecord& all) {
        QString name = QString::fromStdString(all.value.node + "." + all.value.name);
        name.replace(QLatin1Char('/'), QLatin1Char('-'));
        const QString path = QFileDialog::getSaveFileName(
            q, tr("Save this value"), name + QStringLiteral(".npy"), tr("NumPy arrays (*.npy)"));
        if (path.isEmpty()) return;
        try {
            saveRecordAsNpy(all, path);
        } catch (const Error& error) {
            QMessageBox::warning(q, tr("Not saved"), QString::fromStdString(error.what()));
        }
    });
}

QWidget* InspectorPanel::Impl::makeValues(QWidget* parent) {
    const Theme& theme = Theme::instance();
    auto* page = new QWidget(parent);
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(theme.space(1));
    auto* row = new QHBoxLayout;
    row->addWidget(new TextLabel(tr("From"), Token::TextMuted, 0.92, QFont::Normal, page));
    from = new QSpinBox(page);
    from->setObjectName(QStringLiteral("sliceFrom"));
    from->setToolTip(tr("Where along the first dimension the table begins"));
    row->addWidget(from);
    part = new TextLabel({}, Token::TextMuted, 0.92, QFont::Normal, page);
    row->addWidget(part, 1);
    column->addLayout(row);
    table = new QTableView(page);
    table->setObjectName(QStringLiteral("sliceTable"));
    table->setModel(&model);
    table->setFrameShape(QFrame::NoFrame);
    table->setMinimumHeight(theme.space(70));
    table->verticalHeader()->setDefaultSectionSize(theme.space(5));
    table->horizontalHeader()->setDefaultSectionSize(theme.space(18));
    column->addWidget(table, 1);
    connect(table, &QTableView::clicked, q, [this](const QModelIndex& index) {
        if (!record || !isTrainedWeight()) return;
        const std::int64_t rows =
            record->shape.size() > 0 ? std::max<std::int64_t>(1, record->shape[0]) : 1;
        followWeight(record->slice_from * (numel(record->shape) / rows) +
                     std::int64_t(index.row()) * model.columnCount() + index.column());
    });
    connect(from, &QSpinBox::valueChanged, q, [this](int row) {
        sliceFrom = row;
        if (session.isActive() || session.isTravelling()) resubscribe();
        fetchWeight();
    });
    return page;
}

// --- the chain rule of one weight

bool InspectorPanel::Impl::isTrainedWeight() const {
    return hasValue &&
           (value.what == ProbeWhat::Weight || value.what == ProbeWhat::WeightGradient) &&
           !value.name.starts_with("running_") && value.name != "num_batches_tracked";
}

void InspectorPanel::Impl::followWeight(std::int64_t element) {
    if (!record || element < 0 || element >= numel(record->shape)) return;
    if (std::find(kinds.begin(), kinds.end(), PictureKind::Chain) == kinds.end()) return;
    kind = PictureKind::Chain;
    if (QAbstractButton* button = tabGroup->button(int(kind))) button->setChecked(true);
    showKind();
    chain->ask({value.node, value.name, element}, record->shape);
}

// --- one sample for all steps

bool InspectorPanel::Impl::samplePinned() const {
    return pinSample && pinSample->isChecked() && value.what == ProbeWhat::Activation;
}

void InspectorPanel::Impl::askForSample() {
    if (!samplePinned() || !q->isVisible() || asking || !hasValue) return;
    auto answer = std::make_shared<std::optional<ProbeRecord>>();
    const QPointer<InspectorPanel> alive(q);
    const std::int64_t step =
        session.isTravelling() ? session.travelStep() : session.progress().step;
    const ValueId of = value;
    asking = session.withData(
        [answer, request = request(), step, index = std::int64_t(sample->value())](
            graph::CompiledModel& compiled, const TrainSession::Data& data) {
            train::BatchSource& source = data.validation ? *data.validation : *data.train;
            const std::int64_t count = source.samples_per_epoch();
            if (count < 1) return;
            // Not shuffled, so that a number always means the same sample.
            const auto* loader = dynamic_cast<data::Loader*>(&source);
            if (!loader) return;
            const std::int64_t one[] = {std::min(index, count - 1)};
            const Tensor x = data::read_batch(loader->dataset(), one).front();
            *answer =
                measure(request, compiled.value(request.value.node, request.value.name, x), step);
        },
        [this, alive, answer, of] {
            if (!alive) return;
            asking = false;
            if (*answer && samplePinned() && value == of) take(std::move(**answer));
        });
}

} // namespace wiregrad::studio
