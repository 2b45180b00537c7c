"""What tools/interop and interop_test.py share: running wiregrad, its scripts, and ONNX Runtime."""
import contextlib
import importlib.util
import io
import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np

ORT = Path(__file__).resolve().parent / "ort"


def wiregrad(program, *args):
    """(exit status, what it said)"""
    done = subprocess.run([program, *map(str, args)], capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).strip()


def load_script(path):
    """A generated script as a module."""
    spec = importlib.util.spec_from_file_location("exported_" + str(abs(hash(str(path)))), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def verify(script):
    """Runs a script's own comparison quietly: (exit status, last line, largest error)."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = script.verify(SimpleNamespace(weights=None))
    lines = out.getvalue().strip().splitlines()
    errors = [float(line.split()[-1]) for line in lines if " equal " in line or " DIFFERS " in line]
    return code, lines[-1], max(errors, default=0.0)


def sample(shape, classes):
    """The made-up input of nodes/export/trace.cpp."""
    i = np.arange(int(np.prod(shape)))
    if classes > 0:
        return ((i * 7919 + 3) % classes).astype(np.int64).reshape(shape)
    return (np.sin(0.7 * i + 0.3) + 0.25 * (i % 7 - 3)).astype(np.float32).reshape(shape)


def fingerprint_error(values, golden):
    """How far `values` are from a fingerprint, relative to its length."""
    values = np.asarray(values, np.float64).reshape(-1)
    if values.size != golden[0]:
        return float("inf")
    norm, mixed = np.linalg.norm(values), (values * np.cos(np.arange(values.size))).sum()
    return max(abs(norm - golden[1]), abs(mixed - golden[2])) / max(golden[1], 1e-6)


class OnnxRuntime:
    """onnxruntime-node, the independent judge; `why_not` says what is missing."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.why_not = ""
        self.process = None
        if shutil.which("node") is None:
            self.why_not = "Node is not installed"
        elif not (ORT / "node_modules" / "onnxruntime-node").exists():
            self.why_not = "onnxruntime-node is not installed (npm ci --ignore-scripts in tests/interop/ort)"
        else:
            self.process = subprocess.Popen(["node", ORT / "run.js"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.wait()

    def run(self, model, inputs):
        """Outputs, as arrays; raises ValueError with the runtime's words."""
        described = {}
        for number, (name, value) in enumerate(inputs.items()):
            file = self.folder / f"ort_in_{number}"
            value.tofile(file)
            described[name] = {"dims": list(value.shape), "type": str(value.dtype), "file": str(file)}
        out = self.folder / "ort_out"
        request = {"model": str(model), "inputs": described, "out": str(out)}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        reply = json.loads(self.process.stdout.readline())
        if "error" in reply:
            raise ValueError(reply["error"])
        return [np.fromfile(f"{out}.{i}", np.float32).reshape(dims) for i, dims in enumerate(reply["dims"])]


def onnx_inputs(model, certificate):
    """The certificate's samples by the names of a loaded ONNX model's inputs."""
    result = {}
    for value, classes in zip(model.graph.input, certificate["classes"]):
        dims = [d.dim_value for d in value.type.tensor_type.shape.dim]
        result[value.name] = sample([certificate["samples"], *dims[1:]], classes)
    return result


def certificate_of(model):
    return json.loads(next(p.value for p in model.metadata_props if p.key == "wiregrad_certificate"))
