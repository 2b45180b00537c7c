#!/usr/bin/python3
"""Writes PyTorch's own test instances of its modules with what they compute: for tests/nodes/modules_test.cpp.

    torch_modules.py OUT      OUT.bin: numbers as they lie in memory, OUT.json: the instances

The instances are those of torch.testing._internal.common_modules.module_db and common_nn.module_tests; each is run in float64 from
inputs and weights that were rounded to float32 first. Of each the list has the class,
the constructor's arguments as the module keeps them with their defaults, training or not, the names of its weights, and of
its tensors dtype, shape and offset.
"""
import inspect
import json
import sys
import types
import unittest
import warnings

stand_in = types.ModuleType("expecttest")  # PyTorch's test utilities ask for it
stand_in.TestCase = unittest.TestCase
stand_in.ACCEPT = False
sys.modules.setdefault("expecttest", stand_in)

import numpy as np
import torch
from torch import nn
from torch.testing._internal import common_nn
from torch.testing._internal.common_modules import module_db

warnings.simplefilter("ignore")
torch.set_num_threads(1)
D = torch.float64
LARGEST = 200000  # numbers of an instance
INFERRED = {"in_features", "in_channels", "num_features", "num_channels", "input_size", "embed_dim", "d_model", "in1_features",
            "in2_features", "device", "dtype", "inplace", "_weight", "kdim", "vdim", "hidden_size_"}
CHANCE = (nn.RReLU, nn.modules.dropout._DropoutNd)


def plain(value):
    """A constructor's argument as JSON; None where it has no such form."""
    if isinstance(value, torch.Tensor):
        return True if value.numel() else False
    if isinstance(value, (bool, int, float, str, type(None))):
        return value
    if isinstance(value, (tuple, list, torch.Size)):
        return [plain(v) for v in value]
    if callable(value):
        return getattr(value, "__name__", str(value))
    return str(value)


def arguments(module):
    """What the constructor was given, read off the module: {name: [value, default]}."""
    result = {}
    for name, parameter in inspect.signature(type(module).__init__).parameters.items():
        if name in ("self", "args", "kwargs") or name in INFERRED:
            continue
        default = None if parameter.default is inspect.Parameter.empty else parameter.default
        if name == "bias":
            value = getattr(module, "bias", None)
            value = value if isinstance(value, bool) else value is not None
        elif name == "p" and isinstance(module, nn.PairwiseDistance):
            value = module.norm
        elif name == "nhead" and hasattr(module, "self_attn"):
            value = module.self_attn.num_heads
        elif name == "dim_feedforward" and hasattr(module, "linear1"):
            value = module.linear1.out_features
        elif name == "layer_norm_eps" and hasattr(module, "norm1"):
            value = module.norm1.eps
        elif name == "batch_first" and hasattr(module, "self_attn"):
            value = module.self_attn.batch_first
        elif name == "activation" and hasattr(module, "self_attn"):
            value = getattr(module.activation, "__name__", "other")
            default = "relu"
        elif name == "dropout" and hasattr(module, "self_attn"):
            value = module.dropout.p
        elif hasattr(module, name):
            value = getattr(module, name)
        else:
            value = default
        result[name] = [plain(value), plain(default)]
    return result


def rounded(x):
    return x.detach().float().to(D) if x.is_floating_point() else x.detach().clone()


def tensors(x):
    if isinstance(x, torch.Tensor):
        return [x]
    if isinstance(x, (tuple, list)):
        return [t for e in x for t in tensors(e)]
    return []


def instances():
    """name, module, inputs, training"""
    for info in module_db:
        for training in (True, False):
            for sample in info.module_inputs_func(info, device="cpu", dtype=D, requires_grad=True, training=training):
                made, given = sample.constructor_input, sample.forward_input
                if given is None or "Lazy" in info.name or "quantized" in info.name:
                    continue
                yield info.name.split(".")[-1], lambda m=made, i=info: i.module_cls(*m.args, **m.kwargs), given.args, given.kwargs, training, sample.desc or ""
    for test in common_nn.module_tests + common_nn.new_module_tests:
        name = test.get("fullname") or test["module_name"]

        def make(test=test):
            constructor = test.get("constructor") or getattr(nn, test["module_name"])
            return constructor(*test.get("constructor_args", ()))

        def inputs(test=test):
            if "input_fn" in test:
                x = test["input_fn"]()
            elif "input" in test:
                x = test["input"]
            else:
                x = torch.randn(*test["input_size"]) if isinstance(test["input_size"], (tuple, list)) else torch.randn(test["input_size"])
            return list(x) if isinstance(x, (tuple, list)) else [x]

        yield name, make, inputs, {}, True, test.get("desc", "") or ""


def main(path):
    cases, skipped = [], []
    with open(path + ".bin", "wb") as file:
        for number, (name, make, given, named, training, desc) in enumerate(instances()):
            torch.manual_seed(number)
            what = f"{name} {desc}".strip()
            try:
                module = make()
                given = given() if callable(given) else given
                if type(module).__module__.split(".")[0] != "torch" or "common" in type(module).__module__:
                    skipped.append([what, "a function made a module for the test"])
                    continue
                if any(v is not None and not isinstance(v, (bool, int, float)) for v in named.values()) or any(named.values()):
                    skipped.append([what, "forward with named arguments"])
                    continue
                module = module.to(D).train(training and not isinstance(module, CHANCE))
                with torch.no_grad():
                    for tensor in module.state_dict().values():
                        if tensor.is_floating_point():
                            tensor.copy_(rounded(tensor))
                flat = [rounded(t).requires_grad_(t.is_floating_point()) for t in tensors(given)]
                state = {k: v.clone() for k, v in module.state_dict().items()}
                it = iter(flat)
                rebuild = lambda x: next(it) if isinstance(x, torch.Tensor) else tuple(rebuild(e) for e in x) if isinstance(x, (tuple, list)) else x
                outs = tensors(module(*(rebuild(x) for x in given)))
            except Exception as error:
                skipped.append([what, f"PyTorch does not run it: {type(error).__name__}"])
                continue
            if any(t.is_complex() or t.dtype not in (D, torch.int64, torch.bool) for t in flat + outs):
                skipped.append([what, "a dtype that is none of ours"])
                continue
            if sum(t.numel() for t in flat + outs + list(module.parameters())) > LARGEST:
                skipped.append([what, "large"])
                continue
            live = [(o, torch.cos(torch.arange(o.numel(), dtype=D)).reshape(o.shape)) for o in outs if o.requires_grad]
            leaves = [t for t in flat if t.requires_grad] + list(module.parameters())
            grads = torch.autograd.grad([o for o, _ in live], leaves, [g for _, g in live], allow_unused=True) if live and leaves else []
            places = {}

            def store(kind, index, tensor):
                array = (tensor.to_dense() if tensor.is_sparse else tensor).detach().numpy()
                array = np.ascontiguousarray(array.astype(np.int64) if array.dtype == bool else array)
                places[f"{kind}/{index}"] = [str(array.dtype), list(tensor.shape), file.tell()]
                file.write(array.tobytes())

            for kind, values in (("input", flat), ("output", outs), ("weight", state.values()), ("gradient", grads)):
                for i, tensor in enumerate(values):
                    if tensor is not None:
                        store(kind, i, tensor)
            cases.append({"number": number, "name": what, "type": type(module).__name__, "arguments": arguments(module),
                          "training": module.training, "inputs": len(flat), "outputs": len(outs), "weights": list(state),
                          "parameters": [k for k, _ in module.named_parameters()], "gradients": len(grads), "tensors": places})
    with open(path + ".json", "w") as file:
        json.dump({"cases": cases, "skipped": skipped}, file)
    print(len(cases), "instances,", len(skipped), "skipped")


main(sys.argv[1])
