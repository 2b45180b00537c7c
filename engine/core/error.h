// Typed errors that carry facts. Everything a user or a file can cause is thrown as one of these,
// never asserted. The message is one sentence or two, without a trailing newline.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace wiregrad {

/// Base of every Wiregrad error. `where` is the node or file it belongs to, filled in by the layer
/// that knows.
class Error : public std::runtime_error {
  public:
    explicit Error(const std::string& text, std::string where = {})
        : std::runtime_error(where.empty() ? text : where + ": " + text), text_(text),
          where_(std::move(where)) {}
    const std::string& text() const { return text_; }   ///< without the place
    const std::string& where() const { return where_; } ///< may be empty

  private:
    std::string text_;
    std::string where_;
};

struct ShapeError : Error {
    using Error::Error;
}; ///< sizes or ranks that do not fit
struct DTypeError : Error {
    using Error::Error;
}; ///< element types that do not fit
struct ValueError : Error {
    using Error::Error;
}; ///< a number outside its range (labels, parameters)
struct AutogradError : Error {
    using Error::Error;
}; ///< misuse of the tape
struct DeviceError : Error {
    using Error::Error;
}; ///< missing driver, missing kernel, lost device
struct OutOfMemory : Error {
    using Error::Error;
};
struct FileError : Error {
    using Error::Error;
}; ///< unreadable, broken, truncated, unwritable
struct DataError : Error {
    using Error::Error;
}; ///< a dataset that cannot be used
struct Cancelled : Error {
    using Error::Error;
}; ///< a person asked to stop

} // namespace wiregrad
