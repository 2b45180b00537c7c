#!/usr/bin/python3
"""PyTorch's side of bench/compare: one of the nine networks, one measurement, in a process of its own.

Prints one JSON line: model, batch, threads, mode, ms_per_step_median, ms_per_step_min, steps, peak_rss_mb and import_rss_mb (the
process' memory before it made the network). A training step is zero_grad + forward + loss + backward + optimizer on random data,
what a Wiregrad step is. Environment (threads, BLAS core type, instruction set, allocator) is set by bench/compare before this
starts, because PyTorch reads it while it is loaded.
"""
import argparse
import json
import math
import resource
import statistics
import time

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--batch", type=int, required=True)
parser.add_argument("--shape", required=True, help="of one sample: 1,28,28; of a text: its length")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--seconds", type=float, default=2.0)
parser.add_argument("--channels-last", action="store_true")
parser.add_argument("--foreach", action="store_true")
parser.add_argument("--script", action="store_true", help="TorchScript; inference only")
parser.add_argument("--freeze", action="store_true", help="traced, frozen, optimised; inference only")
parser.add_argument("--infer", action="store_true")
parser.add_argument("--cpu-time", action="store_true", help="processor time instead of time that passes")
args = parser.parse_args()

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

IMPORT_MB = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
torch.set_num_threads(args.threads)
torch.manual_seed(0)
SHAPE = tuple(int(n) for n in args.shape.split(","))
VOCABULARY = 65
fe = {"foreach": True} if args.foreach else {}


def conv_block(inputs, outputs, kernel=3, stride=1, relu=True):
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if relu else []))


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.first, self.second = conv_block(inputs, outputs, 3, stride), conv_block(outputs, outputs, relu=False)
        same = inputs == outputs and stride == 1
        self.skip = nn.Identity() if same else conv_block(inputs, outputs, 1, stride, relu=False)

    def forward(self, x):
        return F.relu(self.second(self.first(x)) + self.skip(x), inplace=True)


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.lstm, self.head = nn.Embedding(VOCABULARY, 64), nn.LSTM(64, 256, batch_first=True), nn.Linear(256, VOCABULARY)

    def forward(self, x):
        return self.head(self.lstm(self.embedding(x))[0])


class Block(nn.Module):
    """Attention written out, with one product for query, key and value: faster than nn.MultiheadAttention in training here."""

    def __init__(self, size=128, heads=4):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.qkv, self.out = nn.Linear(size, 3 * size), nn.Linear(size, size)
        self.up, self.down = nn.Linear(size, 4 * size), nn.Linear(4 * size, size)
        self.drop_weights, self.drop_attention, self.drop_mlp = nn.Dropout(0.1), nn.Dropout(0.1), nn.Dropout(0.1)
        length = SHAPE[0]
        self.register_buffer("hidden", torch.tril(torch.ones(length, length)).view(1, 1, length, length) == 0)

    def forward(self, x):
        n, length, size = x.shape
        q, k, v = self.qkv(self.norm1(x)).split(size, dim=2)
        q = q.view(n, length, self.heads, size // self.heads).transpose(1, 2)
        k = k.view(n, length, self.heads, size // self.heads).transpose(1, 2)
        v = v.view(n, length, self.heads, size // self.heads).transpose(1, 2)
        scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(size // self.heads))
        weights = self.drop_weights(F.softmax(scores.masked_fill(self.hidden, float("-inf")), dim=-1))
        x = x + self.drop_attention(self.out((weights @ v).transpose(1, 2).reshape(n, length, size)))
        return x + self.drop_mlp(self.down(F.gelu(self.up(self.norm2(x)))))


class Gpt(nn.Module):
    def __init__(self, size=128, layers=4):
        super().__init__()
        self.token, self.position = nn.Embedding(VOCABULARY, size), nn.Parameter(torch.randn(1, SHAPE[0], size) * 0.02)
        self.drop, self.blocks = nn.Dropout(0.1), nn.Sequential(*[Block(size) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(size), nn.Linear(size, VOCABULARY, bias=False)

    def forward(self, x):
        return self.head(self.norm(self.blocks(self.drop(self.token(x) + self.position))))


class Unet(nn.Module):
    def __init__(self, c=16):
        super().__init__()
        double = lambda i, o: nn.Sequential(conv_block(i, o), conv_block(o, o))  # noqa: E731
        self.down1, self.down2, self.down3, self.middle = double(SHAPE[0], c), double(c, 2 * c), double(2 * c, 4 * c), double(4 * c, 8 * c)
        self.up3, self.join3 = nn.ConvTranspose2d(8 * c, 4 * c, 2, 2), double(8 * c, 4 * c)
        self.up2, self.join2 = nn.ConvTranspose2d(4 * c, 2 * c, 2, 2), double(4 * c, 2 * c)
        self.up1, self.join1 = nn.ConvTranspose2d(2 * c, c, 2, 2), double(2 * c, c)
        self.out, self.pool = nn.Conv2d(c, 2, 1), nn.MaxPool2d(2)

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(self.pool(a))
        c = self.down3(self.pool(b))
        d = self.middle(self.pool(c))
        c = self.join3(torch.cat([self.up3(d), c], 1))
        b = self.join2(torch.cat([self.up2(c), b], 1))
        return self.out(self.join1(torch.cat([self.up1(b), a], 1)))


def spirals():
    return nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))


def digits_mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))


def digits_lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


def cnn_small():
    layers = []
    for inputs, outputs in ((3, 32), (32, 64), (64, 128)):
        layers += [conv_block(inputs, outputs), conv_block(outputs, outputs), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * (SHAPE[1] // 8) * (SHAPE[2] // 8), 10))


def resnet18():
    blocks = [Residual(i, o, s) for i, o, s in ((64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2),
                                                (256, 256, 1), (256, 512, 2), (512, 512, 1))]
    return nn.Sequential(conv_block(3, 64), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


def autoencoder():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 7), nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 7), nn.ReLU(), nn.ConvTranspose2d(32, 16, 3, 2, 1, 1), nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 3, 2, 1, 1), nn.Sigmoid())


def labels():
    return torch.randn(args.batch, *SHAPE), torch.randint(0, 10, (args.batch,))


def binary():
    return torch.randn(args.batch, *SHAPE), torch.rand(args.batch, 1).round()


def itself():
    x = torch.rand(args.batch, *SHAPE)
    return x, x


def text():
    return torch.randint(0, VOCABULARY, (args.batch, *SHAPE)), torch.randint(0, VOCABULARY, (args.batch, *SHAPE))


def pixels():
    return torch.randn(args.batch, *SHAPE), torch.randint(0, 2, (args.batch, *SHAPE[1:]))


def text_loss(y, target):
    return F.cross_entropy(y.reshape(-1, VOCABULARY), target.reshape(-1))


adam = lambda p: torch.optim.Adam(p, lr=1e-3, **fe)  # noqa: E731
adamw = lambda p: torch.optim.AdamW(p, lr=1e-3, **fe)  # noqa: E731
NETS = {
    "spirals": (spirals, binary, F.binary_cross_entropy_with_logits, adam),
    "digits-mlp": (digits_mlp, labels, F.cross_entropy, adam),
    "digits-lenet": (digits_lenet, labels, F.cross_entropy, lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9, **fe)),
    "cnn-small": (cnn_small, labels, F.cross_entropy, adamw),
    "resnet18": (resnet18, labels, F.cross_entropy, lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=5e-4, **fe)),
    "char-lstm": (Lstm, text, text_loss, adam),
    "char-gpt": (Gpt, text, text_loss, adamw),
    "autoencoder": (autoencoder, itself, F.mse_loss, adam),
    "unet-small": (Unet, pixels, F.cross_entropy, adam),
}
make, make_batch, loss_of, optimizer_of = NETS[args.model]
net = make()
batches = [make_batch() for _ in range(4)]
if args.channels_last and len(SHAPE) == 3:
    net = net.to(memory_format=torch.channels_last)
    batches = [(x.contiguous(memory_format=torch.channels_last), t) for x, t in batches]
net.train(not args.infer)
run = net
if args.infer:
    with torch.no_grad():
        if args.script:
            run = torch.jit.script(net)
        elif args.freeze:
            run = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(net, batches[0][0], check_trace=False)))
else:
    optimizer = optimizer_of(net.parameters())


def train_step(i):
    x, target = batches[i % 4]
    optimizer.zero_grad(set_to_none=True)
    loss_of(run(x), target).backward()
    optimizer.step()


def infer_step(i):
    with torch.inference_mode():
        run(batches[i % 4][0])


clock = time.process_time if args.cpu_time else time.perf_counter
step = infer_step if args.infer else train_step
started = time.perf_counter()
for i in range(10):
    step(i)
    if i >= 2 and time.perf_counter() - started > args.seconds:
        break
times = []
while sum(times) < args.seconds or len(times) < 5:
    start = clock()
    step(len(times))
    times.append(clock() - start)
print(json.dumps({
    "model": args.model, "batch": args.batch, "threads": args.threads, "mode": "infer" if args.infer else "train",
    "ms_per_step_median": 1e3 * statistics.median(times), "ms_per_step_min": 1e3 * min(times), "steps": len(times),
    "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "import_rss_mb": IMPORT_MB}))
