// Tables in text: quotes, separators "," ";" and tab, headers, numbers and categories. Pure
// functions; any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/dataset.h"

namespace wiregrad::data {

/// Goes through the rows of a text, one at a time; cells point into the text or into the reader.
class CsvRows {
  public:
    CsvRows(std::string_view text, char separator, std::string where);
    /// False at the end. Blank lines are passed over. Throws FileError for a quote that is not
    /// closed or stands wrong.
    bool next();
    std::size_t size() const { return cells_.size(); }
    std::string_view operator[](std::size_t column) const { return cells_[column]; }
    std::int64_t line() const { return line_; } ///< where the row begins, from 1

  private:
    void add_cell(std::size_t begin, std::size_t end);
    void add_quoted(std::size_t& at);
    std::string_view text_;
    char separator_;
    std::string where_;
    std::size_t at_ = 0;
    std::int64_t line_ = 0, next_line_ = 1;
    std::vector<std::string_view> cells_;
    std::deque<std::string>
        unescaped_; ///< of quoted cells with doubled quotes; a deque, so that views stay valid
    std::size_t unescaped_used_ = 0;
};

struct CsvOptions {
    std::string label_column{}; ///< name or number from 1; empty: the last; "-": none
    bool drop_missing = false;
    bool regression = false;
    std::int64_t classes = 0; ///< above 0: labels are indices below it
};

/// A table made into numbers.
struct CsvTable {
    std::vector<std::string> features; ///< names of the columns of x
    std::vector<float> x;              ///< row by row
    std::string label;                 ///< name of the label column; empty without one
    std::vector<std::int64_t> labels;  ///< class indices, or
    std::vector<float> targets;        ///< numbers
    std::vector<std::string> class_names;
    std::int64_t rows = 0, dropped = 0;
    std::vector<std::string> left_out; ///< columns of text that are not the label
    std::vector<std::string> notes;
};

char find_separator(std::string_view text);
/// Throws FileError (malformed) and DataError (cells that cannot be used), naming line and column.
CsvTable parse_csv(std::string_view text, const CsvOptions& options, const std::string& where);

} // namespace wiregrad::data
