#include "tests/parity/call.h"

#include <limits>
#include <nlohmann/json.hpp>

namespace wiregrad::parity {

using nlohmann::json;

namespace {

bool is_number(const json& value) {
    return value.is_number() || value.is_boolean() || (value.is_object() && value.contains("f"));
}
double number(const json& value) {
    if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
    if (value.is_number()) return value.get<double>();
    const std::string text = value.is_object() && value.contains("f") ? value["f"] : "";
    if (text == "inf") return std::numeric_limits<double>::infinity();
    if (text == "-inf") return -std::numeric_limits<double>::infinity();
    if (text == "nan") return std::numeric_limits<double>::quiet_NaN();
    throw Unsupported("an argument that is no number");
}
bool is_tensor_ref(const json& value) {
    return value.is_object() && value.contains("t");
}

} // namespace

int Call::count() const {
    return static_cast<int>(line_["args"].size());
}

const json* Call::find(int position, const std::string& name) const {
    const json& args = line_["args"];
    if (position >= 0 && position < static_cast<int>(args.size()))
        return &args[static_cast<std::size_t>(position)];
    const json& kwargs = line_["kwargs"];
    const auto found = kwargs.find(name);
    return found == kwargs.end() ? nullptr : &*found;
}

bool Call::has(int position, const std::string& name) const {
    const json* value = find(position, name);
    return value != nullptr && !value->is_null();
}
bool Call::is_tensor(int position, const std::string& name) const {
    const json* value = find(position, name);
    return value != nullptr && is_tensor_ref(*value);
}
bool Call::is_list(int position, const std::string& name) const {
    const json* value = find(position, name);
    return value != nullptr && value->is_array();
}
bool Call::is_text(int position, const std::string& name) const {
    const json* value = find(position, name);
    return value != nullptr && value->is_string();
}

Tensor Call::tensor(int position, const std::string& name) const {
    const json* value = find(position, name);
    if (value == nullptr || !is_tensor_ref(*value))
        throw Unsupported("argument " + std::to_string(position) + " " + name + " is no tensor");
    return tensors_.at((*value)["t"].get<std::size_t>());
}
Tensor Call::maybe_tensor(int position, const std::string& name) const {
    return has(position, name) ? tensor(position, name) : Tensor();
}
Tensors Call::tensors(int position, const std::string& name) const {
    const json* value = find(position, name);
    if (value != nullptr && value->is_array()) {
        Tensors result;
        for (const json& one : *value) {
            if (!is_tensor_ref(one)) throw Unsupported("a list that is not of tensors");
            result.push_back(tensors_.at(one["t"].get<std::size_t>()));
        }
        return result;
    }
    Tensors result;
    for (int i = position; i < count(); ++i)
        result.push_back(tensor(i));
    return result;
}

double Call::real(int position, const std::string& name) const {
    const json* value = find(position, name);
    if (value == nullptr || !is_number(*value))
        throw Unsupported("argument " + name + " is no number");
    return number(*value);
}
double Call::real(int position, const std::string& name, double standard) const {
    return has(position, name) ? real(position, name) : standard;
}
std::int64_t Call::integer(int position, const std::string& name) const {
    const json* value = find(position, name);
    if (value == nullptr || !value->is_number_integer())
        throw Unsupported("argument " + name + " is no integer");
    return value->get<std::int64_t>();
}
std::int64_t Call::integer(int position, const std::string& name, std::int64_t standard) const {
    return has(position, name) ? integer(position, name) : standard;
}
bool Call::flag(int position, const std::string& name, bool standard) const {
    const json* value = find(position, name);
    if (value == nullptr || value->is_null()) return standard;
    return number(*value) != 0;
}
std::string Call::text(int position, const std::string& name, const std::string& standard) const {
    const json* value = find(position, name);
    if (value == nullptr || value->is_null()) return standard;
    if (!value->is_string()) throw Unsupported("argument " + name + " is no text");
    return value->get<std::string>();
}

Dims Call::dims(int position, const std::string& name) const {
    const json* value = find(position, name);
    Dims result;
    if (value == nullptr) throw Unsupported("argument " + name + " is missing");
    if (value->is_array()) {
        for (const json& one : *value) {
            if (!one.is_number_integer()) throw Unsupported("a list that is not of integers");
            result.push_back(one.get<std::int64_t>());
        }
        return result;
    }
    result.push_back(integer(position, name));
    for (int i = position + 1; i < count(); ++i) {
        const json& more = line_["args"][static_cast<std::size_t>(i)];
        if (!more.is_number_integer()) break;
        result.push_back(more.get<std::int64_t>());
    }
    return result;
}
Dims Call::dims(int position, const std::string& name, const Dims& standard) const {
    if (!has(position, name)) return standard;
    const json* value = find(position, name);
    return value->is_array() ? dims(position, name) : Dims{integer(position, name)};
}
Dims Call::pair(int position, const std::string& name, const Dims& standard) const {
    if (!has(position, name)) return standard;
    const Dims given = dims(position, name, standard);
    return given.size() == 1 ? Dims{given[0], given[0]} : given;
}

DType Call::dtype(int position, const std::string& name, DType standard) const {
    const json* value = find(position, name);
    if (value == nullptr || value->is_null()) return standard;
    if (value->is_object() && value->contains("dtype")) {
        for (int i = 0; i < kDTypeCount; ++i)
            if (name_of(static_cast<DType>(i)) == (*value)["dtype"].get<std::string>())
                return static_cast<DType>(i);
        throw Unsupported("dtype " + (*value)["dtype"].get<std::string>());
    }
    throw Unsupported("a dtype that is none");
}

Reduction Call::reduction(int position) const {
    const std::string text = this->text(position, "reduction", "mean");
    if (text == "mean") return Reduction::Mean;
    if (text == "sum") return Reduction::Sum;
    if (text == "none") return Reduction::None;
    throw ValueError("reduction is mean, sum or none, not " + text);
}

void Call::without(std::initializer_list<const char*> names) const {
    for (const char* name : names) {
        const json& kwargs = line_["kwargs"];
        const auto found = kwargs.find(name);
        if (found == kwargs.end() || found->is_null() || *found == false) continue;
        throw Unsupported(std::string("argument ") + name);
    }
}

Tensor Call::operand(int position, const std::string& name) const {
    if (is_tensor(position, name)) return tensor(position, name);
    const json* value = find(position, name);
    if (value == nullptr || !is_number(*value)) throw Unsupported("argument " + name);
    const DType dtype = value->is_boolean()          ? DType::Bool
                        : value->is_number_integer() ? DType::Int64
                                                     : DType::Float64;
    return Tensor::full({}, number(*value), dtype);
}

} // namespace wiregrad::parity
