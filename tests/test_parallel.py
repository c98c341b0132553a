"""Two processes do what one does."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

THREADS_LEFT = """
import atexit, os, sys
from pathlib import Path

def note_threads():  # registered first, so called last: threads that outlive their group are ended by an abort
    tasks = Path("/proc/self/task")
    if tasks.exists():
        names = [path.read_text() for path in tasks.glob("*/comm")]
        Path(f"{sys.argv[1]}.left{os.environ.get('RANK', 0)}").write_text("\\n".join(names))

atexit.register(note_threads)
"""

SCRIPT = f"""{THREADS_LEFT}
import cuts, numpy as np
from cuts.config.settings import Config
from cuts.data.phantoms import phantoms
from cuts.stage1.parallel import one_world
from cuts.stage1.training import Trainer

images = phantoms("nested", 6, (40, 40))
settings = dict(epochs=4, batch_size=5, min_batches=2, n_anchors=8, crop=16, precision="float32", device="cpu")
trainer = Trainer(images, Config().replace(**settings), one_world("cpu"))

def keep_gradients():  # of the first step, instead of the step
    trainer.optimizer.step = lambda: None
    if trainer.world.rank == 0:
        gradients = {{k: p.grad.numpy().copy() for k, p in trainer.network.named_parameters()}}
        np.savez(sys.argv[1] + ".gradients.npz", **gradients)

trainer.optimizer.step = keep_gradients
trainer.run_epoch(trainer.batches(1))
model = cuts.fit(images, **settings, out=sys.argv[1], progress=False)
assert len(model.history) == 4 and (cuts.load(sys.argv[1]).history == model.history)

def written():
    return {{p: p.stat().st_mtime_ns for p in Path(sys.argv[1]).rglob("*") if p.is_file() and p.name != ".lock"}}

before = written()
again = cuts.fit(images, **settings, out=sys.argv[1], progress=False)  # a second call finds it done
assert again.history == model.history and written() == before and len(before) > 3
cuts.fit(images, **settings | dict(epochs=1), progress=False)  # a second training in the same processes
"""

INTERRUPTED = f"""{THREADS_LEFT}
import time, cuts
from cuts.data.phantoms import phantoms
from cuts.stage1.training import Trainer

run_epoch = Trainer.run_epoch

def wait_after_three(self, batches):  # after the third epoch, say so and wait for Ctrl-C
    run_epoch(self, batches)
    if self.epoch == 3 and sys.argv[2] == "wait":
        if self.world.rank == 0:
            print("three", flush=True)
        patience = time.monotonic() + 60
        while not self.asked_to_stop and time.monotonic() < patience:
            time.sleep(.02)

Trainer.run_epoch = wait_after_three
settings = dict(epochs=6, batch_size=5, min_batches=2, n_anchors=8, crop=16, precision="float32", device="cpu")
images = phantoms("nested", 6, (40, 40))
cuts.fit(images, out=sys.argv[1], progress=False, **settings)
if sys.argv[2] == "go on":
    cuts.fit(images, out=sys.argv[1] + ".undisturbed", progress=False, **settings)
"""

KILLED = """
import os, signal, sys, cuts
from cuts.data.phantoms import phantoms
from cuts.stage1.training import Trainer

run_epoch, restarts = Trainer.run_epoch, int(os.environ["TORCHELASTIC_RESTART_COUNT"])

def die_after_three(self, batches):  # one of the processes, in the middle of the fourth epoch, once
    if self.epoch == 3 and self.world.rank == 1 and restarts == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if self.world.rank == 0:
        with open(sys.argv[1] + ".epochs", "a") as f:
            print(restarts, self.epoch, file=f)
    run_epoch(self, batches)

Trainer.run_epoch = die_after_three
settings = dict(epochs=6, batch_size=5, min_batches=2, n_anchors=8, crop=16, precision="float32", device="cpu")
cuts.fit(phantoms("nested", 6, (40, 40)), out=sys.argv[1], progress=False, **settings)
"""

CUTS = "--no-python", Path(sys.executable).parent / "cuts"
TINY = ["--epochs", "1", "--set", "crop=16", "--set", "batch_size=4", "--device", "cpu"]


def start(processes: int, *command, restarts: int = 0) -> subprocess.Popen:
    "Start a command in some processes under torchrun (0: as it is)."
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    torchrun += ["--max-restarts", str(restarts)]
    return subprocess.Popen(
        [sys.executable, *(torchrun if processes else []), *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def launch(processes: int, *command, fails: bool = False) -> str:
    "Run a command to its end: what it prints, or its complaint where it is expected to fail."
    process = start(processes, *command)
    out, err = process.communicate(timeout=300)
    assert (process.returncode != 0) == fails, err[-3000:]
    return err if fails else out


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    "The same training in one process, in two and in four."
    folder = tmp_path_factory.mktemp("parallel")
    (folder / "script.py").write_text(SCRIPT)
    for name, processes in (("one", 0), ("two", 2), ("four", 4)):
        launch(processes, folder / "script.py", folder / name)
    return folder


def save_images(folder, count=4):
    "A new folder of small images."
    folder.mkdir()
    for i in range(count):
        np.save(folder / f"{i}.npy", np.random.default_rng(i).random((24, 24)))
    return folder


def history(folder):
    return np.genfromtxt(folder / "history.csv", delimiter=",", skip_header=1)


@pytest.mark.parametrize("name", ["two", "four"])
def test_processes_give_the_loss_curve_of_one(runs, name):
    one, many = history(runs / "one"), history(runs / name)
    assert one.shape == many.shape == (4, 8)
    np.testing.assert_allclose(many, one, rtol=2e-3, atol=1e-6)
    assert not np.allclose(one[0, 2:], one[-1, 2:], rtol=0.05)  # and there is a curve to compare


@pytest.mark.parametrize("name", ["two", "four"])
def test_gradients_are_those_of_the_whole_batch(runs, name):
    # of five images, two in one process and three in the other; or one in three of them and two in the last
    one, two = (np.load(runs / f"{name}.gradients.npz") for name in ("one", name))
    assert set(one) == set(two)
    assert len(one) > 10
    for weight in one:
        if weight.startswith("encoder") and weight.endswith("0.bias"):
            continue  # normalisation takes a convolution's bias away: its gradient is rounding alone
        most = np.abs(one[weight]).max()
        np.testing.assert_allclose(two[weight], one[weight], rtol=1e-3, atol=1e-4 * most, err_msg=weight)


def test_only_one_process_speaks(tmp_path):
    "The model is shown once, and an image that cannot be read is named once, not once for each process."
    images = save_images(tmp_path / "one bad")
    (images / "broken.png").write_bytes(b"no picture")
    process = start(2, *CUTS, "train", images, "--out", tmp_path / "but one", *TINY)
    out, err = process.communicate(timeout=300)
    assert process.returncode != 0, "an image that cannot be read is no success"
    assert out.count("Model(") == 1, out
    warnings = [line for line in err.splitlines() if line.startswith("warning: ")]
    assert sum("broken.png" in line for line in warnings) == 1, err
    assert (tmp_path / "but one" / "model.safetensors").exists()


def threads_left(run):
    "Threads that outlived the group, of both processes."
    names = [name for rank in (0, 1) for name in run.with_name(f"{run.name}.left{rank}").read_text().split()]
    return [name for name in names if "gloo" in name]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are listed in /proc on Linux alone")
def test_no_thread_outlives_its_group(runs):
    assert threads_left(runs / "two") == []


def test_interrupted_together_and_resumed(tmp_path):
    "Ctrl-C stops all processes after a whole epoch, and the run that goes on is the run that was never stopped."
    (tmp_path / "interrupted.py").write_text(INTERRUPTED)
    process = start(2, tmp_path / "interrupted.py", tmp_path / "resumed", "wait")
    assert process.stdout.readline() == "three\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode
    assert not (tmp_path / "resumed" / "model.safetensors").exists()
    assert (tmp_path / "resumed" / "checkpoint.safetensors").exists()
    launch(2, tmp_path / "interrupted.py", tmp_path / "resumed", "go on")
    if Path("/proc/self/task").exists():
        assert threads_left(tmp_path / "resumed") == []
    resumed, undisturbed = (tmp_path / name / "history.csv" for name in ("resumed", "resumed.undisturbed"))
    assert resumed.read_bytes() == undisturbed.read_bytes()


def test_a_killed_process_is_replaced(tmp_path):
    "torchrun starts all anew, and they go on from the last whole epoch; the curve is that of an undisturbed training."
    (tmp_path / "killed.py").write_text(KILLED)
    process = start(2, tmp_path / "killed.py", tmp_path / "killed", restarts=1)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err[-3000:]
    epochs = [tuple(map(int, line.split())) for line in (tmp_path / "killed.epochs").read_text().splitlines()]
    assert epochs[:3] == [(0, 0), (0, 1), (0, 2)]
    assert [epoch for epoch in epochs if epoch[0]] == [(1, 3), (1, 4), (1, 5)]
    (tmp_path / "interrupted.py").write_text(INTERRUPTED)
    launch(2, tmp_path / "interrupted.py", tmp_path / "whole", "go on")
    killed, undisturbed = (tmp_path / name / "history.csv" for name in ("killed", "whole.undisturbed"))
    assert killed.read_bytes() == undisturbed.read_bytes()


def test_what_is_not_shared_is_refused(tmp_path):
    images = save_images(tmp_path / "images", 1)
    complaint = launch(2, *CUTS, "run", images, "--out", tmp_path / "refused", fails=True)
    assert "a whole run was started in 2 processes" in complaint
    assert not (tmp_path / "refused").exists()


def test_a_batch_smaller_than_the_processes_is_refused():
    from cuts.stage1.parallel import World

    with pytest.raises(ValueError, match="fewer than the 3 processes"):
        World(2, 3).part(2)
