"""Work on a cluster of two processes on 127.0.0.1: the same bytes, whoever dies on the way."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("distributed", reason='needs dask.distributed: pip install "cuts-segmentation[cluster]"')
pytest.importorskip("zarr", reason="needs zarr")

import skimage.data
import zarr
from distributed import Client

from cuts.config.settings import Config
from cuts.io.pyramids import LabelPyramid
from cuts.runs.cluster import ClusterError, check_workers, connected, spread, using
from cuts.runs.in_pieces import segment_large
from cuts.runs.steps import segment_run

HERE = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent)}
PATIENCE = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}  # workers that a piece may take with it, and one more
CUTS = Path(sys.executable).parent / "cuts"


def dask(command: str, *options, folder: Path) -> subprocess.Popen:
    "A scheduler or a worker as a process of its own."
    log = open(folder / f"{command}.log", "ab")  # noqa: SIM115 (the process holds it)
    arguments = [sys.executable, "-m", "dask", command, *map(str, options)]
    return subprocess.Popen(
        arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder, env=HERE | PATIENCE
    )


class Cluster:
    "A scheduler and workers of one thread each, as processes that can be killed."

    def __init__(self, folder: Path):
        self.folder, self.file, self.processes = folder, folder / "scheduler.json", []
        address = ["--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0"]
        self.scheduler = dask("scheduler", *address, "--scheduler-file", self.file, folder=folder)
        self.processes.append(self.scheduler)
        patience = time.monotonic() + 120
        while not self.file.exists() or not self.file.read_text():
            assert time.monotonic() < patience, (folder / "scheduler.log").read_text()
            time.sleep(0.1)

    @property
    def address(self) -> str:
        return json.loads(self.file.read_text())["address"]

    def add(self, *options) -> subprocess.Popen:
        "One more worker."
        alone = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", self.folder]
        worker = dask(
            "worker", "--scheduler-file", self.file, "--host", "127.0.0.1", *alone, *options, folder=self.folder
        )
        self.processes.append(worker)
        return worker

    @contextmanager
    def client(self, n: int):
        "A client, once `n` workers are there."
        with Client(self.address, timeout=60) as client:
            client.wait_for_workers(n, timeout=120)
            yield client


@contextmanager
def cluster(folder: Path, n: int):
    "A cluster of `n` workers, which ends with the test."
    folder.mkdir(exist_ok=True)
    made = Cluster(folder)
    try:
        for _ in range(n):
            made.add()
        yield made
    finally:
        for process in made.processes:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    "Two workers that nobody kills."
    with cluster(tmp_path_factory.mktemp("two"), 2) as made, made.client(2) as client:
        yield made, client


@pytest.fixture(scope="module")
def eye(tmp_path_factory):
    "A photograph in chunks, and its segmentation without a cluster."
    folder = tmp_path_factory.mktemp("eye")
    zarr.create_array(folder / "eye.zarr", data=skimage.data.retina()[300:1100, 300:1100], chunks=(256, 256, 3))
    segmented(folder / "eye.zarr", folder / "alone.zarr")
    return folder


def segmented(source, out):
    "The large image in pieces of 128 pixels: fortynine of them."
    return segment_large(source, out, None, Config(), chunk=128, progress=False)


def files(folder) -> dict[str, bytes]:
    "Every file and what is in it."
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(Path(folder).rglob("*")) if p.is_file()}


@contextmanager
def when_begun(out: Path, act, after: int = 8):
    "Do something when a number of pieces are labelled; the test fails if it never comes to that."
    stop, acted = threading.Event(), []

    def watch():
        while not stop.is_set():
            if len(list((out / "labels" / "leaves" / "0" / "c").glob("*/*"))) >= after:
                act()
                acted.append(True)
                return
            time.sleep(0.005)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert acted, "all was done before anything could be disturbed"


@contextmanager
def counted():
    "How often each piece of the finest level was written."
    written, write = [], LabelPyramid.write

    def counting(self, where, labels, level=0):
        if level == 0 and self.folder.name == "leaves":
            written.append((where[0].start, where[1].start))
        write(self, where, labels, level)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LabelPyramid, "write", counting)
        yield written


# The same bytes ------------------------------------------------------------------------------------------------------
def test_a_large_image_is_the_same_with_a_cluster(two, eye, tmp_path):
    with using(two[1]), counted() as written:
        assert segmented(eye / "eye.zarr", tmp_path / "on.zarr")[1].done == ["eye.zarr"]
    assert len(written) == len(set(written)) == 49
    assert files(tmp_path / "on.zarr") == files(eye / "alone.zarr")


def test_images_are_the_same_with_a_cluster(two, tmp_path):
    (tmp_path / "images").mkdir()
    for i in range(5):
        np.save(tmp_path / "images" / f"{i}.npy", np.random.default_rng(i).random((40, 50)))
    (tmp_path / "images" / "broken.npy").write_bytes(b"nothing")
    reports = []
    for name, client in (("alone", None), ("on", two[1])):
        with using(client):
            reports.append(segment_run(tmp_path / "images", tmp_path / name, progress=False))
    assert reports[0] == reports[1]
    assert sorted(reports[1].done) == [f"{i}.npy" for i in range(5)]
    alone, on = ({k: v for k, v in files(tmp_path / name).items() if k != ".lock"} for name in ("alone", "on"))
    assert alone == on


def test_the_command_line_takes_an_address_or_starts_workers(two, tmp_path):
    (tmp_path / "images").mkdir()
    for i in range(3):
        np.save(tmp_path / "images" / f"{i}.npy", np.random.default_rng(i).random((40, 50)))
    made = {}
    for name, options in (("alone", ()), ("address", ("--scheduler", two[0].address)), ("here", ("--n-workers", "2"))):
        command = [CUTS, "segment", tmp_path / "images", "--out", tmp_path / name, *options]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300, env=HERE)
        assert done.returncode == 0, done.stderr
        assert ("dashboard: http" in done.stdout) == bool(options), done.stdout
        made[name] = {p.name: p.read_bytes() for p in (tmp_path / name).glob("*.npz")}
    assert len(made["alone"]) == 3
    assert made["alone"] == made["address"] == made["here"]
    complaint = subprocess.run(
        [*map(str, command), "--scheduler", two[0].address], capture_output=True, text=True, timeout=300
    )
    assert complaint.returncode == 2
    assert "not both" in complaint.stderr


# Disturbed -----------------------------------------------------------------------------------------------------------
def test_a_worker_that_dies_loses_nothing(eye, tmp_path):
    "Its pieces are done elsewhere, none of them twice."
    out = tmp_path / "out.zarr"
    with cluster(tmp_path / "dask", 2) as made, made.client(2) as client, counted() as written:
        with using(client), when_begun(out, made.processes[1].kill):
            assert segmented(eye / "eye.zarr", out)[1].failures == {}
        assert len(client.scheduler_info(n_workers=-1)["workers"]) == 1
    assert len(written) == len(set(written)) == 49
    assert files(out) == files(eye / "alone.zarr")


def test_without_its_scheduler_a_run_ends_and_is_taken_up_again(eye, tmp_path):
    out = tmp_path / "out.zarr"
    with cluster(tmp_path / "dask", 2) as made, ExitStack() as stack:
        client = stack.enter_context(made.client(2))
        with (
            using(client),
            when_begun(out, made.scheduler.kill),
            pytest.raises(ClusterError, match="is lost.*run the same"),
        ):
            segmented(eye / "eye.zarr", out)
    assert not (out / "overview.npz").exists()
    with counted() as written:
        assert segmented(eye / "eye.zarr", out)[1].done == ["eye.zarr"]
    assert 0 < len(written) < 49
    assert files(out) == files(eye / "alone.zarr")


def test_killed_and_resumed(eye, tmp_path):
    "The process itself is killed, more than once, wherever it happens to be."
    out, code = (
        tmp_path / "out.zarr",
        (
            "import sys; from cuts.runs.in_pieces import segment_large; from cuts.config.settings import Config; "
            "segment_large(sys.argv[1], sys.argv[2], None, Config(), chunk=128, progress=False)"
        ),
    )
    for after in (2, 15, 30):
        process = subprocess.Popen([sys.executable, "-c", code, str(eye / "eye.zarr"), str(out)], env=HERE)
        with when_begun(out, process.kill, after):
            process.wait(timeout=300)
        assert process.returncode == -signal.SIGKILL
    (out / "labels" / "leaves" / "0" / "c" / "0" / "0.f00.partial").write_bytes(b"half a chunk")
    assert segmented(eye / "eye.zarr", out)[1].done == ["eye.zarr"]
    assert files(out) == files(eye / "alone.zarr")


def ends_its_worker(item, offset):
    if item == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return item + offset


def test_a_piece_that_kills_is_given_up(tmp_path):
    "It takes two workers with it, and the others are done."
    with cluster(tmp_path / "dask", 6) as made, made.client(6) as client:
        results = list(spread(ends_its_worker, range(6), 10, client=client))
    assert [r for r in results if not isinstance(r, Exception)] == [10, 11, 13, 14, 15]
    assert "the workers that had it died" in str(results[2])


# Workers that do not fit ---------------------------------------------------------------------------------------------
def test_a_worker_without_the_data_says_so(two, eye, tmp_path, monkeypatch):
    monkeypatch.chdir(eye)  # where the workers are not
    with (
        using(two[1]),
        pytest.raises(ClusterError, match=r"127.0.0.1:\d+.*no such file there: /proc/self/cwd/eye.zarr"),
    ):
        segmented("/proc/self/cwd/eye.zarr", tmp_path / "out.zarr")


def test_a_worker_of_another_version_is_named(tmp_path):
    with cluster(tmp_path / "dask", 1) as made:
        made.add("--preload", "import cuts; cuts.__version__ = '0.0.1'")
        with made.client(2) as client, pytest.raises(ClusterError, match=r"127.0.0.1:\d+: cuts 0.0.1, but here is"):
            check_workers(client)


def test_a_cluster_without_workers(tmp_path):
    with (
        cluster(tmp_path / "dask", 0) as made,
        Client(made.address) as client,
        pytest.raises(ClusterError, match="no worker came within 1 s"),
    ):
        check_workers(client, wait=1)


# What is left afterwards ---------------------------------------------------------------------------------------------
QUIET = "DASK_LOGGING__DISTRIBUTED"


@pytest.mark.parametrize("before", [None, "info"])
def test_the_environment_is_as_it_was(two, monkeypatch, before):
    "Also where no scheduler answers. Inside, workers that are started are told to be quiet."
    monkeypatch.delenv(QUIET, raising=False)
    if before is not None:
        monkeypatch.setenv(QUIET, before)
    with connected(two[0].address):
        assert os.environ[QUIET] == (before or "critical")
    assert os.environ.get(QUIET) == before
    with pytest.raises(ClusterError, match="no scheduler answered"), connected("tcp://127.0.0.1:1", wait=1):
        pass
    assert os.environ.get(QUIET) == before
