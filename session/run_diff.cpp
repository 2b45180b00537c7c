#include "session/run_diff.h"

#include <QCoreApplication>

#include <algorithm>
#include <set>

#include "engine/core/error.h"
#include "nodes/project.h"

namespace wiregrad::studio {

namespace {

QString tr(const char* text) {
    return QCoreApplication::translate("RunDiff", text);
}

QString nodeText(const graph::Node& node) {
    const graph::NodeType* type = graph::find_type(node.type);
    return QString::fromStdString(type ? type->label : node.type) +
           (node.muted ? tr(" (muted)") : QString());
}

QString paramLabel(const graph::Node& node, const std::string& id) {
    const graph::NodeType* type = graph::find_type(node.type);
    const graph::ParamSpec* spec = type ? type->param(id) : nullptr;
    return QString::fromStdString(spec ? spec->label : id);
}

QString number(double value) {
    return QString::number(value, 'g', 6);
}

} // namespace

std::vector<Difference> diffGraphs(const graph::Graph& a, const graph::Graph& b) {
    std::vector<Difference> result;
    const QString group = tr("Network");
    std::set<std::string> ids;
    for (const auto& [id, node] : a.nodes())
        ids.insert(id);
    for (const auto& [id, node] : b.nodes())
        ids.insert(id);
    for (const std::string& id : ids) {
        const graph::Node *left = a.node(id), *right = b.node(id);
        const QString name = QString::fromStdString(id);
        if (!left || !right || left->type != right->type || left->muted != right->muted) {
            result.push_back({group, name, left ? nodeText(*left) : QString(),
                              right ? nodeText(*right) : QString()});
            continue;
        }
        std::set<std::string> params;
        for (const auto& [key, value] : left->params)
            params.insert(key);
        for (const auto& [key, value] : right->params)
            params.insert(key);
        for (const std::string& key : params) {
            const auto l = left->params.find(key), r = right->params.find(key);
            const QString before = l == left->params.end()
                                       ? QString()
                                       : QString::fromStdString(graph::value_text(l->second));
            const QString after = r == right->params.end()
                                      ? QString()
                                      : QString::fromStdString(graph::value_text(r->second));
            if (before != after)
                result.push_back(
                    {group, name + QStringLiteral(": ") + paramLabel(*left, key), before, after});
        }
    }
    const std::set<graph::Wire> left(a.wires().begin(), a.wires().end()),
        right(b.wires().begin(), b.wires().end());
    const auto wires = [&](const std::set<graph::Wire>& of, const std::set<graph::Wire>& other,
                           bool first) {
        for (const graph::Wire& wire : of)
            if (!other.count(wire)) {
                const QString text = tr("wired");
                result.push_back({group, QString::fromStdString(wire.str()),
                                  first ? text : QString(), first ? QString() : text});
            }
    };
    wires(left, right, true);
    wires(right, left, false);
    return result;
}

std::vector<Difference> diffRuns(const RunInfo& a, const RunInfo& b) {
    std::vector<Difference> result;
    const auto compare = [&result](const QString& group, const QString& what, const QString& left,
                                   const QString& right) {
        if (left != right) result.push_back({group, what, left, right});
    };
    const QString settings = tr("Settings"), data = tr("Data"), outcome = tr("Result");
    compare(settings, tr("Seed"), QString::number(a.seed), QString::number(b.seed));
    compare(settings, tr("Epochs"), QString::number(a.epochs), QString::number(b.epochs));
    compare(settings, tr("Batch size"), QString::number(a.batchSize), QString::number(b.batchSize));
    compare(settings, tr("Device"), a.device, b.device);
    compare(settings, tr("Engine version"), a.engineVersion, b.engineVersion);
    compare(data, tr("Content"), a.dataHash, b.dataHash);
    try {
        const auto graphs =
            diffGraphs(graph::from_text(a.graphText), graph::from_text(b.graphText));
        result.insert(result.end(), graphs.begin(), graphs.end());
    } catch (const Error& error) {
        result.push_back({tr("Network"), tr("cannot be compared"),
                          QString::fromStdString(error.what()), QString()});
    }
    compare(outcome, tr("State"), endText(a.end), endText(b.end));
    compare(outcome, tr("Steps"), QString::number(a.steps), QString::number(b.steps));
    std::set<std::string> names;
    for (const auto* run : {&a, &b})
        for (const auto& [name, value] : run->finals)
            if (name.find('/') != std::string::npos && !name.starts_with("gradient/") &&
                !name.starts_with("update/"))
                names.insert(name);
    for (const std::string& name : names) {
        const double *left = a.final(name), *right = b.final(name);
        compare(outcome, QString::fromStdString(name), left ? number(*left) : QString(),
                right ? number(*right) : QString());
    }
    return result;
}

} // namespace wiregrad::studio
