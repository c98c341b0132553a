"""`cuts serve` among clients that mean no good, or whose network is bad.

The server runs in a thread of this process, so that what it keeps can be looked at; images are segmented by a function
that waits until it is told to go on."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress

import numpy as np
import pytest
from browser import SECONDS
from repository import root

from cuts.config.settings import Config
from cuts.data.fundus import fundus_phantom
from cuts.evaluate.baselines import segment_colours
from cuts.integrations import http_serving
from cuts.integrations.actions import LEASE
from cuts.integrations.inference_server import InferenceServer, Limits
from cuts.integrations.nninteractive import Session, TooMuch
from cuts.integrations.packed_arrays import pack

for package in ("tornado", "blosc2"):
    pytest.importorskip(package, reason='cuts serve needs it: pip install "cuts-segmentation[serve]"')

IMAGE = np.moveaxis(fundus_phantom((32, 32), 0)[0], -1, 0)[:, None]


class Carried:
    "A server at a port of this machine."

    def __init__(self, **limits):
        self.go, self.begun = threading.Event(), threading.Semaphore(0)
        self.server = InferenceServer(self.segment, limits=Limits(**limits))

    def segment(self, image):
        self.begun.release()
        assert self.go.wait(SECONDS)
        return segment_colours(image, 1.0, Config())

    async def run(self, sockets, started):
        self.loop, self.task = asyncio.get_running_loop(), asyncio.current_task()
        with suppress(asyncio.CancelledError):
            await http_serving._run(self.server, sockets, started)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), SECONDS)

    def send(self, path, body=b"", token="", length=None, method="POST"):
        "A connection on which a request was sent."
        connection = self.connect()
        length = len(body) if length is None else length
        lines = [f"{method} {path} HTTP/1.1", "Host: x", f"{LEASE}: {token}", f"Content-Length: {length}"]
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)
        return connection

    def ask(self, *args, **options):
        "The status of a reply, and what it tells."
        with self.send(*args, **options) as connection:
            return answer_of(connection)

    def claim(self):
        return self.ask("/claim")[1]["lease_token"]


def answer_of(connection):
    "The status of a reply, and what it tells."
    head, _, body = b"".join(iter(lambda: connection.recv(2**16), b"")).partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body) if b"application/json" in head else body


@contextmanager
def carried(**limits):
    it, started = Carried(**limits), threading.Event()
    sockets = http_serving._listen("127.0.0.1", 0)
    it.port = sockets[0].getsockname()[1]
    thread = threading.Thread(target=lambda: asyncio.run(it.run(sockets, started.set)))
    thread.start()
    try:
        assert started.wait(SECONDS)
        yield it
    finally:
        it.go.set()
        it.loop.call_soon_threadsafe(it.task.cancel)
        thread.join(SECONDS)


def wait_until(what):
    deadline = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def kept(calls):
    "Bytes of bodies that are kept for some requests."
    return sum(len(call.body) for call in calls)


# Bodies that are too long --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["/healthz", "/capabilities"])
@pytest.mark.parametrize("length", ["1", "0" * 20 + "209715200", "209715200", "0" * 5000])
def test_no_body_is_read_where_none_belongs(path, length):
    "Else whoever reaches the port could fill the memory, without a key."
    with carried() as it:
        assert it.ask(path, length=length, method="GET")[0] == 413
        assert it.ask(path, method="GET")[0] == 200


# Clients that hang up ------------------------------------------------------------------------------------------------
def test_who_hangs_up_does_not_escape_the_limit():
    "Nor does what they sent stay in memory while an image is segmented."
    with carried() as it:
        token, calls = it.claim(), []
        admit = it.server.admit
        it.server.admit = lambda *args: calls.append(admit(*args)) or calls[-1]
        body = pack(IMAGE)
        for number in range(20):
            connection = it.send("/set_image", body, token)
            if not number:
                assert it.begun.acquire(timeout=SECONDS)
            wait_until(lambda n=number: len(calls) > n and calls[n].task is not None)
            connection.close()
            wait_until(lambda n=number: calls[n].is_over)
        lease = it.server.leases[token]
        wait_until(lambda: len(lease.calls) == 1)  # what the thread has begun still counts
        assert [call.task.done() for call in calls] == [False] + [True] * 19
        assert kept(calls) == 0
        it.go.set()
        wait_until(lambda: not lease.calls)


def test_a_session_that_is_given_back_waits_for_nothing():
    with carried(sessions=2) as it:
        busy, token = it.claim(), it.claim()
        first = it.send("/set_image", pack(IMAGE), busy)
        assert it.begun.acquire(timeout=SECONDS)
        waiting = [it.send("/set_image", pack(IMAGE), token) for _ in range(3)]
        waiting.append(it.send("/set_image", b"a part", token, length=1000))
        lease = it.server.leases[token]
        wait_until(lambda: len(lease.calls) == 4 and sum(call.task is not None for call in lease.calls) == 3)
        calls = list(lease.calls)
        assert it.ask("/undo", b"{}", token)[0] == 429
        assert it.ask("/release", token=token) == (200, {"released": True})
        assert [answer_of(connection)[0] for connection in waiting[:3]] == [410] * 3
        assert (kept(calls), len(lease.calls)) == (0, 0)
        waiting[3].sendall(b" " * 900)
        waiting[3].sendall(b" " * 94)
        assert answer_of(waiting[3])[0] == 410
        assert it.claim()
        it.go.set()
        assert answer_of(first)[0] == 200


# Bodies that do not come ---------------------------------------------------------------------------------------------
def test_an_upload_that_got_stuck_is_given_up():
    with carried(upload=0.2) as it:
        token = it.claim()
        with it.send("/set_image", b"a part", token, length=1000) as connection:
            lease = it.server.leases[token]
            wait_until(lambda: lease.calls)
            assert connection.recv(100) == b""
        wait_until(lambda: not lease.calls)
        assert it.ask("/heartbeat", token=token)[0] == 200


def test_an_upload_that_got_stuck_holds_no_session():
    with carried(sessions=1, liveness=0.2) as it, it.send("/set_image", b"a part", it.claim(), length=1000):
        wait_until(lambda: it.ask("/claim")[0] == 200)


# Prompts without end --------------------------------------------------------------------------------------------------
def test_prompts_are_bounded_and_small():
    "A scribble of all voxels is some bytes on the way; here it is a bit a voxel, and there are only so many."
    session, shape = Session(lambda image: segment_colours(image, 1.0, Config())), (1, 512, 512)
    session.set_image(np.zeros((1, *shape), np.float32) + np.arange(512) // 256)
    session.set_target(shape, "uint8")
    mask = np.ones(shape, np.uint8)
    for _ in range(4):
        session.add_mask("scribble", mask, 1, predict=False)
    kept = [getattr(p, name).nbytes for p in session.state.prompts for name in ("places", "bits")]
    assert sum(kept) < mask.size
    before = session.state
    for mistake in (
        lambda: session.add_mask("scribble", mask, 1, predict=False),
        lambda: session.add_mask("lasso", mask, -1),
        lambda: session.add_box([[0, 1], [0, 512], [0, 512]], 1),
    ):
        with pytest.raises(TooMuch, match="they cover"):
            mistake()
    assert session.state is before
    assert session.predict().values.all()


# At the end ----------------------------------------------------------------------------------------------------------
SERVE = """
import logging, sys, time
from cuts.cli import serving
from cuts.integrations import http_serving

def segment(image):
    print("begun", flush=True)
    time.sleep(1000)

if sys.argv[1] == "levels":
    before = logging.getLogger("tornado").level
    http_serving.serve(segment, port=0, ready=lambda url: print(url, flush=True))
    print(logging.getLogger("tornado").level == before)
else:
    http_serving.segmenter = lambda run: segment
    serving.serve(port=0)
"""


def started(what):
    "A server in a process of its own, and its port."
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, what],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    it = Carried()
    it.port = int(process.stdout.readline().split("127.0.0.1:")[1].split(";")[0])
    return process, it


def test_logging_is_as_it_was():
    process, _ = started("levels")
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=SECONDS) == ("True\n", None)


def test_ctrl_c_does_not_wait_for_an_image():
    "Which takes a thousand seconds here."
    process, it = started("command")
    with it.send("/set_image", pack(IMAGE), it.claim()):
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert "given up" in out
