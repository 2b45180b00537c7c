#!/usr/bin/python3
"""What `wiregrad export` writes, judged by the programs it is for. The short form of tools/interop.

    interop_test.py WIREGRAD EXAMPLES

Needs python3-numpy; what needs PyTorch is skipped in words where it is absent.
"""
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

import numpy as np

try:
    import torch
except ImportError:
    torch = None

WIREGRAD, EXAMPLES = sys.argv[1], Path(sys.argv[2])
SMALL = {
    "spirals": ["--set", "spirals.samples=120"],
    "iris": [],
    "digits-lenet": ["--set", "digits.samples=80"],
    "autoencoder": ["--set", "digits.samples=80"],
}


def run(*args, code=0):
    done = subprocess.run([WIREGRAD, *map(str, args)], capture_output=True, text=True)
    if done.returncode != code:
        raise AssertionError(f"wiregrad {args}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout + done.stderr


def load(path):
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("exported_" + str(abs(hash(str(path)))), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def problems_of(script):
    """Runs verify() quietly; the last line it prints."""
    import contextlib
    import io

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = script.verify(SimpleNamespace(weights=None))
    return code, out.getvalue().strip().splitlines()[-1]


def dataset_of(example):
    """The id and settings of an example's Dataset node, small."""
    return SMALL.get(example, [])


class Scripts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="wiregrad_interop_"))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def export(self, example, *more, to="pytorch", suffix=".py"):
        path = self.folder / f"{example}{suffix}"
        run("export", EXAMPLES / f"{example}.wiregrad", "--to", to, "-o", path, *dataset_of(example), *more)
        return path

    @unittest.skipIf(torch is None, "python3-torch is not installed")
    def test_scripts_compute_the_same_numbers(self):
        torch.set_num_threads(1)
        for example in SMALL:
            code, last = problems_of(load(self.export(example)))
            self.assertEqual(code, 0, f"{example}: {last}")
            self.assertIn("outputs, gradients and updates", last)

    @unittest.skipIf(torch is None, "python3-torch is not installed")
    def test_a_flipped_weight_is_named(self):
        script = load(self.export("spirals"))
        weights = dict(np.load(script.WEIGHTS))
        for name in weights:
            changed = {key: value.copy() for key, value in weights.items()}
            changed[name].flat[-1] += 0.5
            np.savez(script.WEIGHTS, **changed)
            code, last = problems_of(script)
            self.assertEqual(code, 1)
            self.assertIn(name.split(".")[0], last)

    @unittest.skipIf(torch is None, "python3-torch is not installed")
    def test_scripts_train_from_the_command_line(self):
        path = self.export("iris")
        out = subprocess.run([sys.executable, path, "--epochs", "2"], capture_output=True, text=True)
        self.assertEqual(out.returncode, 0, out.stderr)
        self.assertIn("epoch 2/2  validation: loss", out.stdout)
        self.assertIn("test: loss", out.stdout)
        trained = dict(np.load(path.with_name("iris.trained.npz")))
        exported = dict(np.load(path.with_name("iris.weights.npz")))
        self.assertEqual(set(trained), set(exported))
        self.assertTrue(any((trained[key] != exported[key]).any() for key in trained))

    def test_weights_go_out_and_come_back(self):
        for to, suffix in (("npz", ".npz"), ("safetensors", ".safetensors"), ("hdf5", ".h5")):
            out = self.export("iris", to=to, suffix=suffix)
            project = self.folder / f"back_{to}.wiregrad"
            shutil.copy(EXAMPLES / "iris.wiregrad", project)
            self.assertIn("tensors of", run("import", out, "-o", project))
            again = self.folder / f"again_{to}.npz"
            run("export", project, "--to", "npz", "-o", again)
            first = self.folder / "first.npz"
            run("export", EXAMPLES / "iris.wiregrad", "--to", "npz", "-o", first)
            a, b = dict(np.load(first)), dict(np.load(again))
            self.assertEqual(list(a), list(b))
            for key in a:
                np.testing.assert_array_equal(a[key], b[key])

    def test_weights_that_do_not_fit_are_listed_and_nothing_is_loaded(self):
        out = dict(np.load(self.export("iris", to="npz", suffix=".npz")))
        names = list(out)
        out["stranger"] = np.zeros(3, np.float32)
        out[names[0]] = np.zeros((2, 2), np.float32)
        del out[names[-1]]
        bad = self.folder / "bad.npz"
        np.savez(bad, **out)
        project = self.folder / "refused.wiregrad"
        shutil.copy(EXAMPLES / "iris.wiregrad", project)
        text = run("import", bad, "-o", project, code=2)
        for fact in ("missing: " + names[-1], "unknown: stranger", "the file has [2, 2]"):
            self.assertIn(fact, text)
        self.assertFalse((self.folder / "refused.weights.h5").exists())
        # A renamed tensor is found by the name that is given.
        good = dict(np.load(self.folder / "iris.npz"))
        good["other"] = good.pop(names[0])
        np.savez(bad, **good)
        self.assertIn("missing", run("import", bad, "-o", project, code=2))
        run("import", bad, "-o", project, "--rename", f"{names[0]}=other")

    def test_keras_weights_are_turned(self):
        import h5py

        out = dict(np.load(self.export("iris", to="npz", suffix=".npz")))
        with h5py.File(self.folder / "keras.weights.h5", "w") as file:
            for name, value in out.items():
                layer, kind = name.split(".")
                file[f"layers/{layer}/vars/{0 if kind == 'weight' else 1}"] = value.T
        with h5py.File(self.folder / "legacy.h5", "w") as file:
            for name, value in out.items():
                layer, kind = name.split(".")
                file[f"model_weights/{layer}/{layer}/{'kernel' if kind == 'weight' else 'bias'}:0"] = value.T
        for file in ("keras.weights.h5", "legacy.h5"):
            project = self.folder / "keras.wiregrad"
            shutil.copy(EXAMPLES / "iris.wiregrad", project)
            run("import", self.folder / file, "-o", project)
            again = self.folder / "from_keras.npz"
            run("export", project, "--to", "npz", "-o", again)
            for key, value in np.load(again).items():
                np.testing.assert_array_equal(value, out[key])

    def test_names_from_the_canvas(self):
        project = json.loads((EXAMPLES / "iris.wiregrad").read_text())
        wishes = ["class", "train", "Große Schicht 1", "2 fast", "x", "lambda"]
        for node, name in zip((n for n in project["nodes"] if n["type"] not in ("Dataset", "Adam", "SGD")), wishes):
            node["name"] = name
        named = self.folder / "named.wiregrad"
        named.write_text(json.dumps(project))
        path = self.folder / "named.py"
        run("export", named, "--to", "pytorch", "-o", path)
        text = path.read_text()
        compile(text, str(path), "exec")
        if torch is not None:
            self.assertEqual(problems_of(load(path))[0], 0)

    def test_an_unfinished_graph_is_refused_and_writes_nothing(self):
        project = json.loads((EXAMPLES / "iris.wiregrad").read_text())
        project["wires"] = [wire for wire in project["wires"] if "linear2.in" not in wire]
        broken = self.folder / "broken.wiregrad"
        broken.write_text(json.dumps(project))
        text = run("export", broken, "--to", "pytorch", "-o", self.folder / "broken.py", code=2)
        self.assertIn("not finished", text)
        self.assertIn("linear2", text)
        self.assertEqual([p.name for p in self.folder.glob("broken*")], ["broken.wiregrad"])

    def test_an_unwritable_target_leaves_nothing_behind(self):
        folder = self.folder / "target"
        folder.mkdir()
        (folder / "iris.py").mkdir()  # a folder where the script should go
        text = run("export", EXAMPLES / "iris.wiregrad", "--to", "pytorch", "-o", folder / "iris.py", code=2)
        self.assertIn("not a regular file", text)
        self.assertEqual([p.name for p in folder.iterdir()], ["iris.py"])
        self.assertIn("no export to", run("export", EXAMPLES / "iris.wiregrad", "--to", "fortran", "-o", "x", code=2))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    unittest.main(argv=sys.argv[:1], verbosity=2)
