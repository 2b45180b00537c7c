#include "nodes/types/declare.h"

namespace wiregrad::graph::types {

namespace {

bool schedule_is(const Params& params, const char* kind) {
    const auto it = params.find("schedule");
    const auto* text = it == params.end() ? nullptr : std::get_if<std::string>(&it->second);
    return text && *text == kind;
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
    add(choice_param(
        "schedule", "Schedule", "constant",
        {{"constant", "Constant"}, {"step", "Steps down"}, {"cosine", "Cosine, down to the end"}},
        "How the learning rate changes from epoch to epoch."));
    add(shown_if(
        with_unit(int_param("step_size", "Every", 10, 1, 1000000, "Epochs between two steps down."),
                  "epochs"),
        [](const Params& params) { return schedule_is(params, "step"); }));
    add(shown_if(real_param("gamma", "Factor", 0.1, 0, 1,
                            "The learning rate is multiplied by this at each step down."),
                 [](const Params& params) { return schedule_is(params, "step"); }));
    type.params.back().min_excluded = true;
    add(shown_if(
        with_unit(int_param("t_max", "Length", 0, 0, 1000000,
                            "Epochs from the top to the bottom of the curve. 0: the whole run."),
                  "epochs"),
        [](const Params& params) { return schedule_is(params, "cosine"); }));
    add(shown_if(real_param("eta_min", "Lowest rate", 0, 0, 1000,
                            "Learning rate at the bottom of the curve."),
                 [](const Params& params) { return schedule_is(params, "cosine"); }));
    add(real_param(
        "clip_grad_norm", "Clip gradients", 0, 0, 1e9,
        "Gradients longer than this, over all weights together, are shortened to it. 0: never."));
    return type;
}

ParamSpec learning_rate() {
    return rate_param(
        "lr", "Learning rate", 1e-3, 1000,
        "How far each step moves the weights. Too small: slow; too large: it never settles.");
}

ParamSpec weight_decay(double standard) {
    return real_param("weight_decay", "Weight decay", standard, 0, 1000,
                      "Pulls weights towards zero at each step, against overfitting.");
}

ParamSpec beta(const char* id, const char* label, double standard, const char* help) {
    ParamSpec spec = real_param(id, label, standard, 0, 1, help);
    spec.max_excluded = true;
    return spec;
}

std::vector<ParamSpec> adam_params(double decay) {
    return {
        learning_rate(),
        beta("beta1", "Beta 1", 0.9, "How much of the past gradients' mean is kept at each step."),
        beta("beta2", "Beta 2", 0.999,
             "How much of the past gradients' size is kept at each step."),
        rate_param("eps", "Epsilon", 1e-8, 1, "Keeps the division safe where gradients are tiny."),
        weight_decay(decay),
        bool_param("amsgrad", "AMSGrad", false, "Never let the measured size of gradients fall.")};
}

/// "optim.Adam({params}, lr=0.001)": the exporter puts the weights in.
Emitted emit_adam(const BuildContext& context, const char* name, double decay) {
    Arguments arguments;
    arguments.positional("{params}").option("lr", py(context.real("lr")));
    if (context.real("beta1") != 0.9 || context.real("beta2") != 0.999)
        arguments.option("betas",
                         "(" + py(context.real("beta1")) + ", " + py(context.real("beta2")) + ")");
    arguments.option("eps", context.real("eps"), 1e-8);
    arguments.option("weight_decay", context.real("weight_decay"), decay);
    arguments.option("amsgrad", context.flag("amsgrad"), false);
    return {arguments.call(std::string("torch.optim.") + name), ""};
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
        return Emitted{Arguments()
                           .positional("{params}")
                           .option("lr", py(context.real("lr")))
                           .option("momentum", context.real("momentum"), 0.0)
                           .option("dampening", context.real("dampening"), 0.0)
                           .option("weight_decay", context.real("weight_decay"), 0.0)
                           .option("nesterov", context.flag("nesterov"), false)
                           .call("torch.optim.SGD"),
                       ""};
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

} // namespace

std::vector<NodeType> optimizer_types() {
    return {sgd(), adam(), adamw()};
}

} // namespace wiregrad::graph::types
