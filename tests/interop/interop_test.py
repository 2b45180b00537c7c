#!/usr/bin/python3
"""What `wiregrad export` writes, judged by the programs it is for. The short form of tools/interop.

    interop_test.py WIREGRAD EXAMPLES

Needs python3-numpy; what needs PyTorch is skipped in words where it is absent.
"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

import numpy as np

import referees
import standins

try:
    import torch
except ImportError:
    torch = None
try:
    import onnx
except ImportError:
    onnx = None

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


load = referees.load_script


def problems_of(script):
    """Runs verify() quietly; the last line it prints."""
    code, last, _ = referees.verify(script)
    return code, last


def dataset_of(example):
    """The id and settings of an example's Dataset node, small."""
    return SMALL.get(example, [])


def node(id, type, **params):
    return {"id": id, "type": type, "v": 1, "params": params}


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
        for example in [*SMALL, "char-lstm"]:
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

    def grouped(self, groups, nodes, wires):
        """A project with groups around iris, as a file."""
        nodes = [node("data", "Dataset", source="iris"), *nodes, node("loss", "CrossEntropyLoss"), node("opt", "Adam")]
        wires = [*wires, "data.y -> loss.target", "loss.loss -> opt.loss"]
        project = {"format": "wiregrad", "format_version": 2, "title": "groups", "description": "",
                   "training": {"epochs": 1, "batch_size": 8, "seed": 0, "device": "auto"}, "groups": groups,
                   "nodes": nodes, "wires": wires, "positions": {}}
        file = self.folder / "grouped.wiregrad"
        file.write_text(json.dumps(project))
        return file

    def test_groups_are_classes_and_shared_weights_stay_shared(self):
        inside = {"name": "Block", "nodes": [node("in1", "GroupInput"), {**node("lin", "Linear", out_features=6), "name": "Wide layer"},
                                             node("act", "Tanh"), node("out1", "GroupOutput")],
                  "wires": ["in1.out -> lin.in", "lin.out -> act.in", "act.out -> out1.in"], "positions": {}}
        for kind, words in (("own", ["self.block = nn.ModuleList(Block() for _ in range(3))", "for part in self.block:", "x = part(x)"]),
                            ("shared", ["self.block = Block()", "for _ in range(3):", "x = self.block(x)"])):
            file = self.grouped({"block": inside}, [node("a", "Linear", out_features=6), {**node("block", "Group", times=3, weights=kind), "group": "block"},
                                                    node("last", "Linear", out_features=3)],
                                ["data.x -> a.in", "a.out -> block.in1", "block.out1 -> last.in", "last.out -> loss.input"])
            script = self.folder / f"groups_{kind}.py"
            run("export", file, "--to", "pytorch", "-o", script)
            text = script.read_text()
            self.assertEqual((text.count("class Block(nn.Module):"), text.count("self.wide_layer = nn.Linear(6, 6)")), (1, 1))
            for word in words:
                self.assertIn(word, text)
            names = set(np.load(script.with_name(f"groups_{kind}.weights.npz")))
            self.assertEqual("block.2.wide_layer.weight" in names, kind == "own")
            self.assertEqual("block.wide_layer.weight" in names, kind == "shared")
            if torch is not None:
                self.assertEqual(problems_of(load(script))[0], 0)
                # What PyTorch calls its weights is found again.
                state = load(script).Net().state_dict()
                np.savez(self.folder / "state.npz", **{key: value.numpy() for key, value in state.items()})
                run("import", self.folder / "state.npz", "-o", file)
                (self.folder / "grouped.weights.h5").unlink()
            for to in ("jax", "keras"):
                run("export", file, "--to", to, "-o", self.folder / f"groups_{to}.py")
                compile((self.folder / f"groups_{to}.py").read_text(), to, "exec")
            # The scopes of the model become groups again.
            run("export", file, "--to", "onnx", "-o", self.folder / "groups.onnx")
            self.assertIn("8 layers, 1 outputs", run("verify", self.folder / "groups.onnx"))
            back = self.folder / "back.wiregrad"
            self.assertIn("in 3 groups", run("import", self.folder / "groups.onnx", "-o", back))
            self.assertEqual([n["type"] for n in json.loads(back.read_text())["nodes"]].count("Group"), 3)
            run("export", back, "--to", "onnx", "-o", self.folder / "again.onnx")
            self.assertIn("8 layers, 1 outputs", run("verify", self.folder / "again.onnx"))
            self.assertNotIn("groups", run("import", self.folder / "groups.onnx", "-o", back, "--flat"))

    @unittest.skipIf(torch is None, "python3-torch is not installed")
    def test_groups_in_groups_with_several_ports(self):
        """An inner group that is repeated, an outer one with two inputs and two outputs, used twice with other sizes."""
        inner = {"name": "Cell!", "nodes": [node("in1", "GroupInput"), node("act", "Tanh"), node("lin", "Linear", out_features=5), node("out1", "GroupOutput")],
                 "wires": ["in1.out -> lin.in", "lin.out -> act.in", "act.out -> out1.in"], "positions": {}}
        outer = {"name": "Mixer", "nodes": [node("left", "GroupInput", label="left"), node("right", "GroupInput", label="right"),
                                            {**node("cell", "Group", times=2), "group": "inner"}, node("sum", "Add"), node("side", "Linear", out_features=5),
                                            node("one", "GroupOutput", label="one"), node("two", "GroupOutput", label="two")],
                 "wires": ["left.out -> cell.in1", "right.out -> side.in", "cell.out1 -> sum.inputs", "side.out -> sum.inputs", "sum.out -> one.in",
                           "side.out -> two.in"], "positions": {}}
        add_port = next(json.loads(line) for line in run("nodes", "--json").splitlines() if json.loads(line)["type"] == "Add")["inputs"][0]["id"]
        outer["wires"] = [wire.replace("sum.inputs", f"sum.{add_port}") for wire in outer["wires"]]
        file = self.grouped({"inner": inner, "outer": outer},
                            [node("a", "Linear", out_features=7), {**node("first", "Group"), "group": "outer"}, {**node("second", "Group"), "group": "outer"},
                             node("last", "Linear", out_features=3)],
                            ["data.x -> a.in", "a.out -> first.left", "data.x -> first.right", "first.two -> second.left", "first.one -> second.right",
                             "second.one -> last.in", "last.out -> loss.input"])
        script = self.folder / "nested.py"
        run("export", file, "--to", "pytorch", "-o", script)
        text = script.read_text()
        for word in ("class Mixer(nn.Module):", "class Mixer2(nn.Module):", "def forward(self, left, right):", "nn.ModuleList([Cell(), Cell2()])",
                     "nn.ModuleList(Cell2() for _ in range(2))"):
            self.assertIn(word, text)
        code, last = problems_of(load(script))
        self.assertEqual(code, 0, last)
        self.assertIn("first.cell.0.lin.weight", np.load(script.with_name("nested.weights.npz")))

    def test_what_a_script_does_not_say_is_refused_in_words(self):
        for to, setting, words in (
                ("jax", "ema_decay=0.9", "moving average"), ("keras", "ema_decay=0.9", "moving average"),
                ("jax", "accumulate=2", "gathering"), ("keras", "accumulate=4", "gathering"),
                ("jax", "schedule=one_cycle", "moves at each step"), ("keras", "schedule=plateau", "validation loss"),
                ("jax", "amsgrad=true", "amsgrad"), ("keras", "maximize=true", "maximize"),
                ("keras", "decay_on=matrices", "weight decay of some weights")):
            out = self.folder / "unsaid.py"
            text = run("export", EXAMPLES / "iris.wiregrad", "--to", to, "-o", out, "--set", f"adam1.{setting}", code=2)
            self.assertIn(words, text)
            self.assertIn("adam1", text)
            self.assertEqual(list(self.folder.glob("unsaid*")), [])

    @unittest.skipIf(torch is None, "python3-torch is not installed")
    def test_settings_of_the_optimizer_are_in_the_scripts(self):
        """Clipping by value, schedules and rates of single layers: PyTorch's own step, and the one that JAX writes out."""
        settings = ["--set", "adam1.clip_grad_value=0.01", "--set", "adam1.schedule=step", "--set", "adam1.step_size=1", "--set", "linear2.lr_scale=0.25",
                    "--set", "adam1.weight_decay=0.1", "--set", "adam1.decay_on=matrices"]
        code, last = problems_of(load(self.export("iris", *settings)))
        self.assertEqual(code, 0, last)
        path = self.export("iris", *settings, to="jax", suffix="_set.py")
        with standins.standing_in(standins.jax_modules()):
            script = load(path)
            self.assertEqual(script.RATES["linear2.weight"], 0.25)
            self.assertEqual([round(f, 6) for f in script.FACTORS[:3]], [1, 0.1, 0.01])
            weights = script.read(script.WEIGHTS)
            other = load(self.export("iris", *settings))
            net = other.Net()
            net.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()})
            batch = [tensor[:8] for tensor in other.read_samples()]
            net.losses(net(batch[0]), batch[1])["loss"].backward()
            gradients = {name: weight.grad.numpy().copy() for name, weight in net.named_parameters()}
            after, _ = script.update(weights, gradients, script.init_optimizer(weights), 1.0)
            net.zero_grad()
            other.train_step(net, net, other.make_optimizers(net), batch)
            for name, weight in net.named_parameters():
                np.testing.assert_allclose(after[name], weight.detach().numpy(), rtol=1e-4, atol=1e-6, err_msg=name)
        keras = self.export("iris", "--set", "adam1.schedule=exponential", "--set", "adam1.gamma=0.5", to="keras", suffix="_set.py").read_text()
        self.assertIn("FACTORS = [1, 0.5, 0.25", keras)
        self.assertIn("LearningRateScheduler", keras)

    def test_renamed_weights_are_mapped_by_shape_where_that_is_clear(self):
        out = dict(np.load(self.export("iris", to="npz", suffix=".npz")))
        other = {f"encoder.{i}": value for i, value in enumerate(out.values())}
        np.savez(self.folder / "other.npz", **other)
        project = self.folder / "by_shape.wiregrad"
        shutil.copy(EXAMPLES / "iris.wiregrad", project)
        self.assertIn("missing", run("import", self.folder / "other.npz", "-o", project, code=2))
        self.assertIn("is encoder.0", run("import", self.folder / "other.npz", "-o", project, "--by-shape"))
        again = self.folder / "by_shape.npz"
        run("export", project, "--to", "npz", "-o", again)
        for key, value in np.load(again).items():
            np.testing.assert_array_equal(value, out[key])
        # Two that could be either are not guessed.
        twins = {"a": np.zeros((5, 5), np.float32), **{k: v for k, v in list(other.items())[1:]}}
        np.savez(self.folder / "twins.npz", **twins)
        self.assertIn("missing", run("import", self.folder / "twins.npz", "-o", project, "--by-shape", code=2))

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

    @unittest.skipIf(torch is None, "python3-torch is not installed")
    def test_verify_names_the_layer(self):
        path = self.export("spirals")
        self.assertIn("Verified", run("verify", path, "--python", sys.executable))
        weights = dict(np.load(path.with_name("spirals.weights.npz")))
        weights["linear2.weight"][3, 4] *= -1
        np.savez(path.with_name("spirals.weights.npz"), **weights)
        self.assertIn("layer linear2 (weight linear2.weight)", run("verify", path, code=1))

    def test_jax_and_keras_scripts_run_on_a_stand_in(self):
        for example in SMALL:
            for to, modules in (("jax", standins.jax_modules()), ("keras", standins.keras_modules())):
                path = self.export(example, to=to, suffix=f"_{to}.py")
                compile(path.read_text(), str(path), "exec")
                with standins.standing_in(modules):
                    script = load(path)
                    if to == "keras":
                        self.assertEqual(problems_of(script)[0], 0, f"{example}: {problems_of(script)[1]}")
                        self.assertIsNotNone(script.make_optimizer())
                        continue
                    certificate, weights = script.CERTIFICATE, script.read(script.WEIGHTS)
                    self.assertEqual(script.changed_weights(weights), [])
                    samples = script.read(script.SAMPLES)
                    batch = [samples[name][: certificate["samples"]] for name in script.BATCH]
                    seen = {}
                    script.forward(weights, *batch[: script.forward.__code__.co_argcount - 4], values=seen)
                    self.assertEqual(set(certificate["outputs"]) - set(seen), set())
                    for name, golden in certificate["outputs"].items():
                        self.assertLess(script.difference(seen[name], golden[0]), 1e-4, f"{example} {name}")
                    total, _ = script.loss_of({}, weights, batch)
                    self.assertAlmostEqual(float(total), certificate["losses"][0], delta=1e-4 * abs(certificate["losses"][0]))
                    if torch is not None:
                        self.check_jax_update(example, script, weights)

    def check_jax_update(self, example, script, weights):
        """The optimizer that is written out, with the first gradients of the PyTorch script."""
        other = load(self.export(example))
        net = other.Net()
        net.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()})
        other.without_dropout(net)
        batch = [tensor[: other.CERTIFICATE["samples"]] for tensor in other.read_samples()]
        other.train_step(net, net, other.make_optimizers(net), batch)
        gradients = {name: weight.grad.numpy() for name, weight in net.named_parameters()}
        after, _ = script.update(weights, gradients, script.init_optimizer(weights), script.FACTORS[0])
        for name, golden in script.CERTIFICATE["updates"].items():
            self.assertLess(script.difference(after[name] - weights[name], golden), 3e-3, f"{example} {name}")

    @unittest.skipIf(shutil.which("g++") is None, "g++ is not installed")
    def test_cpp_source_compiles_and_computes_the_same(self):
        path = self.export("digits-lenet", to="cpp", suffix=".cpp")
        program = path.with_suffix("")
        subprocess.run(["g++", "-std=c++17", "-O2", "-Werror", path, "-o", program], check=True)
        done = subprocess.run([program, "--verify"], capture_output=True, text=True)
        self.assertEqual((done.returncode, "equal" in done.stdout), (0, True), done.stdout + done.stderr)
        # Any number of samples from files, and a weights file that was changed is refused.
        x = referees.sample((8, 1, 28, 28), 0)
        x[:3].tofile(self.folder / "in.bin")
        subprocess.run([program, self.folder / "in.bin", self.folder / "out.bin"], check=True)
        self.assertEqual(np.fromfile(self.folder / "out.bin", np.float32).size, 30)
        weights = path.with_name("digits-lenet.weights.bin")
        changed = bytearray(weights.read_bytes())
        changed[1000] ^= 1
        weights.write_bytes(changed)
        done = subprocess.run([program, "--verify"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("not the one that was exported", done.stderr)


class Onnx(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="wiregrad_onnx_"))
        cls.files = {}
        for example in SMALL:
            cls.files[example] = cls.folder / f"{example}.onnx"
            run("export", EXAMPLES / f"{example}.wiregrad", "--to", "onnx", "-o", cls.files[example], *dataset_of(example))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    @unittest.skipIf(onnx is None, "python3-onnx is not installed")
    def test_the_checker_accepts_every_example(self):
        for example, file in self.files.items():
            model = onnx.load(str(file))
            onnx.checker.check_model(model, full_check=True)
            self.assertEqual((model.ir_version, model.opset_import[0].version), (8, 17))
            self.assertEqual(model.graph.input[0].type.tensor_type.shape.dim[0].dim_param, "batch", example)

    @unittest.skipIf(onnx is None, "python3-onnx is not installed")
    def test_onnx_runtime_computes_the_same(self):
        runtime = referees.OnnxRuntime(self.folder)
        if runtime.why_not:
            self.skipTest(runtime.why_not)
        for example, file in self.files.items():
            model = onnx.load(str(file))
            certificate = referees.certificate_of(model)
            inputs = referees.onnx_inputs(model, certificate)
            outputs = runtime.run(file, inputs)
            for output, golden in zip(outputs, certificate["outputs"]):
                self.assertLess(referees.fingerprint_error(output, golden), 1e-5, example)
            # Out, in, and out again: the same function, for another size of the batch too.
            back, again = self.folder / "back.wiregrad", self.folder / "again.onnx"
            run("import", file, "-o", back)
            run("export", back, "--to", "onnx", "-o", again)
            name = onnx.load(str(again)).graph.input[0].name
            for batch in (8, 3):
                x = next(iter(inputs.values()))[:batch]
                for a, b in zip(runtime.run(file, {next(iter(inputs)): x}), runtime.run(again, {name: x})):
                    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
        runtime.close()

    def test_verify_reads_the_file_back_and_names_a_changed_layer(self):
        for file in self.files.values():
            self.assertIn("layers, 1 outputs", run("verify", file))
        if onnx is None:
            self.skipTest("python3-onnx is not installed")
        model = onnx.load(str(self.files["iris"]))
        for tensor in model.graph.initializer:
            if not tensor.name.startswith("linear"):
                continue
            kept = tensor.raw_data
            values = np.frombuffer(kept, np.float32).copy()
            values[-1] += 1
            tensor.raw_data = values.tobytes()
            onnx.save(model, str(self.folder / "changed.onnx"))
            self.assertIn(f"layer {tensor.name.split('.')[0]} (weight {tensor.name})", run("verify", self.folder / "changed.onnx", code=1))
            tensor.raw_data = kept

    @unittest.skipIf(onnx is None, "python3-onnx is not installed")
    def test_what_cannot_come_in_is_named_one_by_one(self):
        from onnx import TensorProto, helper

        def save(nodes, initializers=(), **opset):
            graph = helper.make_graph(
                nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
                [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], list(initializers))
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset.get("opset", 17))])
            onnx.save(model, str(self.folder / "odd.onnx"))
            return self.folder / "odd.onnx"

        out = self.folder / "odd.wiregrad"
        text = run("import", save([helper.make_node("Det", ["x"], ["a"], name="first"), helper.make_node("NonZero", ["a"], ["y"])]),
                   "-o", out, code=2)
        self.assertIn('Det "first": Wiregrad has no node type for it', text)
        self.assertIn("NonZero", text)
        self.assertFalse(out.exists())
        cycle = [helper.make_node("Relu", ["b"], ["a"]), helper.make_node("Add", ["a", "x"], ["b"]), helper.make_node("Relu", ["a"], ["y"])]
        self.assertIn("cycle", run("import", save(cycle), "-o", out, code=2))
        self.assertIn("opset 99", run("import", save([helper.make_node("Relu", ["x"], ["y"])], opset=99), "-o", out, code=2))
        self.assertIn("which nothing gives", run("import", save([helper.make_node("Relu", ["z"], ["y"])]), "-o", out, code=2))
        (self.folder / "secret.bin").write_bytes(np.ones(16, np.float32).tobytes())
        inside = self.folder / "inner"
        inside.mkdir()
        weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 4], data_location=TensorProto.EXTERNAL)
        for location, words in (("../secret.bin", "outside the model's folder"), (str(self.folder / "secret.bin"), "outside the model's folder"),
                                ("missing.bin", "cannot be opened")):
            del weight.external_data[:]
            weight.external_data.add(key="location", value=location)
            file = save([helper.make_node("MatMul", ["x", "w"], ["y"])], [weight])
            shutil.copy(file, inside / "odd.onnx")
            self.assertIn(words, run("import", inside / "odd.onnx", "-o", out, code=2))
        shutil.copy(self.folder / "secret.bin", inside / "weights.bin")
        weight.external_data[0].value = "weights.bin"
        shutil.copy(save([helper.make_node("MatMul", ["x", "w"], ["y"])], [weight]), inside / "odd.onnx")
        self.assertIn("2 nodes", run("import", inside / "odd.onnx", "-o", out))

    def test_damaged_models_are_refused_in_words(self):
        whole = self.files["iris"].read_bytes()
        random.seed(1)
        bad = self.folder / "damaged.onnx"
        for attempt in range(40):
            data = bytearray(whole)
            if attempt % 2:
                data = data[: random.randrange(len(data))]
            else:
                for _ in range(1 + attempt // 4):
                    data[random.randrange(len(data))] = random.randrange(256)
            bad.write_bytes(data)
            done = subprocess.run([WIREGRAD, "import", bad, "-o", self.folder / "damaged.wiregrad"], capture_output=True, text=True)
            self.assertIn(done.returncode, (0, 2), done.stderr)  # never a crash
            if done.returncode:
                self.assertTrue(done.stderr.startswith("wiregrad: "))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
