#!/usr/bin/python3
"""PyTorch's side of bench/compare: one network, one measurement, in a process of its own.

Prints one JSON line: model, batch, threads, mode, ms_per_step_median, ms_per_step_min, steps, peak_rss_mb. A training step is
zero_grad + forward + loss + backward + optimizer on random data. Environment (threads, BLAS core type, instruction set,
allocator) is set by bench/compare before this starts, because PyTorch reads it while it is loaded.
"""
import argparse
import json
import resource
import statistics
import time

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--seconds", type=float, default=2.0)
parser.add_argument("--channels-last", action="store_true")
parser.add_argument("--foreach", action="store_true")
parser.add_argument("--infer", action="store_true")
args = parser.parse_args()

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

torch.set_num_threads(args.threads)
torch.manual_seed(0)


def conv_block(inputs, outputs):
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


def spirals():
    net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
    return net, (32, 2), 2, lambda p: torch.optim.Adam(p, lr=0.01, **fe)


def digits_mlp():
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    return net, (64, 1, 28, 28), 10, lambda p: torch.optim.Adam(p, lr=1e-3, **fe)


def digits_lenet():
    net = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))
    return net, (64, 1, 28, 28), 10, lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9, **fe)


def cnn_small():
    layers = []
    for inputs, outputs in ((3, 32), (32, 64), (64, 128)):
        layers += conv_block(inputs, outputs) + conv_block(outputs, outputs) + [nn.MaxPool2d(2)]
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 16, 10))
    return net, (64, 3, 32, 32), 10, lambda p: torch.optim.AdamW(p, lr=1e-3, **fe)


fe = {"foreach": True} if args.foreach else {}
net, shape, classes, optimizer_of = {
    "spirals": spirals, "digits-mlp": digits_mlp, "digits-lenet": digits_lenet, "cnn-small": cnn_small}[args.model]()
batches = [(torch.randn(shape), torch.randint(0, classes, shape[:1])) for _ in range(4)]
if args.channels_last and len(shape) == 4:
    net = net.to(memory_format=torch.channels_last)
    batches = [(x.contiguous(memory_format=torch.channels_last), t) for x, t in batches]
if args.model == "spirals":
    batches = [(x, t.float().unsqueeze(1)) for x, t in batches]
optimizer = optimizer_of(net.parameters())


def loss_of(output, target):
    if output.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(output, target)
    return F.cross_entropy(output, target)


def train_step(i):
    x, target = batches[i % 4]
    optimizer.zero_grad(set_to_none=True)
    loss_of(net(x), target).backward()
    optimizer.step()


def infer_step(i):
    with torch.inference_mode():
        net(batches[i % 4][0])


step = infer_step if args.infer else train_step
net.train(not args.infer)
for i in range(10):
    step(i)
times = []
while sum(times) < args.seconds or len(times) < 20:
    start = time.perf_counter()
    step(len(times))
    times.append(time.perf_counter() - start)
print(json.dumps({
    "model": args.model, "batch": shape[0], "threads": args.threads, "mode": "infer" if args.infer else "train",
    "ms_per_step_median": 1e3 * statistics.median(times), "ms_per_step_min": 1e3 * min(times), "steps": len(times),
    "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
