"The command `cuts` on many images: odd names, bad files, what stays after faults, streams and signals."

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from command_line import MAIN, TINY, contents, cuts, picture, segmentations, snapshot

from cuts.stage1.model import read_tensors


# Batches -------------------------------------------------------------------------------------------------------------
def test_odd_names_a_bad_file_and_a_second_run(empty_folder):
    names = ["eye 1.png", "Ängström-眼.PNG", "-dash.png", "--help.png", "a/01.png", "b/01.png", "01.png", "#%&$.png"]
    folder, segmented, figures = Path("-odd folder"), Path("out/seed-1/segmentations"), Path("out/figures")
    for seed, name in enumerate(names):
        picture(folder / name, seed, (32 + seed, 34))
    (folder / ".hidden.png").write_bytes(b"no picture")
    (folder / "cut.png").write_bytes((folder / "01.png").read_bytes()[:200])
    args = ["run", "--out", "out", *TINY, "--", "-odd folder"]
    status, text = cuts(*args)
    assert status == 1
    assert "cut.png" in text.split("failed")[-1]
    assert ".hidden" not in text
    results = list(segmented.rglob("*.npz"))
    assert len(results) == len(names)
    assert len({p.name.lower() + str(p.parent) for p in results}) == len(names)
    assert len(list(figures.rglob("*.png"))) == len(names)
    (folder / "cut.png").unlink()
    before = snapshot(segmented) | snapshot(figures)
    status, text = cuts(*args)
    assert status == 0
    assert "Nothing to do" in text
    assert before == snapshot(segmented) | snapshot(figures)


def test_names_that_are_no_text(empty_folder):
    name = os.fsdecode(b"gr\xfc\xdfe.png")
    try:
        picture(Path("images") / name)
    except (OSError, ValueError):
        pytest.skip("this file system takes only valid names")
    (Path("images") / os.fsdecode(b"b\xf6se.png")).write_bytes(b"no picture")
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([*MAIN, "segment", "images", "--out", "out", *TINY], capture_output=True, env=env)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"b\\udcf6se.png" in done.stderr
    assert len(list(Path("out").glob("*.npz"))) == 1


def test_vectors_of_names_that_are_no_text(empty_folder, trained_run):
    name = os.fsdecode(b"gr\xfc.png")
    try:
        picture(Path("images") / name)
    except (OSError, ValueError):
        pytest.skip("this file system takes only valid names")
    assert cuts("embed", "images", "--run", trained_run, "--out", "out")[0] == 0
    assert b"\ngr\xfc.png," in Path("out/losses.csv").read_bytes()


def test_figures_keep_names_apart(empty_folder):
    for name in ("a.png", "a.tif.png", "b.PNG"):
        picture(Path("in") / name)
    tifffile.imwrite("in/a.tif", np.random.default_rng(0).integers(0, 99, (32, 32, 3), dtype=np.uint8))
    assert cuts("run", "in", "--out", "out", *TINY)[0] == 0
    assert len({p.name.lower() for p in Path("out/figures").glob("*.png")}) == 4


def test_many_names_as_a_shell_gives_them(empty_folder, two_images, trained_run):
    status, text = cuts("segment", two_images / "0.png", two_images / "1.png", "--run", trained_run, "--out", "out")
    assert status == 0
    assert sorted(p.name for p in Path("out").glob("*.npz")) == ["0.png.npz", "1.png.npz"]
    assert cuts("segment", str(two_images / "*.png"), "--run", trained_run, "--out", "globbed")[0] == 0
    assert sorted(p.name for p in Path("globbed").glob("*.npz")) == ["0.png.npz", "1.png.npz"]


def test_truncated_result_is_made_again(empty_folder, two_images, trained_run):
    args = ["segment", two_images, "--run", trained_run, "--out", "out"]
    assert cuts(*args)[0] == 0
    first, second = sorted(Path("out").glob("*.npz"))
    content, stamp = first.read_bytes(), second.stat().st_mtime_ns
    first.write_bytes(content[: len(content) // 2])
    status, text = cuts(*args)
    assert status == 0
    assert "1 image done, 1 whole already" in text
    assert first.read_bytes() == content
    assert second.stat().st_mtime_ns == stamp


def test_two_workers_make_the_same_bytes(empty_folder, two_images, trained_run):
    for n in (1, 2):
        assert cuts("segment", two_images, "--run", trained_run, "--out", f"jobs-{n}", "-j", n)[0] == 0
    one, two = (segmentations(Path(f"jobs-{n}")) for n in (1, 2))
    assert one == two
    assert len(one) == 2


def test_a_broken_file_is_explained_once(empty_folder):
    picture(Path("in/a.png"))
    Path("in/broken.png").write_bytes(b"no picture")
    for flags in ([], ["-q"]):
        status, text = cuts("run", "in", "--out", "out", *TINY, *flags)
        assert status == 1
        assert text.count("neither PNG, JPEG, BMP") == 1
        assert "1 failed, the others are done" in text
        assert "broken.png" in text.splitlines()[-1]


def test_results_among_the_images_are_no_images(empty_folder):
    for i in range(2):
        picture(Path(f"in/{i}.png"), i)
    assert cuts("run", "in", "--out", "in/out", *TINY)[0] == 0
    before = contents(Path("in/out"))
    assert "Nothing to do" in cuts("run", "in", "--out", "in/out", *TINY)[1]
    assert contents(Path("in/out")) == before
    assert cuts("info", "in")[1].startswith("in: 2 images")
    assert "in/out: results, not images" in cuts("info", "in/out")[1]
    status, text = cuts("evaluate", "in/out", "--out", "scores")
    assert status == 0
    assert "--labels" in text
    for image in ("1", "1.png"):
        assert cuts("figure", "in/out", "--out", f"figure-{image}.png", "--images", image)[0] == 0


@pytest.mark.parametrize("place", [".", "in", "in/scores"])
def test_scores_among_images_are_no_images(empty_folder, two_images, place):
    shutil.copytree(two_images, "in")
    assert cuts("run", "in", "--out", "res", "--methods", "otsu", *TINY)[0] == 0
    assert cuts("evaluate", "res", "--out", place)[0] == 0
    assert Path(place, "boxes.png").is_file()
    assert cuts("info", "in")[1].startswith("in: 2 images")
    assert cuts("run", "in", "--out", place, "--methods", "otsu", *TINY)[0] == 0
    assert cuts("info", "in")[1].startswith("in: 2 images")


# Streams and signals -------------------------------------------------------------------------------------------------
def test_quiet_says_nothing_on_the_error_stream(empty_folder, two_images, trained_run):
    command = [*MAIN, "segment", str(two_images), "--run", str(trained_run), "--out", "out", "-q"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr == ""


WITH_A_CHECKPOINT_AN_EPOCH = """
from functools import partial
from cuts.cli.command import main
from cuts.runs import steps
steps.train = partial(steps.train, every=0)
main()
"""


def test_interrupt(empty_folder, two_images):
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    train = ["train", str(two_images), "--out", "run", *TINY, "--epochs", "100000"]
    args = [*MAIN[:-1], WITH_A_CHECKPOINT_AN_EPOCH, *train]
    process = subprocess.Popen(args, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        until = time.time() + 60
        while not Path("run/checkpoint.safetensors").exists() and process.poll() is None and time.time() < until:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        start = time.time()
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()  # nothing trains on behind a failed test
    assert process.returncode == 130
    assert time.time() - start < 15  # a second or two where nothing else runs
    assert "stopped" in err
    assert "in run" in err
    assert "Traceback" not in err
    assert Path("run/checkpoint.safetensors").is_file()
    assert not Path("run/model.safetensors").exists()


TOLD_TO_END_IN_THE_FOURTH_EPOCH = """
import os, signal
from cuts.cli.command import main
from cuts.stage1.training import Trainer

run_epoch = Trainer.run_epoch

def be_told(self, batches):  # as torchrun and clusters tell: the processes that read images too, and twice
    if self.epoch == 3:
        os.killpg(os.getpgid(0), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
    run_epoch(self, batches)

Trainer.run_epoch = be_told
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there SIGTERM ends a process on the spot")
def test_told_to_end(empty_folder, two_images):
    "A cluster's SIGTERM costs no whole epoch, though the last checkpoint is minutes old, and the process dies by it."
    train = ["train", str(two_images), "--out", "run", *TINY, "--epochs", "6", "--set", "num_workers=1"]
    command = [*MAIN[:-1], TOLD_TO_END_IN_THE_FOURTH_EPOCH, *train]
    done = subprocess.run(command, capture_output=True, timeout=120, start_new_session=True)
    assert done.returncode == -signal.SIGTERM, done.stderr.decode()
    assert read_tensors("run/checkpoint.safetensors", "cuts checkpoint 1")[1]["epoch"] == 3
    assert not Path("run/model.safetensors").exists()
