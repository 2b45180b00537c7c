#!/usr/bin/python3
"""Writes tests/engine/goldens/ops.json: values, gradients and result dtypes of PyTorch for the tests of the op table.

Run with a Python that has torch (Debian: python3-torch). The file is committed, so that tests need no Python.
Cases carry the names that tests/engine/op_samples.h gives to the same expressions in Wiregrad.
"""
import json
import math
import os

import torch
import torch.nn.functional as F

torch.manual_seed(20240)
D = torch.float64


def normal(*shape, away=0.05, scale=1.0):
    """Normal values that keep their distance from 0, where many functions have a kink."""
    x = torch.randn(*shape, dtype=D) * scale
    return torch.where(x.abs() < away, x.sign() * away + x + (x == 0) * away, x)


def positive(*shape):
    return torch.rand(*shape, dtype=D) * 2 + 0.2


def unit(*shape):
    return torch.rand(*shape, dtype=D) * 1.6 - 0.8


def distinct(*shape):
    """Values at least 0.1 apart, in random order: no ties and no crossing under small steps."""
    n = math.prod(shape)
    return ((torch.randperm(n).to(D) - n / 2) * 0.1 + 0.03).reshape(shape)


def index(high, *shape):
    return torch.randint(0, high, shape)


mask = torch.tensor([[True, False, True], [False, True, True]])
kinks = lambda *values: torch.tensor(values, dtype=D)

CASES = {
    # two operands, with broadcasting
    "add": (torch.add, [normal(2, 3), normal(3)]),
    "add_columns": (torch.add, [normal(2, 1, 3), normal(4, 1)]),
    "sub": (torch.sub, [normal(2, 3), normal(2, 1)]),
    "mul": (torch.mul, [normal(2, 3), normal(1, 3)]),
    "mul_scalar_tensor": (torch.mul, [normal(2, 3), normal(1).reshape(())]),
    "div": (torch.div, [normal(2, 3), positive(2, 3)]),
    "div_broadcast": (torch.div, [normal(2, 1), positive(3)]),
    "pow": (torch.pow, [positive(2, 3), normal(3)]),
    "maximum": (torch.maximum, [distinct(2, 3), distinct(3) + 0.01]),
    "minimum": (torch.minimum, [distinct(2, 3), distinct(3) + 0.01]),
    "where": (lambda a, b: torch.where(mask, a, b), [normal(2, 3), normal(3)]),
    "masked_fill": (lambda x: x.masked_fill(mask, 7.5), [normal(2, 3)]),
    "masked_fill_broadcast": (lambda x: x.masked_fill(mask, 7.5), [normal(3)]),
    # numbers
    "add_number": (lambda x: x + 1.5, [normal(5)]),
    "sub_number": (lambda x: x - 1.5, [normal(5)]),
    "rsub_number": (lambda x: 1.5 - x, [normal(5)]),
    "mul_number": (lambda x: x * -2.5, [normal(5)]),
    "div_number": (lambda x: x / 3.0, [normal(5)]),
    "pow_3": (lambda x: x ** 3, [normal(5)]),
    "pow_2": (lambda x: x ** 2, [normal(5)]),
    "pow_0": (lambda x: x ** 0, [normal(5)]),
    "pow_half": (lambda x: x ** 0.5, [positive(5)]),
    "pow_minus_1": (lambda x: x ** -1, [normal(5, away=0.3)]),
    # one operand
    "neg": (torch.neg, [normal(2, 3)]),
    "abs": (torch.abs, [normal(2, 3)]),
    "sign": (torch.sign, [normal(2, 3)]),
    "exp": (torch.exp, [normal(2, 3)]),
    "log": (torch.log, [positive(2, 3)]),
    "log1p": (torch.log1p, [unit(2, 3)]),
    "expm1": (torch.expm1, [normal(2, 3)]),
    "sqrt": (torch.sqrt, [positive(2, 3)]),
    "rsqrt": (torch.rsqrt, [positive(2, 3)]),
    "reciprocal": (torch.reciprocal, [normal(2, 3, away=0.3)]),
    "square": (torch.square, [normal(2, 3)]),
    "sin": (torch.sin, [normal(2, 3)]),
    "cos": (torch.cos, [normal(2, 3)]),
    "tanh": (torch.tanh, [normal(2, 3)]),
    "erf": (torch.erf, [normal(2, 3)]),
    "floor": (torch.floor, [distinct(6) + 0.01]),
    "ceil": (torch.ceil, [distinct(6) + 0.01]),
    "round": (torch.round, [distinct(6) * 3 + 0.05]),
    "clamp": (lambda x: x.clamp(-0.5, 0.8), [distinct(12) * 1.7]),
    "relu": (F.relu, [normal(2, 3)]),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.2), [normal(2, 3)]),
    "elu": (lambda x: F.elu(x, 1.3), [normal(2, 3)]),
    "selu": (F.selu, [normal(2, 3)]),
    "gelu": (F.gelu, [normal(2, 3)]),
    "gelu_tanh": (lambda x: F.gelu(x, approximate="tanh"), [normal(2, 3)]),
    "silu": (F.silu, [normal(2, 3)]),
    "mish": (F.mish, [normal(2, 3)]),
    "sigmoid": (torch.sigmoid, [normal(2, 3)]),
    "softplus": (lambda x: F.softplus(x, 2.0, 3.0), [torch.tensor([-4.0, -0.3, 0.2, 1.2, 1.8, 5.0], dtype=D)]),
    "hardtanh": (lambda x: F.hardtanh(x, -0.5, 0.8), [distinct(12) * 1.7]),
    "relu6": (F.relu6, [torch.tensor([-1.0, 0.5, 3.0, 5.9, 6.1, 9.0], dtype=D)]),
    "hardsigmoid": (F.hardsigmoid, [torch.tensor([-4.0, -2.9, 0.1, 2.9, 3.5], dtype=D)]),
    "hardswish": (F.hardswish, [torch.tensor([-4.0, -2.9, 0.1, 2.9, 3.5], dtype=D)]),
    "logsigmoid": (F.logsigmoid, [torch.tensor([-40.0, -2.0, 0.3, 4.0, 50.0], dtype=D)]),
    # reductions
    "sum": (torch.sum, [normal(2, 3, 4)]),
    "sum_inner": (lambda x: x.sum((2,)), [normal(2, 3, 4)]),
    "sum_outer": (lambda x: x.sum((0,), keepdim=True), [normal(2, 3, 4)]),
    "sum_ends": (lambda x: x.sum((0, 2)), [normal(2, 3, 4)]),
    "sum_middle": (lambda x: x.sum((1,)), [normal(2, 3, 4)]),
    "mean": (torch.mean, [normal(2, 3)]),
    "mean_dims": (lambda x: x.mean((0, 2), keepdim=True), [normal(2, 3, 4)]),
    "amax": (lambda x: x.amax((1,)), [distinct(2, 3, 4)]),
    "amin": (lambda x: x.amin((0, 2), keepdim=True), [distinct(2, 3, 4)]),
    "amax_all": (lambda x: x.amax(), [distinct(2, 3)]),
    "var": (lambda x: x.var((0, 2), unbiased=True), [normal(2, 3, 4)]),
    "var_biased": (lambda x: x.var((1,), unbiased=False, keepdim=True), [normal(2, 3)]),
    "logsumexp": (lambda x: x.logsumexp((1,)), [normal(2, 3)]),
    "logsumexp_keep": (lambda x: x.logsumexp((0, 1), keepdim=True), [normal(2, 3)]),
    "sum_to": (lambda x: x.sum((0, 2), keepdim=True).reshape(3, 1), [normal(2, 3, 4)]),
    # shape
    "reshape": (lambda x: x.reshape(4, -1), [normal(2, 3, 2)]),
    "reshape_permuted": (lambda x: x.permute(1, 0, 2).reshape(3, 4), [normal(2, 3, 2)]),
    "flatten": (lambda x: x.flatten(1), [normal(2, 3, 2)]),
    "permute": (lambda x: x.permute(2, 0, 1), [normal(2, 3, 2)]),
    "transpose": (lambda x: x.transpose(0, -1), [normal(2, 3, 2)]),
    "squeeze": (lambda x: x.squeeze(1), [normal(2, 1, 3)]),
    "unsqueeze": (lambda x: x.unsqueeze(-1), [normal(2, 3)]),
    "expand": (lambda x: x.expand(4, 2, 3), [normal(2, 1)]),
    "slice": (lambda x: x[:, 1:6:2], [normal(2, 7)]),
    "slice_negative": (lambda x: x[-3:-1], [normal(4, 2)]),
    "slice_empty": (lambda x: x[3:3], [normal(4, 2)]),
    "select": (lambda x: x.select(1, -2), [normal(2, 3, 2)]),
    "cat": (lambda a, b, c: torch.cat([a, b, c], 1), [normal(2, 1), normal(2, 3), normal(2, 2)]),
    "stack": (lambda a, b: torch.stack([a, b], 1), [normal(2, 3), normal(2, 3)]),
    "stack_last": (lambda a, b: torch.stack([a, b], -1), [normal(2, 3), normal(2, 3)]),
    "pad": (lambda x: F.pad(x, (1, 2, 0, 1), value=0.5), [normal(2, 3)]),
    "pad_crop": (lambda x: F.pad(x, (-1, 2)), [normal(2, 3)]),
    "flip": (lambda x: x.flip(0, 2), [normal(2, 3, 2)]),
    "gather": (lambda x, i: x.gather(1, i), [normal(2, 3), torch.tensor([[0, 2, 2, 1], [1, 1, 0, 0]])]),
    "gather_smaller": (lambda x, i: x.gather(0, i), [normal(3, 4), index(3, 2, 3)]),
    "index_select": (lambda x, i: x.index_select(1, i), [normal(2, 3, 2), torch.tensor([2, 0, 2, 2])]),
    "contiguous": (lambda x: x.t().contiguous(), [normal(2, 3)]),
    # the slopes PyTorch chooses where there is no derivative; not for finite differences
    "kink_relu": (F.relu, [kinks(0.0, -0.0, 1.0)]),
    "kink_leaky_relu": (lambda x: F.leaky_relu(x, 0.2), [kinks(0.0)]),
    "kink_abs": (torch.abs, [kinks(0.0)]),
    "kink_sign": (torch.sign, [kinks(0.0, 2.0)]),
    "kink_relu6": (F.relu6, [kinks(0.0, 6.0)]),
    "kink_hardtanh": (lambda x: F.hardtanh(x, -0.5, 0.8), [kinks(-0.5, 0.8)]),
    "kink_clamp": (lambda x: x.clamp(-0.5, 0.8), [kinks(-0.5, 0.8)]),
    "kink_elu": (lambda x: F.elu(x, 1.3), [kinks(0.0)]),
    "kink_hardsigmoid": (F.hardsigmoid, [kinks(-3.0, 3.0)]),
    "kink_hardswish": (F.hardswish, [kinks(-3.0, 3.0)]),
    "kink_maximum": (torch.maximum, [kinks(1.0, 2.0), kinks(1.0, 3.0)]),
    "kink_minimum": (torch.minimum, [kinks(1.0, 2.0), kinks(1.0, 3.0)]),
    "kink_amax_all": (lambda x: x.amax(), [kinks(3.0, 1.0, 3.0, 3.0)]),
    "kink_sqrt": (torch.sqrt, [kinks(0.0)]),
    "kink_pow_half": (lambda x: x ** 0.5, [kinks(0.0)]),
    "kink_pow_0": (lambda x: x ** 0, [kinks(0.0)]),
    "kink_pow": (torch.pow, [kinks(0.0, 0.0, 2.0), kinks(0.0, 2.0, 0.0)]),
    "kink_where_sqrt": (lambda x: torch.where(x > 0, x.sqrt(), torch.zeros_like(x)), [kinks(0.0, 4.0)]),
    "kink_round": (torch.round, [kinks(0.5, 1.5, 2.5, -0.5, -1.5)]),
    "kink_softplus": (lambda x: F.softplus(x, 2.0, 3.0), [kinks(1.5)]),
    "kink_logsumexp": (lambda x: x.logsumexp((1,)), [kinks(-math.inf, -math.inf, 1.0, -math.inf).reshape(2, 2)]),
}


def pack(tensor):
    def number(value):
        if isinstance(value, bool) or isinstance(value, int):
            return int(value)
        return value if math.isfinite(value) else str(value)  # JSON has no inf and nan

    return {"shape": list(tensor.shape), "dtype": str(tensor.dtype)[6:], "data": [number(v) for v in tensor.flatten().tolist()]}


def run(name, function, inputs):
    leaves = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    output = function(*leaves)
    seed = torch.cos(torch.arange(output.numel(), dtype=D)).reshape(output.shape)
    wanted = [x for x in leaves if x.requires_grad]
    grads = torch.autograd.grad(output, wanted, seed, allow_unused=True) if output.requires_grad else [None] * len(wanted)
    grads = [torch.zeros_like(x) if g is None else g for x, g in zip(wanted, grads)]
    return {"name": name, "inputs": [pack(x) for x in inputs], "output": pack(output.detach()), "grads": [pack(g) for g in grads]}


def promotion():
    dtypes = ["bool", "uint8", "int32", "int64", "float16", "bfloat16", "float32", "float64"]
    rows = []
    for a in dtypes:
        for b in dtypes:
            for rank_a in (0, 1):
                for rank_b in (0, 1):
                    x = torch.ones((1,) * rank_a, dtype=getattr(torch, a))
                    y = torch.ones((1,) * rank_b, dtype=getattr(torch, b))
                    rows.append([a, rank_a, b, rank_b, str((x + y).dtype)[6:], str((x / y).dtype)[6:]])
    return rows


def main():
    path = os.path.join(os.path.dirname(__file__), "..", "tests", "engine", "goldens", "ops.json")
    cases = [run(name, function, inputs) for name, (function, inputs) in CASES.items()]
    with open(path, "w") as file:
        file.write('{"torch": "%s",\n"promotion": [\n' % torch.__version__)
        file.write(",\n".join(json.dumps(row) for row in promotion()))
        file.write('\n],\n"cases": [\n')
        file.write(",\n".join(json.dumps(case) for case in cases))
        file.write("\n]}\n")


if __name__ == "__main__":
    main()
