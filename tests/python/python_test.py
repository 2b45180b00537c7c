#!/usr/bin/python3
"""The Python module, used as a notebook would. python_test.py EXAMPLES, with the module on PYTHONPATH.

What needs PyTorch is skipped in words where it is absent.
"""
import gc
import shutil
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

import numpy as np

import wiregrad

try:
    import torch
except ImportError:
    torch = None

EXAMPLES = Path(sys.argv[1])
IRIS = str(EXAMPLES / "iris.wiregrad")
LENET = str(EXAMPLES / "digits-lenet.wiregrad")
SMALL = {"digits.samples": 400}


class Module(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="wiregrad_python_"))
        self.addCleanup(shutil.rmtree, self.folder)

    def test_a_project_is_loaded_and_run(self):
        project = wiregrad.load(IRIS)
        self.assertEqual(project.nodes["linear1"], "Linear")
        self.assertIn("ris", project.title)
        x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
        scores = project.forward(x)
        self.assertEqual((scores.shape, scores.dtype, len(scores)), ((5, 3), "float32", 5))
        # What the layers compute, by hand.
        weights = {name: np.asarray(value) for name, value in project.state().items()}
        hidden = np.asarray(project.value("linear1", x))
        np.testing.assert_allclose(hidden, x @ weights["linear1.weight"].T + weights["linear1.bias"], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(np.asarray(project(x.astype(np.float64))), np.asarray(scores))
        np.testing.assert_array_equal(np.asarray(project(wiregrad.tensor(x))), np.asarray(scores))

    def test_tensors_share_memory_with_numpy(self):
        array = np.arange(12, dtype=np.float32).reshape(3, 4)
        tensor = wiregrad.tensor(array)
        array[1, 2] = 99
        self.assertEqual(float(np.asarray(tensor)[1, 2]), 99)
        self.assertTrue(np.shares_memory(array, np.asarray(tensor)))
        self.assertTrue(np.shares_memory(array, tensor.numpy()))
        self.assertTrue(np.shares_memory(array, np.from_dlpack(tensor)))
        self.assertFalse(np.shares_memory(array, np.asarray(wiregrad.tensor(array, copy=True))))
        # Strides are kept, and an array that runs backwards is copied.
        self.assertTrue(np.shares_memory(array, np.asarray(wiregrad.tensor(array.T))))
        np.testing.assert_array_equal(np.asarray(wiregrad.tensor(array.T)), array.T)
        np.testing.assert_array_equal(np.asarray(wiregrad.tensor(array[:, ::2])), array[:, ::2])
        np.testing.assert_array_equal(np.asarray(wiregrad.tensor(array[::-1])), array[::-1])
        np.testing.assert_array_equal(np.asarray(wiregrad.tensor([[1, 2], [3, 4]])), [[1, 2], [3, 4]])
        # The memory lives as long as anybody looks at it.
        view = np.asarray(wiregrad.tensor(np.full(1000, 7, np.float64)))
        gc.collect()
        self.assertEqual(view.sum(), 7000)
        for kind in (np.float16, np.float32, np.float64, np.int32, np.int64, np.uint8, np.bool_):
            values = np.array([0, 1, 1, 0]).astype(kind)
            back = np.asarray(wiregrad.tensor(values))
            self.assertEqual(back.dtype, values.dtype)
            np.testing.assert_array_equal(back, values)
            np.testing.assert_array_equal(np.asarray(wiregrad.from_dlpack(wiregrad.tensor(values))), values)
        self.assertEqual(wiregrad.tensor(np.zeros((0, 3), np.float32)).shape, (0, 3))
        with self.assertRaisesRegex(wiregrad.DTypeError, "float16, float32"):
            wiregrad.tensor(np.zeros(3, np.complex64))

    @unittest.skipIf(torch is None, "python3-torch is not installed")
    def test_tensors_share_memory_with_pytorch(self):
        project = wiregrad.load(IRIS)
        weight = project.parameters()["linear1.weight"]
        ours = torch.from_dlpack(weight)
        ours[0, 0] = 42
        self.assertEqual(float(np.asarray(weight)[0, 0]), 42)
        theirs = torch.arange(6, dtype=torch.int64).reshape(2, 3)
        tensor = wiregrad.from_dlpack(theirs)
        theirs[1, 2] = -1
        self.assertEqual(int(np.asarray(tensor)[1, 2]), -1)
        half = torch.tensor([1.5, -2.0], dtype=torch.bfloat16)
        tensor = wiregrad.from_dlpack(half)
        self.assertEqual(tensor.dtype, "bfloat16")
        self.assertEqual(np.asarray(tensor).tolist(), [0x3FC0, 0xC000])  # NumPy has no bfloat16: its bits
        self.assertEqual(np.asarray(tensor.to_float32()).tolist(), [1.5, -2.0])

    def test_weights_are_the_models_own_memory(self):
        project = wiregrad.load(IRIS)
        x = np.ones((2, 4), np.float32)
        before = np.asarray(project(x)).copy()
        for name, value in project.parameters().items():
            np.asarray(value)[...] = 0
        np.testing.assert_array_equal(np.asarray(project(x)), 0)
        self.assertFalse((before == 0).all())
        # After steps too: what is written between two of them is what the next one begins with.
        project.train_step()
        weights = {name: np.asarray(value) for name, value in project.parameters().items()}
        kept = {name: value.copy() for name, value in weights.items()}
        project.train_step()
        self.assertTrue(any((weights[name] != kept[name]).any() for name in kept))
        for name in weights:
            weights[name][...] = 0
        np.testing.assert_array_equal(np.asarray(project(x)), 0)

    @unittest.skipIf(torch is None, "python3-torch is not installed")
    def test_a_step_is_what_pytorch_computes(self):
        project = wiregrad.load(IRIS, set={"adam1.lr": 0.05})
        rng = np.random.default_rng(3)
        x, y = rng.normal(size=(16, 4)).astype(np.float32), rng.integers(0, 3, 16)
        path = self.folder / "iris.py"
        project.export("pytorch", str(path))
        script = {"__name__": "exported", "__file__": str(path)}
        exec(compile(path.read_text(), str(path), "exec"), script)
        net = script["Net"]()
        net.load_state_dict({name: torch.from_numpy(np.asarray(value).copy()) for name, value in project.state().items()})
        optimizers = script["make_optimizers"](net)
        for _ in range(4):
            net.train()
            losses, _ = script["train_step"](net, net, optimizers, [torch.from_numpy(x), torch.from_numpy(y)])
            report = project.train_step(x, y)
            self.assertAlmostEqual(report["loss"], float(losses["loss"].detach()), places=5)
        for name, value in net.state_dict().items():
            np.testing.assert_allclose(np.asarray(project.state()[name]), value.numpy(), rtol=1e-4, atol=1e-6)

    def test_steps_and_epochs_are_the_runs_own(self):
        one, other = wiregrad.load(IRIS, epochs=2), wiregrad.load(IRIS, epochs=2)
        report = one.train_epoch()
        self.assertIn("loss", report)
        steps = one.step
        self.assertEqual((one.epoch, other.epoch), (1, 0))
        for _ in range(steps):
            other.train_step()
        for (name, a), b in zip(one.state().items(), other.state().values()):
            np.testing.assert_array_equal(np.asarray(a), np.asarray(b), name)
        one.train_epoch()
        self.assertTrue(one.finished)
        with self.assertRaisesRegex(wiregrad.RunError, "has ended after 2 epochs"):
            one.train_step()
        self.assertGreater(one.evaluate("test")["accuracy"], 0.2)
        # The weights go out and come back.
        one.save_weights(str(self.folder / "w.h5"))
        again = wiregrad.load(IRIS, weights=str(self.folder / "w.h5"), with_data=False)
        for (name, a), b in zip(one.state().items(), again.state().values()):
            np.testing.assert_array_equal(np.asarray(a), np.asarray(b), name)
        again.load_state({name: np.zeros_like(np.asarray(value)) for name, value in one.state().items()})
        self.assertEqual(float(np.abs(np.asarray(again.state()["linear1.weight"])).sum()), 0)

    def test_errors_are_exceptions_with_sentences(self):
        with self.assertRaisesRegex(wiregrad.FileError, "nowhere.wiregrad"):
            wiregrad.load("nowhere.wiregrad")
        self.assertTrue(issubclass(wiregrad.FileError, wiregrad.Error) and issubclass(wiregrad.Error, RuntimeError))
        with self.assertRaisesRegex(wiregrad.Error, "no node opti"):
            wiregrad.load(IRIS, set={"opti.lr": 1})
        project = wiregrad.load(IRIS)
        with self.assertRaisesRegex(wiregrad.Error, r"\[3, 7\]"):
            project.forward(np.zeros((3, 7), np.float32))
        with self.assertRaisesRegex(wiregrad.ShapeError, r"the field x of a batch of 3 is \[3, 4\], got \[3, 5\]"):
            project.train_step(np.zeros((3, 5), np.float32), np.zeros(3, np.int64))
        with self.assertRaisesRegex(wiregrad.ValueError, "its classes are 0 to 2"):
            project.train_step(np.zeros((3, 4), np.float32), np.full(3, 9))
        with self.assertRaisesRegex(wiregrad.ValueError, "has 2 fields, 1 were given"):
            project.train_step(np.zeros((3, 4), np.float32))
        with self.assertRaisesRegex(wiregrad.ShapeError, "missing"):
            project.load_state({"linear1.weight": np.zeros((2, 2), np.float32)})
        with self.assertRaisesRegex(wiregrad.ValueError, 'no split "exam"'):
            project.evaluate("exam")
        with self.assertRaisesRegex(wiregrad.ValueError, "no export to"):
            project.export("fortran", "x")
        with self.assertRaisesRegex(wiregrad.DataError, "without its data"):
            wiregrad.load(IRIS, with_data=False).train_step()
        project.train_step()  # none of it harmed the project

    def test_other_threads_go_on_while_it_computes(self):
        project = wiregrad.load(LENET, set=SMALL, epochs=3)
        counted, done = [0], threading.Event()

        def count():
            while not done.is_set():
                counted[0] += 1
                time.sleep(0.001)

        other = threading.Thread(target=count)
        other.start()
        project.train_epoch()
        during = counted[0]
        done.set()
        other.join()
        self.assertGreater(during, 2)
        # Two threads may use one project: their calls take turns.
        results = []
        threads = [threading.Thread(target=lambda: results.append(project.train_step())) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(results), 3)
        x = np.zeros((2, 1, 28, 28), np.float32)
        self.assertEqual(project(x).shape, (2, 10))

    def test_projects_end_cleanly(self):
        for _ in range(3):
            project = wiregrad.load(IRIS)
            project.train_step()
            weight = np.asarray(project.parameters()["linear1.weight"])
            del project
            gc.collect()
            self.assertTrue(np.isfinite(weight).all())  # the memory outlives the project
        self.assertIn("digits-lenet", wiregrad.examples())
        self.assertTrue(Path(wiregrad.example("iris")).exists())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[2:], verbosity=2)
