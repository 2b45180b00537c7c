#include "nodes/types/declare.h"

#include <algorithm>

namespace wiregrad::graph::types {

namespace {

std::function<bool(const Params&)> when(const char* param, std::vector<std::string> values) {
    return [param, values = std::move(values)](const Params& params) {
        const auto it = params.find(param);
        const auto* text = it == params.end() ? nullptr : std::get_if<std::string>(&it->second);
        return text && std::find(values.begin(), values.end(), *text) != values.end();
    };
}

ParamSpec epochs(ParamSpec spec) {
    return with_unit(std::move(spec), "epochs");
}
ParamSpec above_zero(ParamSpec spec) {
    spec.min_excluded = true;
    return spec;
}

/// How the learning rate moves; PyTorch's names.
std::vector<ParamSpec> schedule_params() {
    std::vector<ParamSpec> all;
    const auto add = [&](ParamSpec spec, std::vector<std::string> schedules) {
        all.push_back(shown_if(std::move(spec), when("schedule", std::move(schedules))));
    };
    all.push_back(choice_param("schedule", "Schedule", "constant",
                               {{"constant", "Constant"},
                                {"step", "Steps down"},
                                {"multistep", "Steps down at given epochs"},
                                {"exponential", "Falls by a factor each epoch"},
                                {"cosine", "Cosine, down to the end"},
                                {"warm_restarts", "Cosine with restarts"},
                                {"linear", "Linear from factor to factor"},
                                {"constant_factor", "A factor for the first epochs"},
                                {"polynomial", "Polynomial, down to zero"},
                                {"one_cycle", "One cycle: up, then far down"},
                                {"cyclic", "Up and down again and again"},
                                {"plateau", "Lower when the loss stalls"}},
                               "How the learning rate changes during the run."));
    const auto later_add = [&](ParamSpec spec, std::vector<std::string> schedules) {
        add(later(std::move(spec)), std::move(schedules));
    };
    add(epochs(int_param("step_size", "Every", 10, 1, 1000000, "Epochs between two steps down.")),
        {"step"});
    add(above_zero(real_param("gamma", "Factor", 0.1, 0, 1,
                              "The learning rate is multiplied by this at each step down.")),
        {"step", "multistep", "exponential", "cyclic"});
    add(epochs(int_param("t_max", "Length", 0, 0, 1000000,
                         "Epochs from the top to the bottom of the curve. 0: the whole run.")),
        {"cosine"});
    add(real_param("eta_min", "Lowest rate", 0, 0, 1000,
                   "Learning rate at the bottom of the curve."),
        {"cosine", "warm_restarts"});
    later_add(epochs(list_param("milestones", "At", {30, 60}, 1, 8, 1, 1000000,
                                "The epochs at which the rate is multiplied by the factor.")),
              {"multistep"});
    later_add(epochs(int_param("t_0", "First cycle", 10, 1, 1000000,
                               "Epochs of the first cycle, after which the rate starts again.")),
              {"warm_restarts"});
    later_add(int_param("t_mult", "Growth", 1, 1, 1000,
                        "How many times as long as the one before each cycle is."),
              {"warm_restarts"});
    later_add(real_param("start_factor", "First factor", 1.0 / 3, 0, 1000,
                         "Factor on the learning rate at the beginning."),
              {"linear", "constant_factor"});
    later_add(real_param("end_factor", "Last factor", 1, 0, 1000,
                         "Factor on the learning rate at the end of the stretch."),
              {"linear"});
    later_add(epochs(int_param("total_iters", "Stretch", 5, 0, 1000000,
                               "Epochs over which the factor works.")),
              {"linear", "constant_factor", "polynomial"});
    later_add(real_param("power", "Power", 1, 0, 100, "1 is a straight line; 2 falls faster."),
              {"polynomial"});
    later_add(real_param("pct_start", "Rising part", 0.3, 0, 1,
                         "Part of the run in which the rate rises to the learning rate given."),
              {"one_cycle"});
    later_add(choice_param("anneal_strategy", "Shape", "cos",
                           {{"cos", "Cosine"}, {"linear", "Straight"}},
                           "How the rate goes from one end to the other."),
              {"one_cycle"});
    later_add(above_zero(real_param("div_factor", "Start divisor", 25, 0, 1e9,
                                    "The first rate is the learning rate divided by this.")),
              {"one_cycle"});
    later_add(above_zero(real_param("final_div_factor", "End divisor", 1e4, 0, 1e12,
                                    "The last rate is the first divided by this.")),
              {"one_cycle"});
    later_add(bool_param("three_phase", "Three phases", false,
                         "Down to the first rate as fast as up, then to the last."),
              {"one_cycle"});
    later_add(above_zero(real_param("max_lr", "Highest rate", 0.01, 0, 1000,
                                    "The rate at the top of each cycle; the learning rate is the "
                                    "bottom.")),
              {"cyclic"});
    later_add(with_unit(int_param("step_size_up", "Way up", 2000, 1, 1000000000,
                                  "Steps from the bottom to the top."),
                        "steps"),
              {"cyclic"});
    later_add(with_unit(int_param("step_size_down", "Way down", 0, 0, 1000000000,
                                  "Steps from the top to the bottom. 0: as many as up."),
                        "steps"),
              {"cyclic"});
    later_add(choice_param("cyclic_mode", "Cycles", "triangular",
                           {{"triangular", "All alike"},
                            {"triangular2", "Each half as high"},
                            {"exp_range", "Lower by the factor at each step"}},
                           "How the height of the cycles changes."),
              {"cyclic"});
    later_add(bool_param("cycle_momentum", "Move the momentum", true,
                         "The momentum (or beta 1) goes down while the rate goes up."),
              {"one_cycle", "cyclic"});
    later_add(real_param("base_momentum", "Lowest momentum", 0.85, 0, 1,
                         "Momentum where the rate is highest."),
              {"one_cycle", "cyclic"});
    later_add(real_param("max_momentum", "Highest momentum", 0.95, 0, 1,
                         "Momentum where the rate is lowest."),
              {"one_cycle", "cyclic"});
    ParamSpec factor = above_zero(real_param("factor", "Factor", 0.1, 0, 1,
                                             "The rate is multiplied by this when it stalls."));
    factor.max_excluded = true;
    later_add(factor, {"plateau"});
    later_add(epochs(int_param("patience", "Patience", 10, 0, 1000000,
                               "So many epochs without progress are forgiven.")),
              {"plateau"});
    later_add(real_param("threshold", "Progress", 1e-4, 0, 1,
                         "What counts as progress: the loss falls by more than this."),
              {"plateau"});
    later_add(choice_param("threshold_mode", "Progress is", "rel",
                           {{"rel", "A part of the best loss"}, {"abs", "A number"}},
                           "Whether progress is measured as a part of the loss or as a number."),
              {"plateau"});
    later_add(epochs(int_param("cooldown", "Rest", 0, 0, 1000000,
                               "Epochs after a reduction that do not count.")),
              {"plateau"});
    later_add(real_param("min_lr", "Lowest rate", 0, 0, 1000, "The rate never goes below this."),
              {"plateau"});
    all.push_back(later(epochs(int_param("warmup", "Warm-up", 0, 0, 1000000,
                                         "Epochs in which the rate first rises in a straight line; "
                                         "then the schedule begins. 0: none."))));
    all.push_back(
        later(shown_if(real_param("warmup_factor", "Warm-up from", 0.1, 0, 1,
                                  "Factor on the learning rate at the beginning of the warm-up."),
                       [](const Params& params) {
                           const auto it = params.find("warmup");
                           return it != params.end() && std::get<std::int64_t>(it->second) > 0;
                       })));
    return all;
}

/// What all optimizers share: the losses that come in, the schedule, the clipping.
NodeType optimizer(std::string id, std::vector<std::string> synonyms, std::string help,
                   std::string formula, std::vector<ParamSpec> own) {
    NodeType type;
    type.id = type.label = std::move(id);
    type.category = "Optimizer";
    type.synonyms = std::move(synonyms);
    type.synonyms.insert(type.synonyms.end(), {"optimizer", "optimiser", "train", "learning rate"});
    type.help = std::move(help);
    type.formula = std::move(formula);
    type.role = Role::Optimizer;
    PortSpec loss;
    loss.id = loss.label = "loss";
    loss.help = "What to make small; several losses are added. Everything before them is trained.";
    loss.kind = PortKind::Loss;
    loss.many = true;
    type.inputs = {loss};
    type.params = std::move(own);
    const auto add = [&](ParamSpec spec) { type.params.push_back(std::move(spec)); };
    for (ParamSpec& spec : schedule_params())
        add(std::move(spec));
    add(real_param(
        "clip_grad_norm", "Clip gradients", 0, 0, 1e9,
        "Gradients longer than this, over all weights together, are shortened to it. 0: never."));
    add(later(real_param("clip_grad_value", "Clip each number", 0, 0, 1e9,
                         "Every number of a gradient is kept within this of zero. 0: never.")));
    if (type.param("weight_decay"))
        add(later(choice_param(
            "decay_on", "Decay of", "all",
            {{"all", "All weights"}, {"matrices", "Weights, not biases and norms"}},
            "Whether weight decay also pulls at biases and at the scales of normalizations.")));
    add(later(bool_param("maximize", "Make it large", false,
                         "Walk uphill: make the loss large instead of small.")));
    ParamSpec average = real_param(
        "ema_decay", "Average weights", 0, 0, 1,
        "Keeps a moving average of the weights, 0.999 for example, and uses it for validation and "
        "in the trained model. 0: no average.");
    average.max_excluded = true;
    add(later(average));
    add(later(with_unit(int_param("accumulate", "Gather", 1, 1, 100000,
                                  "Gradients of so many batches are averaged for one step: the "
                                  "effect of a larger batch in the memory of a small one."),
                        "batches")));
    return type;
}

ParamSpec learning_rate(double standard = 1e-3) {
    return rate_param(
        "lr", "Learning rate", standard, 1000,
        "How far each step moves the weights. Too small: slow; too large: it never settles.");
}

ParamSpec weight_decay(double standard) {
    return real_param("weight_decay", "Weight decay", standard, 0, 1000,
                      "Pulls weights towards zero at each step, against overfitting.");
}

ParamSpec eps(double standard) {
    return rate_param("eps", "Epsilon", standard, 1,
                      "Keeps the division safe where gradients are tiny.");
}

ParamSpec beta(const char* id, const char* label, double standard, const char* help) {
    ParamSpec spec = real_param(id, label, standard, 0, 1, help);
    spec.max_excluded = true;
    return spec;
}
ParamSpec beta1() {
    return beta("beta1", "Beta 1", 0.9,
                "How much of the past gradients' mean is kept at each step.");
}
ParamSpec beta2() {
    return beta("beta2", "Beta 2", 0.999,
                "How much of the past gradients' size is kept at each step.");
}
ParamSpec decoupled() {
    return bool_param("decoupled_weight_decay", "Decay apart", false,
                      "Keep weight decay apart from the gradients, as AdamW does.");
}

std::vector<ParamSpec> adam_params(double decay) {
    return {
        learning_rate(),
        beta1(),
        beta2(),
        eps(1e-8),
        weight_decay(decay),
        bool_param("amsgrad", "AMSGrad", false, "Never let the measured size of gradients fall.")};
}

/// "optim.Adam({params}, lr=0.001": the exporter puts the weights in.
Arguments begin(const BuildContext& context) {
    Arguments arguments;
    arguments.positional("{params}").option("lr", py(context.real("lr")));
    return arguments;
}
Arguments& betas(Arguments& arguments, const BuildContext& context) {
    if (context.real("beta1") != 0.9 || context.real("beta2") != 0.999)
        arguments.option("betas",
                         "(" + py(context.real("beta1")) + ", " + py(context.real("beta2")) + ")");
    return arguments;
}

/// The schedule as PyTorch source, with {self} for the optimizer; empty when the rate is constant.
std::string schedule_source(const BuildContext& context) {
    const std::string& kind = context.text("schedule");
    const std::string prefix = "torch.optim.lr_scheduler.";
    Arguments arguments;
    arguments.positional("{self}");
    const auto real = [&](const char* id) { arguments.option(id, py(context.real(id))); };
    const auto whole = [&](const char* id) { arguments.option(id, py(context.integer(id))); };
    std::string main;
    if (kind == "step") {
        whole("step_size"), real("gamma");
        main = arguments.call(prefix + "StepLR");
    } else if (kind == "multistep") {
        std::string list;
        for (const std::int64_t epoch : context.dims("milestones"))
            list += (list.empty() ? "" : ", ") + py(epoch);
        arguments.option("milestones", "[" + list + "]");
        real("gamma");
        main = arguments.call(prefix + "MultiStepLR");
    } else if (kind == "exponential") {
        real("gamma");
        main = arguments.call(prefix + "ExponentialLR");
    } else if (kind == "cosine") {
        arguments.option("T_max", context.integer("t_max") > 0 ? py(context.integer("t_max"))
                                                               : std::string("{epochs}"));
        real("eta_min");
        main = arguments.call(prefix + "CosineAnnealingLR");
    } else if (kind == "warm_restarts") {
        arguments.option("T_0", py(context.integer("t_0")));
        arguments.option("T_mult", py(context.integer("t_mult")));
        real("eta_min");
        main = arguments.call(prefix + "CosineAnnealingWarmRestarts");
    } else if (kind == "linear") {
        real("start_factor"), real("end_factor"), whole("total_iters");
        main = arguments.call(prefix + "LinearLR");
    } else if (kind == "constant_factor") {
        arguments.option("factor", py(context.real("start_factor")));
        whole("total_iters");
        main = arguments.call(prefix + "ConstantLR");
    } else if (kind == "polynomial") {
        whole("total_iters"), real("power");
        main = arguments.call(prefix + "PolynomialLR");
    } else if (kind == "one_cycle") {
        arguments.option("max_lr", py(context.real("lr"))).option("total_steps", "{steps}");
        real("pct_start");
        arguments.option("anneal_strategy", "\"" + context.text("anneal_strategy") + "\"");
        arguments.option("cycle_momentum", context.flag("cycle_momentum"), true);
        real("base_momentum"), real("max_momentum"), real("div_factor"), real("final_div_factor");
        arguments.option("three_phase", context.flag("three_phase"), false);
        main = arguments.call(prefix + "OneCycleLR");
    } else if (kind == "cyclic") {
        arguments.option("base_lr", py(context.real("lr")));
        real("max_lr"), whole("step_size_up");
        if (context.integer("step_size_down") > 0) whole("step_size_down");
        arguments.option("mode", "\"" + context.text("cyclic_mode") + "\"");
        real("gamma");
        arguments.option("cycle_momentum", context.flag("cycle_momentum"), true);
        real("base_momentum"), real("max_momentum");
        main = arguments.call(prefix + "CyclicLR");
    } else if (kind == "plateau") {
        real("factor"), whole("patience"), real("threshold");
        arguments.option("threshold_mode", "\"" + context.text("threshold_mode") + "\"");
        whole("cooldown"), real("min_lr");
        return arguments.call(prefix + "ReduceLROnPlateau");
    }
    const std::int64_t warmup = context.integer("warmup");
    if (warmup == 0) return main;
    if (main.empty()) main = prefix + "ConstantLR({self}, factor=1.0)";
    return prefix + "SequentialLR({self}, [" + prefix +
           "LinearLR({self}, start_factor=" + py(context.real("warmup_factor")) +
           ", total_iters=" + py(warmup) + "), " + main + "], milestones=[" + py(warmup) + "])";
}

Emitted finish(Arguments& arguments, const BuildContext& context, const std::string& name) {
    arguments.option("maximize", context.flag("maximize"), false);
    return {arguments.call("torch.optim." + name), schedule_source(context)};
}

Emitted emit_adam(const BuildContext& context, const char* name, double decay) {
    Arguments arguments = begin(context);
    betas(arguments, context);
    arguments.option("eps", context.real("eps"), 1e-8);
    arguments.option("weight_decay", context.real("weight_decay"), decay);
    arguments.option("amsgrad", context.flag("amsgrad"), false);
    return finish(arguments, context, name);
}

NodeType sgd() {
    NodeType type = optimizer(
        "SGD", {"stochastic gradient descent", "momentum", "nesterov"},
        "Walks straight downhill, with momentum if wanted. Simple, and often best in the end.",
        "w = w - lr * v, v = momentum * v + gradient",
        {learning_rate(),
         real_param("momentum", "Momentum", 0, 0, 1,
                    "How much of the last step is kept: 0.9 is usual."),
         real_param("dampening", "Dampening", 0, 0, 1,
                    "How much the new gradient is weakened in the momentum."),
         weight_decay(0),
         bool_param("nesterov", "Nesterov", false,
                    "Look ahead along the momentum. Needs momentum and no dampening.")});
    type.check = [](const Params& params) -> std::string {
        const auto real = [&](const char* id) { return std::get<double>(params.at(id)); };
        if (std::get<bool>(params.at("nesterov")) &&
            (real("momentum") <= 0 || real("dampening") != 0))
            return "SGD with nesterov needs a momentum above 0 and a dampening of 0, got " +
                   value_text(params.at("momentum")) + " and " + value_text(params.at("dampening"));
        return {};
    };
    type.pytorch = [](const BuildContext& context) {
        Arguments arguments = begin(context);
        arguments.option("momentum", context.real("momentum"), 0.0)
            .option("dampening", context.real("dampening"), 0.0)
            .option("weight_decay", context.real("weight_decay"), 0.0)
            .option("nesterov", context.flag("nesterov"), false);
        return finish(arguments, context, "SGD");
    };
    return type;
}

NodeType adam() {
    NodeType type = optimizer("Adam", {"adaptive"},
                              "Gives each weight a step size of its own. A good first choice.",
                              "w = w - lr * mean(g) / (sqrt(mean(g * g)) + eps)", adam_params(0));
    type.pytorch = [](const BuildContext& context) { return emit_adam(context, "Adam", 0); };
    return type;
}

NodeType adamw() {
    NodeType type = optimizer(
        "AdamW", {"adaptive", "decoupled weight decay"},
        "Adam whose weight decay is kept apart from the gradients; usual for large networks.",
        "as Adam, after w = w * (1 - lr * weight_decay)", adam_params(1e-2));
    type.pytorch = [](const BuildContext& context) { return emit_adam(context, "AdamW", 1e-2); };
    return type;
}

NodeType rmsprop() {
    NodeType type = optimizer(
        "RMSprop", {"adaptive", "root mean square"},
        "Divides each gradient by how large it usually is. Common for recurrent networks and for "
        "reinforcement learning.",
        "w = w - lr * g / (sqrt(mean(g * g)) + eps)",
        {learning_rate(1e-2),
         real_param("alpha", "Smoothing", 0.99, 0, 1,
                    "How much of the past gradients' size is kept at each step."),
         eps(1e-8), weight_decay(0),
         real_param("momentum", "Momentum", 0, 0, 1, "How much of the last step is kept."),
         bool_param("centered", "Centered", false,
                    "Divide by how much gradients vary instead of how large they are.")});
    type.pytorch = [](const BuildContext& context) {
        Arguments arguments = begin(context);
        arguments.option("alpha", context.real("alpha"), 0.99)
            .option("eps", context.real("eps"), 1e-8)
            .option("weight_decay", context.real("weight_decay"), 0.0)
            .option("momentum", context.real("momentum"), 0.0)
            .option("centered", context.flag("centered"), false);
        return finish(arguments, context, "RMSprop");
    };
    return type;
}

NodeType adagrad() {
    NodeType type = optimizer(
        "Adagrad", {"adaptive"},
        "Takes smaller and smaller steps for weights that have moved much. For rare features.",
        "w = w - lr * g / (sqrt(sum(g * g)) + eps)",
        {learning_rate(1e-2),
         real_param("lr_decay", "Rate decay", 0, 0, 1000,
                    "The rate is divided by 1 + this times the number of steps."),
         weight_decay(0),
         real_param("initial_accumulator_value", "First sum", 0, 0, 1e9,
                    "Where the sum of squares begins."),
         eps(1e-10)});
    type.pytorch = [](const BuildContext& context) {
        Arguments arguments = begin(context);
        arguments.option("lr_decay", context.real("lr_decay"), 0.0)
            .option("weight_decay", context.real("weight_decay"), 0.0)
            .option("initial_accumulator_value", context.real("initial_accumulator_value"), 0.0)
            .option("eps", context.real("eps"), 1e-10);
        return finish(arguments, context, "Adagrad");
    };
    return type;
}

NodeType adadelta() {
    NodeType type = optimizer(
        "Adadelta", {"adaptive"},
        "Like RMSprop, with steps in the size of the past steps: the rate can stay at 1.",
        "w = w - lr * sqrt(mean(d * d) + eps) / sqrt(mean(g * g) + eps) * g",
        {learning_rate(1.0),
         real_param("rho", "Smoothing", 0.9, 0, 1, "How much of the past is kept at each step."),
         eps(1e-6), weight_decay(0)});
    type.pytorch = [](const BuildContext& context) {
        Arguments arguments = begin(context);
        arguments.option("rho", context.real("rho"), 0.9)
            .option("eps", context.real("eps"), 1e-6)
            .option("weight_decay", context.real("weight_decay"), 0.0);
        return finish(arguments, context, "Adadelta");
    };
    return type;
}

NodeType adamax() {
    NodeType type = optimizer("Adamax", {"adaptive", "infinity norm"},
                              "Adam that divides by the largest recent gradient instead of the "
                              "usual size. Steadier where gradients are rare.",
                              "w = w - lr * mean(g) / max(beta2 * u, |g| + eps)",
                              {learning_rate(2e-3), beta1(), beta2(), eps(1e-8), weight_decay(0)});
    type.pytorch = [](const BuildContext& context) {
        Arguments arguments = begin(context);
        betas(arguments, context)
            .option("eps", context.real("eps"), 1e-8)
            .option("weight_decay", context.real("weight_decay"), 0.0);
        return finish(arguments, context, "Adamax");
    };
    return type;
}

NodeType nadam() {
    NodeType type =
        optimizer("NAdam", {"adaptive", "nesterov"},
                  "Adam that looks ahead along its momentum, as Nesterov's method does.",
                  "as Adam, with the mean of the next step in place of this one's",
                  {learning_rate(2e-3), beta1(), beta2(), eps(1e-8), weight_decay(0),
                   real_param("momentum_decay", "Momentum decay", 4e-3, 0, 1,
                              "How quickly the momentum reaches beta 1."),
                   decoupled()});
    type.pytorch = [](const BuildContext& context) {
        Arguments arguments = begin(context);
        betas(arguments, context)
            .option("eps", context.real("eps"), 1e-8)
            .option("weight_decay", context.real("weight_decay"), 0.0)
            .option("momentum_decay", context.real("momentum_decay"), 4e-3)
            .option("decoupled_weight_decay", context.flag("decoupled_weight_decay"), false);
        return finish(arguments, context, "NAdam");
    };
    return type;
}

NodeType radam() {
    NodeType type = optimizer(
        "RAdam", {"adaptive", "rectified", "warm-up"},
        "Adam that takes its first steps carefully, until it knows how large gradients are.",
        "as Adam, shortened while the variance of g is uncertain",
        {learning_rate(), beta1(), beta2(), eps(1e-8), weight_decay(0), decoupled()});
    type.pytorch = [](const BuildContext& context) {
        Arguments arguments = begin(context);
        betas(arguments, context)
            .option("eps", context.real("eps"), 1e-8)
            .option("weight_decay", context.real("weight_decay"), 0.0)
            .option("decoupled_weight_decay", context.flag("decoupled_weight_decay"), false);
        return finish(arguments, context, "RAdam");
    };
    return type;
}

NodeType muon() {
    NodeType type = optimizer(
        "Muon", {"orthogonal", "newton schulz", "matrices"},
        "Turns the momentum of each weight matrix so that all its directions move alike. For the "
        "matrices of large networks; all other weights are trained by AdamW at the same rate.",
        "w = w * (1 - lr * weight_decay) - lr * sqrt(max(1, rows / columns)) * orthogonal(v)",
        {learning_rate(), weight_decay(0.1),
         real_param("momentum", "Momentum", 0.95, 0, 1,
                    "How much of the past gradients' mean is kept at each step."),
         bool_param("nesterov", "Nesterov", true, "Look ahead along the momentum."), eps(1e-7),
         int_param("ns_steps", "Turns", 5, 1, 99, "Newton-Schulz steps to make it orthogonal."),
         choice_param("adjust_lr_fn", "Rate", "original",
                      {{"original", "By the shape, at least 1"},
                       {"match_rms_adamw", "Steps in the size of AdamW's"}},
                      "How the rate depends on the shape of a matrix.")});
    type.pytorch = [](const BuildContext& context) {
        Arguments arguments = begin(context);
        arguments.option("weight_decay", context.real("weight_decay"), 0.1)
            .option("momentum", context.real("momentum"), 0.95)
            .option("nesterov", context.flag("nesterov"), true)
            .option("eps", context.real("eps"), 1e-7)
            .option("ns_steps", context.integer("ns_steps"), std::int64_t{5})
            .option("adjust_lr_fn", "\"" + context.text("adjust_lr_fn") + "\"");
        return Emitted{arguments.call("torch.optim.Muon"), schedule_source(context)};
    };
    return type;
}

} // namespace

std::vector<NodeType> optimizer_types() {
    return {sgd(),      adam(),   adamw(), rmsprop(), adagrad(),
            adadelta(), adamax(), nadam(), radam(),   muon()};
}

} // namespace wiregrad::graph::types
