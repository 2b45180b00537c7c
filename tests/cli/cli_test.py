#!/usr/bin/python3
"""The command line as a stranger uses it: the contract of exit statuses, events, interruption and bad input.

usage: cli_test.py WIREGRAD_BINARY EXAMPLES_FOLDER
"""
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

BINARY, EXAMPLES = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])


def run(*arguments, cwd=None, env=None):
    return subprocess.run([BINARY, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd,
                          env=dict(os.environ, **(env or {})), timeout=600)


def events(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def losses(done):
    return [(e["step"], e["loss"]) for e in events(done) if e["event"] == "step"]


def read(path, mode="r"):
    with open(path, mode) as file:
        return file.read()


def write(path, content):
    with open(path, "wb" if isinstance(content, bytes) else "w") as file:
        file.write(content)


class Cli(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def example(self, name):
        path = os.path.join(self.folder, name + ".wiregrad")
        if not os.path.exists(path):
            shutil.copy(os.path.join(EXAMPLES, name + ".wiregrad"), path)
        return path

    def refused(self, done, *words, status=2):
        """One sentence on standard error, nothing half-written left behind."""
        self.assertEqual(done.returncode, status, done.stderr)
        lines = done.stderr.strip().splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertTrue(lines[0].startswith("wiregrad: "), lines[0])
        for word in words:
            self.assertIn(word, lines[0])
        self.assertEqual([f for f in os.listdir(self.folder) if f.endswith((".h5", ".tmp"))], [])

    def train(self, name, *arguments):
        done = run("train", self.example(name), "--json", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    # --- training

    def test_train_learns_and_writes_weights(self):
        done = self.train("spirals")
        last = events(done)[-1]
        self.assertEqual(last["event"], "done")
        self.assertEqual(last["state"], "finished")
        curve = losses(done)
        self.assertEqual([s for s, _ in curve], list(range(1, last["steps"] + 1)))
        self.assertLess(curve[-1][1], 0.5 * curve[0][1])
        self.assertGreater(last["metrics"]["test_accuracy"], 0.9)
        self.assertTrue(os.path.exists(os.path.join(self.folder, "spirals.weights.h5")))
        evaluated = events(run("eval", self.example("spirals"), "--json"))[-1]
        self.assertAlmostEqual(evaluated["metrics"]["accuracy"], last["metrics"]["test_accuracy"], places=12)
        self.assertAlmostEqual(evaluated["metrics"]["loss"], last["metrics"]["test_loss"], places=6)

    def test_drawn_digits_need_more_than_a_linear_model(self):
        project = json.loads(read(self.example("digits-mlp")))
        project["nodes"] = [n for n in project["nodes"] if n["id"] not in ("linear2", "linear3", "relu1", "relu2")]
        next(n for n in project["nodes"] if n["id"] == "linear1")["params"]["out_features"] = 10
        project["wires"] = ["digits.x -> flatten1.in", "flatten1.out -> linear1.in", "linear1.out -> loss.input", "digits.y -> loss.target",
                            "linear1.out -> accuracy.input", "digits.y -> accuracy.target", "loss.loss -> adam1.loss"]
        write(os.path.join(self.folder, "linear.wiregrad"), json.dumps(project))
        linear = events(self.train("linear", "--epochs", 10))[-1]["metrics"]["test_accuracy"]
        self.assertGreater(linear, 0.8)
        self.assertLess(linear, 0.95)
        lenet = events(self.train("digits-lenet"))[-1]["metrics"]["test_accuracy"]
        self.assertGreaterEqual(lenet, 0.98)

    def test_a_drawing_needs_no_finished_network(self):
        project = json.loads(read(self.example("spirals")))
        project["wires"] = project["wires"][:2]
        write(os.path.join(self.folder, "half.wiregrad"), json.dumps(project))
        picture = os.path.join(self.folder, "half.svg")
        done = run("export", os.path.join(self.folder, "half.wiregrad"), "--to", "svg", "-o", picture)
        self.assertEqual(done.returncode, 0, done.stderr)
        texts = ["".join(e.itertext()) for e in xml.etree.ElementTree.parse(picture).iter() if e.tag.endswith("text")]
        for label in ("Linear", "Tanh", "BCEWithLogitsLoss"):
            self.assertTrue(any(label in text for text in texts), texts)

    def test_same_seed_same_bits_another_seed_another_curve(self):
        first = losses(self.train("spirals", "--steps", 50, "--seed", 7))
        self.assertEqual(first, losses(self.train("spirals", "--steps", 50, "--seed", 7)))
        self.assertNotEqual(first, losses(self.train("spirals", "--steps", 50, "--seed", 8)))

    def test_interrupted_and_resumed_equals_straight(self):
        straight = dict(losses(self.train("digits-lenet", "--steps", 60, "--threads", 1, "--set", "digits.samples=2000")))
        os.remove(os.path.join(self.folder, "digits-lenet.checkpoint.h5"))
        for how in (signal.SIGINT, signal.SIGKILL):
            arguments = ["train", self.example("digits-lenet"), "--json", "--threads", "1", "--set", "digits.samples=2000"]
            process = subprocess.Popen([BINARY, *arguments, "--epochs", "50"], stdout=subprocess.PIPE, text=True)
            seen = {}
            for line in process.stdout:
                event = json.loads(line)
                if event["event"] == "step":
                    seen[event["step"]] = event["loss"]
                # Killed in the second epoch: the first one's checkpoint is there; interrupted anywhere.
                if event["event"] == "step" and (event["epoch"] == 2 if how == signal.SIGKILL else event["step"] == 20):
                    process.send_signal(how)
                    break
            rest = process.communicate(timeout=60)[0]
            seen.update((e["step"], e["loss"]) for e in map(json.loads, filter(lambda l: l.endswith("}"), rest.splitlines())) if e["event"] == "step")
            if how == signal.SIGINT:
                self.assertEqual(process.returncode, 0)
            resumed = run(*arguments, "--steps", "60", "--epochs", "50", "--resume")
            self.assertEqual(resumed.returncode, 0, resumed.stderr)
            seen.update(losses(resumed))
            self.assertEqual({s: seen[s] for s in straight}, straight)
            os.remove(os.path.join(self.folder, "digits-lenet.checkpoint.h5"))

    def test_a_limit_of_threads_is_kept(self):
        done = run("train", self.example("digits-lenet"), "--steps", "3", "--threads", "2", "--set", "digits.samples=2000",
                   env={"OMP_THREAD_LIMIT": "1"})
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_set_changes_a_parameter_for_one_call(self):
        before = read(self.example("digits-mlp"))
        done = run("info", self.example("digits-mlp"), "--json", "--set", "digits.samples=100")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(read(self.example("digits-mlp")), before)

    def test_a_project_of_any_name_finds_its_weights(self):
        for name in ("my net.json", b"caf\xe9.wiregrad"):
            path = os.path.join(os.fsencode(self.folder), os.fsencode(name))
            shutil.copy(os.path.join(EXAMPLES, "iris.wiregrad"), path)
            done = subprocess.run([BINARY, "train", path, "--steps", "3", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json.loads(done.stdout.splitlines()[-1])["steps"], 3)
            done = subprocess.run([BINARY, "eval", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_data_moves_with_its_project(self):
        write(os.path.join(self.folder, "points.csv"), "".join(f"{i % 7},{i % 5},{i % 2}\n" for i in range(40)))
        project = json.loads(read(self.example("spirals")))
        dataset = next(n for n in project["nodes"] if n["type"] == "Dataset")
        dataset["params"]["path"] = "points.csv"
        path = os.path.join(self.folder, "relative.wiregrad")
        write(path, json.dumps(project))
        done = run("info", path, "--json", cwd="/")
        self.assertTrue(events(done)[-1]["runnable"], done.stdout)

    def test_interrupted_before_the_first_step_keeps_what_is_there(self):
        self.train("digits-mlp", "--steps", 2, "--set", "digits.samples=200")
        weights = os.path.join(self.folder, "digits-mlp.weights.h5")
        before = read(weights, "rb")
        process = subprocess.Popen([BINARY, "train", self.example("digits-mlp"), "--set", "digits.samples=2000000"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1, said)
        self.assertIn("cancelled", said)
        self.assertEqual(read(weights, "rb"), before)

    def test_a_checkpoint_that_cannot_be_written_is_told(self):
        os.mkdir(os.path.join(self.folder, "iris.checkpoint.h5"))
        done = self.train("iris", "--steps", 10)
        warnings = [e for e in events(done) if e["event"] == "warning"]
        self.assertTrue(warnings and "iris.checkpoint.h5" in warnings[-1]["text"], done.stdout)
        last = events(done)[-1]
        self.assertIn("iris.checkpoint.h5", last["checkpoint_error"])
        self.assertNotIn("checkpoint", last)
        done = run("train", self.example("iris"), "--steps", 10)
        self.assertEqual(done.returncode, 0)
        self.assertIn("iris.checkpoint.h5", done.stderr)

    # --- the other commands

    def test_info_counts_lenet(self):
        total = events(run("info", self.example("digits-lenet"), "--json"))[-1]
        self.assertEqual(total["weights"], 61706)
        self.assertTrue(total["runnable"])

    def test_a_recorded_step_is_printed_and_trains(self):
        done = run("info", self.example("digits-mlp"), "--program")
        self.assertIn("A training step:", done.stdout)
        lines = events(run("info", self.example("digits-mlp"), "--program", "--pass", "none", "--json"))
        self.assertEqual(lines[0]["event"], "step")
        self.assertEqual(len(lines), 1 + lines[0]["instructions"])
        self.refused(run("info", self.example("digits-mlp"), "--pass", "nonsense"), "simplify")
        timed = events(run("info", self.example("digits-mlp"), "--time", "--threads", 1, "--json"))
        self.assertGreater(sum(line["ms"] for line in timed[1:]), 0)
        self.assertIn("together", run("info", self.example("digits-mlp"), "--time").stdout)
        few = ["--steps", 5, "--threads", 1, "--set", "digits.samples=2000"]
        eager, recorded = (losses(self.train("digits-mlp", *few, *more)) for more in (["--no-program"], []))
        self.assertEqual(len(eager), len(recorded))
        slow = [e for e in events(self.train("digits-mlp", *few, "--set", "adam1.accumulate=2")) if e["event"] == "op_by_op"]
        self.assertEqual(len(slow), 1)
        self.assertIn("accumulated", slow[0]["reason"])
        for (_, a), (_, b) in zip(eager, recorded):
            self.assertAlmostEqual(a, b, delta=1e-4)

    def test_check_says_what_is_wrong_and_how_to_mend_it(self):
        self.assertEqual(run("check", self.example("digits-lenet")).returncode, 0)
        path = self.example("digits-lenet")
        broken = os.path.join(self.folder, "broken.wiregrad")
        project = json.loads(read(path))
        project["wires"] = [w for w in project["wires"] if "flatten" not in json.dumps(w)]
        write(broken, json.dumps(project))
        done = run("check", broken, "--json")
        self.assertEqual(done.returncode, 1)
        problems = [e for e in events(done) if e["event"] == "problem"]
        self.assertTrue(any(p["severity"] == "error" and p["node"] and p["text"] for p in problems))
        self.refused(run("train", broken), status=2)

    def test_catalogues(self):
        nodes = events(run("nodes", "--json"))
        self.assertGreaterEqual(len(nodes), 40)
        conv = next(n for n in nodes if n["type"] == "Conv2d")
        self.assertEqual({p["id"]: p["default"] for p in conv["params"]}["bias"], True)
        listed = events(run("datasets", "--json"))
        self.assertIn("digits", [s.get("source") for s in listed])
        self.assertIn("mnist", [s.get("download") for s in listed])
        self.assertEqual(run("nodes").returncode, 0)
        self.assertEqual(run("datasets").returncode, 0)

    def test_bench_prints_its_contract(self):
        for mode in ([], ["--infer"]):
            line = events(run("bench", "--model", "digits-lenet", "--steps", 10, "--json", *mode))[-1]
            self.assertEqual((line["model"], line["batch"], line["device"], line["threads"]), ("digits-lenet", 64, "cpu", 1))
            self.assertEqual(line["mode"], "infer" if mode else "train")
            self.assertGreater(line["ms_per_step_median"], 0)
            self.assertGreaterEqual(line["steps"], 10)
            self.assertGreater(line["peak_rss_mb"], 1)
        busy = events(run("bench", "--model", "spirals", "--steps", 5, "--cpu-time", "--no-program", "--json"))
        self.assertGreater(busy[0]["ms_per_step_median"], 0)

    def test_predict_reads_rows_arrays_and_pictures(self):
        self.train("iris")
        done = run("predict", self.example("iris"), "--input", "5.1,3.5,1.4,0.2", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        best = events(done)[-1]["classes"][0]
        self.assertEqual(best["index"], 0)
        self.assertIn("setosa", best["class"].lower())
        self.refused_predict("iris", "5.1,3.5", "2 numbers", "4")
        self.refused_predict("iris", "no-such-file.png", "no-such-file.png")
        path = os.path.join(self.folder, "x.npy")
        with open(path, "wb") as f:
            header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }"
            header += " " * (117 - len(header)) + "\n"
            f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack("<8f", 5.1, 3.5, 1.4, .2, 6.7, 3.0, 5.2, 2.3))
        rows = events(run("predict", self.example("iris"), "--input", path, "--json"))
        self.assertEqual([r["classes"][0]["index"] for r in rows], [0, 2])

    def test_predict_takes_pictures_as_arrays_and_long_rows(self):
        self.train("digits-mlp", "--steps", 2, "--set", "digits.samples=200")
        pixels = [(i * 37 + i // 28) % 256 for i in range(784)]

        def answer(what):
            done = run("predict", self.example("digits-mlp"), "--input", what, "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            return [c["probability"] for c in events(done)[-1]["classes"]]

        path = os.path.join(self.folder, "x.npy")
        header = "{'descr': '|u1', 'fortran_order': False, 'shape': (28, 28), }"
        header += " " * (117 - len(header)) + "\n"
        write(path, b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(pixels))
        as_bytes, as_row = answer(path), answer(",".join(str(p / 255) for p in pixels))
        for a, b in zip(as_bytes, as_row):
            self.assertAlmostEqual(a, b, places=5)

    def refused_predict(self, name, value, *words):
        done = run("predict", self.example(name), "--input", value)
        self.assertEqual(done.returncode, 2)
        for word in words:
            self.assertIn(word, done.stderr)

    # --- bad usage, bad input

    def test_usage(self):
        self.refused(run())
        self.refused(run("fly"))
        self.refused(run("train"))
        self.refused(run("train", self.example("iris"), "--epochs", "-3"))
        self.refused(run("train", self.example("iris"), "--epochs", "many"))
        self.refused(run("train", self.example("iris"), "--device", "tpu"))
        self.assertEqual(run("--help").returncode, 0)
        self.assertEqual(run("train", "--help").returncode, 0)
        self.assertIn("wiregrad", run("--version").stdout)

    def test_file_may_follow_options(self):
        self.assertEqual(run("info", "--set", "adam1.lr=0.01", self.example("iris"), "--json").returncode, 0)
        self.assertEqual(run("info", self.example("iris"), "--set", "adam1.lr=0.01", "--set", "adam1.beta1=0.8").returncode, 0)

    def test_bad_set_and_data(self):
        iris = self.example("iris")
        self.refused(run("train", iris, "--set", "nonsense"), "NODE.PARAM=VALUE")
        self.refused(run("train", iris, "--set", "nobody.lr=1"), "nobody")
        self.refused(run("train", iris, "--data", "nobody=/tmp"), "nobody")
        dataset = next(e["node"] for e in events(run("info", iris, "--json")) if e.get("type") == "Dataset")
        self.refused(run("train", iris, "--set", dataset + ".colour=red"), "colour")
        self.refused(run("train", iris, "--set", dataset + ".validation_fraction=7"), "validation_fraction", "7")
        self.refused(run("train", iris, "--data", dataset + "=/no/such/place"), "/no/such/place")
        self.refused(run("train", iris, "--data", dataset + "=" + self.folder), dataset)

    def test_broken_projects(self):
        self.refused(run("train", os.path.join(self.folder, "missing.wiregrad")), "missing.wiregrad")
        path = os.path.join(self.folder, "x.wiregrad")
        whole = read(self.example("digits-lenet"))
        for text in ("", "{", "[]", "null", "\x00\x01\x02", whole[:len(whole) // 2], "[" * 100000, whole.replace('"format_version": 1', '"format_version": 99')):
            write(path, text)
            self.refused(run("info", path), "x.wiregrad")

    def test_broken_weights(self):
        self.train("iris", "--steps", 3)
        path = os.path.join(self.folder, "iris.weights.h5")
        whole = read(path, "rb")
        for content in (b"", b"no weights", whole[:len(whole) // 2]):
            write(path, content)
            done = run("eval", self.example("iris"))
            self.assertEqual(done.returncode, 2)
            self.assertIn("iris.weights.h5", done.stderr)
        write(path, whole)
        done = run("eval", self.example("spirals"), "--weights", path)
        self.assertEqual(done.returncode, 2)
        self.assertIn("does not fit", done.stderr)

    @unittest.skipIf("ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ, "a sanitizer needs the address space")
    def test_out_of_memory_is_a_sentence(self):
        layer = next(e["node"] for e in events(run("info", self.example("digits-mlp"), "--json")) if e.get("type") == "Linear")
        limited = subprocess.run(["bash", "-c", 'ulimit -v 4000000; exec "$@"', "-", BINARY, "train", self.example("digits-mlp"), "--set",
                                  layer + ".out_features=1000000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600)
        self.refused(limited, "memory", status=1)

    def test_downloads_only_what_is_known_and_says_when_there_is_no_network(self):
        self.refused(run("datasets", "--download", "everything"), "mnist")
        done = run("datasets", "--download", "mnist", "--to", os.path.join(self.folder, "m"), "--from", "http://127.0.0.1:9/")
        self.refused(done, "127.0.0.1", status=1)

    def test_nothing_to_resume(self):
        self.refused(run("train", self.example("iris"), "--resume"), "checkpoint")

    def test_resuming_with_other_settings_is_refused(self):
        arguments = ["train", self.example("iris"), "--steps", "5"]
        self.assertEqual(run(*arguments).returncode, 0)
        optimizer = next(e["node"] for e in events(run("info", self.example("iris"), "--json")) if e.get("type") in ("SGD", "Adam", "AdamW"))
        other = run(*arguments, "--resume", "--set", optimizer + ".lr=0.5")
        self.assertNotEqual(other.returncode, 0)
        self.assertIn(optimizer + ".lr", other.stderr)
        self.assertEqual(run(*arguments, "--resume").returncode, 0)

    def test_unwritable_folder_is_refused_before_the_run(self):
        blocked = os.path.join(self.folder, "file")
        write(blocked, "")
        started = time.time()
        self.refused(run("train", self.example("digits-lenet"), "--out", os.path.join(blocked, "out")), "--out")
        self.assertLess(time.time() - started, 30)

    def test_diverging_run_fails_with_step_and_node(self):
        optimizer = next(e["node"] for e in events(run("info", self.example("digits-lenet"), "--json")) if e.get("type") in ("SGD", "Adam", "AdamW"))
        done = run("train", self.example("digits-lenet"), "--json", "--set", optimizer + ".lr=1000")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("step", done.stderr)
        last = events(done)[-1]
        self.assertEqual(last["state"], "failed")
        self.assertTrue(last["node"])

    def test_no_qt_in_the_command_line(self):
        linked = subprocess.run(["ldd", BINARY], stdout=subprocess.PIPE, text=True).stdout
        self.assertNotIn("Qt6", linked)
        self.assertNotIn("libX11", linked)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=1)
