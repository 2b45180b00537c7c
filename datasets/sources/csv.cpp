#include "datasets/sources/csv.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "datasets/io/file_bytes.h"
#include "datasets/sources/labels.h"
#include "datasets/sources/memory_dataset.h"
#include "datasets/sources/source.h"
#include "engine/core/error.h"

namespace wiregrad::data {
namespace {

constexpr std::uint64_t kLargestFile = std::uint64_t{2} << 30;
constexpr std::size_t kMostColumns = 100'000;
constexpr std::size_t kMostClasses = 10'000;

std::string_view trimmed(std::string_view cell) {
    while (!cell.empty() && (cell.front() == ' ' || cell.front() == '\t'))
        cell.remove_prefix(1);
    while (!cell.empty() && (cell.back() == ' ' || cell.back() == '\t'))
        cell.remove_suffix(1);
    return cell;
}

bool is_missing(std::string_view cell) {
    static constexpr std::array<std::string_view, 8> kWords = {"",    "?",   "NA",   "N/A",
                                                               "NaN", "nan", "null", "NULL"};
    return std::find(kWords.begin(), kWords.end(), trimmed(cell)) != kWords.end();
}

/// Decimal commas are read where the separator is a semicolon, as spreadsheets write them in many
/// countries.
bool parse_number(std::string_view cell, bool decimal_comma, double& value) {
    cell = trimmed(cell);
    if (cell.starts_with('+')) cell.remove_prefix(1);
    if (cell.empty() || cell.starts_with('+')) return false;
    std::array<char, 64> copy{};
    if (decimal_comma && cell.size() <= copy.size() &&
        std::count(cell.begin(), cell.end(), ',') == 1 &&
        cell.find('.') == std::string_view::npos) {
        std::copy(cell.begin(), cell.end(), copy.begin());
        std::replace(copy.begin(), copy.end(), ',', '.');
        cell = std::string_view(copy.data(), cell.size());
    }
    const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    if (error == std::errc::result_out_of_range && end == cell.data() + cell.size()) {
        value = INFINITY;
        return true;
    }
    return error == std::errc() && end == cell.data() + cell.size();
}

std::string shown(std::string_view cell) {
    constexpr std::size_t kMost = 40;
    return cell.size() <= kMost ? std::string(cell) : std::string(cell.substr(0, kMost)) + "...";
}

struct ColumnFacts {
    std::string name;
    std::int64_t numbers = 0, texts = 0, missing = 0;
    std::int64_t first_text_line = 0, first_missing_line = 0;
    std::string first_text;
    bool whole = true; ///< all numbers are whole
};

class Parser {
  public:
    Parser(std::string_view text, const CsvOptions& options, const std::string& where)
        : text_(text), options_(options), where_(where) {
        constexpr std::string_view kMark = "\xEF\xBB\xBF"; // UTF-8 byte order mark
        if (text_.starts_with(kMark)) text_.remove_prefix(kMark.size());
        if (text_.find('\0') != std::string_view::npos)
            throw FileError("this is no text file: it holds zero bytes", where_);
        separator_ = find_separator(text_);
        comma_ = separator_ == ';';
    }

    CsvTable run() {
        look();
        choose();
        CsvTable table = fill();
        return table;
    }

  private:
    CsvRows rows() const { return {text_, separator_, where_}; }
    std::string column_text(std::size_t column) const {
        return fmt::format("column \"{}\"", facts_[column].name);
    }

    void look() {
        find_header();
        CsvRows row = rows();
        if (has_header_) row.next();
        while (row.next()) {
            if (row.size() != facts_.size())
                throw FileError(fmt::format("line {} has {}, line {} has {}", row.line(),
                                            cells(row.size()), first_line_, cells(facts_.size())),
                                where_);
            ++rows_;
            for (std::size_t c = 0; c < facts_.size(); ++c)
                look_at(facts_[c], row[c], row.line());
        }
        if (rows_ == 0)
            throw DataError(
                has_header_ ? "the table has a header, but no rows" : "the table is empty", where_);
    }

    static std::string cells(std::size_t count) {
        return fmt::format("{} {}", count, count == 1 ? "cell" : "cells");
    }

    void look_at(ColumnFacts& facts, std::string_view cell, std::int64_t line) const {
        double value = 0;
        if (is_missing(cell)) {
            if (facts.missing++ == 0) facts.first_missing_line = line;
        } else if (parse_number(cell, comma_, value)) {
            if (!std::isfinite(static_cast<float>(value)))
                throw DataError(fmt::format("line {}, column \"{}\": \"{}\" is not a finite number",
                                            line, facts.name, shown(cell)),
                                where_);
            ++facts.numbers;
            facts.whole = facts.whole && value == std::floor(value) && std::abs(value) < 1e15;
        } else {
            if (facts.texts++ == 0) {
                facts.first_text_line = line;
                facts.first_text = shown(cell);
            }
        }
    }

    /// The first row is a header when it holds no number while the rows below it hold some; or, in
    /// a table of text alone, when none of its cells occurs again in its column.
    void find_header() {
        CsvRows row = rows();
        if (!row.next()) throw DataError("the table is empty", where_);
        first_line_ = row.line();
        std::vector<std::string> first;
        bool any_number = false;
        for (std::size_t c = 0; c < row.size(); ++c) {
            double value = 0;
            first.emplace_back(trimmed(row[c]));
            any_number = any_number || parse_number(row[c], comma_, value);
        }
        facts_.resize(first.size());
        if (!any_number) {
            bool number_below = false, again = false, more = false;
            constexpr int kLookAt = 1000;
            for (int i = 0; i < kLookAt && !number_below && row.next(); ++i) {
                more = true;
                for (std::size_t c = 0; c < std::min(row.size(), first.size()); ++c) {
                    double value = 0;
                    number_below = number_below || parse_number(row[c], comma_, value);
                    again = again || trimmed(row[c]) == first[c];
                }
            }
            has_header_ = number_below || (more && !again);
        }
        for (std::size_t c = 0; c < facts_.size(); ++c)
            facts_[c].name =
                has_header_ && !first[c].empty() ? first[c] : fmt::format("column {}", c + 1);
    }

    void choose() {
        label_ = facts_.size() - 1;
        if (options_.label_column == "-") {
            label_ = kNone;
        } else if (!options_.label_column.empty()) {
            label_ = kNone;
            for (std::size_t c = 0; c < facts_.size(); ++c)
                if (facts_[c].name == options_.label_column) label_ = c;
            std::size_t number = 0;
            const std::string& asked = options_.label_column;
            const auto [end, error] =
                std::from_chars(asked.data(), asked.data() + asked.size(), number);
            if (label_ == kNone && error == std::errc() && end == asked.data() + asked.size() &&
                number >= 1 && number <= facts_.size())
                label_ = number - 1;
            if (label_ == kNone)
                throw DataError(fmt::format("there is no column \"{}\"; the columns are {}", asked,
                                            column_names()),
                                where_);
        }
        for (std::size_t c = 0; c < facts_.size(); ++c) {
            const ColumnFacts& facts = facts_[c];
            if (c == label_) continue;
            if (facts.texts == 0 && facts.numbers > 0) {
                features_.push_back(c);
            } else if (facts.numbers > facts.texts) {
                throw DataError(fmt::format("line {}, {}: \"{}\" is not a number",
                                            facts.first_text_line, column_text(c),
                                            facts.first_text),
                                where_);
            } else {
                left_out_.push_back(facts.name);
            }
        }
        if (features_.empty())
            throw DataError(
                fmt::format(
                    "the table has no column of numbers besides the label; the columns are {}",
                    column_names()),
                where_);
        if (options_.drop_missing) return;
        std::vector<std::size_t> used = features_;
        if (label_ != kNone) used.push_back(label_);
        for (const std::size_t c : used)
            if (facts_[c].missing > 0)
                throw DataError(fmt::format("line {}, {}: the value is missing ({} missing in this "
                                            "column); choose to leave "
                                            "such rows out, or complete them",
                                            facts_[c].first_missing_line, column_text(c),
                                            facts_[c].missing),
                                where_);
    }

    std::string column_names() const {
        std::string names;
        for (std::size_t c = 0; c < std::min<std::size_t>(facts_.size(), 20); ++c)
            names += fmt::format("{}\"{}\"", c ? ", " : "", facts_[c].name);
        return facts_.size() > 20 ? names + " ..." : names;
    }

    CsvTable fill() {
        CsvTable table;
        table.left_out = left_out_;
        for (const std::size_t c : features_)
            table.features.push_back(facts_[c].name);
        std::vector<std::string> label_cells;
        std::vector<double> label_numbers;
        std::vector<std::int64_t> label_lines;
        const bool text_label = label_ != kNone && facts_[label_].texts > 0;
        CsvRows row = rows();
        if (has_header_) row.next();
        std::int64_t first_dropped = 0;
        while (row.next()) {
            const bool missing = std::any_of(features_.begin(), features_.end(),
                                             [&](std::size_t c) { return is_missing(row[c]); }) ||
                                 (label_ != kNone && is_missing(row[label_]));
            if (missing) {
                if (table.dropped++ == 0) first_dropped = row.line();
                continue;
            }
            for (const std::size_t c : features_) {
                double value = 0;
                parse_number(row[c], comma_, value);
                table.x.push_back(static_cast<float>(value));
            }
            if (text_label) {
                label_cells.emplace_back(trimmed(row[label_]));
            } else if (label_ != kNone) {
                double value = 0;
                parse_number(row[label_], comma_, value);
                label_numbers.push_back(value);
                label_lines.push_back(row.line());
            }
            ++table.rows;
        }
        if (table.rows == 0) throw DataError("every row of the table has a missing value", where_);
        if (table.dropped > 0)
            table.notes.push_back(
                fmt::format("{} with missing values {} left out, the first in line {}.",
                            table.dropped == 1 ? "1 row" : fmt::format("{} rows", table.dropped),
                            table.dropped == 1 ? "was" : "were", first_dropped));
        for (const std::string& name : left_out_)
            table.notes.push_back(fmt::format("Column \"{}\" holds text and is left out.", name));
        if (label_ == kNone) return table;
        table.label = facts_[label_].name;
        if (text_label)
            name_classes(table, label_cells);
        else
            number_classes(table, label_numbers, label_lines);
        return table;
    }

    void name_classes(CsvTable& table, const std::vector<std::string>& cells) const {
        if (options_.regression)
            throw DataError(
                fmt::format("line {}, {}: \"{}\" is not a number, and a number is to be predicted",
                            facts_[label_].first_text_line, column_text(label_),
                            facts_[label_].first_text),
                where_);
        std::map<std::string, std::int64_t> index;
        for (const std::string& cell : cells)
            if (index.try_emplace(cell, 0).second && index.size() > kMostClasses)
                throw DataError(
                    fmt::format("{} has more than {} different texts; it is hardly a label",
                                column_text(label_), kMostClasses),
                    where_);
        for (auto& [name, value] : index) {
            value = static_cast<std::int64_t>(table.class_names.size());
            table.class_names.push_back(name);
        }
        for (const std::string& cell : cells)
            table.labels.push_back(index.at(cell));
        if (table.class_names.size() < 2)
            throw DataError(fmt::format("{} holds one class only: \"{}\"", column_text(label_),
                                        table.class_names[0]),
                            where_);
    }

    /// Few different whole numbers are classes, named by their numbers; anything else is a number
    /// to be predicted.
    void number_classes(CsvTable& table, const std::vector<double>& numbers,
                        const std::vector<std::int64_t>& lines) const {
        if (options_.classes > 0 && !options_.regression) {
            for (std::size_t i = 0; i < numbers.size(); ++i) {
                if (numbers[i] != std::floor(numbers[i]) || numbers[i] < 0 ||
                    numbers[i] >= static_cast<double>(options_.classes))
                    throw DataError(
                        fmt::format("line {}, {}: sample {} has the label {}, allowed are 0 to {}",
                                    lines[i], column_text(label_), i, numbers[i],
                                    options_.classes - 1),
                        where_);
                table.labels.push_back(static_cast<std::int64_t>(numbers[i]));
            }
            for (std::int64_t c = 0;
                 c < options_.classes && c < static_cast<std::int64_t>(kMostClasses); ++c)
                table.class_names.push_back(std::to_string(c));
            return;
        }
        constexpr std::size_t kFew = 50;
        std::set<double> different;
        for (const double value : numbers)
            if (different.size() <= kFew) different.insert(value);
        const bool classes = facts_[label_].whole && different.size() >= 2 &&
                             different.size() <= kFew && different.size() * 2 <= numbers.size();
        if (options_.regression || !classes) {
            for (const double value : numbers)
                table.targets.push_back(static_cast<float>(value));
            return;
        }
        std::map<double, std::int64_t> index;
        for (const double value : different) {
            index[value] = static_cast<std::int64_t>(table.class_names.size());
            table.class_names.push_back(fmt::format("{}", static_cast<std::int64_t>(value)));
        }
        for (const double value : numbers)
            table.labels.push_back(index.at(value));
    }

    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
    std::string_view text_;
    const CsvOptions& options_;
    const std::string& where_;
    char separator_ = ',';
    bool comma_ = false, has_header_ = false;
    std::int64_t first_line_ = 1, rows_ = 0;
    std::vector<ColumnFacts> facts_;
    std::size_t label_ = kNone;
    std::vector<std::size_t> features_;
    std::vector<std::string> left_out_;
};

CsvTable load(const DatasetSpec& spec) {
    const std::vector<std::byte> bytes = FileBytes(spec.path).take_all(kLargestFile);
    return parse_csv({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                     {.label_column = spec.label_column,
                      .drop_missing = spec.missing == Missing::DropRow,
                      .regression = spec.regression,
                      .classes = spec.classes},
                     spec.path);
}

std::vector<Field> fields_of(const CsvTable& table) {
    const auto [low, high] = std::minmax_element(table.x.begin(), table.x.end());
    std::vector<Field> fields = {{.name = "x",
                                  .shape = {static_cast<std::int64_t>(table.features.size())},
                                  .kind = FieldKind::Vector,
                                  .feature_names = table.features,
                                  .min = *low,
                                  .max = *high}};
    if (!table.labels.empty()) {
        fields.push_back(
            label_field(static_cast<std::int64_t>(table.class_names.size()), table.class_names));
    } else if (!table.targets.empty()) {
        const auto [least, most] = std::minmax_element(table.targets.begin(), table.targets.end());
        fields.push_back({.name = "y",
                          .shape = {1},
                          .kind = FieldKind::Scalar,
                          .feature_names = {table.label},
                          .min = *least,
                          .max = *most});
    }
    return fields;
}

} // namespace

CsvRows::CsvRows(std::string_view text, char separator, std::string where)
    : text_(text), separator_(separator), where_(std::move(where)) {}

bool CsvRows::next() {
    while (at_ < text_.size()) {
        cells_.clear();
        unescaped_used_ = 0;
        line_ = next_line_;
        bool more = true;
        while (more) {
            std::size_t begin = at_;
            while (begin < text_.size() && text_[begin] == ' ')
                ++begin;
            if (begin < text_.size() && text_[begin] == '"') {
                at_ = begin;
                add_quoted(at_);
            } else {
                const std::size_t end =
                    text_.find_first_of(std::array{separator_, '\n', '\r', '\0'}.data(), at_);
                begin = at_;
                at_ = end == std::string_view::npos ? text_.size() : end;
                add_cell(begin, at_);
            }
            more = at_ < text_.size() && text_[at_] == separator_;
            if (more) ++at_;
        }
        if (at_ < text_.size() && text_[at_] == '\r') ++at_;
        if (at_ < text_.size() && text_[at_] == '\n') ++at_;
        ++next_line_;
        if (cells_.size() > 1 || !trimmed(cells_[0]).empty()) return true;
    }
    return false;
}

void CsvRows::add_cell(std::size_t begin, std::size_t end) {
    if (cells_.size() >= kMostColumns)
        throw FileError(fmt::format("line {} has more than {} cells", line_, kMostColumns), where_);
    cells_.push_back(text_.substr(begin, end - begin));
}

void CsvRows::add_quoted(std::size_t& at) {
    const std::size_t begin = ++at;
    bool doubled = false;
    while (true) {
        at = text_.find_first_of("\"\n", at);
        if (at == std::string_view::npos)
            throw FileError(fmt::format("the quote in line {} is not closed", line_), where_);
        if (text_[at] == '\n') {
            ++next_line_;
            ++at;
        } else if (at + 1 < text_.size() && text_[at + 1] == '"') {
            doubled = true;
            at += 2;
        } else {
            break;
        }
    }
    add_cell(begin, at);
    ++at;
    if (doubled) {
        std::string plain;
        for (std::size_t i = 0; i < cells_.back().size(); ++i) {
            plain += cells_.back()[i];
            if (cells_.back()[i] == '"') ++i;
        }
        if (unescaped_used_ == unescaped_.size()) unescaped_.emplace_back();
        unescaped_[unescaped_used_] = std::move(plain);
        cells_.back() = unescaped_[unescaped_used_++];
    }
    while (at < text_.size() && text_[at] == ' ')
        ++at;
    if (at < text_.size() && text_[at] != separator_ && text_[at] != '\n' && text_[at] != '\r')
        throw FileError(fmt::format("line {} has text behind a closing quote", next_line_), where_);
}

char find_separator(std::string_view text) {
    constexpr std::size_t kLookAt = 1 << 16;
    constexpr int kRows = 20;
    std::string_view head = text.substr(0, kLookAt);
    if (head.size() < text.size())
        head = head.substr(0, head.find_last_of('\n') == std::string_view::npos
                                  ? head.size()
                                  : head.find_last_of('\n'));
    char best = ',';
    std::size_t best_columns = 1;
    for (const char separator : {',', ';', '\t'}) {
        std::size_t columns = 0;
        bool same = true;
        try {
            CsvRows row(head, separator, "");
            for (int i = 0; i < kRows && same && row.next(); ++i) {
                same = columns == 0 || row.size() == columns;
                columns = row.size();
            }
        } catch (const FileError&) {
            same = false;
        }
        // A semicolon table with decimal commas also splits evenly at its commas: the later ones
        // win a tie.
        if (same && columns > 1 &&
            (columns > best_columns || (separator != ',' && columns >= 2 && best == ','))) {
            best = separator;
            best_columns = columns;
        }
    }
    if (best_columns > 1) return best;
    // Nothing splits evenly: take what the first line holds most of, so that the error names the
    // uneven line.
    const std::string_view first = head.substr(0, head.find('\n'));
    std::ptrdiff_t most = 0;
    for (const char separator : {',', ';', '\t'})
        if (const auto count = std::count(first.begin(), first.end(), separator); count > most) {
            most = count;
            best = separator;
        }
    return best;
}

CsvTable parse_csv(std::string_view text, const CsvOptions& options, const std::string& where) {
    return Parser(text, options, where).run();
}

Parts open_csv(const Opening& opening) {
    const DatasetSpec& spec = opening.spec;
    opening.report("Reading the table", 0);
    const CsvTable table = load(spec);
    std::vector<Column> columns = {Column::of<float>(table.x)};
    if (!table.labels.empty())
        columns.push_back(Column::of<std::int64_t>(table.labels));
    else if (!table.targets.empty())
        columns.push_back(Column::of<float>(table.targets));
    return {.main = memory_dataset(fields_of(table), std::move(columns), table.rows, spec.path),
            .notes = table.notes};
}

std::vector<Field> describe_csv(const DatasetSpec& spec) {
    return fields_of(load(spec));
}

} // namespace wiregrad::data
