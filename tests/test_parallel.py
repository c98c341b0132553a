"""Two processes do what one does."""
import os, subprocess, sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = """
import sys, cuts, numpy as np
from cuts.config import Config
from cuts.datasets import phantoms
from cuts.parallel import one_world
from cuts.training import Trainer
images = phantoms("nested", 6, (40, 40))
settings = dict(epochs=4, batch_size=5, min_batches=2, n_anchors=8, crop=16, precision="float32", device="cpu")
trainer = Trainer(images, Config().replace(**settings), one_world("cpu"))
def keep(): # the gradients of the first step, instead of the step
    trainer.optimizer.step = lambda: None
    if trainer.world.rank == 0: np.savez(sys.argv[1] + ".gradients.npz", **{k: p.grad.numpy().copy() for k, p in trainer.network.named_parameters()})
trainer.optimizer.step = keep
trainer.run_epoch(trainer.batches(1))
model = cuts.fit(images, **settings, out=sys.argv[1], progress=False)
assert len(model.history) == 4 and (cuts.load(sys.argv[1]).history == model.history)
cuts.fit(images, **settings | dict(epochs=1), progress=False)               # a second training in the same processes
"""


def launch(processes:int, *command) -> str:
    "Run a command in some processes that torchrun starts (0: as it is)."
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes else [sys.executable]
    done = subprocess.run([*torchrun, *map(str, command)], capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    "The same training in one process and in two."
    folder = tmp_path_factory.mktemp("parallel"); (folder / "script.py").write_text(SCRIPT)
    for name, processes in (("one", 0), ("two", 2)): launch(processes, folder / "script.py", folder / name)
    return folder


def history(folder): return np.genfromtxt(folder / "history.csv", delimiter=",", skip_header=1)


def test_two_processes_give_the_loss_curve_of_one(runs):
    one, two = history(runs / "one"), history(runs / "two")
    assert one.shape == two.shape == (4, 8)
    np.testing.assert_allclose(two, one, rtol=2e-3, atol=1e-6)
    assert not np.allclose(one[0, 2:], one[-1, 2:], rtol=.05)  # and there is a curve to compare


def test_gradients_are_those_of_the_whole_batch(runs):
    one, two = (np.load(runs / f"{name}.gradients.npz") for name in ("one", "two"))  # of five images, two in one process and three in the other
    assert set(one) == set(two) and len(one) > 10
    for name in one:
        if name.startswith("encoder") and name.endswith("0.bias"): continue  # normalisation takes a convolution's bias away: its gradient is rounding alone
        np.testing.assert_allclose(two[name], one[name], rtol=1e-3, atol=1e-4 * np.abs(one[name]).max(), err_msg=name)


def test_a_second_call_finds_it_done_and_only_one_speaks(runs):
    before = {p: p.stat().st_mtime_ns for p in (runs / "two").rglob("*") if p.is_file() and p.name != ".lock"}
    launch(2, runs / "script.py", runs / "two")
    assert {p: p.stat().st_mtime_ns for p in before} == before
    images = runs / "images"; images.mkdir()
    for i in range(4): np.save(images / f"{i}.npy", np.random.default_rng(i).random((24, 24)))
    text = launch(2, "--no-python", Path(sys.executable).parent / "cuts", "train", images, "--out", runs / "command", "--epochs", "1", "--set", "crop=16", "--set", "batch_size=4", "--device", "cpu")
    assert text.count("Model(") == 1 and (runs / "command" / "model.safetensors").exists()


def test_what_is_not_shared_is_refused(runs):
    done = subprocess.run([sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python", str(Path(sys.executable).parent / "cuts"), "run",
                           str(runs / "images"), "--out", str(runs / "refused")], capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode and "a whole run was started in 2 processes" in done.stderr and not (runs / "refused").exists()


def test_a_batch_smaller_than_the_processes_is_refused():
    from cuts.parallel import World
    with pytest.raises(ValueError, match="fewer than the 3 processes"): World(2, 3).part(2)
