// Names for generated source: what a person called a node becomes an identifier that no keyword,
// no member of the framework's classes and no other name takes. Pure; any thread.
#pragma once

#include <map>
#include <set>
#include <string>

#include "nodes/graph.h"

namespace wiregrad::graph {

/// "Stem conv!" -> "stem_conv"; empty when nothing of the text can be used.
std::string identifier(const std::string& text);
/// "two spirals" -> "TwoSpirals"
std::string class_name(const std::string& text);
/// A word that Python keeps to itself.
bool python_keyword(const std::string& word);
/// Text as a Python string literal with double quotes, valid JSON too.
std::string quoted(const std::string& text);

/// Gives out names, each once.
class Names {
  public:
    explicit Names(std::set<std::string> taken = {}) : taken_(std::move(taken)) {}
    /// `wish`, or with an underscore or a number behind it where that is taken or a keyword.
    std::string claim(const std::string& wish);

  private:
    std::set<std::string> taken_;
};

/// Groups that hold layers and groups only can be classes of a script.
bool groups_can_nest(const Graph& graph);
/// For each node and group, groups unfolded, the member it becomes in a script, as PyTorch names
/// weights: "stem", "block.0.conv". Its own name, else its id. Depends on the graph alone, so that
/// weights find their way back.
std::map<std::string, std::string> member_names(const Graph& graph);

} // namespace wiregrad::graph
