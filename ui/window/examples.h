// The built-in example projects: where they lie and in which order the gallery shows them. GUI
// thread.
#pragma once

#include <QString>

#include <vector>

#include "nodes/graph.h"

namespace wiregrad::studio {

struct Example {
    QString name; ///< "digits-lenet"
    QString path;
    graph::Graph graph;
};

/// All that can be read, the simplest first. Read once.
const std::vector<Example>& examples();
/// Null when there is none of that name.
const Example* findExample(const QString& name);
/// The first sentences of a Markdown description as plain text.
QString plainText(const std::string& markdown);

} // namespace wiregrad::studio
