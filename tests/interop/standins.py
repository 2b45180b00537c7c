"""NumPy in the clothes of JAX and Keras 3, for running generated scripts where neither is installed. Written for the tests:
only what the scripts call, no gradients, no speed."""
import contextlib
import math
import sys
import types

import numpy as np


def conv(x, weight, strides, pads, dilation, groups):
    """NCHW cross-correlation."""
    x = np.pad(x, ((0, 0), (0, 0), pads[0], pads[1]))
    out, each, kh, kw = weight.shape
    oh = (x.shape[2] - dilation[0] * (kh - 1) - 1) // strides[0] + 1
    ow = (x.shape[3] - dilation[1] * (kw - 1) - 1) // strides[1] + 1
    y = np.zeros((x.shape[0], out, oh, ow), np.float64)
    per = out // groups
    for a in range(kh):
        for b in range(kw):
            top, left = a * dilation[0], b * dilation[1]
            part = x[:, :, top : top + (oh - 1) * strides[0] + 1 : strides[0], left : left + (ow - 1) * strides[1] + 1 : strides[1]]
            for g in range(groups):
                y[:, g * per : (g + 1) * per] += np.einsum(
                    "nchw,oc->nohw", part[:, g * each : (g + 1) * each].astype(np.float64), weight[g * per : (g + 1) * per, :, a, b].astype(np.float64))
    return y.astype(x.dtype)


erf = np.vectorize(math.erf, otypes=[np.float32])


class Forwarding(types.ModuleType):
    """A module whose other names are NumPy's."""

    def __getattr__(self, name):
        return getattr(np, name)


def jax_modules():
    jax, jnp = types.ModuleType("jax"), Forwarding("jax.numpy")
    jax.numpy = jnp
    jax.jit = lambda function: function
    jax.lax = types.SimpleNamespace(
        conv_general_dilated=lambda x, w, strides, pads, rhs_dilation, feature_group_count, dimension_numbers: conv(
            x, w, strides, pads, rhs_dilation, feature_group_count))
    jax.scipy = types.SimpleNamespace(special=types.SimpleNamespace(erf=erf))
    jax.random = types.SimpleNamespace(
        PRNGKey=np.random.default_rng, split=lambda key: (key, key), fold_in=lambda key, number: key,
        uniform=lambda key, shape: key.random(shape))
    return {"jax": jax, "jax.numpy": jnp}


class Variable(np.ndarray):
    def assign(self, value):
        self[...] = value


class Model:
    def add_weight(self, name, shape, trainable):
        return np.zeros(shape, np.float32).view(Variable)

    def compile(self, **kwargs):
        self.compiled = kwargs


def keras_modules():
    keras, ops = types.ModuleType("keras"), Forwarding("keras.ops")
    keras.Model, keras.ops = Model, ops
    ops.conv = lambda x, kernel, strides, padding, data_format, dilation_rate: np.transpose(
        conv(np.transpose(x, (0, 3, 1, 2)), np.transpose(kernel, (3, 2, 0, 1)), strides, ((0, 0), (0, 0)), dilation_rate,
             x.shape[3] // kernel.shape[2]), (0, 2, 3, 1))
    ops.erf, ops.shape = erf, np.shape
    ops.cast = lambda x, dtype: np.asarray(x).astype(dtype)
    ops.convert_to_numpy = np.asarray
    keras.random = types.SimpleNamespace(uniform=lambda shape: np.random.default_rng(0).random(shape))
    keras.optimizers = types.SimpleNamespace(**{
        name: (lambda name: lambda rate, **kwargs: (name, rate, kwargs))(name) for name in ("SGD", "Adam", "AdamW")})
    return {"keras": keras, "keras.ops": ops}


@contextlib.contextmanager
def standing_in(modules):
    """Within the scope `import` finds these modules."""
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
