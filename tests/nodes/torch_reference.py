#!/usr/bin/python3
"""PyTorch as the referee of the nodes layer. Needs python3-torch, python3-h5py.

    torch_reference.py examples FILE.h5   weights, loss and gradients of one network, as Wiregrad computed them: equal?
    torch_reference.py types FILE.h5      every node type on small inputs, with the source that Wiregrad emits
    torch_reference.py golden             prints the numbers that tests/nodes/goldens/first_step.json holds

Prints what differs and exits with 1.
"""
import json
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

SEED = 3


def block(inputs, outputs):
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


def make(name):
    """network, input shape, loss"""
    if name == "spirals":
        net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
        return net, (16, 2), lambda o, x, y: F.binary_cross_entropy_with_logits(o, (y % 2).float().unsqueeze(1))
    if name == "digits-mlp":
        net = nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
        return net, (16, 1, 28, 28), lambda o, x, y: F.cross_entropy(o, y % 10)
    if name == "digits-lenet":
        net = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))
        return net, (16, 1, 28, 28), lambda o, x, y: F.cross_entropy(o, y % 10)
    if name == "cnn-small":
        layers = []
        for inputs, outputs in ((3, 32), (32, 64), (64, 128)):
            layers += block(inputs, outputs) + block(outputs, outputs) + [nn.MaxPool2d(2)]
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 10)), (8, 3, 32, 32), lambda o, x, y: F.cross_entropy(o, y % 10)
    if name == "iris":
        return (nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3)), (16, 4), lambda o, x, y: F.cross_entropy(o, y % 3))
    if name == "autoencoder":
        net = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 7), nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 7), nn.ReLU(), nn.ConvTranspose2d(32, 16, 3, 2, 1, 1), nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 3, 2, 1, 1), nn.Sigmoid())
        return net, (16, 1, 28, 28), lambda o, x, y: F.mse_loss(o, x)
    if name == "resnet18":
        return ResNet18(), (4, 3, 32, 32), lambda o, x, y: F.cross_entropy(o, y % 10)
    if name == "unet-small":
        mask = lambda o: torch.from_numpy(np.arange(o.shape[0] * 64 * 64) * 7 % 2).reshape(o.shape[0], 64, 64)
        return UNet(), (2, 1, 64, 64), lambda o, x, y: F.cross_entropy(o, mask(o))
    if name == "char-lstm":
        return CharLSTM(), (4, 64), text_loss
    if name == "char-gpt":
        return CharGPT(), (4, 64), text_loss
    raise SystemExit("unknown network " + name)


V = 65


def text_loss(o, x, y):
    return F.cross_entropy(o.permute(0, 2, 1), torch.from_numpy(np.arange(x.numel()) * 7 % V).reshape(x.shape))


class ResidualBlock(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.first = nn.Sequential(*block(i, o))
        self.first[0].stride = (stride, stride)
        self.skip = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o)) if stride != 1 or i != o else nn.Identity()
        self.second = nn.Sequential(*block(o, o)[:2])

    def forward(self, x):
        return F.relu(self.second(self.first(x)) + self.skip(x))


class ResNet18(nn.Sequential):
    def __init__(self):
        stem, blocks, before = block(3, 64), [], 64
        for channels in (64, 128, 256, 512):
            for k in range(2):
                blocks.append(ResidualBlock(before, channels, 2 if k == 0 and channels > 64 else 1))
                before = channels
        super().__init__(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


class UNet(nn.Module):
    def __init__(self, c=16):
        super().__init__()
        double = lambda i, o: nn.Sequential(*block(i, o), *block(o, o))
        self.down = nn.ModuleList([double(1, c), double(c, 2 * c), double(2 * c, 4 * c)])
        self.middle = double(4 * c, 8 * c)
        self.up = nn.ModuleList()
        for k in (4, 2, 1):
            self.up.append(nn.ModuleList([nn.ConvTranspose2d(2 * k * c, k * c, 2, 2), double(2 * k * c, k * c)]))
        self.out = nn.Conv2d(c, 2, 1)

    def forward(self, x):
        kept = []
        for d in self.down:
            x = d(x)
            kept.append(x)
            x = F.max_pool2d(x, 2)
        x = self.middle(x)
        for up, d in self.up:
            x = d(torch.cat([up(x), kept.pop()], 1))
        return self.out(x)


class CharLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.lstm, self.head = nn.Embedding(V, 64), nn.LSTM(64, 256, batch_first=True), nn.Linear(256, V)

    def forward(self, x):
        return self.head(self.lstm(self.embedding(x))[0])


class GPTBlock(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(d), nn.MultiheadAttention(d, 4, batch_first=True)
        self.norm2, self.up, self.down = nn.LayerNorm(d), nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x):
        y = self.norm1(x)
        mask = torch.full((x.shape[1], x.shape[1]), float("-inf")).triu(1)
        x = x + self.attention(y, y, y, attn_mask=mask, need_weights=False)[0]
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class CharGPT(nn.Module):
    def __init__(self, d=128):
        super().__init__()
        self.embedding = nn.Embedding(V, d)
        self.place = nn.Parameter(torch.empty(64, d).normal_(0, 0.02))
        self.blocks = nn.Sequential(*[GPTBlock(d) for _ in range(4)])
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, V, bias=False)

    def forward(self, x):
        return self.head(self.norm(self.blocks(self.embedding(x) + self.place)))


def parameters_in_order(net):
    """In the order of construction: a parameter of a module itself where it was made, not before its children."""
    named = dict(net.named_parameters())
    if isinstance(net, CharGPT):
        order = ["embedding.weight", "place"]
        return {k: named[k] for k in order + [k for k in named if k not in order]}
    return named


def first_step(name):
    """The same made-up batch as tests/nodes/compile_test.cpp."""
    torch.manual_seed(SEED)
    net, shape, loss_of = make(name)
    start = {k: v.detach().clone() for k, v in parameters_in_order(net).items()}
    count = int(np.prod(shape))
    x = torch.from_numpy(((np.arange(count) * 37 % 101) / 101).astype(np.float32).reshape(shape))
    if name.startswith("char-"):
        x = torch.from_numpy((np.arange(count) * 37 % V).reshape(shape))
    y = torch.from_numpy(np.arange(shape[0]) * 7)
    loss = loss_of(net(x), x, y)
    loss.backward()
    return start, loss.item(), {k: v.grad for k, v in parameters_in_order(net).items()}


def differs(what, mine, theirs, rtol):
    mine, theirs = np.asarray(mine, np.float64), np.asarray(theirs, np.float64)
    if mine.shape != theirs.shape:
        return "%s: shape %s, PyTorch has %s" % (what, mine.shape, theirs.shape)
    scale = np.abs(theirs).max() if theirs.size else 0
    error = np.abs(mine - theirs).max() if theirs.size else 0
    # NaN is never close.
    return "" if error <= rtol * scale + 1e-7 else "%s: differs by %g, largest is %g" % (what, error, scale)


def check_examples(path):
    import h5py
    problems = []
    with h5py.File(path, "r") as file:
        for name in file:
            start, loss, grads = first_step(name)
            group = file[name]
            for kind, theirs in (("start", start), ("grad", grads)):
                mine = [group[kind][key] for key in sorted(group[kind], key=lambda k: int(k.split(" ")[0]))]
                if len(mine) != len(theirs):
                    problems.append("%s: %d %s tensors, PyTorch has %d" % (name, len(mine), kind, len(theirs)))
                    continue
                for m, (key, t) in zip(mine, theirs.items()):
                    what = "%s %s %s (%s)" % (name, kind, m.name, key)
                    if kind == "start":
                        if not np.array_equal(m[()], t.numpy()):
                            problems.append(what + ": initial weights are not the same bits")
                    else:
                        problems.append(differs(what, m[()], t.numpy(), 1e-4))
            problems.append(differs(name + " loss", group["loss"][()].reshape(()), loss, 1e-5))
    return [p for p in problems if p]


def check_types(path):
    import h5py
    problems = []
    with h5py.File(path, "r") as file:
        cases = json.loads(file.attrs["cases"] if isinstance(file.attrs["cases"], str) else file.attrs["cases"].decode())
        for case in cases:
            group = file[case["group"]]
            read = lambda kind: [group[kind][str(i)][()] for i in range(len(group[kind]))] if kind in group else []
            inputs = [torch.from_numpy(np.array(v)) for v in read("input")]
            for t in inputs:
                if t.is_floating_point():
                    t.requires_grad_(True)
            try:
                module = eval(case["init"]) if case["init"] else None
                if module is not None:
                    module.train(case["training"])
                    names = case["weights"]
                    state = dict(zip(names, [torch.from_numpy(np.array(v)) for v in read("weight")]))
                    module.load_state_dict({k: state.get(k, v) for k, v in module.state_dict().items()})
                    unknown = set(state) - set(module.state_dict())
                    if unknown:
                        problems.append("%s: PyTorch has no %s" % (case["group"], sorted(unknown)))
                call = case["call"].replace("{self}", "module")
                for i in range(len(inputs)):
                    call = call.replace("{%d}" % i, "inputs[%d]" % i)
                out = eval(call)
            except Exception as error:  # the emitted source is what is tested
                problems.append("%s: %s / %s: %s" % (case["group"], case["init"], case["call"], error))
                continue
            outs = out if isinstance(out, tuple) else (out,)
            mine = read("output")
            if len(outs) != len(mine):
                problems.append("%s: %d outputs, PyTorch has %d" % (case["group"], len(mine), len(outs)))
                continue
            for i, (m, t) in enumerate(zip(mine, outs)):
                problems.append(differs("%s output %d" % (case["group"], i), m.reshape(tuple(t.shape)), t.detach().numpy(), 2e-5))
            if not case["gradients"]:
                continue
            sum((t * torch.from_numpy(np.cos(np.arange(t.numel())).astype(np.float32).reshape(tuple(t.shape)))).sum()
                for t in outs if t.is_floating_point()).backward()
            theirs = [t.grad for t in inputs if t.requires_grad] + ([dict(module.named_parameters())[n].grad for n in case["trained"]] if module is not None else [])
            for i, (m, t) in enumerate(zip(read("gradient"), theirs)):
                problems.append(differs("%s gradient %d" % (case["group"], i), m, np.zeros_like(m) if t is None else t.numpy(), 1e-4))
    print("%d cases" % len(cases))
    return [p for p in problems if p]


if sys.argv[1] == "golden":
    golden = {}
    for name in ("spirals", "digits-mlp", "digits-lenet", "cnn-small", "iris", "autoencoder", "resnet18", "unet-small", "char-lstm", "char-gpt"):
        start, loss, grads = first_step(name)
        golden[name] = {"loss": loss,
                        "start": [[float(t.double().sum()), float(t.double().norm())] for t in start.values()],
                        "gradient": [[float(t.double().sum()), float(t.double().norm())] for t in grads.values()]}
    print("{\n" + ",\n".join('  "%s": %s' % (k, json.dumps(v)) for k, v in golden.items()) + "\n}")
    sys.exit(0)
found = {"examples": check_examples, "types": check_types}[sys.argv[1]](sys.argv[2])
print("\n".join(found))
sys.exit(1 if found else 0)
