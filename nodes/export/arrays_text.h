// The words of JAX and Keras scripts: each op of the engine as a small function of arrays. For
// nodes/export/arrays.cpp only.
#pragma once

#include <string_view>

namespace wiregrad::graph::script {

/// `code` is a definition, with @ in place of the library's name (jnp or ops); `needs` lists other
/// definitions it calls, separated by spaces.
struct ArrayWord {
    std::string_view op;
    std::string_view needs;
    std::string_view jax;
    std::string_view keras; ///< empty: as jax
};

inline constexpr ArrayWord kArrayWords[] = {
    {"relu", "", "def relu(x):\n    return @.maximum(x, 0)", ""},
    {"sigmoid", "", "def sigmoid(x):\n    return 1 / (1 + @.exp(-x))", ""},
    {"softplus_", "", "def softplus_(x):\n    return @.maximum(x, 0) + @.log1p(@.exp(-@.abs(x)))",
     ""},
    {"leaky_relu", "",
     "def leaky_relu(x, negative_slope):\n    return @.where(x > 0, x, negative_slope * x)", ""},
    {"elu", "",
     "def elu(x, alpha, scale):\n    return scale * @.where(x > 0, x, alpha * @.expm1(@.minimum(x, "
     "0)))",
     ""},
    {"erf", "", "def erf(x):\n    return jax.scipy.special.erf(x)",
     "def erf(x):\n    return ops.erf(x)"},
    {"gelu", "erf", "def gelu(x):\n    return 0.5 * x * (1 + erf(x * 0.7071067811865476))", ""},
    {"gelu_tanh", "",
     "def gelu_tanh(x):\n    return 0.5 * x * (1 + @.tanh(0.7978845608028654 * (x + 0.044715 * "
     "x**3)))",
     ""},
    {"silu", "sigmoid", "def silu(x):\n    return x * sigmoid(x)", ""},
    {"mish", "softplus_", "def mish(x):\n    return x * @.tanh(softplus_(x))", ""},
    {"hardsigmoid", "", "def hardsigmoid(x):\n    return @.clip(x + 3, 0, 6) / 6", ""},
    {"hardswish", "", "def hardswish(x):\n    return x * @.clip(x + 3, 0, 6) / 6", ""},
    {"logsigmoid", "softplus_", "def logsigmoid(x):\n    return -softplus_(-x)", ""},
    {"softplus", "softplus_",
     "def softplus(x, beta, threshold):\n    return @.where(x * beta > threshold, x, softplus_(x * "
     "beta) / beta)",
     ""},
    {"clamp", "", "def clamp(x, min, max):\n    return @.clip(x, min, max)", ""},
    {"hardtanh", "", "def hardtanh(x, min, max):\n    return @.clip(x, min, max)", ""},
    {"linear", "",
     "def linear(x, weight, bias=None):\n    y = @.matmul(x, @.transpose(weight))\n    return y if "
     "bias is None else y + bias",
     ""},
    {"conv2d", "",
     "def conv2d(x, weight, bias=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):\n"
     "    y = jax.lax.conv_general_dilated(\n"
     "        x, weight, stride, [(p, p) for p in padding], rhs_dilation=dilation, "
     "feature_group_count=groups,\n"
     "        dimension_numbers=(\"NCHW\", \"OIHW\", \"NCHW\"))\n"
     "    return y if bias is None else y + bias[:, None, None]",
     "def conv2d(x, weight, bias=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):\n"
     "    x = ops.pad(x, ((0, 0), (0, 0), (padding[0], padding[0]), (padding[1], padding[1])))\n"
     "    y = ops.conv(ops.transpose(x, (0, 2, 3, 1)), ops.transpose(weight, (2, 3, 1, 0)), "
     "strides=stride,\n"
     "                 padding=\"valid\", data_format=\"channels_last\", dilation_rate=dilation)\n"
     "    y = ops.transpose(y, (0, 3, 1, 2))\n"
     "    return y if bias is None else y + ops.reshape(bias, (-1, 1, 1))"},
    {"conv_transpose2d", "conv2d",
     "def conv_transpose2d(x, weight, bias=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), "
     "groups=1,\n"
     "                     output_padding=(0, 0)):\n"
     "    n, c, h, w = x.shape\n"
     "    each, kh, kw = weight.shape[1:]\n"
     "    # Zeros between the pixels, then a convolution with the turned kernel.\n"
     "    x = @.reshape(x, (-1, c, h, 1, w, 1))\n"
     "    x = @.pad(x, ((0, 0), (0, 0), (0, 0), (0, stride[0] - 1), (0, 0), (0, stride[1] - 1)))\n"
     "    x = @.reshape(x, (-1, c, h * stride[0], w * stride[1]))[:, :, : (h - 1) * stride[0] + 1, "
     ": (w - 1) * stride[1] + 1]\n"
     "    high, wide = dilation[0] * (kh - 1) - padding[0], dilation[1] * (kw - 1) - padding[1]\n"
     "    front, left = max(high, 0), max(wide, 0)\n"
     "    x = @.pad(x, ((0, 0), (0, 0), (front, max(high + output_padding[0], 0)), (left, max(wide "
     "+ output_padding[1], 0))))\n"
     "    x = x[:, :, max(-high, 0) : x.shape[2] + min(high + output_padding[0], 0), max(-wide, 0) "
     ": x.shape[3] + min(wide + output_padding[1], 0)]\n"
     "    kernel = @.reshape(weight, (groups, c // groups, each, kh, kw))\n"
     "    kernel = @.flip(@.reshape(@.transpose(kernel, (0, 2, 1, 3, 4)), (groups * each, c // "
     "groups, kh, kw)), (2, 3))\n"
     "    return conv2d(x, kernel, bias, dilation=dilation, groups=groups)",
     ""},
    {"windows", "",
     "def windows(x, size, kernel, stride, padding, dilation, value):\n"
     "    \"\"\"For each place of the kernel the pixels under it, over all windows.\"\"\"\n"
     "    reach = [(size[d] - 1) * stride[d] + dilation[d] * (kernel[d] - 1) + 1 for d in (0, 1)]\n"
     "    more = [max(reach[d] - x.shape[d + 2] - padding[d], 0) for d in (0, 1)]\n"
     "    x = @.pad(x, ((0, 0), (0, 0), (padding[0], more[0]), (padding[1], more[1])), "
     "constant_values=value)\n"
     "    ends = [(size[d] - 1) * stride[d] + 1 for d in (0, 1)]\n"
     "    starts = [(a * dilation[0], b * dilation[1]) for a in range(kernel[0]) for b in "
     "range(kernel[1])]\n"
     "    return [x[:, :, a : a + ends[0] : stride[0], b : b + ends[1] : stride[1]] for a, b in "
     "starts]",
     ""},
    {"max_pool2d", "windows",
     "def max_pool2d(x, size, kernel, stride, padding, dilation):\n"
     "    parts = windows(x, size, kernel, stride, padding, dilation, -float(\"inf\"))\n"
     "    y = parts[0]\n    for part in parts[1:]:\n        y = @.maximum(y, part)\n    return y",
     ""},
    {"avg_pool2d", "windows",
     "def avg_pool2d(x, size, kernel, stride, padding, counts):\n"
     "    return sum(windows(x, size, kernel, stride, padding, (1, 1), 0)) / @.array(counts, "
     "dtype=\"float32\")",
     ""},
    {"average_with", "",
     "def average_with(x, rows, columns):\n"
     "    \"\"\"Averages along height and width with two matrices.\"\"\"\n"
     "    return @.matmul(@.matmul(@.array(rows, dtype=\"float32\"), x), "
     "@.transpose(@.array(columns, dtype=\"float32\")))",
     ""},
    {"batch_norm", "",
     "def batch_norm(x, weight, bias, mean, var, training, eps, momentum):\n"
     "    \"\"\"The result, and the running statistics after it.\"\"\"\n"
     "    axes, shape = (0, *range(2, len(x.shape))), (1, -1) + (1,) * (len(x.shape) - 2)\n"
     "    if training or mean is None:\n"
     "        count = 1\n        for axis in axes:\n            count *= x.shape[axis]\n"
     "        now_mean = @.mean(x, axis=axes)\n"
     "        now_var = @.mean((x - @.reshape(now_mean, shape)) ** 2, axis=axes)\n"
     "        if mean is not None:\n"
     "            mean = (1 - momentum) * mean + momentum * now_mean\n"
     "            var = (1 - momentum) * var + momentum * now_var * (count / max(count - 1, 1))\n"
     "    else:\n        now_mean, now_var = mean, var\n"
     "    y = (x - @.reshape(now_mean, shape)) / @.sqrt(@.reshape(now_var, shape) + eps)\n"
     "    y = y if weight is None else y * @.reshape(weight, shape)\n"
     "    return (y if bias is None else y + @.reshape(bias, shape)), mean, var",
     ""},
    {"layer_norm", "",
     "def layer_norm(x, dims, weight, bias, eps):\n"
     "    axes = tuple(range(-dims, 0))\n"
     "    centred = x - @.mean(x, axis=axes, keepdims=True)\n"
     "    y = centred / @.sqrt(@.mean(centred**2, axis=axes, keepdims=True) + eps)\n"
     "    y = y if weight is None else y * weight\n    return y if bias is None else y + bias",
     ""},
    {"dropout", "",
     "def dropout(x, p, training, key):\n"
     "    if not training or p == 0 or key is None:\n        return x\n"
     "    return @.where(jax.random.uniform(key, x.shape) >= p, x / (1 - p), 0.0) if p < 1 else x "
     "* 0",
     "def dropout(x, p, training):\n"
     "    if not training or p == 0:\n        return x\n"
     "    return ops.where(keras.random.uniform(ops.shape(x)) >= p, x / (1 - p), 0.0) if p < 1 "
     "else x * 0"},
    {"softmax", "",
     "def softmax(x, dim):\n    y = @.exp(x - @.max(x, axis=dim, keepdims=True))\n    return y / "
     "@.sum(y, axis=dim, keepdims=True)",
     ""},
    {"log_softmax", "",
     "def log_softmax(x, dim):\n    x = x - @.max(x, axis=dim, keepdims=True)\n"
     "    return x - @.log(@.sum(@.exp(x), axis=dim, keepdims=True))",
     ""},
    {"scaled_dot_product_attention", "softmax",
     "def scaled_dot_product_attention(q, k, v, mask, is_causal, scale):\n"
     "    scores = @.matmul(q * scale, @.swapaxes(k, -1, -2))\n"
     "    if is_causal:\n"
     "        seen = @.arange(q.shape[-2])[:, None] >= @.arange(k.shape[-2])[None, :]\n"
     "        scores = @.where(seen, scores, -float(\"inf\"))\n"
     "    if mask is not None:\n        scores = scores + mask\n"
     "    return @.matmul(softmax(scores, -1), v)",
     ""},
    {"cross_entropy", "log_softmax",
     "def cross_entropy(x, target, label_smoothing=0.0, ignore_index=-100):\n"
     "    logs = log_softmax(x, 1)\n"
     "    if len(target.shape) == len(x.shape):\n"
     "        classes = x.shape[1]\n"
     "        target = target * (1 - label_smoothing) + label_smoothing / classes\n"
     "        return -@.sum(logs * target) / (x.size // classes)\n"
     "    kept = target != ignore_index\n"
     "    chosen = @.take_along_axis(logs, @.expand_dims(@.where(kept, target, 0), 1), axis=1)[:, "
     "0]\n"
     "    loss = -(1 - label_smoothing) * chosen - label_smoothing * @.mean(logs, axis=1)\n"
     "    kept = @.where(kept, 1.0, 0.0)\n"
     "    return @.sum(loss * kept) / @.sum(kept)",
     "def cross_entropy(x, target, label_smoothing=0.0, ignore_index=-100):\n"
     "    logs = log_softmax(x, 1)\n"
     "    if len(target.shape) == len(x.shape):\n"
     "        target = target * (1 - label_smoothing) + label_smoothing / x.shape[1]\n"
     "        return -ops.mean(ops.sum(logs * target, axis=1))\n"
     "    target = ops.cast(target, \"int32\")\n"
     "    kept = target != ignore_index\n"
     "    chosen = ops.take_along_axis(logs, ops.expand_dims(ops.where(kept, target, 0), 1), "
     "axis=1)[:, 0]\n"
     "    loss = -(1 - label_smoothing) * chosen - label_smoothing * ops.mean(logs, axis=1)\n"
     "    kept = ops.where(kept, 1.0, 0.0)\n"
     "    return ops.sum(loss * kept) / ops.sum(kept)"},
    {"mse_loss", "", "def mse_loss(x, target, reduction):\n    return reduction((x - target) ** 2)",
     ""},
    {"l1_loss", "", "def l1_loss(x, target, reduction):\n    return reduction(@.abs(x - target))",
     ""},
    {"binary_cross_entropy_with_logits", "softplus_",
     "def binary_cross_entropy_with_logits(x, target, reduction):\n"
     "    return reduction(softplus_(x) - x * target)",
     ""},
};

inline constexpr const char* kArraysCompare = R"py(

def fingerprint(values):
    values = np.asarray(values, np.float64).reshape(-1)
    return values.size, float(np.linalg.norm(values)), float((values * np.cos(np.arange(values.size))).sum())


def difference(values, golden):
    """0 is equal; relative to the length of the tensor that Wiregrad had."""
    size, norm, mixed = fingerprint(values)
    if size != golden[0]:
        return float("inf")
    return max(abs(norm - golden[1]), abs(mixed - golden[2])) / max(golden[1], 1e-6)


def changed_weights(weights):
    """Names of weights whose bytes are not those that were exported."""
    return [
        name for name, expected in CERTIFICATE["weights"].items()
        if name not in weights or hashlib.sha256(np.ascontiguousarray(weights[name]).tobytes()).hexdigest()[:16] != expected
    ]


def read(path):
    with np.load(path) as file:
        return {key: file[key] for key in file.files}


def check(kind, name, error, problems, tolerance=1e-4):
    print(f"  {kind:9} {name:32} {'equal' if error <= tolerance else 'DIFFERS'}  {error:.1e}")
    if not error <= tolerance:
        problems.append(f"{kind} {name}")
)py";

inline constexpr const char* kJaxTail = R"py(

def loss_of(trained, params, batch, key=None):
    """The sum of all losses, with the losses by name and the new statistics."""
    output, state = forward({**params, **trained}, @BATCH_ARGUMENTS@, training=True, key=key)
    values = losses(output@TARGETS@)
    return sum(values.values()), (values, state)


def train_step(params, optimizer, batch, key, rate):
    (_, (values, state)), gradients = jax.value_and_grad(loss_of, has_aux=True)(
        {name: params[name] for name in TRAINED}, params, batch, key)
    params, optimizer = update(params, gradients, optimizer, rate)
    return {**params, **state}, optimizer, values, gradients


def train(args):
    params = {name: jnp.asarray(value) for name, value in read(args.weights or WEIGHTS).items()}
    data = read(args.data)
    train_data = [data[f"train_{name}"] for name in BATCH]
    optimizer, key = init_optimizer(params), jax.random.PRNGKey(args.seed)
    step = jax.jit(train_step)
    order = np.random.default_rng(args.seed)
    for epoch in range(args.epochs):
        places, total = order.permutation(len(train_data[0])), 0.0
        for start in range(0, len(places), BATCH_SIZE):
            chosen = places[start : start + BATCH_SIZE]
            key, used = jax.random.split(key)
            params, optimizer, values, _ = step(params, optimizer, [part[chosen] for part in train_data], used, FACTORS[min(epoch, len(FACTORS) - 1)])
            total += float(sum(values.values())) * len(chosen)
        print(f"epoch {epoch + 1}/{args.epochs}  loss {total / len(places):.4f}")
        np.savez(HERE / f"{STEM}.trained.npz", **{name: np.asarray(value) for name, value in params.items()})


def verify(args):
    weights, samples, problems = read(args.weights or WEIGHTS), read(SAMPLES), []
    for name in changed_weights(weights):
        problems.append(f"weight {name}")
    params = {name: jnp.asarray(value) for name, value in weights.items()}
    count = CERTIFICATE["samples"]
    first = [jnp.asarray(samples[name][:count]) for name in BATCH]
    seen = {}
    forward(params, @FIRST_ARGUMENTS@, values=seen)
    for name, golden in CERTIFICATE["outputs"].items():
        if name in seen:
            check("layer", name, difference(seen[name], golden[0]), problems)
    if CERTIFICATE["losses"] and not problems:
        optimizer, before = init_optimizer(params), params
        for step, expected in enumerate(CERTIFICATE["losses"]):
            batch = [jnp.asarray(samples[name][step * count : (step + 1) * count]) for name in BATCH]
            params, optimizer, values, gradients = train_step(params, optimizer, batch, None, FACTORS[0])
            check("loss", f"step {step + 1}", abs(float(sum(values.values())) - expected) / max(abs(expected), 1e-3), problems, 1e-3)
            for name, golden in CERTIFICATE["gradients"].items() if step == 0 else ():
                check("gradient", name, difference(gradients[name], golden), problems)
            for name, golden in CERTIFICATE["updates"].items() if step == 0 else ():
                check("update", name, difference(params[name] - before[name], golden), problems, 3e-3)
    print("First difference: " + problems[0] if problems else "Verified: the same numbers as in Wiregrad.")
    return 1 if problems else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--verify", action="store_true", help="compare with Wiregrad's numbers")
    parser.add_argument("--data", default=DATA, help="another .npz file with the samples")
    parser.add_argument("--weights", help="other weights than the exported ones")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    sys.exit(verify(arguments) if arguments.verify else train(arguments))
)py";

inline constexpr const char* kKerasTail = R"py(

def network():
    """The network with the exported weights."""
    net = Net()
    net.load(read(WEIGHTS))
    return net


def train(args):
    keras.utils.set_random_seed(args.seed)
    net = network()
    if args.weights:
        net.load(read(args.weights))
    data = read(args.data)
    net.compile(optimizer=make_optimizer())
    batch = [data[f"train_{name}"] for name in BATCH]
    # Keras hands the whole batch to train_step; the losses are the network's own.
    net.fit(tuple(batch), np.zeros(len(batch[0])), batch_size=BATCH_SIZE, epochs=args.epochs, shuffle=True,
            callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch, _: RATE * FACTORS[min(epoch, len(FACTORS) - 1)])])
    np.savez(HERE / f"{STEM}.trained.npz", **net.state())


def verify(args):
    weights, samples, problems = read(args.weights or WEIGHTS), read(SAMPLES), []
    for name in changed_weights(weights):
        problems.append(f"weight {name}")
    net = Net()
    net.load(weights)
    first = [samples[name][: CERTIFICATE["samples"]] for name in BATCH]
    seen = {}
    output = net.forward(@FIRST_ARGUMENTS@, values=seen)
    for name, golden in CERTIFICATE["outputs"].items():
        if name in seen:
            check("layer", name, difference(ops.convert_to_numpy(seen[name]), golden[0]), problems)
    if CERTIFICATE["losses"] and not problems:
        output = net.forward(@FIRST_ARGUMENTS@, training=True, drop=False)
        values = net.losses(output@FIRST_TARGETS@)
        total, expected = float(sum(values.values())), CERTIFICATE["losses"][0]
        check("loss", "step 1", abs(total - expected) / max(abs(expected), 1e-3), problems)
    print("First difference: " + problems[0] if problems else "Verified: the same numbers as in Wiregrad.")
    return 1 if problems else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--verify", action="store_true", help="compare with Wiregrad's numbers")
    parser.add_argument("--data", default=DATA, help="another .npz file with the samples")
    parser.add_argument("--weights", help="other weights than the exported ones")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    sys.exit(verify(arguments) if arguments.verify else train(arguments))
)py";

} // namespace wiregrad::graph::script
