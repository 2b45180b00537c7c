// Layered layout: ranks by longest path, order within a rank by barycentre sweeps that look at
// ports, positions by exact least squares under the order. Deterministic; data flows from left to
// right.
#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "nodes/edit.h"

namespace wiregrad::graph {

namespace {

constexpr double kGapX = 70, kGapY = 40;
constexpr double kRowGap = 90;
constexpr double kViewWidth = 1000, kViewHeight = 520; ///< of a canvas in a common window
constexpr std::size_t kMostRows = 12;
constexpr double kWireGap = 14; ///< between wires that pass through a rank
constexpr int kSweeps = 12;
constexpr int kLongestBend = 64; ///< a wire over more ranks than this is not given a lane

struct Item {
    std::string id; ///< empty: a wire passing through
    double width = 0, height = 0;
    double y = 0;
    std::size_t layer = 0;
};

struct Link {
    std::size_t from, to;
    double from_y, to_y; ///< port offsets within the items
};

class Layout {
  public:
    Layout(const Graph& graph, const std::set<std::string>& wanted,
           const std::map<std::string, std::pair<double, double>>& sizes)
        : graph_(graph), sizes_(sizes) {
        std::set<std::string> wired;
        const auto in = [&](const std::string& id) {
            return wanted.empty() || wanted.contains(id);
        };
        for (const Wire& wire : graph.wires())
            if (in(wire.from) && in(wire.to)) {
                wired.insert(wire.from);
                wired.insert(wire.to);
                wires_.push_back(wire);
            }
        for (const std::string& id : graph.topological_order()) {
            if (!in(id)) continue;
            if (wired.contains(id))
                connected_.push_back(id);
            else
                loose_.push_back(id);
        }
    }

    std::map<std::string, Position> positions() {
        rank();
        add_lanes();
        for (int sweep = 0; sweep < kSweeps; ++sweep)
            order(sweep % 2 == 0);
        assign();
        std::map<std::string, Position> result;
        double row_top = 0, bottom = 0;
        for (const auto& [first, last] : rows()) {
            const auto [top, height] = extent(first, last);
            double x = 0;
            for (std::size_t layer = first; layer < last; ++layer) {
                for (std::size_t i : layers_[layer])
                    if (!items_[i].id.empty())
                        result[items_[i].id] = {x + (width_of(layer) - items_[i].width) / 2,
                                                row_top + items_[i].y - top};
                x += width_of(layer) + kGapX;
            }
            bottom = row_top + height + kGapY;
            row_top += height + kRowGap;
        }
        // What has no wires stands in a row below.
        double at = 0;
        for (const std::string& id : loose_) {
            result[id] = {at, bottom};
            at += size_of(id).first + kGapX;
        }
        return result;
    }

  private:
    double width_of(std::size_t layer) const {
        double width = 0;
        for (std::size_t i : layers_[layer])
            width = std::max(width, items_[i].width);
        return width;
    }

    /// Top and height of the nodes in some layers.
    std::pair<double, double> extent(std::size_t first, std::size_t last) const {
        double top = 1e300, bottom = -1e300;
        for (std::size_t layer = first; layer < last; ++layer)
            for (std::size_t i : layers_[layer])
                if (!items_[i].id.empty()) {
                    top = std::min(top, items_[i].y);
                    bottom = std::max(bottom, items_[i].y + items_[i].height);
                }
        return bottom < top ? std::pair(0.0, 0.0) : std::pair(top, bottom - top);
    }

    /// The layers of each row, [first, last). A network much longer than a window is wide is folded
    /// like lines of a text, so that all of it can be read at once: as few rows as give the largest
    /// picture.
    std::vector<std::pair<std::size_t, std::size_t>> rows() const {
        std::vector<std::pair<std::size_t, std::size_t>> best;
        double best_zoom = 0;
        for (std::size_t count = 1; count <= std::min<std::size_t>(layers_.size(), kMostRows);
             ++count) {
            const std::size_t per_row = (layers_.size() + count - 1) / count;
            std::vector<std::pair<std::size_t, std::size_t>> rows;
            double width = 0, height = -kRowGap;
            for (std::size_t first = 0; first < layers_.size(); first += per_row) {
                const std::size_t last = std::min(first + per_row, layers_.size());
                double row_width = -kGapX;
                for (std::size_t layer = first; layer < last; ++layer)
                    row_width += width_of(layer) + kGapX;
                width = std::max(width, row_width);
                height += extent(first, last).second + kRowGap;
                rows.emplace_back(first, last);
            }
            const double zoom = std::min({1.0, kViewWidth / width, kViewHeight / height});
            if (zoom > best_zoom * 1.3) { // a row more must be worth it
                best_zoom = zoom;
                best = std::move(rows);
            }
        }
        return best;
    }

    std::pair<double, double> size_of(const std::string& id) const {
        const auto it = sizes_.find(id);
        return it == sizes_.end() ? std::pair(170.0, 64.0) : it->second;
    }

    double port_offset(const std::string& id, const std::string& port, bool output) const {
        const NodeType* type = graph_.type_of(id);
        const double height = size_of(id).second;
        if (!type) return height / 2;
        const auto& ports = output ? type->outputs : type->inputs;
        for (std::size_t i = 0; i < ports.size(); ++i)
            if (ports[i].id == port)
                return height * static_cast<double>(i + 1) / static_cast<double>(ports.size() + 1);
        return height / 2;
    }

    void rank() {
        std::unordered_map<std::string, std::size_t> rank;
        std::unordered_map<std::string, std::vector<const Wire*>> into;
        for (const Wire& wire : wires_)
            into[wire.to].push_back(&wire);
        std::size_t ranks = 0;
        for (const std::string& id : connected_) {
            std::size_t mine = 0;
            for (const Wire* wire : into[id])
                mine = std::max(mine, rank[wire->from] + 1);
            rank[id] = mine;
            ranks = std::max(ranks, mine + 1);
        }
        layers_.resize(ranks);
        for (const std::string& id : connected_) {
            const auto [width, height] = size_of(id);
            item_of_[id] = items_.size();
            layers_[rank[id]].push_back(items_.size());
            items_.push_back({id, width, height, 0, rank[id]});
        }
    }

    void add_lanes() {
        for (const Wire& wire : wires_) {
            const std::size_t from = item_of_.at(wire.from), to = item_of_.at(wire.to);
            const double from_y = port_offset(wire.from, wire.from_port, true),
                         to_y = port_offset(wire.to, wire.to_port, false);
            const std::size_t first = items_[from].layer + 1, last = items_[to].layer;
            if (last - first > kLongestBend) {
                links_.push_back({from, to, from_y, to_y});
                continue;
            }
            std::size_t before = from;
            double before_y = from_y;
            for (std::size_t layer = first; layer < last; ++layer) {
                layers_[layer].push_back(items_.size());
                links_.push_back({before, items_.size(), before_y, 0});
                before = items_.size();
                before_y = 0;
                items_.push_back({"", 0, 0, 0, layer});
            }
            links_.push_back({before, to, before_y, to_y});
        }
        left_.resize(items_.size());
        right_.resize(items_.size());
        for (std::size_t i = 0; i < links_.size(); ++i) {
            right_[links_[i].from].push_back(i);
            left_[links_[i].to].push_back(i);
        }
        for (auto& layer : layers_)
            stack(layer);
    }

    double gap(std::size_t above, std::size_t below) const {
        return items_[above].id.empty() || items_[below].id.empty() ? kWireGap : kGapY;
    }

    /// Puts a layer's items below each other in their order, centred on 0.
    void stack(const std::vector<std::size_t>& layer) {
        double y = 0;
        for (std::size_t i = 0; i < layer.size(); ++i) {
            if (i > 0) y += gap(layer[i - 1], layer[i]);
            items_[layer[i]].y = y;
            y += items_[layer[i]].height;
        }
        for (std::size_t i : layer)
            items_[i].y -= y / 2;
    }

    /// Where an item would like to be: level with the ports it is wired to, on one side or both.
    bool wish(std::size_t item, bool left, bool right, double& y) const {
        double sum = 0;
        int count = 0;
        if (left)
            for (std::size_t i : left_[item]) {
                sum += items_[links_[i].from].y + links_[i].from_y - links_[i].to_y;
                ++count;
            }
        if (right)
            for (std::size_t i : right_[item]) {
                sum += items_[links_[i].to].y + links_[i].to_y - links_[i].from_y;
                ++count;
            }
        if (count == 0) return false;
        y = sum / count;
        return true;
    }

    void order(bool forward) {
        for (std::size_t step = 0; step < layers_.size(); ++step) {
            auto& layer = layers_[forward ? step : layers_.size() - 1 - step];
            std::vector<std::pair<double, std::size_t>> keys;
            for (std::size_t i : layer) {
                double y = items_[i].y;
                wish(i, forward, !forward, y);
                keys.emplace_back(y + items_[i].height / 2, i);
            }
            std::stable_sort(keys.begin(), keys.end(),
                             [](const auto& a, const auto& b) { return a.first < b.first; });
            for (std::size_t i = 0; i < layer.size(); ++i)
                layer[i] = keys[i].second;
            stack(layer);
        }
    }

    void assign() {
        for (int sweep = 0; sweep < kSweeps; ++sweep)
            for (std::size_t step = 0; step < layers_.size(); ++step) {
                const bool forward = sweep % 2 == 0;
                const bool both = sweep >= kSweeps / 2;
                place(layers_[forward ? step : layers_.size() - 1 - step], both || forward,
                      both || !forward);
            }
        straighten();
        double top = 1e300;
        for (const Item& item : items_)
            if (!item.id.empty()) top = std::min(top, item.y);
        for (Item& item : items_)
            item.y -= top;
    }

    /// From left to right, puts what has one wire in level with where it comes from, as far as
    /// there is room.
    void straighten() {
        for (const auto& layer : layers_)
            for (std::size_t k = 0; k < layer.size(); ++k) {
                const std::size_t item = layer[k];
                double y = 0;
                if (left_[item].size() != 1 || !wish(item, true, false, y)) continue;
                if (k > 0)
                    y = std::max(y, items_[layer[k - 1]].y + items_[layer[k - 1]].height +
                                        gap(layer[k - 1], item));
                if (k + 1 < layer.size() &&
                    y + items_[item].height + gap(item, layer[k + 1]) > items_[layer[k + 1]].y)
                    continue;
                items_[item].y = y;
            }
    }

    /// The positions nearest to the wishes, in least squares, that keep the order and the gaps:
    /// items that would overlap are pooled and share their mean shift.
    void place(const std::vector<std::size_t>& layer, bool left, bool right) {
        struct Pool {
            double sum, count;
            std::size_t first;
        };
        std::vector<Pool> pools;
        std::vector<double> offset(layer.size(), 0);
        for (std::size_t k = 0; k < layer.size(); ++k) {
            if (k > 0)
                offset[k] =
                    offset[k - 1] + items_[layer[k - 1]].height + gap(layer[k - 1], layer[k]);
            double y = items_[layer[k]].y;
            wish(layer[k], left, right, y);
            pools.push_back({y - offset[k], 1, k});
            while (pools.size() > 1 && pools[pools.size() - 2].sum / pools[pools.size() - 2].count >
                                           pools.back().sum / pools.back().count) {
                const Pool last = pools.back();
                pools.pop_back();
                pools.back().sum += last.sum;
                pools.back().count += last.count;
            }
        }
        for (std::size_t p = 0; p < pools.size(); ++p) {
            const std::size_t end = p + 1 < pools.size() ? pools[p + 1].first : layer.size();
            for (std::size_t k = pools[p].first; k < end; ++k)
                items_[layer[k]].y = pools[p].sum / pools[p].count + offset[k];
        }
    }

    const Graph& graph_;
    const std::map<std::string, std::pair<double, double>>& sizes_;
    std::vector<Wire> wires_;
    std::vector<std::string> connected_, loose_;
    std::vector<Item> items_;
    std::unordered_map<std::string, std::size_t> item_of_;
    std::vector<std::vector<std::size_t>> layers_;
    std::vector<Link> links_;
    std::vector<std::vector<std::size_t>> left_, right_; ///< links by item
};

} // namespace

Edit layout_edit(const Graph& graph, const std::set<std::string>& nodes,
                 const std::map<std::string, std::pair<double, double>>& sizes) {
    const auto positions = Layout(graph, nodes, sizes).positions();
    // The corner of what is laid out stays where it is.
    Position corner{1e300, 1e300};
    for (const auto& [id, position] : positions) {
        corner.x = std::min(corner.x, graph.node(id)->position.x);
        corner.y = std::min(corner.y, graph.node(id)->position.y);
    }
    Batch batch;
    for (const auto& [id, position] : positions) {
        const Position moved{std::round(corner.x + position.x), std::round(corner.y + position.y)};
        if (!graph.node(id)->pinned && !(moved == graph.node(id)->position))
            batch.edits.push_back({Move{id, moved}});
    }
    return {std::move(batch)};
}

} // namespace wiregrad::graph
