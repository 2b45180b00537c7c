#include "tests/parity/call.h"

namespace wiregrad::parity {
namespace {

/// Reductions over `dim`, none or all: [] and None mean all.
using Reduce = Tensor (*)(const Tensor&, const Dims&, bool);
Entry reduction(const std::string& name, std::vector<std::string> rows, Reduce f) {
    return {name, std::move(rows), [f](const Call& c) -> Tensors {
                Tensor x = c.tensor(0);
                if (c.has(99, "dtype")) x = to(x, c.dtype(99, "dtype", x.dtype()));
                return {f(x, c.dims(1, "dim", {}), c.flag(2, "keepdim", false))};
            }};
}

Tensor arg(const Call& c, Tensor (*f)(const Tensor&, std::int64_t, bool)) {
    const Tensor x = c.tensor(0);
    if (c.has(1, "dim")) return f(x, c.integer(1, "dim"), c.flag(2, "keepdim", false));
    const Tensor flat = f(reshape(x, {-1}), 0, false);
    return c.flag(2, "keepdim", false) ? reshape(flat, Dims::filled(x.dim(), 1)) : flat;
}

Tensors both(const ValuesAndIndices& pair) {
    return {pair.values, pair.indices};
}

/// var(dim, unbiased, keepdim) and var(dim, correction=..., keepdim)
Tensor spread_of(const Call& c, Tensor (*f)(const Tensor&, const Dims&, bool, bool)) {
    if (c.has(99, "correction") && c.integer(99, "correction") > 1)
        throw Unsupported("a correction other than 0 and 1");
    if (!is_floating(c.tensor(0).dtype())) throw DTypeError("var needs a floating tensor");
    const bool unbiased =
        c.has(99, "correction") ? c.integer(99, "correction") == 1 : c.flag(2, "unbiased", true);
    return f(c.tensor(0), c.dims(1, "dim", {}), unbiased, c.flag(3, "keepdim", false));
}

double norm_order(const Call& c, int position, const std::string& name) {
    if (c.is_text(position, name)) {
        if (c.text(position, name, "") == "fro") return 2;
        throw Unsupported("the nuclear norm");
    }
    return c.real(position, name, 2);
}

std::int64_t only_dim(const Call& c, int position, std::int64_t standard) {
    const Dims dims = c.dims(position, "dim", {standard});
    if (dims.size() != 1) throw Unsupported("several dimensions");
    return dims[0];
}

} // namespace

std::vector<Entry> reduce_map() {
    return {
        reduction("sum", {"sum"}, sum),
        reduction("mean", {"mean"}, mean),
        reduction("amax", {"amax"}, amax),
        reduction("amin", {"amin"}, amin),
        reduction("logsumexp", {}, logsumexp),
        reduction("any", {}, any),
        reduction("all", {}, all),
        {"prod",
         {"prod"},
         [](const Call& c) -> Tensors {
             Tensor x = c.tensor(0);
             if (c.has(99, "dtype")) x = to(x, c.dtype(99, "dtype", x.dtype()));
             return {prod(x, c.dims(1, "dim", {}), c.flag(2, "keepdim", false))};
         }},
        {"argmax", {"argmax"}, [](const Call& c) -> Tensors { return {arg(c, argmax)}; }},
        {"argmin", {"argmin"}, [](const Call& c) -> Tensors { return {arg(c, argmin)}; }},
        {"aminmax",
         {},
         [](const Call& c) -> Tensors {
             const Tensor x = c.tensor(0);
             const bool keepdim = c.flag(9, "keepdim", false);
             const Dims dims = c.dims(9, "dim", {});
             if (x.dim() == 0 && keepdim) throw Unsupported("a 0-dim input that keeps a dimension");
             return {amin(x, dims, keepdim), amax(x, dims, keepdim)};
         }},
        {"var", {}, [](const Call& c) -> Tensors { return {spread_of(c, var)}; }},
        {"std", {}, [](const Call& c) -> Tensors { return {spread_of(c, stddev)}; }},
        {"var_mean",
         {},
         [](const Call& c) -> Tensors {
             return {spread_of(c, var),
                     mean(c.tensor(0), c.dims(1, "dim", {}), c.flag(3, "keepdim", false))};
         }},
        {"std_mean",
         {},
         [](const Call& c) -> Tensors {
             return {spread_of(c, stddev),
                     mean(c.tensor(0), c.dims(1, "dim", {}), c.flag(3, "keepdim", false))};
         }},
        {"max.reduction_no_dim", {}, [](const Call& c) -> Tensors { return {amax(c.tensor(0))}; }},
        {"min.reduction_no_dim", {}, [](const Call& c) -> Tensors { return {amin(c.tensor(0))}; }},
        {"max.reduction_with_dim",
         {},
         [](const Call& c) -> Tensors {
             return both(max(c.tensor(0), c.integer(1, "dim"), c.flag(2, "keepdim", false)));
         }},
        {"min.reduction_with_dim",
         {},
         [](const Call& c) -> Tensors {
             return both(min(c.tensor(0), c.integer(1, "dim"), c.flag(2, "keepdim", false)));
         }},
        {"median",
         {},
         [](const Call& c) -> Tensors {
             if (!c.has(1, "dim")) return {median(c.tensor(0))};
             return both(median(c.tensor(0), c.integer(1, "dim"), c.flag(2, "keepdim", false)));
         }},
        {"kthvalue",
         {},
         [](const Call& c) -> Tensors {
             return both(kthvalue(c.tensor(0), c.integer(1, "k"), c.integer(2, "dim", -1),
                                  c.flag(3, "keepdim", false)));
         }},
        {"count_nonzero",
         {},
         [](const Call& c) -> Tensors {
             return {count_nonzero(c.tensor(0), c.dims(1, "dim", {}))};
         }},
        {"cumsum",
         {"cumsum"},
         [](const Call& c) -> Tensors {
             c.without({"dtype"});
             return {cumsum(c.tensor(0), c.integer(1, "dim"))};
         }},
        {"cumprod",
         {"linear_scan"},
         [](const Call& c) -> Tensors {
             c.without({"dtype"});
             return {cumprod(c.tensor(0), c.integer(1, "dim"))};
         }},
        {"logcumsumexp",
         {"logcumsumexp"},
         [](const Call& c) -> Tensors { return {logcumsumexp(c.tensor(0), c.integer(1, "dim"))}; }},
        {"cummax",
         {"cummax"},
         [](const Call& c) -> Tensors { return both(cummax(c.tensor(0), c.integer(1, "dim"))); }},
        {"cummin",
         {"cummin"},
         [](const Call& c) -> Tensors { return both(cummin(c.tensor(0), c.integer(1, "dim"))); }},
        {"sort",
         {"sort"},
         [](const Call& c) -> Tensors {
             return both(
                 sort(c.tensor(0), c.integer(1, "dim", -1), c.flag(2, "descending", false)));
         }},
        {"argsort",
         {},
         [](const Call& c) -> Tensors {
             return {argsort(c.tensor(0), c.integer(1, "dim", -1), c.flag(2, "descending", false))};
         }},
        {"msort",
         {},
         [](const Call& c) -> Tensors {
             if (c.tensor(0).dim() == 0) return {c.tensor(0)};
             return {sort(c.tensor(0), 0).values};
         }},
        {"topk",
         {},
         [](const Call& c) -> Tensors {
             return both(topk(c.tensor(0), c.integer(1, "k"), c.integer(2, "dim", -1),
                              c.flag(3, "largest", true)));
         }},
        {"searchsorted",
         {"searchsorted"},
         [](const Call& c) -> Tensors {
             c.without({"sorter", "out_int32"});
             const bool right = c.flag(9, "right", false) || c.text(9, "side", "left") == "right";
             return {searchsorted(c.tensor(0), c.operand(1, "input"), right)};
         }},
        {"bucketize",
         {},
         [](const Call& c) -> Tensors {
             c.without({"out_int32"});
             return {bucketize(c.tensor(0), c.tensor(1, "boundaries"), c.flag(9, "right", false))};
         }},
        {"bincount",
         {"bincount"},
         [](const Call& c) -> Tensors {
             return {
                 bincount(c.tensor(0), c.maybe_tensor(1, "weights"), c.integer(2, "minlength", 0))};
         }},
        {"histc",
         {"histc"},
         [](const Call& c) -> Tensors {
             return {histc(c.tensor(0), c.integer(1, "bins", 100), c.real(2, "min", 0),
                           c.real(3, "max", 0))};
         }},
        {"unique",
         {},
         [](const Call& c) -> Tensors {
             c.without({"dim"});
             if (!c.flag(9, "sorted", true)) throw Unsupported("unsorted: in no promised order");
             const UniqueResult found = unique(c.tensor(0));
             Tensors result{found.values};
             if (c.flag(9, "return_inverse", false)) result.push_back(found.inverse);
             if (c.flag(9, "return_counts", false)) result.push_back(found.counts);
             return result;
         }},
        {"nonzero",
         {"nonzero"},
         [](const Call& c) -> Tensors {
             c.without({"as_tuple"});
             return {nonzero(c.tensor(0))};
         }},
        {"argwhere", {}, [](const Call& c) -> Tensors { return {nonzero(c.tensor(0))}; }},
        {"masked_select",
         {},
         [](const Call& c) -> Tensors {
             return {masked_select(c.tensor(0), c.tensor(1, "mask"))};
         }},
        {"linalg.vector_norm",
         {},
         [](const Call& c) -> Tensors {
             c.without({"dtype"});
             return {vector_norm(c.tensor(0), c.real(1, "ord", 2), c.dims(2, "dim", {}),
                                 c.flag(3, "keepdim", false))};
         }},
        {"norm",
         {},
         [](const Call& c) -> Tensors {
             c.without({"dtype"});
             return {vector_norm(c.tensor(0), norm_order(c, 1, "p"), c.dims(2, "dim", {}),
                                 c.flag(3, "keepdim", false))};
         }},
        {"norm.fro",
         {},
         [](const Call& c) -> Tensors {
             c.without({"dtype"});
             return {
                 vector_norm(c.tensor(0), 2, c.dims(2, "dim", {}), c.flag(3, "keepdim", false))};
         }},
        {"norm.inf",
         {},
         [](const Call& c) -> Tensors {
             c.without({"dtype"});
             return {vector_norm(c.tensor(0), norm_order(c, 1, "p"), c.dims(2, "dim", {}),
                                 c.flag(3, "keepdim", false))};
         }},
        {"dist",
         {},
         [](const Call& c) -> Tensors {
             return {vector_norm(sub(c.tensor(0), c.tensor(1, "other")), c.real(2, "p", 2))};
         }},
        {"cdist",
         {},
         [](const Call& c) -> Tensors {
             return {cdist(c.tensor(0), c.tensor(1, "x2"), c.real(2, "p", 2))};
         }},
        {"nn.functional.normalize",
         {},
         [](const Call& c) -> Tensors {
             return {normalize(c.tensor(0), c.real(1, "p", 2), only_dim(c, 2, 1),
                               c.real(3, "eps", 1e-12))};
         }},
        {"nn.functional.cosine_similarity",
         {},
         [](const Call& c) -> Tensors {
             return {cosine_similarity(c.tensor(0), c.tensor(1, "x2"), c.integer(2, "dim", 1),
                                       c.real(3, "eps", 1e-8))};
         }},
        {"nn.functional.pairwise_distance",
         {},
         [](const Call& c) -> Tensors {
             return {pairwise_distance(c.tensor(0), c.tensor(1, "x2"), c.real(2, "p", 2),
                                       c.real(3, "eps", 1e-6), c.flag(4, "keepdim", false))};
         }},
    };
}

} // namespace wiregrad::parity
