#include "nodes/optimizers.h"

#include <fmt/core.h>

#include "engine/core/error.h"
#include "nodes/node_type.h"

namespace wiregrad::graph {

namespace {

BuildContext settings(const Node& node) {
    static const std::vector<TensorMeta> kNoInputs;
    static const std::vector<int> kNoCounts;
    return {node.params, kNoInputs, kNoCounts};
}

train::OptimizerPtr make_optimizer(const Node& node, std::vector<nn::NamedTensor> weights) {
    const BuildContext p = settings(node);
    const auto real = [&](const char* id) { return p.real(id); };
    const bool maximize = p.flag("maximize");
    if (node.type == "SGD")
        return train::make_sgd(std::move(weights), {.lr = real("lr"),
                                                    .momentum = real("momentum"),
                                                    .dampening = real("dampening"),
                                                    .weight_decay = real("weight_decay"),
                                                    .nesterov = p.flag("nesterov"),
                                                    .maximize = maximize});
    if (node.type == "Adam" || node.type == "AdamW")
        return train::make_adam(std::move(weights), {.lr = real("lr"),
                                                     .beta1 = real("beta1"),
                                                     .beta2 = real("beta2"),
                                                     .eps = real("eps"),
                                                     .weight_decay = real("weight_decay"),
                                                     .amsgrad = p.flag("amsgrad"),
                                                     .decoupled = node.type == "AdamW",
                                                     .maximize = maximize});
    if (node.type == "RMSprop")
        return train::make_rmsprop(std::move(weights), {.lr = real("lr"),
                                                        .alpha = real("alpha"),
                                                        .eps = real("eps"),
                                                        .weight_decay = real("weight_decay"),
                                                        .momentum = real("momentum"),
                                                        .centered = p.flag("centered"),
                                                        .maximize = maximize});
    if (node.type == "Adagrad")
        return train::make_adagrad(std::move(weights),
                                   {.lr = real("lr"),
                                    .lr_decay = real("lr_decay"),
                                    .weight_decay = real("weight_decay"),
                                    .initial_accumulator_value = real("initial_accumulator_value"),
                                    .eps = real("eps"),
                                    .maximize = maximize});
    if (node.type == "Adadelta")
        return train::make_adadelta(std::move(weights), {.lr = real("lr"),
                                                         .rho = real("rho"),
                                                         .eps = real("eps"),
                                                         .weight_decay = real("weight_decay"),
                                                         .maximize = maximize});
    if (node.type == "Adamax")
        return train::make_adamax(std::move(weights), {.lr = real("lr"),
                                                       .beta1 = real("beta1"),
                                                       .beta2 = real("beta2"),
                                                       .eps = real("eps"),
                                                       .weight_decay = real("weight_decay"),
                                                       .maximize = maximize});
    if (node.type == "NAdam")
        return train::make_nadam(std::move(weights),
                                 {.lr = real("lr"),
                                  .beta1 = real("beta1"),
                                  .beta2 = real("beta2"),
                                  .eps = real("eps"),
                                  .weight_decay = real("weight_decay"),
                                  .momentum_decay = real("momentum_decay"),
                                  .decoupled_weight_decay = p.flag("decoupled_weight_decay"),
                                  .maximize = maximize});
    if (node.type == "RAdam")
        return train::make_radam(std::move(weights),
                                 {.lr = real("lr"),
                                  .beta1 = real("beta1"),
                                  .beta2 = real("beta2"),
                                  .eps = real("eps"),
                                  .weight_decay = real("weight_decay"),
                                  .decoupled_weight_decay = p.flag("decoupled_weight_decay"),
                                  .maximize = maximize});
    if (node.type == "Muon")
        return train::make_muon(std::move(weights),
                                {.lr = real("lr"),
                                 .weight_decay = real("weight_decay"),
                                 .momentum = real("momentum"),
                                 .eps = real("eps"),
                                 .nesterov = p.flag("nesterov"),
                                 .ns_steps = p.integer("ns_steps"),
                                 .match_rms_adamw = p.text("adjust_lr_fn") == "match_rms_adamw",
                                 .maximize = maximize});
    throw ValueError(fmt::format("there is no optimizer {}", node.type));
}

} // namespace

train::Schedule schedule_of(const Node& node) {
    using Kind = train::Schedule::Kind;
    const BuildContext p = settings(node);
    static const std::map<std::string, Kind> kKinds = {{"step", Kind::Step},
                                                       {"multistep", Kind::MultiStep},
                                                       {"exponential", Kind::Exponential},
                                                       {"cosine", Kind::Cosine},
                                                       {"warm_restarts", Kind::WarmRestarts},
                                                       {"linear", Kind::Linear},
                                                       {"constant_factor", Kind::Fixed},
                                                       {"polynomial", Kind::Polynomial},
                                                       {"one_cycle", Kind::OneCycle},
                                                       {"cyclic", Kind::Cyclic}};
    const auto found = kKinds.find(p.text("schedule"));
    train::Schedule s;
    s.kind = found == kKinds.end() ? Kind::Constant : found->second;
    s.step_size = p.integer("step_size");
    s.gamma = p.real("gamma");
    s.t_max = p.integer("t_max");
    s.min_factor = p.real("eta_min") / p.real("lr");
    for (const std::int64_t epoch : p.dims("milestones"))
        s.milestones.push_back(epoch);
    s.start_factor = p.real("start_factor");
    s.end_factor = p.real("end_factor");
    s.total = p.integer("total_iters");
    s.power = p.real("power");
    s.t_0 = p.integer("t_0");
    s.t_mult = p.integer("t_mult");
    s.pct_start = p.real("pct_start");
    s.div_factor = p.real("div_factor");
    s.final_div_factor = p.real("final_div_factor");
    s.cosine_anneal = p.text("anneal_strategy") == "cos";
    s.three_phase = p.flag("three_phase");
    s.cycle_momentum = p.flag("cycle_momentum");
    s.base_momentum = p.real("base_momentum");
    s.max_momentum = p.real("max_momentum");
    s.max_factor = p.real("max_lr") / p.real("lr");
    s.step_size_up = p.integer("step_size_up");
    s.step_size_down = p.integer("step_size_down");
    const std::string& mode = p.text("cyclic_mode");
    s.mode = mode == "triangular2" ? train::Schedule::Mode::Triangular2
             : mode == "exp_range" ? train::Schedule::Mode::ExpRange
                                   : train::Schedule::Mode::Triangular;
    const std::int64_t warmup = p.integer("warmup");
    if (warmup == 0) return s;
    train::Schedule rise{.kind = Kind::Linear};
    rise.start_factor = p.real("warmup_factor");
    rise.total = warmup;
    train::Schedule both{.kind = Kind::Sequential};
    both.milestones = {warmup};
    both.parts = {rise, s};
    return both;
}

train::OptimizerPlan optimizer_plan(const Node& node, std::vector<nn::NamedTensor> weights,
                                    const std::vector<double>& lr_scales) {
    const BuildContext p = settings(node);
    const bool matrices =
        find_type(node.type)->param("decay_on") && p.text("decay_on") == "matrices";
    std::vector<train::ParameterScale> scales;
    bool plain = true;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        train::ParameterScale scale{lr_scales.at(i),
                                    matrices && weights[i].tensor.dim() < 2 ? 0.0 : 1.0};
        plain = plain && scale == train::ParameterScale{};
        scales.push_back(scale);
    }
    train::OptimizerPlan plan;
    plan.name = node.id;
    plan.optimizer = make_optimizer(node, std::move(weights));
    if (!plain) plan.optimizer->set_scales(scales);
    plan.schedule = schedule_of(node);
    if (p.text("schedule") == "plateau")
        plan.plateau = train::PlateauOptions{.factor = p.real("factor"),
                                             .patience = p.integer("patience"),
                                             .threshold = p.real("threshold"),
                                             .relative = p.text("threshold_mode") == "rel",
                                             .cooldown = p.integer("cooldown"),
                                             .min_lr = p.real("min_lr")};
    plan.clip_grad_norm = p.real("clip_grad_norm");
    plan.clip_grad_value = p.real("clip_grad_value");
    plan.average = p.real("ema_decay");
    return plan;
}

} // namespace wiregrad::graph
