#include "nodes/picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "nodes/analysis.h"

namespace wiregrad::graph {

namespace {

// The canvas at its usual font, so that a picture looks like the screen.
constexpr double kWidth = 220, kHeader = 30, kRow = 22, kPadding = 12, kRadius = 8, kPort = 5;
constexpr double kLine = 15, kMargin = 32;
constexpr std::size_t kTitleLetters = 26, kSmallLetters = 34;

struct Colours {
    const char *canvas, *body, *header, *border, *text, *muted, *tensor, *labels, *loss;
};
constexpr Colours kLight{"#ffffff", "#ffffff", "#e6ebf3", "#9aa5b4", "#1c222b",
                         "#566172", "#1f78c8", "#9a6b00", "#b8316a"};
constexpr Colours kDark{"#181b22", "#2a303b", "#37404f", "#5a6577", "#eef1f6",
                        "#a3adbd", "#5ab4f7", "#e7b84b", "#f2719b"};

/// Text as XML may hold it: escaped, without control characters.
std::string xml(const std::string& text) {
    std::string result;
    for (const char c : text) {
        if (c == '&')
            result += "&amp;";
        else if (c == '<')
            result += "&lt;";
        else if (c == '>')
            result += "&gt;";
        else if (c == '"')
            result += "&quot;";
        else if (static_cast<unsigned char>(c) >= 0x20)
            result += c;
        else
            result += ' ';
    }
    return result;
}

/// The first letters (not bytes) of UTF-8 text, with an ellipsis when there are more.
std::string shortened(const std::string& text, std::size_t letters) {
    std::size_t seen = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if ((static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U) continue;
        if (++seen > letters) return text.substr(0, i) + "…";
    }
    return text;
}

std::string count_text(std::int64_t count) {
    if (count < 10'000) return fmt::format("{}", count);
    if (count < 1'000'000) return fmt::format("{:.1f}k", static_cast<double>(count) / 1e3);
    return fmt::format("{:.1f}M", static_cast<double>(count) / 1e6);
}

struct Port {
    std::string id, label;
    PortKind kind = PortKind::Tensor;
    bool output = false;
    double x = 0, y = 0; ///< on the sheet
};

struct Box {
    const Node* node = nullptr;
    const NodeType* type = nullptr;
    double x = 0, y = 0, height = 0;
    std::vector<Port> ports;
    std::vector<std::string> lines; ///< of a note
    std::string title, side, subtitle;
};

class Picture {
  public:
    Picture(const Graph& graph, const PictureOptions& options)
        : graph_(graph), options_(options), colours_(options.dark ? kDark : kLight) {
        const Analysis analysis = graph.sheet_id().empty() ? analyze(graph, false) : Analysis{};
        for (const auto& [id, node] : graph.nodes())
            add(node, analysis);
    }

    std::string text() {
        double left = 1e300, top = 1e300, right = -1e300, bottom = -1e300;
        const auto reach = [&](double x, double y) {
            left = std::min(left, x);
            top = std::min(top, y);
            right = std::max(right, x);
            bottom = std::max(bottom, y);
        };
        for (const auto& [id, box] : boxes_) {
            reach(box.x, box.y);
            reach(box.x + kWidth, box.y + box.height);
        }
        for (const auto& [wire, bends] : graph_.all_bends())
            for (const Position& bend : bends)
                reach(bend.x, bend.y);
        if (boxes_.empty()) left = top = right = bottom = 0;
        left -= kMargin;
        top -= kMargin;
        const double width = right + kMargin - left, height = bottom + kMargin - top;
        std::string body;
        for (const Wire& wire : graph_.wires())
            body += draw(wire);
        for (const auto& [id, box] : boxes_)
            body += draw(box);
        std::string svg = fmt::format(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{:.0f}\" height=\"{:.0f}\" "
            "viewBox=\"{:.1f} {:.1f} {:.1f} {:.1f}\" font-family=\"Inter, 'DejaVu Sans', "
            "sans-serif\">\n",
            width, height, left, top, width, height);
        if (!graph_.title().empty()) svg += fmt::format("<title>{}</title>\n", xml(graph_.title()));
        if (options_.background)
            svg += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
                               "fill=\"{}\"/>\n",
                               left, top, width, height, colours_.canvas);
        return svg + body + "</svg>\n";
    }

  private:
    void add(const Node& node, const Analysis& analysis) {
        Box box;
        box.node = &node;
        box.type = graph_.type_of(node);
        box.x = node.position.x;
        box.y = node.position.y;
        const std::string label = box.type ? box.type->label : node.type;
        const bool port = box.type && box.type->role == Role::GroupPort;
        box.title = !node.name.empty() ? node.name : port ? node.id : label;
        if (!node.name.empty()) box.side = label;
        std::size_t inputs = 0, outputs = 0;
        if (box.type) {
            for (const PortSpec& spec : box.type->inputs)
                box.ports.push_back({spec.id, spec.label, spec.kind, false, 0, 0});
            for (const PortSpec& spec : box.type->outputs)
                box.ports.push_back({spec.id, spec.label, spec.kind, true, 0, 0});
            inputs = box.type->inputs.size();
            outputs = box.type->outputs.size();
        }
        // Wires of unknown types end somewhere, too.
        for (const Wire& wire : graph_.wires()) {
            const auto has = [&](const std::string& id, bool output) {
                return std::any_of(box.ports.begin(), box.ports.end(), [&](const Port& one) {
                    return one.id == id && one.output == output;
                });
            };
            if (wire.to == node.id && !has(wire.to_port, false)) {
                box.ports.push_back({wire.to_port, wire.to_port, PortKind::Tensor, false, 0, 0});
                ++inputs;
            }
            if (wire.from == node.id && !has(wire.from_port, true)) {
                box.ports.push_back({wire.from_port, wire.from_port, PortKind::Tensor, true, 0, 0});
                ++outputs;
            }
        }
        if (const auto it = analysis.nodes.find(node.id); it != analysis.nodes.end()) {
            box.subtitle = it->second.output_text;
            if (it->second.weights > 0)
                box.subtitle += fmt::format("{}{} weights", box.subtitle.empty() ? "" : " · ",
                                            count_text(it->second.weights));
        }
        if (node.muted) box.subtitle = "Muted";
        const std::size_t rows = std::max<std::size_t>({inputs, outputs, 1});
        const bool labelled = !node.collapsed && (inputs > 1 || outputs > 1);
        const bool note = box.type && box.type->role == Role::Note;
        if (note && !node.collapsed) {
            std::string line;
            const auto text = node.params.find("text");
            const auto* words =
                text == node.params.end() ? nullptr : std::get_if<std::string>(&text->second);
            for (const char c : words ? *words + "\n" : std::string("\n")) {
                if (c == '\n' || (c == ' ' && line.size() > kSmallLetters - 6)) {
                    box.lines.push_back(std::move(line));
                    line.clear();
                } else {
                    line += c;
                }
            }
            if (box.lines.size() > 16) box.lines.resize(16);
            box.height = kHeader + kLine * static_cast<double>(box.lines.size()) + kPadding;
        } else if (node.collapsed) {
            box.height = std::max(kHeader, static_cast<double>(rows) * kRow * 0.6);
        } else {
            box.height =
                kHeader + kRow * static_cast<double>(labelled ? rows + 1 : rows) + kRow * 0.36;
        }
        std::size_t in = 0, out = 0;
        for (Port& one : box.ports) {
            const auto at = static_cast<double>(one.output ? out++ : in++) + 0.5;
            const auto count = static_cast<double>(one.output ? outputs : inputs);
            one.x = box.x + (one.output ? kWidth : 0);
            one.y = box.y +
                    (node.collapsed ? box.height * at / count : kHeader + kRow * 0.18 + at * kRow);
            if (!labelled) one.label.clear();
        }
        boxes_[node.id] = std::move(box);
    }

    const char* colour(PortKind kind) const {
        return kind == PortKind::Labels ? colours_.labels
               : kind == PortKind::Loss ? colours_.loss
                                        : colours_.tensor;
    }

    const Port* port(const std::string& node, const std::string& id, bool output) const {
        const auto box = boxes_.find(node);
        if (box == boxes_.end()) return nullptr;
        for (const Port& one : box->second.ports)
            if (one.id == id && one.output == output) return &one;
        return nullptr;
    }

    std::string draw(const Wire& wire) const {
        const Port* from = port(wire.from, wire.from_port, true);
        const Port* to = port(wire.to, wire.to_port, false);
        if (!from || !to) return {};
        std::vector<Position> points{{from->x, from->y}};
        for (const Position& bend : graph_.bends(wire))
            points.push_back(bend);
        points.push_back({to->x, to->y});
        std::string path = fmt::format("M{:.1f} {:.1f}", points[0].x, points[0].y);
        for (std::size_t i = 0; i + 1 < points.size(); ++i) {
            const double dx = points[i + 1].x - points[i].x;
            const double reach = dx >= 0 ? dx * 0.5 : std::min(-dx * 0.5 + 40, 220.0);
            path += fmt::format(" C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}", points[i].x + reach,
                                points[i].y, points[i + 1].x - reach, points[i + 1].y,
                                points[i + 1].x, points[i + 1].y);
        }
        const char* dashes = from->kind == PortKind::Labels ? " stroke-dasharray=\"8 6\""
                             : from->kind == PortKind::Loss ? " stroke-dasharray=\"0.2 5\""
                                                            : "";
        return fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\" "
                           "stroke-linecap=\"round\"{}/>\n",
                           path, colour(from->kind), dashes);
    }

    std::string words(double x, double y, const std::string& text, const char* fill, double size,
                      const char* more = "") const {
        return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" fill=\"{}\" font-size=\"{}\"{}>{}"
                           "</text>\n",
                           x, y, fill, size, more, xml(text));
    }

    std::string draw(const Box& box) const {
        const auto rect = [&](double x, double y, double height, const char* fill) {
            return fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.0f}\" height=\"{:.1f}\" "
                               "rx=\"{:.0f}\" fill=\"{}\" stroke=\"{}\"/>\n",
                               x, y, kWidth, height, kRadius, fill, colours_.border);
        };
        std::string svg = fmt::format("<g{}>\n", box.node->muted ? " opacity=\"0.55\"" : "");
        if (box.type && box.type->role == Role::Group)
            svg += rect(box.x + 5, box.y - 5, box.height, colours_.header);
        svg += rect(box.x, box.y, box.height, colours_.body);
        const double header = box.node->collapsed ? box.height : kHeader;
        svg += fmt::format("<path d=\"M{:.1f} {:.1f}v{:.1f}q0 {:.0f} {:.0f} {:.0f}h{:.1f}q{:.0f} 0 "
                           "{:.0f} {:.0f}v{:.1f}z\" fill=\"{}\"/>\n",
                           box.x, box.y + header, -(header - kRadius), -kRadius, kRadius, -kRadius,
                           kWidth - 2 * kRadius, kRadius, kRadius, kRadius, header - kRadius,
                           colours_.header);
        std::string side = box.side;
        if (box.type && box.type->role == Role::Group)
            if (const auto it = box.node->params.find("times"); it != box.node->params.end())
                if (const auto* times = std::get_if<std::int64_t>(&it->second); times && *times > 1)
                    side = fmt::format("× {}", *times);
        const std::size_t room = side.empty() ? kTitleLetters : kTitleLetters - 9;
        svg += words(box.x + kPadding, box.y + header / 2 + 5, shortened(box.title, room),
                     colours_.text, 14, " font-weight=\"600\"");
        if (!side.empty())
            svg += words(box.x + kWidth - kPadding, box.y + header / 2 + 5, shortened(side, 12),
                         colours_.muted, 12, " text-anchor=\"end\"");
        if (!box.node->collapsed && box.lines.empty() && !box.subtitle.empty())
            svg += words(box.x + kPadding, box.y + box.height - kRow * 0.5,
                         shortened(box.subtitle, kSmallLetters), colours_.muted, 12);
        for (std::size_t i = 0; i < box.lines.size(); ++i)
            svg += words(box.x + kPadding, box.y + kHeader + kLine * (static_cast<double>(i) + 1),
                         shortened(box.lines[i], kSmallLetters + 4), colours_.text, 12);
        for (const Port& port : box.ports) {
            const char* tone = colour(port.kind);
            if (port.kind == PortKind::Labels)
                svg += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"9\" height=\"9\" "
                                   "fill=\"{}\"/>\n",
                                   port.x - 4.5, port.y - 4.5, tone);
            else if (port.kind == PortKind::Loss)
                svg += fmt::format("<path d=\"M{:.1f} {:.1f}l6 6l-6 6l-6 -6z\" fill=\"{}\"/>\n",
                                   port.x, port.y - 6, tone);
            else
                svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.0f}\" fill=\"{}\" "
                                   "stroke=\"{}\"/>\n",
                                   port.x, port.y, kPort, tone, colours_.body);
            if (!port.label.empty())
                svg += words(port.x + (port.output ? -kPadding : kPadding), port.y + 4,
                             shortened(port.label, 14), colours_.muted, 12,
                             port.output ? " text-anchor=\"end\"" : "");
        }
        return svg + "</g>\n";
    }

    const Graph& graph_;
    const PictureOptions& options_;
    const Colours& colours_;
    std::map<std::string, Box> boxes_;
};

} // namespace

std::string svg_picture(const Graph& graph, const PictureOptions& options) {
    const auto& nodes = graph.nodes();
    const bool placed = nodes.size() < 2 || std::any_of(nodes.begin(), nodes.end(), [&](auto& one) {
                            return !(one.second.position == nodes.begin()->second.position);
                        });
    if (placed) return Picture(graph, options).text();
    Graph arranged = graph;
    std::map<std::string, std::pair<double, double>> sizes;
    for (const auto& [id, node] : nodes)
        sizes[id] = {kWidth, kHeader + 2 * kRow};
    apply(arranged, layout_edit(arranged, {}, sizes));
    return Picture(arranged, options).text();
}

} // namespace wiregrad::graph
