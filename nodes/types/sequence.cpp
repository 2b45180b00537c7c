// Layers for sequences: recurrent ones, attention, transformer blocks, places.
#include <fmt/core.h>

#include "engine/nn/attention.h"
#include "engine/nn/recurrent.h"
#include "nodes/types/declare.h"

namespace wiregrad::graph::types {

namespace {

using nn::RecurrentKind;

NodeType sequence(std::string id, std::vector<std::string> synonyms, std::string help) {
    NodeType type;
    type.id = type.label = std::move(id);
    type.category = "Layers";
    type.synonyms = std::move(synonyms);
    type.help = std::move(help);
    type.inputs = {tensor_port("in", "Sequences: N × steps × numbers.")};
    type.outputs = one_out();
    return type;
}

PortSpec optional_port(std::string id, std::string help) {
    PortSpec port = tensor_port(std::move(id), std::move(help));
    port.optional = true;
    return port;
}

ParamSpec width(std::string help) {
    return int_param("hidden_size", "Width", 128, 1, 1000000, std::move(help));
}
ParamSpec bias() {
    return bool_param("bias", "Bias", true, "Add trained numbers inside.");
}
ParamSpec batch_first() {
    return bool_param("batch_first", "Samples first", true,
                      "The input is N × steps × numbers, as a Dataset gives it. Off, as PyTorch "
                      "has it when nothing is said: steps × N × numbers.");
}
ParamSpec dropped(double standard, std::string help) {
    return real_param("dropout", "Dropout", standard, 0, 1, std::move(help));
}

// --- recurrent

/// A recurrent layer whose states have the samples first, as everything on the canvas has.
class SamplesFirst : public nn::Recurrent {
  public:
    SamplesFirst(const nn::RecurrentLayerOptions& options, std::vector<int> counts)
        : Recurrent(options), counts_(std::move(counts)) {}
    Tensors forward(std::span<const Tensor> inputs, const nn::ForwardContext& context) override {
        Tensors spread = spread_inputs(inputs, counts_);
        for (std::size_t i = 1; i + 1 < spread.size(); ++i) // the last are the lengths
            if (spread[i].defined()) spread[i] = transpose(spread[i], 0, 1);
        Tensors results = Recurrent::forward(spread, context);
        for (std::size_t i = 1; i < results.size(); ++i)
            results[i] = transpose(results[i], 0, 1);
        return results;
    }

  private:
    std::vector<int> counts_;
};

struct Kind {
    const char* id;
    RecurrentKind kind;
    const char* formula;
    std::vector<std::string> synonyms;
    const char* help;
};

/// "module(x, (h0, c0))" and what of it is taken: a tuple of the outputs in the order of the ports.
std::string recurrent_call(const BuildContext& context, bool lstm) {
    int next = 1;
    const auto state = [&](int port) {
        const bool wired = context.counts.size() > static_cast<std::size_t>(port) &&
                           context.counts[static_cast<std::size_t>(port)] > 0;
        return wired ? fmt::format("{{{}}}.transpose(0, 1).contiguous()", next++) : std::string();
    };
    const std::string h = state(1), c = lstm ? state(2) : std::string();
    const std::size_t lengths_port = lstm ? 3 : 2;
    const bool lengths = context.counts.size() > lengths_port && context.counts[lengths_port] > 0;
    const bool first = context.flag("batch_first");
    std::string given = "{0}";
    if (lengths)
        given =
            fmt::format("nn.utils.rnn.pack_padded_sequence({{0}}, {{{}}}.cpu(), batch_first={}, "
                        "enforce_sorted=False)",
                        next, py(first));
    if (!h.empty() || !c.empty()) given += lstm ? ", (" + h + ", " + c + ")" : ", " + h;
    const std::string out =
        lengths ? fmt::format("nn.utils.rnn.pad_packed_sequence(o[0], batch_first={}, "
                              "total_length={{0}}.shape[{}])[0]",
                              py(first), first ? 1 : 0)
                : std::string("o[0]");
    return fmt::format(
        "(lambda o: ({}, {}))({{self}}({}))", out,
        lstm ? "o[1][0].transpose(0, 1), o[1][1].transpose(0, 1)" : "o[1].transpose(0, 1)", given);
}

NodeType recurrent_type(const Kind& kind) {
    NodeType type = sequence(kind.id, kind.synonyms, kind.help);
    type.formula = kind.formula;
    const bool lstm = kind.kind == RecurrentKind::Lstm;
    type.inputs.push_back(optional_port(
        "h0", "State before the first step: N × (layers · directions) × width. Not wired: zeros."));
    if (lstm) type.inputs.push_back(optional_port("c0", "Cell state before the first step."));
    type.inputs.push_back(
        optional_port("lengths", "Steps of each sequence, where they are filled up behind."));
    type.inputs.back().kind = PortKind::Tensor;
    type.outputs = {tensor_port("out", "The state after every step: N × steps × width."),
                    tensor_port("h", "The state after the last step of each layer: N × (layers · "
                                     "directions) × width.")};
    if (lstm) type.outputs.push_back(tensor_port("c", "The cell state after the last step."));
    type.params = {width("How many numbers the layer remembers."),
                   int_param("num_layers", "Layers", 1, 1, 100,
                             "How many layers, each reading the one before."),
                   bias(),
                   batch_first(),
                   dropped(0, "Part of the numbers dropped between two layers while training."),
                   bool_param("bidirectional", "Both ways", false,
                              "A second layer reads from the end; both are joined.")};
    if (lstm)
        type.params.push_back(int_param("proj_size", "Projection", 0, 0, 1000000,
                                        "The output is brought to so many numbers. 0: as wide as "
                                        "the memory."));
    if (kind.kind == RecurrentKind::RnnTanh)
        type.params.push_back(choice_param("nonlinearity", "Activation", "tanh",
                                           {{"tanh", "Tanh"}, {"relu", "ReLU"}},
                                           "What bends the sum of input and memory."));
    add_training_params(type);
    const std::string id = kind.id;
    const auto options = [kind = kind.kind, id](const BuildContext& context) {
        need_floating(context, id);
        need_rank(context, 3, id, "N × steps × numbers");
        nn::RecurrentLayerOptions o;
        o.kind = kind == RecurrentKind::RnnTanh && context.text("nonlinearity") == "relu"
                     ? RecurrentKind::RnnRelu
                     : kind;
        o.input_size = context.inputs[0].shape[2];
        o.hidden_size = context.integer("hidden_size");
        o.num_layers = context.integer("num_layers");
        o.bias = context.flag("bias");
        o.batch_first = context.flag("batch_first");
        o.dropout = context.real("dropout");
        o.bidirectional = context.flag("bidirectional");
        if (kind == RecurrentKind::Lstm) o.proj_size = context.integer("proj_size");
        o.stream = context.stream;
        o.dtype = context.inputs[0].dtype;
        return o;
    };
    type.build = [options](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        return std::make_shared<SamplesFirst>(
            options(context), std::vector<int>(context.counts.begin(), context.counts.end()));
    };
    type.pytorch = [options, id, lstm](const BuildContext& context) {
        const nn::RecurrentLayerOptions o = options(context);
        Arguments arguments;
        arguments.positional(py(o.input_size)).positional(py(o.hidden_size));
        if (o.num_layers != 1) arguments.option("num_layers", py(o.num_layers));
        if (o.kind == RecurrentKind::RnnRelu) arguments.option("nonlinearity", "\"relu\"");
        arguments.option("bias", o.bias, true)
            .option("batch_first", o.batch_first, false)
            .option("dropout", o.dropout, 0.0)
            .option("bidirectional", o.bidirectional, false);
        if (o.proj_size > 0) arguments.option("proj_size", py(o.proj_size));
        return Emitted{arguments.call("nn." + id), recurrent_call(context, lstm)};
    };
    return type;
}

template <class Base> class Spread : public Base {
  public:
    template <class... Args>
    explicit Spread(std::span<const int> counts, Args&&... args)
        : Base(std::forward<Args>(args)...), counts_(counts.begin(), counts.end()) {}
    Tensors forward(std::span<const Tensor> inputs, const nn::ForwardContext& context) override {
        return Base::forward(spread_inputs(inputs, counts_), context);
    }

  private:
    std::vector<int> counts_;
};

NodeType cell_type(const Kind& kind) {
    const std::string id = std::string(kind.id) + "Cell";
    NodeType type = sequence(id, kind.synonyms,
                             "One step of " + std::string(kind.id) +
                                 ": from an input and the state before to the state after.");
    type.formula = kind.formula;
    const bool lstm = kind.kind == RecurrentKind::Lstm;
    type.inputs = {tensor_port("in", "The input of this step: N × numbers."),
                   optional_port("h0", "State before: N × width. Not wired: zeros.")};
    type.outputs = {tensor_port("h", "State after: N × width.")};
    if (lstm) {
        type.inputs.push_back(optional_port("c0", "Cell state before. Not wired: zeros."));
        type.outputs.push_back(tensor_port("c", "Cell state after."));
    }
    type.params = {width("How many numbers the cell remembers."), bias()};
    if (kind.kind == RecurrentKind::RnnTanh)
        type.params.push_back(choice_param("nonlinearity", "Activation", "tanh",
                                           {{"tanh", "Tanh"}, {"relu", "ReLU"}},
                                           "What bends the sum of input and memory."));
    add_training_params(type);
    const auto kind_of = [kind = kind.kind](const BuildContext& context) {
        return kind == RecurrentKind::RnnTanh && context.text("nonlinearity") == "relu"
                   ? RecurrentKind::RnnRelu
                   : kind;
    };
    type.build = [id, kind_of](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        need_floating(context, id);
        need_rank(context, 2, id, "N × numbers");
        return std::make_shared<Spread<nn::RecurrentCell>>(
            context.counts, kind_of(context), context.inputs[0].shape[1],
            context.integer("hidden_size"), context.flag("bias"), context.inputs[0].dtype);
    };
    type.pytorch = [id, kind_of, lstm](const BuildContext& context) {
        Arguments arguments;
        arguments.positional(py(context.inputs[0].shape[1]))
            .positional(py(context.integer("hidden_size")))
            .option("bias", context.flag("bias"), true);
        if (kind_of(context) == RecurrentKind::RnnRelu)
            arguments.option("nonlinearity", "\"relu\"");
        const std::string init =
            arguments.call("nn." + (id == "RNNCell" ? std::string("RNNCell") : id));
        const bool h = context.counts.size() > 1 && context.counts[1] > 0;
        if (!lstm) return Emitted{init, h ? "{self}({0}, {1})" : "{self}({0})"};
        const bool c = context.counts.size() > 2 && context.counts[2] > 0;
        const std::string zeros =
            fmt::format("{{0}}.new_zeros({{0}}.shape[0], {})", context.integer("hidden_size"));
        if (!h && !c) return Emitted{init, "{self}({0})"};
        return Emitted{init, fmt::format("{{self}}({{0}}, ({}, {}))", h ? "{1}" : zeros,
                                         c ? (h ? "{2}" : "{1}") : zeros)};
    };
    return type;
}

// --- attention

std::string wired(const BuildContext& context, std::size_t port) {
    int index = 0;
    for (std::size_t i = 0; i < port; ++i)
        index += i < context.counts.size() ? context.counts[i] : 0;
    return port < context.counts.size() && context.counts[port] > 0 ? fmt::format("{{{}}}", index)
                                                                    : std::string();
}

/// A causal mask as PyTorch wants it, joined with the mask that is wired.
std::string mask_source(const std::string& given, bool causal, const std::string& rows,
                        const std::string& columns, int dim) {
    const std::string above =
        fmt::format("torch.full(({}.shape[{}], {}.shape[{}]), float(\"-inf\"), device={}.device)"
                    ".triu(1)",
                    rows, dim, columns, dim, rows);
    if (!causal) return given;
    if (given.empty()) return above;
    return fmt::format("({} + (torch.zeros({}.shape, device={}.device).masked_fill({}, "
                       "float(\"-inf\")) if {}.dtype == torch.bool else {}))",
                       above, given, given, given, given, given);
}

ParamSpec heads() {
    return int_param("num_heads", "Heads", 8, 1, 1024,
                     "The width is split into so many parts that look at different places.");
}
ParamSpec causal() {
    return bool_param("is_causal", "Only backwards", false,
                      "Each place sees itself and what came before, not what follows: for "
                      "predicting the next one.");
}

NodeType attention_type() {
    NodeType type = sequence(
        "MultiheadAttention", {"self attention", "transformer", "mha", "attention"},
        "Each place of a sequence looks at all others, or at those of another sequence, and takes "
        "from them what it needs. The heart of transformers.");
    type.formula = "softmax(q @ k.T / sqrt(d)) @ v for each head, then Linear";
    type.inputs = {tensor_port("query", "Who looks: N × places × width."),
                   optional_port("key", "What is looked at. Not wired: the query itself."),
                   optional_port("value", "What is taken. Not wired: the key."),
                   optional_port("attn_mask", "Places × places: true (or -inf) is not seen."),
                   optional_port("key_padding_mask", "N × places: true is no real place.")};
    type.outputs = {tensor_port("out", "N × places × width."),
                    tensor_port("weights", "Who looked where, averaged over the heads; with the "
                                           "setting Weights.")};
    type.params = {heads(),
                   dropped(0, "Part of the looks dropped while training."),
                   bias(),
                   batch_first(),
                   causal(),
                   bool_param("need_weights", "Weights", false,
                              "Also give out who looked where. Costs time and memory.")};
    add_training_params(type);
    const auto options = [](const BuildContext& context) {
        need_floating(context, "MultiheadAttention");
        need_rank(context, 3, "MultiheadAttention", "N × places × width");
        nn::AttentionLayerOptions o;
        o.embed_dim = context.inputs[0].shape[2];
        o.num_heads = context.integer("num_heads");
        if (o.embed_dim % o.num_heads != 0)
            throw ValueError(fmt::format("MultiheadAttention: a width of {} cannot be split into "
                                         "{} heads",
                                         o.embed_dim, o.num_heads));
        std::size_t next = 1;
        const auto width_of = [&](std::size_t port, std::int64_t standard) {
            if (port >= context.counts.size() || context.counts[port] == 0) return standard;
            const Shape& shape = context.inputs[next++].shape;
            if (shape.size() != 3)
                throw ShapeError(fmt::format("MultiheadAttention needs a 3-D {} (N × places × "
                                             "width), got {}",
                                             port == 1 ? "key" : "value", shape.str()));
            return shape[2];
        };
        o.kdim = width_of(1, o.embed_dim);
        o.vdim = width_of(2, o.kdim);
        o.dropout = context.real("dropout");
        o.bias = context.flag("bias");
        o.batch_first = context.flag("batch_first");
        o.is_causal = context.flag("is_causal");
        o.need_weights = context.flag("need_weights");
        o.stream = context.stream;
        o.dtype = context.inputs[0].dtype;
        return o;
    };
    type.build = [options](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        return std::make_shared<Spread<nn::MultiheadAttention>>(context.counts, options(context));
    };
    type.pytorch = [options](const BuildContext& context) {
        const nn::AttentionLayerOptions o = options(context);
        Arguments arguments;
        arguments.positional(py(o.embed_dim)).positional(py(o.num_heads));
        arguments.option("dropout", o.dropout, 0.0).option("bias", o.bias, true);
        if (o.kdim != o.embed_dim) arguments.option("kdim", py(o.kdim));
        if (o.vdim != o.embed_dim) arguments.option("vdim", py(o.vdim));
        arguments.option("batch_first", o.batch_first, false);
        std::string key = wired(context, 1), value = wired(context, 2);
        if (key.empty()) key = "{0}";
        if (value.empty()) value = key;
        const std::string mask =
            mask_source(wired(context, 3), o.is_causal, "{0}", key, o.batch_first ? 1 : 0);
        Arguments call;
        call.positional("{0}").positional(key).positional(value);
        if (const std::string padding = wired(context, 4); !padding.empty())
            call.option("key_padding_mask", padding);
        if (!mask.empty()) call.option("attn_mask", mask);
        call.option("need_weights", o.need_weights, true);
        return Emitted{arguments.call("nn.MultiheadAttention"),
                       call.call("{self}") + (o.need_weights ? "" : "[0]")};
    };
    return type;
}

NodeType transformer_type(bool decoder) {
    const std::string id = decoder ? "TransformerDecoderLayer" : "TransformerEncoderLayer";
    NodeType type = sequence(id, {"transformer", "block", "attention"},
                             decoder ? "A block of a transformer that also looks at another "
                                       "sequence, such as the sentence to be translated."
                                     : "A block of a transformer: places look at each other, then "
                                       "each thinks for itself; both are added to what came in.");
    type.formula = decoder ? "x + attention(x), then + attention(x, memory), then + feedforward(x)"
                           : "x + attention(x), then + feedforward(x), with LayerNorm";
    if (decoder)
        type.inputs.push_back(tensor_port("memory", "What is looked at: N × places × width."));
    type.params = {
        heads(),
        int_param("dim_feedforward", "Inner width", 2048, 1, 1000000,
                  "Width of the hidden layer in which each place thinks for itself."),
        dropped(0.1, "Part of the numbers dropped while training."),
        choice_param("activation", "Activation", "relu", {{"relu", "ReLU"}, {"gelu", "GELU"}},
                     "Bends the hidden layer."),
        rate_param("layer_norm_eps", "Epsilon", 1e-5, 1,
                   "Keeps the division safe where everything is equal."),
        batch_first(),
        bool_param("norm_first", "Norm first", false,
                   "Normalize before each part instead of behind it: deep networks train better."),
        causal()};
    type.params[0].id = "nhead";
    add_training_params(type);
    const auto options = [id](const BuildContext& context) {
        need_floating(context, id);
        need_rank(context, 3, id, "N × places × width");
        nn::TransformerLayerOptions o;
        o.d_model = context.inputs[0].shape[2];
        o.nhead = context.integer("nhead");
        if (o.d_model % o.nhead != 0)
            throw ValueError(fmt::format("{}: a width of {} cannot be split into {} heads", id,
                                         o.d_model, o.nhead));
        o.dim_feedforward = context.integer("dim_feedforward");
        o.dropout = context.real("dropout");
        o.gelu = context.text("activation") == "gelu";
        o.layer_norm_eps = context.real("layer_norm_eps");
        o.batch_first = context.flag("batch_first");
        o.norm_first = context.flag("norm_first");
        o.is_causal = context.flag("is_causal");
        o.stream = context.stream;
        o.dtype = context.inputs[0].dtype;
        return o;
    };
    type.build = [options, decoder](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        const nn::TransformerLayerOptions o = options(context);
        if (decoder) return std::make_shared<nn::TransformerDecoderLayer>(o);
        return std::make_shared<nn::TransformerEncoderLayer>(o);
    };
    type.pytorch = [options, decoder, id](const BuildContext& context) {
        const nn::TransformerLayerOptions o = options(context);
        Arguments arguments;
        arguments.positional(py(o.d_model)).positional(py(o.nhead));
        arguments.option("dim_feedforward", o.dim_feedforward, std::int64_t{2048})
            .option("dropout", o.dropout, 0.1);
        if (o.gelu) arguments.option("activation", "\"gelu\"");
        arguments.option("layer_norm_eps", o.layer_norm_eps, 1e-5)
            .option("batch_first", o.batch_first, false)
            .option("norm_first", o.norm_first, false);
        Arguments call;
        call.positional("{0}");
        if (decoder) call.positional("{1}");
        if (o.is_causal)
            call.option(decoder ? "tgt_mask" : "src_mask",
                        mask_source("", true, "{0}", "{0}", o.batch_first ? 1 : 0));
        return Emitted{arguments.call("nn." + id), call.call("{self}")};
    };
    return type;
}

NodeType positional_type() {
    NodeType type = sequence(
        "PositionalEncoding", {"position", "positional embedding", "place", "sinusoidal"},
        "Adds numbers that tell the places of a sequence apart: attention alone does not know "
        "what comes first.");
    type.formula = "y = x + weight[place], or x + sin(place / 10000^(2i / width)), cos(...)";
    type.params = {choice_param("kind", "Numbers", "sinusoidal",
                                {{"sinusoidal", "Sines and cosines"}, {"learned", "Trained"}},
                                "Where the numbers come from."),
                   int_param("max_len", "Places", 0, 0, 1000000,
                             "The longest sequence. 0: as long as what comes in.")};
    add_training_params(type);
    const auto length_of = [](const BuildContext& context) {
        need_floating(context, "PositionalEncoding");
        need_rank(context, 3, "PositionalEncoding", "N × places × width");
        const std::int64_t wanted = context.integer("max_len"), here = context.inputs[0].shape[1];
        if (wanted > 0 && wanted < here)
            throw ShapeError(fmt::format("PositionalEncoding has {} places, the input {}: {}",
                                         wanted, here, context.inputs[0].shape.str()));
        return wanted > 0 ? wanted : here;
    };
    type.build = [length_of](const BuildContext& context) -> std::shared_ptr<nn::Module> {
        return std::make_shared<nn::PositionalEncoding>(
            length_of(context), context.inputs[0].shape[2], context.text("kind") == "learned",
            context.inputs[0].dtype);
    };
    type.pytorch = [length_of](const BuildContext& context) {
        const std::int64_t width = context.inputs[0].shape[2];
        if (context.text("kind") == "learned")
            return Emitted{fmt::format("nn.Embedding({}, {})", length_of(context), width),
                           "({0} + {self}.weight[:{0}.shape[1]])"};
        return Emitted{
            "", fmt::format("(lambda x, a: x + torch.stack([a.sin(), a.cos()], -1).flatten(1)"
                            "[:, :{0}].to(x))({{0}}, torch.arange({{0}}.shape[1])[:, None] * "
                            "torch.exp(torch.arange(0, {0}, 2) * (-9.210340371976184 / {0})))",
                            width)};
    };
    return type;
}

} // namespace

std::vector<NodeType> sequence_types() {
    const Kind kinds[] = {
        {"RNN",
         RecurrentKind::RnnTanh,
         "h' = tanh(W x + b_ih + U h + b_hh)",
         {"recurrent", "elman", "sequence"},
         "Reads a sequence step by step with a small memory. The simplest recurrent layer; it "
         "forgets quickly."},
        {"LSTM",
         RecurrentKind::Lstm,
         "c' = f c + i g, h' = o tanh(c'), gates i, f, o by sigmoid",
         {"recurrent", "memory", "sequence", "long short-term memory"},
         "Reads a sequence step by step and decides what to remember and what to forget. Good for "
         "text, sound and measurements over time."},
        {"GRU",
         RecurrentKind::Gru,
         "h' = (1 - z) n + z h, n = tanh(W x + b_in + r (U h + b_hn))",
         {"recurrent", "memory", "sequence", "gated"},
         "Reads a sequence step by step, with fewer gates than an LSTM: smaller, often as good."}};
    std::vector<NodeType> all;
    for (const Kind& kind : kinds)
        all.push_back(recurrent_type(kind));
    for (const Kind& kind : kinds)
        all.push_back(cell_type(kind));
    all.push_back(attention_type());
    all.push_back(transformer_type(false));
    all.push_back(transformer_type(true));
    all.push_back(positional_type());
    return all;
}

} // namespace wiregrad::graph::types
