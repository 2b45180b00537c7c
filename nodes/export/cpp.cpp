// C++: the trace of the network as one source file without dependencies, and a file of weights.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

#include "engine/core/error.h"
#include "engine/op/ops.h"
#include "nodes/export/certificate.h"
#include "nodes/export/cpp_kernels_text.h"
#include "nodes/export/cpp_text.h"
#include "nodes/export/export.h"
#include "nodes/export/names.h"
#include "nodes/export/trace.h"

namespace wiregrad::graph {

namespace {

std::string text_of(const Size& size) {
    if (size.fixed()) return std::to_string(size.constant);
    return size.batch == 1 ? "batch" : fmt::format("{} * batch", size.batch);
}
std::string text_of(const Sizes& sizes) {
    std::string text;
    for (const Size& size : sizes)
        text += (text.empty() ? "" : ", ") + text_of(size);
    return "{" + text + "}";
}
std::string number(double value) {
    if (std::isinf(value))
        return value > 0 ? "std::numeric_limits<float>::infinity()"
                         : "-std::numeric_limits<float>::infinity()";
    std::string text = fmt::format("{:.9g}", value);
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    return text + "F";
}

class CppWriter {
  public:
    CppWriter(const Outline& outline, const Trace& trace) : outline_(outline), trace_(trace) {}

    /// The statement of one op, or throws.
    std::string expression(const TracedOp& op) {
        const std::string name(op.op->name);
        const std::string x = op.inputs.empty() ? "" : in(op, 0);
        const std::string to = text_of(shape(op.outputs[0]));
        const auto attr = [&](const char* id) { return text_of(op.dims.at(id)); };
        const auto integer = [&](const char* id) { return text_of(op.integers.at(id)); };
        const auto real = [&](const char* id) { return number(op.attrs.real(id)); };
        if (const auto unary = kUnary.find(name); unary != kUnary.end()) {
            std::string body = unary->second;
            for (const auto& [key, value] : op.attrs.values())
                if (const auto* v = std::get_if<double>(&value)) {
                    const std::string mark = "@" + std::string(key) + "@";
                    for (std::size_t at = body.find(mark); at != std::string::npos;
                         at = body.find(mark))
                        body.replace(at, mark.size(), number(*v));
                }
            return fmt::format("each({}, [](float v) {{ return {}; }})", x, body);
        }
        if (const auto binary = kBinary.find(name); binary != kBinary.end())
            return fmt::format("both({}, {}, {}, [](float a, float b) {{ return {}; }})", x,
                               in(op, 1), to, binary->second);
        if (name == "linear") return fmt::format("linear({}, {}, {})", x, turned(op, 1), in(op, 2));
        if (name == "lstm" || name == "gru" || name == "rnn_tanh" || name == "rnn_relu")
            return fmt::format("recurrent(Cell::{}, {}, {}, {}, {}, {}, {}, {}, {}, {})", name, x,
                               in(op, 1), in(op, 7), turned(op, 2), turned(op, 3), in(op, 4),
                               in(op, 5), in(op, 6), op.attrs.flag("reverse"));
        if (name == "scaled_dot_product_attention")
            return fmt::format(
                "attention({}, {}, {}, {}, {}, {}, {}, {})", x, in(op, 1), in(op, 2), in(op, 3),
                op.inputs.size() > 3 && op.inputs[3] >= 0 && dtype(op.inputs[3]) == DType::Bool,
                op.attrs.flag("is_causal"), real("scale"), to);
        if (name == "conv2d")
            return fmt::format("conv2d({}, {}, {}, {}, {}, {}, {})", x, in(op, 1), in(op, 2),
                               attr("stride"), attr("padding"), attr("dilation"),
                               integer("groups"));
        if (name == "conv_transpose2d")
            return fmt::format("conv_transpose2d({}, {}, {}, {}, {}, {}, {}, {})", x, in(op, 1),
                               in(op, 2), attr("stride"), attr("padding"), attr("dilation"),
                               integer("groups"), attr("output_padding"));
        if (name == "max_pool2d")
            return fmt::format("max_pool2d({}, {}, {}, {}, {}, {})", x, to, attr("kernel_size"),
                               attr("stride"), attr("padding"), attr("dilation"));
        if (name == "avg_pool2d")
            return fmt::format("avg_pool2d({}, {}, {}, {}, {}, {})", x, to, attr("kernel_size"),
                               attr("stride"), attr("padding"), op.attrs.flag("count_include_pad"));
        if (name == "adaptive_avg_pool2d") return fmt::format("adaptive_avg_pool2d({}, {})", x, to);
        if (name == "batch_norm" && !op.attrs.flag("training") && op.inputs[3] >= 0)
            return fmt::format("batch_norm({}, {}, {}, {}, {}, {})", x, in(op, 1), in(op, 2),
                               in(op, 3), in(op, 4), op.attrs.real("eps"));
        if (name == "layer_norm") {
            std::int64_t inner = 1;
            for (const Size& size : op.dims.at("normalized_shape"))
                inner *= size.constant;
            return fmt::format("layer_norm({}, {}, {}, {}, {})", x, inner, in(op, 1), in(op, 2),
                               op.attrs.real("eps"));
        }
        if (name == "softmax" || name == "log_softmax")
            return fmt::format("softmax({}, {}, {})", x, integer("dim"), name == "log_softmax");
        if (name == "embedding") return fmt::format("embedding({}, {})", x, in(op, 1));
        if (name == "matmul") return fmt::format("matmul({}, {}, {})", x, in(op, 1), to);
        if (name == "reshape") return fmt::format("reshape({}, {})", x, to);
        if (name == "permute") return fmt::format("permute({}, {}, {})", x, attr("dims"), to);
        if (name == "expand") return fmt::format("expand({}, {})", x, to);
        if (name == "slice")
            return fmt::format("slice({}, {}, {}, {}, {})", x, integer("dim"), integer("start"),
                               integer("step"), to);
        if (name == "select")
            return fmt::format("select({}, {}, {}, {})", x, integer("dim"), integer("index"), to);
        if (name == "flip") return fmt::format("flip({}, {})", x, attr("dims"));
        if (name == "gather")
            return fmt::format("gather({}, {}, {})", x, integer("dim"), in(op, 1));
        if (name == "index_select")
            return fmt::format("index_select({}, {}, {}, {})", x, integer("dim"), in(op, 1), to);
        if (name == "cat") {
            std::string parts;
            for (std::size_t i = 0; i < op.inputs.size(); ++i)
                parts += (i == 0 ? "" : ", ") + in(op, i);
            return fmt::format("cat({{{}}}, {}, {})", parts, integer("dim"), to);
        }
        if (name == "pad") {
            const Sizes& pairs = op.dims.at("pads"); // last dimension first
            Sizes before(shape(op.inputs[0]).size());
            for (std::size_t i = 0; i + 1 < pairs.size(); i += 2)
                before[before.size() - 1 - i / 2] = pairs[i];
            return fmt::format("pad({}, {}, {}, {})", x, text_of(before), real("value"), to);
        }
        if (name == "where")
            return fmt::format("where({}, {}, {}, {})", x, in(op, 1), in(op, 2), to);
        if (name == "masked_fill")
            return fmt::format("where({}, scalar({}), {}, {})", in(op, 1), real("value"), x, to);
        if (name == "sum" || name == "mean" || name == "amax" || name == "amin")
            return fmt::format("{}({}, {}, {})", name, x, attr("dims"), to);
        if (name == "contiguous" || name == "to_device") return x;
        if (name == "to")
            return is_floating(dtype(op.outputs[0]))
                       ? x
                       : fmt::format("each({}, [](float v) {{ return std::trunc(v); }})", x);
        throw ValueError(fmt::format("the op {} has no C++ form", name), op.node);
    }

    std::string in(const TracedOp& op, std::size_t i) {
        if (i >= op.inputs.size() || op.inputs[i] < 0) return "{}";
        return value(op.inputs[i]);
    }
    /// A matrix [outputs, inputs] as [inputs, outputs].
    std::string turned(const TracedOp& op, std::size_t i) {
        const TracedValue& traced = trace_.values[static_cast<std::size_t>(op.inputs.at(i))];
        if (traced.kind == TracedValue::Kind::Weight || traced.kind == TracedValue::Kind::Constant)
            return "w[" + std::to_string(stored(op.inputs[i], true)) + "]";
        return fmt::format("permute({}, {{1, 0}}, {})", value(op.inputs[i]),
                           text_of(Sizes{traced.shape.at(1), traced.shape.at(0)}));
    }
    std::string value(int index) {
        const TracedValue& traced = trace_.values[static_cast<std::size_t>(index)];
        if (traced.kind != TracedValue::Kind::Weight && traced.kind != TracedValue::Kind::Constant)
            return variable(index);
        const std::string place = "w[" + std::to_string(stored(index, false)) + "]";
        return fixed(index) ? place : fmt::format("expand({}, {})", place, text_of(traced.shape));
    }
    /// A weight or constant of the file; turned: its two dimensions exchanged.
    struct Stored {
        int value;
        bool turned;
        bool operator==(const Stored&) const = default;
    };
    /// What stands in the file: of a constant in the size of the batch, one sample's.
    Tensor data(const Stored& one) const {
        const TracedValue& traced = trace_.values[static_cast<std::size_t>(one.value)];
        const Tensor whole =
            to(fixed(one.value) ? traced.data.detach() : batch_row(traced), DType::Float32);
        return one.turned ? transpose(whole, 0, 1).contiguous() : whole.contiguous();
    }
    /// In the order in which they are first used.
    const std::vector<Stored>& stored() const { return stored_; }
    std::string variable(int index) {
        auto [place, fresh] = variables_.try_emplace(index);
        if (fresh) {
            std::string wish = trace_.values[static_cast<std::size_t>(index)].name;
            for (char& c : wish)
                if (c == '.') c = '_';
            place->second = names_.claim(wish);
        }
        return place->second;
    }

  private:
    const Sizes& shape(int index) const {
        return trace_.values[static_cast<std::size_t>(index)].shape;
    }
    bool fixed(int index) const {
        const Sizes& sizes = shape(index);
        return std::all_of(sizes.begin(), sizes.end(), [](const Size& s) { return s.fixed(); });
    }
    DType dtype(int index) const { return trace_.values[static_cast<std::size_t>(index)].dtype; }
    std::size_t stored(int index, bool turned) {
        for (std::size_t i = 0; i < stored_.size(); ++i)
            if (stored_[i] == Stored{index, turned}) return i;
        if (!fixed(index) && !batch_row(trace_.values[static_cast<std::size_t>(index)]))
            throw ValueError("a constant has the size of the batch, which C++ does not get");
        stored_.push_back({index, turned});
        return stored_.size() - 1;
    }

    const Outline& outline_;
    const Trace& trace_;
    std::vector<Stored> stored_;
    std::map<int, std::string> variables_;
    // Names of the runtime and words that C++ keeps are taken.
    Names names_{
        {"batch",     "w",         "x_",        "int",      "float",     "double",   "auto",
         "char",      "bool",      "long",      "short",    "signed",    "unsigned", "void",
         "const",     "static",    "struct",    "union",    "enum",      "template", "typename",
         "namespace", "using",     "new",       "delete",   "this",      "throw",    "catch",
         "public",    "private",   "protected", "friend",   "virtual",   "operator", "inline",
         "extern",    "switch",    "case",      "default",  "do",        "goto",     "register",
         "sizeof",    "typedef",   "volatile",  "mutable",  "explicit",  "export",   "linear",
         "conv2d",    "softmax",   "embedding", "matmul",   "reshape",   "permute",  "expand",
         "slice",     "select",    "flip",      "gather",   "cat",       "pad",      "where",
         "sum",       "mean",      "each",      "both",     "walk",      "sample",   "scalar",
         "forward",   "main",      "floats",    "multiply", "gemm",      "tile",     "tiles",
         "Cell",      "recurrent", "attention", "reduce",   "strided",   "sigmoid",  "softplus",
         "expm1",     "tanh",      "exp",       "log",      "abs",       "read",     "inputs",
         "outputs",   "amax",      "amin",      "gelu",     "difference"}};
    inline static const std::map<std::string, const char*> kUnary{
        {"neg", "-v"},
        {"abs", "std::abs(v)"},
        {"sign", "float((v > 0) - (v < 0))"},
        {"square", "v * v"},
        {"exp", "std::exp(v)"},
        {"log", "std::log(v)"},
        {"log1p", "std::log1p(v)"},
        {"expm1", "std::expm1(v)"},
        {"sqrt", "std::sqrt(v)"},
        {"rsqrt", "1 / std::sqrt(v)"},
        {"reciprocal", "1 / v"},
        {"sin", "std::sin(v)"},
        {"cos", "std::cos(v)"},
        {"tanh", "std::tanh(v)"},
        {"erf", "std::erf(v)"},
        {"floor", "std::floor(v)"},
        {"ceil", "std::ceil(v)"},
        {"round", "std::nearbyint(v)"},
        {"relu", "v > 0 ? v : 0.0F"},
        {"sigmoid", "sigmoid(v)"},
        {"silu", "v * sigmoid(v)"},
        {"mish", "v * std::tanh(softplus(v))"},
        {"gelu", "0.5F * v * (1 + std::erf(v * 0.70710678F))"},
        {"gelu_tanh", "0.5F * v * (1 + std::tanh(0.79788456F * (v + 0.044715F * v * v * v)))"},
        {"hardsigmoid", "std::min(std::max(v + 3, 0.0F), 6.0F) / 6"},
        {"hardswish", "v * std::min(std::max(v + 3, 0.0F), 6.0F) / 6"},
        {"logsigmoid", "-softplus(-v)"},
        {"leaky_relu", "v > 0 ? v : v * @negative_slope@"},
        {"elu", "@scale@ * (v > 0 ? v : @alpha@ * std::expm1(v))"},
        {"softplus", "v * @beta@ > @threshold@ ? v : softplus(v * @beta@) / @beta@"},
        {"clamp", "std::min(std::max(v, @min@), @max@)"},
        {"hardtanh", "std::min(std::max(v, @min@), @max@)"},
        {"add_scalar", "v + @other@"},
        {"mul_scalar", "v * @other@"},
        {"div_scalar", "v / @other@"},
        {"rsub_scalar", "@other@ - v"},
        {"pow_scalar", "std::pow(v, @exponent@)"},
        {"gt_scalar", "float(v > @other@)"},
        {"ge_scalar", "float(v >= @other@)"},
        {"lt_scalar", "float(v < @other@)"},
        {"le_scalar", "float(v <= @other@)"},
        {"logical_not", "float(v == 0)"},
        {"isnan", "float(v != v)"},
        {"isfinite", "float(std::isfinite(v))"},
    };
    inline static const std::map<std::string, const char*> kBinary{
        {"add", "a + b"},
        {"sub", "a - b"},
        {"mul", "a * b"},
        {"div", "a / b"},
        {"pow", "std::pow(a, b)"},
        {"maximum", "std::max(a, b)"},
        {"minimum", "std::min(a, b)"},
        {"eq", "float(a == b)"},
        {"ne", "float(a != b)"},
        {"lt", "float(a < b)"},
        {"le", "float(a <= b)"},
        {"gt", "float(a > b)"},
        {"ge", "float(a >= b)"},
    };
};

std::string golden(const Tensor& value) {
    const Fingerprint print = fingerprint(value);
    return fmt::format("{{{}, {:.10g}, {:.10g}}}", print.size, print.norm, print.mix);
}

/// The source and the bytes of the weights file.
struct CppSource {
    SourceText text;
    std::vector<std::byte> weights;
};

CppSource cpp_source(const Outline& outline, const ExportOptions& options) {
    const std::vector<nn::NamedTensor> weights = weights_of(outline, options.weights);
    const Trace traced = trace(outline, weights);
    CppWriter writer(outline, traced);

    // What each op computes, values let go after their last use.
    std::map<int, std::size_t> last_use;
    for (std::size_t i = 0; i < traced.ops.size(); ++i)
        for (const int input : traced.ops[i].inputs)
            last_use[input] = i;
    for (const int output : traced.outputs)
        last_use[output] = traced.ops.size();
    SourceText body;
    std::string parameters, node;
    for (const int input : traced.inputs)
        parameters +=
            (parameters.empty() ? "const Tensor& " : ", const Tensor& ") + writer.variable(input);
    for (std::size_t i = 0; i < traced.ops.size(); ++i) {
        const TracedOp& op = traced.ops[i];
        if (op.node != node) body.line("    // " + outline.members.at(op.node), op.node);
        node = op.node;
        const std::string text = writer.expression(op);
        const auto visible = static_cast<std::size_t>(op.op->visible_outputs);
        if (visible == 1) {
            body.line("    Tensor " + writer.variable(op.outputs[0]) + " = " + text + ";", op.node);
        } else {
            const std::string all = writer.variable(op.outputs[0]) + "_all";
            body.line("    const std::vector<Tensor> " + all + " = " + text + ";", op.node);
            for (std::size_t k = 0; k < visible; ++k)
                if (k == 0 || last_use.contains(op.outputs[k]))
                    body.line(fmt::format("    Tensor {} = {}[{}];", writer.variable(op.outputs[k]),
                                          all, k),
                              op.node);
        }
        for (const int input : op.inputs)
            if (input >= 0 && last_use.at(input) == i &&
                traced.values[static_cast<std::size_t>(input)].kind == TracedValue::Kind::Result) {
                body.line("    " + writer.variable(input) + " = {};", op.node);
                last_use[input] = traced.ops.size() + 1; // once
            }
    }
    std::string results;
    for (const int output : traced.outputs)
        results += (results.empty() ? "" : ", ") + writer.value(output);

    std::string shapes;
    CppSource source;
    for (const CppWriter::Stored& one : writer.stored()) {
        const Tensor data = writer.data(one);
        const auto* raw = static_cast<const std::byte*>(data.raw());
        source.weights.insert(source.weights.end(), raw, raw + data.nbytes());
        std::string shape = data.shape().str();
        shape.front() = '{', shape.back() = '}';
        shapes += fmt::format("    {}, // {}{}\n", shape,
                              traced.values[static_cast<std::size_t>(one.value)].name,
                              one.turned ? ", turned" : "");
    }
    std::uint64_t hash = 14695981039346656037ULL; // FNV-1a, 64 bits
    for (const std::byte byte : source.weights)
        hash = (hash ^ static_cast<std::uint64_t>(byte)) * 1099511628211ULL;

    std::vector<Tensor> inputs;
    std::string samples, reading, call;
    for (std::size_t i = 0; i < outline.arguments.size(); ++i) {
        const std::int64_t classes = classes_of(outline, outline.arguments[i]);
        inputs.push_back(
            sample_input(outline.argument(outline.arguments[i]).meta, kCertifiedSamples, classes));
        const Sizes& sizes = traced.values[static_cast<std::size_t>(traced.inputs[i])].shape;
        std::string inner;
        std::int64_t each = 1;
        for (std::size_t d = 1; d < sizes.size(); ++d) {
            inner += ", " + text_of(sizes[d]);
            each *= sizes[d].constant;
        }
        samples += fmt::format("{}sample({{{}{}}}, {})", i == 0 ? "" : ", ", kCertifiedSamples,
                               inner, classes);
        reading +=
            fmt::format("    inputs.push_back(read(argv[{}], {{0{}}}, {}));\n", i + 1, inner, each);
        call += fmt::format("{}inputs[{}]", i == 0 ? "" : ", ", i);
    }
    const std::map<Value, Tensor> values = run_layers(outline, weights, inputs);
    std::string expected;
    for (const Value& value : outline.results)
        expected += (expected.empty() ? "" : ", ") + golden(values.at(value));

    const std::string file = file_beside(options.path, ".weights.bin");
    const std::size_t slash = file.rfind('/');
    SourceText& text = source.text;
    text.block("// @TITLE@: what the network computes, without any dependency.\n"
               "// Made by Wiregrad from @PROJECT@. The weights lie beside, as plain floats.\n"
               "//\n"
               "//     g++ -std=c++17 -O2 @FILE@ -o model\n"
               "//     ./model --verify            the same numbers as in Wiregrad?\n"
               "//     ./model IN... OUT           raw float32 files, any number of samples\n"
               "//     ./model --time N            milliseconds of one sample, N times",
               {{"TITLE", outline.title},
                {"PROJECT", options.project},
                {"FILE", options.path.substr(options.path.rfind('/') + 1)}});
    text.block(script::kCppKernels);
    text.block(script::kCppRuntime);
    text.block(
        fmt::format("\nconst std::vector<Shape> kWeightShapes = {{\n{}}};\n"
                    "constexpr std::uint64_t kWeightHash = {}ULL;\n\n"
                    "// The network. w: weights in the order of kWeightShapes.\n"
                    "std::vector<Tensor> forward(const std::vector<Tensor>& w, {}) {{\n"
                    "    const std::int64_t batch = {}.size(0);\n    (void)batch;\n    (void)w;",
                    shapes, hash, parameters, writer.variable(traced.inputs.at(0))));
    for (std::size_t i = 0; i < body.lines().size(); ++i)
        text.line(body.lines()[i], body.nodes()[i]);
    text.block(fmt::format("    return {{{}}};\n}}", results));
    text.block(script::kCppMain);
    text.block(fmt::format(
        R"cpp(
int main(int argc, char** argv) try {{
    const std::string self = argv[0];
    const std::size_t slash = self.rfind('/');
    const std::string beside = slash == std::string::npos ? "" : self.substr(0, slash + 1);
    const std::vector<float> values = numbers_of((beside + {file}).c_str());
    std::uint64_t hash = 14695981039346656037ULL;
    for (std::size_t i = 0; i < values.size() * sizeof(float); ++i)
        hash = (hash ^ reinterpret_cast<const unsigned char*>(values.data())[i]) * 1099511628211ULL;
    if (hash != kWeightHash) throw std::runtime_error("the weights file is not the one that was exported");
    std::vector<Tensor> w;
    std::size_t at = 0;
    for (const Shape& shape : kWeightShapes) {{
        Tensor weight(shape);
        std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(at), weight.count(), weight.begin());
        at += static_cast<std::size_t>(weight.count());
        w.push_back(std::move(weight));
    }}
    std::vector<Tensor> inputs;
    const std::string command = argc > 1 ? argv[1] : "";
    if (command == "--verify") {{
        inputs = {{{samples}}};
        const std::vector<Tensor> outputs = forward(w, {call});
        const std::vector<std::array<double, 3>> golden = {{{{{expected}}}}};
        for (std::size_t i = 0; i < golden.size(); ++i) {{
            const double error = difference(outputs[i], golden[i]);
            std::printf("output %zu: %s (%.1e)\n", i, error <= 1e-4 ? "equal" : "DIFFERS", error);
            if (!(error <= 1e-4)) return 1;
        }}
        return 0;
    }}
    if (command == "--time" && argc == 3) {{
        inputs = {{{samples}}};
        const int times = std::atoi(argv[2]);
        double best = 1e300;
        for (int i = 0; i < times; ++i) {{
            const auto started = std::chrono::steady_clock::now();
            forward(w, {call});
            best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
        }}
        std::printf("%.6f\n", best * 1e3 / {count});
        return 0;
    }}
    if (argc != {arguments}) {{
        std::fprintf(stderr, "usage: %s --verify | IN... OUT\n", argv[0]);
        return 2;
    }}
    const auto read = [](const char* path, Shape shape, std::int64_t each) {{
        const std::vector<float> numbers = numbers_of(path);
        if (numbers.empty() || static_cast<std::int64_t>(numbers.size()) % each != 0)
            throw std::runtime_error(std::string(path) + " does not hold whole samples");
        shape[0] = static_cast<std::int64_t>(numbers.size()) / each;
        Tensor x(shape);
        std::copy(numbers.begin(), numbers.end(), x.begin());
        return x;
    }};
{reading}    std::ofstream out(argv[argc - 1], std::ios::binary);
    for (const Tensor& output : forward(w, {call}))
        out.write(reinterpret_cast<const char*>(output.begin()), static_cast<std::streamsize>(output.count() * sizeof(float)));
    if (!out.flush()) throw std::runtime_error("the output cannot be written");
    return 0;
}} catch (const std::exception& error) {{
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}})cpp",
        fmt::arg("file", quoted(slash == std::string::npos ? file : file.substr(slash + 1))),
        fmt::arg("samples", samples), fmt::arg("call", call), fmt::arg("expected", expected),
        fmt::arg("count", kCertifiedSamples), fmt::arg("arguments", outline.arguments.size() + 2),
        fmt::arg("reading", reading)));
    return source;
}

} // namespace

std::vector<ExportFile> export_cpp(const Graph& graph, const ExportOptions& options) {
    CppSource source = cpp_source(Outline(graph), options);
    return {{file_beside(options.path, ".weights.bin"), std::move(source.weights), "weights"},
            {options.path, bytes_of(source.text.text()), "C++ source"}};
}

SourceText preview_cpp(const Graph& graph) {
    ExportOptions options;
    options.path = "network.cpp";
    options.project = "a project";
    return cpp_source(Outline(graph), options).text;
}

} // namespace wiregrad::graph
