#!/usr/bin/python3
"""Writes PyTorch's own sample inputs with what PyTorch makes of them, for tests/parity.

    dump_pytorch.py OUT NAMES            OUT.jsonl and OUT.bin; NAMES: a file with one OpInfo name a line
    dump_pytorch.py OUT NAMES --small N  only the smallest samples of each op, about N bytes an op

Values are rounded to float32 and computed in float64, so that a float32 run starts from the same numbers. A line of
OUT.jsonl is one sample; a tensor is [dtype, shape, offset in OUT.bin]. Gradients are those of sum(out * cos(0, 1, ...)),
second gradients those of sum(gradient * cos(1, 2, ...)).
"""
import json
import math
import sys
import types
import unittest
import warnings

# PyTorch's test utilities ask for a module that Debian does not have; they need only this of it.
stand_in = types.ModuleType("expecttest")
stand_in.TestCase = unittest.TestCase
stand_in.ACCEPT = False
sys.modules.setdefault("expecttest", stand_in)

import numpy as np
import torch
from torch import nn
from torch.testing._internal import common_nn
from torch.testing._internal.common_methods_invocations import op_db

warnings.simplefilter("ignore")
torch.set_num_threads(1)
torch.manual_seed(0)
D = torch.float64
LARGEST = 100000  # elements of a sample
DTYPES = {torch.float64: "float64", torch.float32: "float32", torch.int64: "int64", torch.int32: "int32",
          torch.uint8: "uint8", torch.bool: "bool"}
CRITERIA = {
    "L1Loss": "l1_loss", "NLLLoss": "nll_loss", "NLLLoss2d": "nll_loss", "MSELoss": "mse_loss",
    "BCELoss": "binary_cross_entropy", "BCEWithLogitsLoss": "binary_cross_entropy_with_logits", "KLDivLoss": "kl_div",
    "HingeEmbeddingLoss": "hinge_embedding_loss", "HuberLoss": "huber_loss", "SmoothL1Loss": "smooth_l1_loss",
    "MultiLabelMarginLoss": "multilabel_margin_loss", "SoftMarginLoss": "soft_margin_loss",
    "MultiLabelSoftMarginLoss": "multilabel_soft_margin_loss", "MultiMarginLoss": "multi_margin_loss",
    "CosineEmbeddingLoss": "cosine_embedding_loss", "MarginRankingLoss": "margin_ranking_loss",
    "TripletMarginLoss": "triplet_margin_loss", "PoissonNLLLoss": "poisson_nll_loss", "CrossEntropyLoss": "cross_entropy",
    "CTCLoss": "ctc_loss", "GaussianNLLLoss": "gaussian_nll_loss",
}


class Skip(Exception):
    pass


def map_tensors(f, x):
    if isinstance(x, torch.Tensor):
        return f(x)
    if isinstance(x, (list, tuple)) and not hasattr(x, "_fields"):
        return type(x)(map_tensors(f, e) for e in x)
    if isinstance(x, dict):
        return {k: map_tensors(f, v) for k, v in x.items()}
    return x


def tensors_in(x):
    if isinstance(x, torch.Tensor):
        return [x]
    if isinstance(x, (list, tuple)):
        return [t for e in x for t in tensors_in(e)]
    if isinstance(x, dict):
        return [t for k in sorted(x) for t in tensors_in(x[k])]
    return []


def describe(x, counter):
    """Arguments as JSON; a tensor becomes {"t": its number}."""
    if isinstance(x, torch.Tensor):
        counter[0] += 1
        return {"t": counter[0] - 1}
    if isinstance(x, (list, tuple)):
        return [describe(e, counter) for e in x]
    if isinstance(x, dict):
        return {k: describe(x[k], counter) for k in sorted(x)}
    if isinstance(x, float) and not math.isfinite(x):
        return {"f": "nan" if math.isnan(x) else "inf" if x > 0 else "-inf"}
    if isinstance(x, torch.dtype):
        return {"dtype": str(x).replace("torch.", "")}
    if isinstance(x, (int, float, bool, str, type(None))):
        return x
    return {"other": type(x).__name__}


def fresh(t, dtype=D):
    """The value of a tensor, rounded to float32, as a leaf."""
    if not t.is_floating_point():
        return t.detach().clone().contiguous()
    return t.detach().float().to(dtype).contiguous().clone().requires_grad_(t.requires_grad)


def cosines(t, start=0):
    return torch.cos(torch.arange(start, start + t.numel(), dtype=D)).reshape(t.shape).to(t.dtype)


def outside(mine, exact, rtol=1.3e-6, atol=1e-5):
    if mine is None or exact is None:
        return False
    return not torch.allclose(mine.to(exact.dtype), exact, rtol, atol, equal_nan=True)


def run(function, sample, dtype, second):
    """outputs, gradients of the leaves, second gradients"""
    inputs = map_tensors(lambda t: fresh(t, dtype), sample)
    first, args, kwargs = inputs
    leaves = [t for t in tensors_in(inputs) if t.requires_grad]
    # the functions get copies: some change their arguments
    result = function(*map_tensors(lambda t: t.clone() if t.is_floating_point() else t, [first, *args]),
                      **map_tensors(lambda t: t.clone() if t.is_floating_point() else t, kwargs))
    # complex numbers are pairs for us
    outs = [torch.view_as_real(o.resolve_conj()) if o.is_complex() else o for o in tensors_in(result)]
    live = [(o, cosines(o)) for o in outs if o.requires_grad]
    grads, twice = [None] * len(leaves), [None] * len(leaves)
    if live and leaves:
        grads = torch.autograd.grad([o for o, _ in live], leaves, [g for _, g in live], allow_unused=True,
                                    create_graph=second)
        again = [(g, cosines(g, 1)) for g in grads if g is not None and g.requires_grad]
        if second and again:
            twice = torch.autograd.grad([g for g, _ in again], leaves, [w for _, w in again], allow_unused=True)
    return outs, list(grads), list(twice)


class Pack:
    def __init__(self, path):
        self.lines, self.data, self.at = open(path + ".jsonl", "w"), open(path + ".bin", "wb"), 0

    def tensor(self, t):
        if t is None:
            return None
        if t.dtype not in DTYPES:
            raise Skip("dtype " + str(t.dtype).replace("torch.", ""))
        if t.dim() > 8:
            raise Skip("more than 8 dimensions")
        if t._is_zerotensor():  # zeros that PyTorch never wrote down
            t = torch.zeros(t.shape, dtype=t.dtype)
        values = t.detach().contiguous().numpy()
        self.data.write(values.tobytes())
        here, self.at = self.at, self.at + values.nbytes
        return [DTYPES[t.dtype], list(t.shape), here]

    def line(self, **entry):
        self.lines.write(json.dumps(entry, separators=(",", ":")) + "\n")


def write_sample(pack, name, mapped, number, function, sample, gradgrad):
    entry = {"op": name, "as": mapped, "i": number}
    try:
        if sum(t.numel() for t in tensors_in(sample)) > LARGEST:
            raise Skip("larger than %d elements" % LARGEST)
        if any(t.is_complex() or t.dtype not in DTYPES for t in tensors_in(sample)):
            raise Skip("dtype " + ", ".join(sorted({str(t.dtype).replace("torch.", "") for t in tensors_in(sample)})))
        small = sum(t.numel() for t in tensors_in(sample)) <= 3000
        second = gradgrad and small
        try:
            outs, grads, twice = run(function, sample, D, second)
        except RuntimeError as error:
            if not second:
                raise
            outs, grads, twice = run(function, sample, D, False)
            second = False
        floating = any(t.is_floating_point() for t in tensors_in(sample))
        bad_out, bad_grad = [False] * len(outs), [False] * len(grads)
        if floating:
            try:
                outs32, grads32, _ = run(function, sample, torch.float32, False)
                bad_out = [o.is_floating_point() and outside(m, o) for m, o in zip(outs32, outs)]
                bad_grad = [outside(m, g) for m, g in zip(grads32, grads)]
            except RuntimeError:
                entry["no32"] = True
        flat = tensors_in(list(sample))
        counter = [0]
        entry.update(args=describe([sample[0], *sample[1]], counter), kwargs=describe(sample[2], counter))
        entry.update(t=[pack.tensor(fresh(t)) for t in flat], diff=[k for k, t in enumerate(flat) if t.requires_grad],
                     out=[pack.tensor(o) for o in outs], grads=[pack.tensor(g) for g in grads],
                     bad_out=bad_out, bad_grad=bad_grad)
        if second:
            entry["twice"] = [pack.tensor(g) for g in twice]
    except Skip as why:
        entry = {"op": name, "as": mapped, "i": number, "skip": str(why)}
    pack.line(**entry)


def write_error(pack, name, mapped, number, error):
    sample = error.sample_input
    parts = [sample.input, list(sample.args), sample.kwargs]
    entry = {"op": name, "as": mapped, "i": number, "error": str(error.error_regex)}
    try:
        flat, counter = tensors_in(parts), [0]
        if any(t.dtype not in DTYPES for t in flat):
            raise Skip("dtype " + ", ".join(sorted({str(t.dtype).replace("torch.", "") for t in flat})))
        entry.update(args=describe([parts[0], *parts[1]], counter), kwargs=describe(parts[2], counter),
                     t=[pack.tensor(t) for t in flat])
    except Skip as why:
        entry["skip"] = str(why)
    pack.line(**entry)


def size_of(sample):
    return sum(t.numel() * t.element_size() for t in tensors_in(sample)) * 4


def chosen(samples, budget):
    """All of them, or the smallest that fit; samples of no elements do not crowd out the others."""
    numbered = list(enumerate(samples))
    if budget is None:
        return numbered
    kept, used = [], 0
    for number, sample in sorted(numbered, key=lambda s: (size_of(s[1]) == 0, size_of(s[1]), s[0])):
        used += size_of(sample) + 64
        if (kept and used > budget) or size_of(sample) > 4 * budget:
            break
        kept.append((number, sample))
    return sorted(kept, key=lambda s: s[0])


def criteria(names):
    """PyTorch's criterion tests as samples of the functional form."""
    for test in common_nn.criterion_tests:
        if "module_name" not in test:  # a function in a wrapper: the modules cover it
            continue
        module_name = test["module_name"]
        mapped = "nn.functional." + CRITERIA.get(module_name, module_name)
        if mapped not in names:
            continue
        arguments = test["constructor_args_fn"]() if "constructor_args_fn" in test else test.get("constructor_args", ())
        # a string default of the old style is no reduction
        module = getattr(nn, module_name)(*arguments)
        inputs = test["input_fn"]() if "input_fn" in test else torch.randn(test["input_size"])
        target = test["target_fn"]() if "target_fn" in test else \
            torch.randn(test["target_size"]) if "target_size" in test else []
        inputs = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        target = list(target) if isinstance(target, (list, tuple)) else [target]
        options = {k: v for k, v in vars(module).items() if not k.startswith("_") and k != "training"}
        options.update({k: v for k, v in module.named_buffers()})
        if module_name == "CTCLoss":
            inputs[0] = inputs[0].log_softmax(2)
        inputs = [t.detach().double().requires_grad_() if t.is_floating_point() else t for t in inputs]
        function = getattr(nn.functional, CRITERIA[module_name])
        options = {k: v for k, v in options.items() if k in function.__code__.co_varnames} \
            if hasattr(function, "__code__") else options
        yield "criterion." + module_name, mapped, function, (inputs[0], inputs[1:] + target, options)


def main():
    out, names = sys.argv[1], set(open(sys.argv[2]).read().split())
    budget = int(sys.argv[sys.argv.index("--small") + 1]) if "--small" in sys.argv else None
    pack = Pack(out)
    known = set()
    for op in op_db:
        name = op.name + ("." + op.variant_test_name if op.variant_test_name else "")
        known.add(name)
        if name not in names:
            continue
        torch.manual_seed(0)
        runs = [d for d in (D, torch.int64, torch.bool) if op.supports_dtype(d, "cpu")]
        for dtype in runs[:2]:
            autograd = dtype == D and op.supports_autograd
            try:
                samples = [(s.input, list(s.args), s.kwargs) for s in op.sample_inputs("cpu", dtype, requires_grad=autograd)]
            except Exception as error:
                pack.line(op=name, **{"as": name}, i=0, skip="PyTorch makes no samples: " + str(error)[:80])
                continue
            label = name if dtype == runs[0] else name + " (" + DTYPES[dtype] + ")"
            share = budget if dtype == runs[0] or budget is None else budget // 4
            for number, sample in chosen(samples, share):
                try:
                    write_sample(pack, label, name, number, op.op, sample, op.supports_gradgrad)
                except Exception as error:
                    pack.line(op=label, **{"as": name}, i=number, skip="PyTorch fails: " + str(error).split("\n")[0][:80])
        if op.error_inputs_func is not None:
            for number, error in enumerate(op.error_inputs("cpu")):
                write_error(pack, name, name, number, error)
    seen = {}
    for name, mapped, function, sample in criteria(names):
        number = seen[name] = seen.get(name, -1) + 1
        if budget is not None and size_of(sample) > budget:
            continue
        try:
            write_sample(pack, name, mapped, number, function, sample, mapped != "nn.functional.ctc_loss")
        except Exception as error:
            pack.line(op=name, **{"as": mapped}, i=number, skip="PyTorch fails: " + str(error).split("\n")[0][:80])
    missing = sorted(names - known)
    if missing:
        sys.exit("PyTorch has no OpInfo named " + ", ".join(missing))


main()
