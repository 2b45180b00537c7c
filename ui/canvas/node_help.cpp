#include "ui/canvas/node_help.h"

#include <QDialogButtonBox>
#include <QPushButton>
#include <QTextBrowser>
#include <QVBoxLayout>

#include "engine/core/error.h"
#include "nodes/catalogue.h"
#include "nodes/infer.h"
#include "ui/canvas/canvas_style.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

namespace {

QString html(const std::string& text) {
    return qs(text).toHtmlEscaped();
}

QString shapes(const std::vector<TensorMeta>& metas) {
    QStringList list;
    for (const TensorMeta& meta : metas)
        list << (meta.shape.empty() ? QObject::tr("one number")
                                    : qs(graph::shape_text(meta.shape)));
    return list.join(QStringLiteral(", "));
}

QString ports(const std::vector<graph::PortSpec>& list) {
    QString text;
    for (const graph::PortSpec& port : list)
        text += QStringLiteral("<li><b>%1</b> %2%3</li>")
                    .arg(html(port.id), html(port.help),
                         port.optional ? QObject::tr(" (may stay empty)") : QString());
    return text;
}

} // namespace

QString NodeHelp::text(const graph::NodeType& type) {
    QString text = QStringLiteral("<h2>%1</h2><p>%2</p>").arg(html(type.label), html(type.help));
    if (!type.formula.empty())
        text += QStringLiteral("<p><code>%1</code></p>").arg(html(type.formula));
    if (const auto example = graph::example_of(type);
        example && (!example->inputs.empty() || !example->outputs.empty())) {
        text += tr("<h3>Shapes</h3><p>For example %1 gives %2")
                    .arg(example->inputs.empty() ? tr("nothing") : shapes(example->inputs),
                         example->outputs.empty() ? tr("nothing") : shapes(example->outputs));
        if (example->weights > 0) text += tr(", with %1 weights").arg(example->weights);
        text += QStringLiteral(".</p>");
        if (!example->pytorch.init.empty())
            text += tr("<p>In PyTorch: <code>%1</code></p>").arg(html(example->pytorch.init));
    }
    if (!type.inputs.empty()) text += tr("<h3>Takes</h3><ul>%1</ul>").arg(ports(type.inputs));
    if (!type.outputs.empty()) text += tr("<h3>Gives</h3><ul>%1</ul>").arg(ports(type.outputs));
    if (!type.params.empty()) {
        text += tr("<h3>Settings</h3><ul>");
        for (const graph::ParamSpec& param : type.params)
            text += QStringLiteral("<li><b>%1</b> (%2) %3</li>")
                        .arg(html(param.label), html(graph::value_text(param.standard)),
                             html(param.help));
        text += QStringLiteral("</ul>");
    }
    return text;
}

graph::Edit exampleEdit(const graph::Graph& sheet, const graph::NodeType& type,
                        graph::Position at) {
    const auto example = graph::example_of(type);
    if (!example || type.role != graph::Role::Layer || example->inputs.size() != 1)
        throw ValueError("there is no example of " + type.label);
    Shape shape = example->inputs[0].shape;
    if (shape.empty()) throw ValueError("there is no example of " + type.label);
    shape.erase(0); // the batch
    graph::Graph trial = sheet;
    graph::Batch batch;
    batch.label = "Insert an example of " + type.label;
    graph::Node input = graph::make_node(trial, "Input", at);
    input.params["shape"] = std::vector<std::int64_t>(shape.begin(), shape.end());
    graph::apply(trial, {graph::AddNode{input}});
    graph::Node node =
        graph::make_node(trial, type.id, {at.x + CanvasStyle::get().width + 3 * kGrid, at.y});
    const graph::Wire wire{input.id, graph::find_type("Input")->outputs.at(0).id, node.id,
                           type.inputs.at(0).id};
    batch.edits = {{graph::AddNode{std::move(input)}},
                   {graph::AddNode{std::move(node)}},
                   {graph::Connect{wire}}};
    return {std::move(batch)};
}

NodeHelp::NodeHelp(const graph::NodeType& type, std::function<void()> insert, QWidget* parent)
    : QDialog(parent) {
    setObjectName(QStringLiteral("canvas.help"));
    setAttribute(Qt::WA_DeleteOnClose);
    setWindowTitle(tr("Help: %1").arg(qs(type.label)));
    const Theme& theme = Theme::instance();
    auto* column = new QVBoxLayout(this);
    auto* browser = new QTextBrowser(this);
    browser->setHtml(text(type));
    browser->setAccessibleName(windowTitle());
    column->addWidget(browser, 1);
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close, this);
    auto* put = buttons->addButton(tr("Insert an example"), QDialogButtonBox::ActionRole);
    put->setObjectName(QStringLiteral("canvas.help.insert"));
    put->setEnabled(type.role == graph::Role::Layer && type.inputs.size() == 1);
    connect(put, &QPushButton::clicked, this, [this, insert = std::move(insert)] {
        insert();
        close();
    });
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::close);
    column->addWidget(buttons);
    resize(theme.space(120), theme.space(130));
}

} // namespace wiregrad::studio

#include "moc_node_help.cpp"
