// The fixed parts of a PyTorch script; @WORDS@ are filled in by pytorch.cpp, the only includer.
#pragma once

namespace wiregrad::graph::script {

inline constexpr const char* kHeadTrain = R"py(#!/usr/bin/env python3
"""@TITLE@.@DESCRIPTION@

Made by Wiregrad from @PROJECT@. Needs PyTorch (1.12 or newer) and NumPy.

    python3 @FILE@                train, test, save the weights
    python3 @FILE@ --verify       compare with what Wiregrad computed, layer by layer
    python3 @FILE@ --evaluate     loss and metrics of the exported weights
    torchrun --nproc-per-node 2 @FILE@     the same training on two processes
"""
import argparse
import hashlib
@MATH@import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
@FUNCTIONAL@from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

HERE = Path(__file__).resolve().parent
STEM = @STEM_TEXT@
WEIGHTS = HERE / f"{STEM}.weights.npz"
SAMPLES = HERE / f"{STEM}.samples.npz"
EPOCHS = @EPOCHS@
BATCH_SIZE = @BATCH_SIZE@
SEED = @SEED@
STEPS_PER_EPOCH = @STEPS@  # when it was exported
LOSSES = (@LOSS_NAMES@,)
DEVICE = @DEVICE@
BATCH = (@BATCH_NAMES@)
)py";

inline constexpr const char* kHeadVerify = R"py(#!/usr/bin/env python3
"""@TITLE@.@DESCRIPTION@

Made by Wiregrad from @PROJECT@. Needs PyTorch (1.12 or newer) and NumPy.

    python3 @FILE@ --verify       compare with what Wiregrad computed, layer by layer
"""
import argparse
import hashlib
@MATH@import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
@FUNCTIONAL@
HERE = Path(__file__).resolve().parent
STEM = @STEM_TEXT@
WEIGHTS = HERE / f"{STEM}.weights.npz"
SAMPLES = HERE / f"{STEM}.samples.npz"
BATCH = (@BATCH_NAMES@)
)py";

inline constexpr const char* kDataConstants = R"py(DATA = HERE / f"{STEM}.data.npz"


def load_data(path):
    """Splits by name. The file holds train_x, train_y, ... and the same for validation and test."""
    if not Path(path).exists():
        sys.exit(f"There is no {path}: give --data FILE.npz with train_{BATCH[0]} and so on.")
    with np.load(path) as file:
        arrays = {key: torch.from_numpy(file[key]) for key in file.files}
    return {
        split: TensorDataset(*(arrays[f"{split}_{name}"] for name in BATCH))
        for split in ("train", "validation", "test")
        if f"{split}_{BATCH[0]}" in arrays
    }
)py";

inline constexpr const char* kSetGradients = R"py(

def set_gradients(optimizer, loss):
    """Gradients of `loss` for the weights of one optimizer only, averaged over all processes."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"] if weight.requires_grad]
    gradients = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
    for weight, gradient in zip(weights, gradients):
        weight.grad = gradient
        if gradient is not None and torch.distributed.is_initialized():
            torch.distributed.all_reduce(gradient)
            gradient /= torch.distributed.get_world_size()
)py";

inline constexpr const char* kTraining = R"py(

@torch.no_grad()
def evaluate(net, batches, device):
    """Means of losses and metrics over a split."""
    net.eval()
    sums, count = {}, 0
    for batch in batches:
        @BATCH@ = (tensor.to(device) for tensor in batch)
        output = net(@ARGUMENTS@)
        values = {**net.losses(output@TARGETS@), **net.metrics(output@TARGETS@)}
        for name, value in values.items():
            sums[name] = sums.get(name, 0.0) + float(value) * len(@FIRST@)
        count += len(@FIRST@)
    return {name: total / max(count, 1) for name, total in sums.items()}


def move_schedules(schedules, by_step, loss=None):
    """OneCycleLR and CyclicLR move at each step, all others once an epoch."""
    kinds = torch.optim.lr_scheduler
    for schedule in schedules:
        if isinstance(schedule, (kinds.OneCycleLR, kinds.CyclicLR)) != by_step:
            continue
        if isinstance(schedule, kinds.ReduceLROnPlateau):
            schedule.step(loss)
        else:
            schedule.step()


def shown(values):
    return "  ".join(f"{name} {value:.4f}" for name, value in values.items())


def load_weights(net, path):
    """Weights from an .npz file, by name; nothing is loaded unless everything fits."""
    with np.load(path) as file:
        net.load_state_dict({key: torch.from_numpy(file[key]) for key in file.files})


def save_weights(net, path):
    np.savez(path, **{key: value.detach().cpu().numpy() for key, value in net.state_dict().items()})


def train(args):
    world, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    device = torch.device(args.device)
    if world > 1:
        torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        if device.type == "cuda":
            device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.manual_seed(args.seed)
    net = Net().to(device)
    if args.weights:
        load_weights(net, args.weights)
    model = @DDP@
    optimizers = make_optimizers(net)
@AVERAGE@    first_epoch = 0
    checkpoint = HERE / f"{STEM}.checkpoint.pt"
    if args.resume and checkpoint.exists():
        state = torch.load(checkpoint, map_location=device)
        net.load_state_dict(state["net"])
        first_epoch = state["epoch"]

    data = load_data(args.data)
    sampler = DistributedSampler(data["train"], seed=args.seed) if world > 1 else None
    order = torch.Generator().manual_seed(args.seed)
    batches = DataLoader(data["train"], max(BATCH_SIZE // world, 1), shuffle=sampler is None, sampler=sampler, generator=order)
    schedules = make_schedules(optimizers, args.epochs, args.epochs * len(batches))
    if first_epoch:
        for part, saved in zip(optimizers + schedules, state["training"]):
            part.load_state_dict(saved)
    started = time.time()
    for epoch in range(first_epoch, args.epochs):
        if sampler is not None:
            sampler.set_epoch(epoch)
        net.train()
@LOOP@            move_schedules(schedules, by_step=True)
            if rank == 0 and sys.stdout.isatty() and number % 10 == 0:
                print(f"\r  {number}/{len(batches)}  {shown({**losses, **metrics})}", end="", flush=True)
        split = "validation" if "validation" in data else "train"
        values = evaluate(@NET@, DataLoader(data[split], BATCH_SIZE), device)
        move_schedules(schedules, by_step=False, loss=sum(values[name] for name in LOSSES))
        if rank == 0:
            print(f"\repoch {epoch + 1}/{args.epochs}  {split}: {shown(values)}  ({time.time() - started:.0f} s)", flush=True)
            torch.save({"net": net.state_dict(), "training": [part.state_dict() for part in optimizers + schedules], "epoch": epoch + 1}, checkpoint)
    if rank == 0:
        if "test" in data:
            print("test:", shown(evaluate(@NET@, DataLoader(data["test"], BATCH_SIZE), device)))
        save_weights(@NET@, HERE / f"{STEM}.trained.npz")
    if world > 1:
        torch.distributed.destroy_process_group()
)py";

inline constexpr const char* kProofHead = R"py(

# What Wiregrad computed with the exported weights: for each layer's output in evaluation mode, each
# gradient of the first step and each change of a weight its size, length and a mixed sum.
)py";

inline constexpr const char* kCompare = R"py(TOLERANCE = 1e-4


def fingerprint(tensor):
    values = tensor.detach().cpu().double().reshape(-1)
    mixed = (values * torch.cos(torch.arange(values.numel(), dtype=torch.float64))).sum()
    return values.numel(), values.norm().item(), mixed.item()


def difference(tensor, golden):
    """0 is equal; relative to the length of the tensor that Wiregrad had."""
    size, norm, mixed = fingerprint(tensor)
    if size != golden[0]:
        return float("inf")
    return max(abs(norm - golden[1]), abs(mixed - golden[2])) / max(golden[1], 1e-6)


def read_weights(path):
    with np.load(path) as file:
        return {key: file[key] for key in file.files}


def read_samples():
    with np.load(SAMPLES) as file:
        return [torch.from_numpy(file[name]) for name in BATCH]


def check(kind, name, error, tolerance, problems):
    good = error <= tolerance
    print(f"  {kind:9} {name:32} {'equal' if good else 'DIFFERS'}  {error:.1e}")
    if not good:
        problems.append(f"{kind} {name}")


def compare_outputs(net, weights, samples, problems):
    """Each layer's output in evaluation mode, in order of execution."""
    seen, hooks = {}, []
    for name, module in net.named_modules():
        def keep(module, inputs, output, name=name):
            outputs = output if isinstance(output, tuple) else (output,)
            seen.setdefault(name, [t for t in outputs if isinstance(t, torch.Tensor)])
        hooks.append(module.register_forward_hook(keep))
    net.eval()
    with torch.no_grad():
        @BATCH@ = (tensor[: CERTIFICATE["samples"]] for tensor in samples)
        net(@ARGUMENTS@)
    for hook in hooks:
        hook.remove()
    for name, golden in CERTIFICATE["outputs"].items():
        for output, expected in zip(seen.get(name, []), golden):
            check("layer", name, difference(output, expected), TOLERANCE, problems)


def compare_weights(weights, problems):
    """The exported file holds the very bytes of the weights."""
    for name, expected in CERTIFICATE["weights"].items():
        if name not in weights:
            problems.append(f"weight {name}: missing")
        elif hashlib.sha256(np.ascontiguousarray(weights[name]).tobytes()).hexdigest()[:16] != expected:
            problems.append(f"weight {name}")
    problems.extend(f"weight {name}: unknown" for name in weights if name not in CERTIFICATE["weights"])
)py";

inline constexpr const char* kVerify = R"py(

def verify(args):
    torch.manual_seed(0)
    problems = []
    weights, samples = read_weights(args.weights or WEIGHTS), read_samples()
    net = Net()
    net.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()})
    compare_weights(weights, problems)  # first: a changed weight may show in a later layer only
    compare_outputs(net, weights, samples, problems)
    if problems:
        print("First difference:", problems[0])
        return 1
    print("Verified: layer by layer the same numbers as in Wiregrad.")
    return 0
)py";

inline constexpr const char* kMainVerify = R"py(

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--verify", action="store_true", help="compare with Wiregrad's numbers")
    parser.add_argument("--weights", help="other weights than the exported ones")
    arguments = parser.parse_args()
    sys.exit(verify(arguments))
)py";

inline constexpr const char* kMainTrain = R"py(

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--verify", action="store_true", help="compare with Wiregrad's numbers")
    parser.add_argument("--evaluate", action="store_true", help="loss and metrics of the weights")
    parser.add_argument("--data", default=DATA, help="another .npz file with the samples")
    parser.add_argument("--weights", help="start from these weights, an .npz file")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--device", default="cuda" if DEVICE != "cpu" and torch.cuda.is_available() else "cpu")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    arguments = parser.parse_args()
    if arguments.verify:
        sys.exit(verify(arguments))
    if arguments.evaluate:
        network = Net().to(arguments.device)
        load_weights(network, arguments.weights or WEIGHTS)
        for split_name, split_data in load_data(arguments.data).items():
            print(f"{split_name}:", shown(evaluate(network, DataLoader(split_data, BATCH_SIZE), arguments.device)))
        sys.exit(0)
    train(arguments)
)py";

inline constexpr const char* kVerifyTrain = R"py(

def without_dropout(net):
    """Training mode, but nothing is dropped: random masks cannot be compared."""
    net.train()
    for module in net.modules():
        if "Dropout" in type(module).__name__:
            module.eval()
        if isinstance(getattr(module, "dropout", None), float):
            module.dropout = 0.0


def compare_training(net, samples, problems):
    """First gradients, what the first step changed, and the losses of five steps."""
    if CERTIFICATE["left_out"]:
        print(f"  gradients are not compared: {CERTIFICATE['left_out']}")
        return
    without_dropout(net)
    optimizers = make_optimizers(net)
    schedules = make_schedules(optimizers, EPOCHS, EPOCHS * STEPS_PER_EPOCH)
    before = {name: weight.detach().clone() for name, weight in net.named_parameters()}
    gradients = {}
    for name, weight in net.named_parameters():
        if weight.requires_grad:
            weight.register_hook(lambda gradient, name=name: gradients.setdefault(name, []).append(gradient.clone()))
    per_step = CERTIFICATE["samples"]
    for step, expected in enumerate(CERTIFICATE["losses"]):
        batch = [tensor[step * per_step : (step + 1) * per_step] for tensor in samples]
        losses, _ = train_step(net, net, optimizers, batch)
        move_schedules(schedules, by_step=True)
        total = sum(loss.item() for loss in losses.values())
        check("loss", f"step {step + 1}", abs(total - expected) / max(abs(expected), 1e-3), 10 * TOLERANCE, problems)
        if step > 0:
            continue
        for name, golden in CERTIFICATE["gradients"].items():
            check("gradient", name, difference(sum(gradients[name]), golden), TOLERANCE, problems)
        for name, weight in net.named_parameters():
            if name in CERTIFICATE["updates"]:
                golden = CERTIFICATE["updates"][name]
                check("update", name, difference(weight.detach() - before[name], golden), 30 * TOLERANCE, problems)


def verify(args):
    torch.manual_seed(0)
    problems = []
    weights, samples = read_weights(args.weights or WEIGHTS), read_samples()
    net = Net()
    net.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()})
    compare_weights(weights, problems)  # first: a changed weight may show in a later layer only
    compare_outputs(net, weights, samples, problems)
    if not problems:
        compare_training(net, samples, problems)
    if problems:
        print("First difference:", problems[0])
        return 1
    print("Verified: outputs, gradients and updates are the same numbers as in Wiregrad.")
    return 0
)py";

} // namespace wiregrad::graph::script
