#include "ui/window/examples.h"

#include <QDir>
#include <QFileInfo>
#include <QRegularExpression>
#include <QTextDocument>

#include <algorithm>

#include "engine/core/error.h"
#include "nodes/places.h"
#include "nodes/project.h"

namespace wiregrad::studio {

namespace {

/// From the first minute to the deepest network; others follow by name.
const QStringList& order() {
    static const QStringList names = {"spirals",   "digits-mlp", "digits-lenet", "iris",
                                      "cnn-small", "resnet18",   "autoencoder",  "char-lstm",
                                      "char-gpt",  "unet-small"};
    return names;
}

std::vector<Example> load() {
    std::vector<Example> found;
    const QString folder = QString::fromStdString(graph::examples_folder());
    for (const QFileInfo& file :
         QDir(folder).entryInfoList({QStringLiteral("*.wiregrad")}, QDir::Files)) {
        try {
            found.push_back({file.completeBaseName(), file.absoluteFilePath(),
                             graph::load_project(file.absoluteFilePath().toStdString())});
        } catch (const Error& error) {
            qWarning("The example %s cannot be read: %s", qPrintable(file.fileName()),
                     error.what());
        }
    }
    const auto rank = [](const Example& e) {
        const auto at = order().indexOf(e.name);
        return at < 0 ? order().size() : at;
    };
    std::stable_sort(found.begin(), found.end(), [&rank](const Example& a, const Example& b) {
        return std::pair(rank(a), a.name) < std::pair(rank(b), b.name);
    });
    return found;
}

} // namespace

const std::vector<Example>& examples() {
    static const std::vector<Example> all = load();
    return all;
}

const Example* findExample(const QString& name) {
    for (const Example& example : examples())
        if (example.name == name) return &example;
    return nullptr;
}

QString plainText(const std::string& markdown) {
    QTextDocument document;
    document.setMarkdown(QString::fromStdString(markdown));
    return document.toPlainText()
        .replace(QRegularExpression(QStringLiteral("\\s+")), QStringLiteral(" "))
        .trimmed();
}

} // namespace wiregrad::studio
