#include "nodes/types/declare.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

namespace wiregrad::graph::types {

namespace {

class FunctionModule final : public nn::Module {
  public:
    explicit FunctionModule(Function function) : function_(std::move(function)) {}
    Tensors forward(std::span<const Tensor> inputs, const nn::ForwardContext& context) override {
        return function_(inputs, context);
    }

  private:
    Function function_;
};

ParamSpec base(std::string id, std::string label, ParamKind kind, ParamValue standard,
               std::string help) {
    ParamSpec spec;
    spec.id = std::move(id);
    spec.label = std::move(label);
    spec.kind = kind;
    spec.standard = std::move(standard);
    spec.help = std::move(help);
    return spec;
}

} // namespace

ParamSpec bool_param(std::string id, std::string label, bool standard, std::string help) {
    return base(std::move(id), std::move(label), ParamKind::Bool, standard, std::move(help));
}

ParamSpec int_param(std::string id, std::string label, std::int64_t standard, double min,
                    double max, std::string help) {
    ParamSpec spec =
        base(std::move(id), std::move(label), ParamKind::Int, standard, std::move(help));
    spec.min = min;
    spec.max = max;
    return spec;
}

ParamSpec real_param(std::string id, std::string label, double standard, double min, double max,
                     std::string help) {
    ParamSpec spec =
        base(std::move(id), std::move(label), ParamKind::Real, standard, std::move(help));
    spec.min = min;
    spec.max = max;
    return spec;
}

ParamSpec rate_param(std::string id, std::string label, double standard, double max,
                     std::string help) {
    ParamSpec spec = real_param(std::move(id), std::move(label), standard, 0, max, std::move(help));
    spec.min_excluded = true;
    spec.logarithmic = true;
    return spec;
}

ParamSpec choice_param(std::string id, std::string label, std::string standard,
                       std::vector<Choice> choices, std::string help) {
    ParamSpec spec = base(std::move(id), std::move(label), ParamKind::Choice, std::move(standard),
                          std::move(help));
    spec.choices = std::move(choices);
    return spec;
}

ParamSpec text_param(std::string id, std::string label, std::string help) {
    return base(std::move(id), std::move(label), ParamKind::Text, std::string(), std::move(help));
}

ParamSpec path_param(std::string id, std::string label, std::string help) {
    return base(std::move(id), std::move(label), ParamKind::Path, std::string(), std::move(help));
}

ParamSpec pair_param(std::string id, std::string label, std::int64_t standard, double min,
                     double max, std::string help) {
    return list_param(std::move(id), std::move(label), {standard}, 1, 2, min, max, std::move(help));
}

ParamSpec list_param(std::string id, std::string label, std::vector<std::int64_t> standard,
                     int list_min, int list_max, double min, double max, std::string help) {
    ParamSpec spec = base(std::move(id), std::move(label), ParamKind::IntList, std::move(standard),
                          std::move(help));
    spec.min = min;
    spec.max = max;
    spec.list_min = list_min;
    spec.list_max = list_max;
    return spec;
}

ParamSpec shown_if(ParamSpec spec, std::function<bool(const Params&)> visible) {
    spec.visible = std::move(visible);
    return spec;
}

ParamSpec later(ParamSpec spec) {
    spec.later = true;
    return spec;
}

ParamSpec with_unit(ParamSpec spec, std::string unit) {
    spec.unit = std::move(unit);
    return spec;
}

Dims pair_of(const BuildContext& context, const std::string& id) {
    const Dims dims = context.dims(id);
    return dims.size() == 1 ? Dims{dims[0], dims[0]} : dims;
}

Dims sizes_of(const BuildContext& context, const std::string& id, int count) {
    const Dims dims = context.dims(id);
    if (dims.size() == 1) return Dims::filled(count, dims[0]);
    if (dims.size() != count)
        throw ValueError(fmt::format("{} must be one number or {}, got {}", id, count, dims.str()));
    return dims;
}

PortSpec tensor_port(std::string id, std::string help) {
    PortSpec port;
    port.label = id;
    port.id = std::move(id);
    port.help = std::move(help);
    return port;
}

std::vector<PortSpec> one_in() {
    return {tensor_port("in")};
}
std::vector<PortSpec> one_out() {
    return {tensor_port("out")};
}

std::shared_ptr<nn::Module> make_function(Function function) {
    return std::make_shared<FunctionModule>(std::move(function));
}

std::shared_ptr<nn::Module> make_unary(std::function<Tensor(const Tensor&)> function) {
    return make_function([function = std::move(function)](std::span<const Tensor> inputs,
                                                          const nn::ForwardContext&) {
        return Tensors{function(inputs[0])};
    });
}

void need_rank(const BuildContext& context, int rank, const std::string& who,
               const std::string& form) {
    const Shape& shape = context.inputs[0].shape;
    if (shape.size() != rank)
        throw ShapeError(fmt::format("{} needs a {}-D input ({}), got {}-D {}", who, rank, form,
                                     shape.size(), shape.str()));
}

void need_floating(const BuildContext& context, const std::string& who) {
    if (!is_floating(context.inputs[0].dtype))
        throw DTypeError(
            fmt::format("{} needs real numbers, got {}", who, name_of(context.inputs[0].dtype)));
}

Tensors spread_inputs(std::span<const Tensor> inputs, std::span<const int> counts) {
    Tensors all;
    std::size_t next = 0;
    for (const int count : counts)
        all.push_back(count > 0 && next < inputs.size() ? inputs[next++] : Tensor());
    return all;
}

void add_training_params(NodeType& type, bool initial) {
    const auto is = [](const Params& params, std::initializer_list<const char*> values) {
        const auto it = params.find("weight_init");
        const auto* text = it == params.end() ? nullptr : std::get_if<std::string>(&it->second);
        return text && std::find(values.begin(), values.end(), *text) != values.end();
    };
    if (initial) {
        type.params.push_back(later(choice_param("weight_init", "First weights", "default",
                                                 {{"default", "As PyTorch does for this layer"},
                                                  {"zeros", "Zeros"},
                                                  {"ones", "Ones"},
                                                  {"constant", "One number"},
                                                  {"uniform", "Uniform, within ± the number"},
                                                  {"normal", "Normal, with the number's deviation"},
                                                  {"trunc_normal", "Normal, cut at ±2"},
                                                  {"xavier_uniform", "Xavier, uniform"},
                                                  {"xavier_normal", "Xavier, normal"},
                                                  {"kaiming_uniform", "Kaiming, uniform"},
                                                  {"kaiming_normal", "Kaiming, normal"},
                                                  {"orthogonal", "Orthogonal"},
                                                  {"dirac", "Dirac: pass channels on"},
                                                  {"eye", "Identity matrix"}},
                                                 "What the weights are before the first step.")));
        type.params.push_back(later(shown_if(
            real_param("init_value", "Number", 0.02, -1e6, 1e6,
                       "The number, bound or deviation that the first weights are made with."),
            [is](const Params& params) {
                return is(params, {"constant", "uniform", "normal", "trunc_normal"});
            })));
        type.params.push_back(later(choice_param(
            "bias_init", "First biases", "default",
            {{"default", "As PyTorch does for this layer"}, {"zeros", "Zeros"}, {"ones", "Ones"}},
            "What the biases are before the first step.")));
    }
    type.params.push_back(later(real_param("lr_scale", "Learning", 1, 0, 1000,
                                           "Factor on the learning rate for the weights of this "
                                           "layer.")));
    type.params.push_back(later(bool_param(
        "frozen", "Frozen", false, "Leave the weights of this layer as they are while training.")));
}

std::string py(bool value) {
    return value ? "True" : "False";
}
std::string py(std::int64_t value) {
    return std::to_string(value);
}
std::string py(double value) {
    std::string text = value_text(value);
    // Python reads "1e-05" as a float already, "1" as an integer.
    if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
    return text;
}
std::string py(const Dims& value, bool collapse) {
    if (collapse && !value.empty() &&
        std::all_of(value.begin(), value.end(), [&](auto v) { return v == value[0]; }))
        return py(value[0]);
    std::string text;
    for (std::int64_t element : value)
        text += (text.empty() ? "" : ", ") + std::to_string(element);
    return value.size() == 1 ? "(" + text + ",)" : "(" + text + ")";
}

Arguments& Arguments::positional(const std::string& text) {
    text_ += (text_.empty() ? "" : ", ") + text;
    return *this;
}
Arguments& Arguments::option(const std::string& name, bool value, bool standard) {
    return value == standard ? *this : positional(name + "=" + py(value));
}
Arguments& Arguments::option(const std::string& name, std::int64_t value, std::int64_t standard) {
    return value == standard ? *this : positional(name + "=" + py(value));
}
Arguments& Arguments::option(const std::string& name, double value, double standard) {
    return value == standard ? *this : positional(name + "=" + py(value));
}
Arguments& Arguments::option(const std::string& name, const Dims& value, std::int64_t standard) {
    const bool usual =
        std::all_of(value.begin(), value.end(), [&](std::int64_t v) { return v == standard; });
    return usual ? *this : positional(name + "=" + py(value, true));
}
Arguments& Arguments::option(const std::string& name, const std::string& quoted_value) {
    return positional(name + "=" + quoted_value);
}
std::string Arguments::call(const std::string& function) const {
    return function + "(" + text_ + ")";
}

Emitted module_line(std::string init) {
    return {std::move(init), "{self}({0})"};
}

} // namespace wiregrad::graph::types
