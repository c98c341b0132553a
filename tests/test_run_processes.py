"Killed and crowded: what a run folder must survive when several processes write into it, and how it says so."

import random
import signal
import subprocess
import time

import pytest
from run_writers import kill, leftovers, posix, python

from cuts.runs.folder import Run
from cuts.files.atomic import FileError
from cuts.files.digests import file_digest


# Killed while writing ------------------------------------------------------------------------------------------------
WRITER = """
    import sys, itertools
    from cuts.files.atomic import write_atomic

    def write_in_parts(path):
        for _ in range(10):
            open(path, "ab", buffering=0).write(letter * 300_000)

    for i in itertools.count():
        letter = b"AB"[i % 2 : i % 2 + 1]
        write_atomic(sys.argv[1], letter * 3_000_000 if sys.argv[2] == "bytes" else write_in_parts)
        if i == 0:
            print("begun", flush=True)
"""


@posix
@pytest.mark.parametrize("kind", ["bytes", "function"])
def test_a_killed_writer_leaves_the_old_file_or_the_new_one(tmp_path, kind):
    run, moments = Run(tmp_path / "run"), random.Random(0)
    path, seen_half = run.file("results", "big.bin"), 0
    for attempt in range(60):  # six at least, and until one was caught in the middle
        if attempt >= 6 and seen_half:
            break
        process = python(WRITER, path, kind)
        process.stdout.readline()
        time.sleep(moments.uniform(0, 0.06))
        kill(process)
        assert process.returncode == -signal.SIGKILL
        content = path.read_bytes()
        assert len(content) == 3_000_000
        assert content in (b"A" * 3_000_000, b"B" * 3_000_000)
        seen_half += len(leftovers(tmp_path))
        with run.lock():
            assert leftovers(tmp_path) == []  # the next run sweeps up
    assert seen_half, "no writer was killed in the middle: the test tested nothing"


SLOW_WRITER = """
    import sys, time
    from cuts.files.atomic import write_atomic

    def write_half(path):
        with open(path, "wb", buffering=0) as f:
            f.write(b"half")
            print("half", flush=True)
            time.sleep(60)

    write_atomic(sys.argv[1], write_half)
"""


@posix
def test_a_writer_killed_before_its_first_file_leaves_none(tmp_path):
    process = python(SLOW_WRITER, tmp_path / "x.npz")
    process.stdout.readline()
    kill(process)
    assert not (tmp_path / "x.npz").exists()
    assert len(leftovers(tmp_path)) == 1
    with Run(tmp_path).lock():
        assert leftovers(tmp_path) == []


WORKER = """
    import sys, time
    from functools import partial
    from cuts.runs.folder import Run
    from cuts.files.atomic import FileError, write_atomic
    from cuts.files.names import output_name

    run, timeout, pause, locked = Run(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4] == "lock"

    def write(number, path):
        with open(path, "wb", buffering=0) as f:
            for part in range(4):
                f.write(bytes([number]) * 50_000)
                time.sleep(pause)

    def work():
        for i in range(20):
            if run.done(f"item/{i}", "inputs"):
                continue
            file = run.file("out", output_name(f"{i}.png", ".npz"))
            write_atomic(file, partial(write, i))
            run.record(f"item/{i}", "inputs", [file], number=i)
            print("did", i, flush=True)

    def work_with_lock():
        with run.lock(timeout):
            print("locked", flush=True)
            work()

    try:
        work_with_lock() if locked else work()
    except FileError as e:
        sys.exit(str(e))
"""


def state(run):
    "Every file under the run folder, by content, but for the lock."
    return {
        p.relative_to(run.path).as_posix(): file_digest(p)
        for p in run.path.rglob("*")
        if p.is_file() and p.name != ".lock"
    }


@posix
def test_a_run_killed_again_and_again_ends_bit_equal(tmp_path):
    whole = Run(tmp_path / "whole")
    process = python(WORKER, whole.path, 0, 0, "lock")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out.count("did") == 20, err
    run, moments = Run(tmp_path / "killed"), random.Random(1)
    for _ in range(4):
        process = python(WORKER, run.path, 0, 0.004, "lock")
        assert process.stdout.readline() == "locked\n"  # the killed one's lock was freed
        for _ in range(moments.randint(0, 2)):
            process.stdout.readline()
        time.sleep(moments.uniform(0, 0.016))  # somewhere in the next item
        kill(process)
        for key in run.items():
            assert run.done(key, "inputs")  # what the manifest says is true
    assert 0 < len(run.items()) < 20, "the moments of death should leave something done and something to do"
    kept = len(run.items())
    process = python(WORKER, run.path, 0, 0, "lock")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out.count("did") == 20 - kept, err
    assert state(run) == state(whole)


# Two at once ---------------------------------------------------------------------------------------------------------
HOLDER = """
    import sys
    from cuts.runs.folder import Run
    with Run(sys.argv[1]).lock():
        print("locked", flush=True)
        sys.stdin.read()
        print("whole")
"""


def test_a_second_process_is_told_who_is_there_and_the_first_goes_on(tmp_path):
    first = python(HOLDER, tmp_path, stdin=subprocess.PIPE)
    first.stdout.readline()
    second = python(WORKER, tmp_path, 0, 0, "lock")
    out, err = second.communicate(timeout=60)
    assert second.returncode == 1
    assert f"{tmp_path}: this run folder is in use by process {first.pid} on" in err
    assert "Traceback" not in err
    assert out == ""
    out, err = first.communicate(timeout=60)
    assert first.returncode == 0, err
    assert out == "whole\n", err


def test_who_waits_finds_everything_done(tmp_path):
    first = python(WORKER, tmp_path, 0, 0.005, "lock")
    first.stdout.readline()
    second = python(WORKER, tmp_path, 60, 0, "lock")
    out_of_first, _ = first.communicate(timeout=60)
    out_of_second, err = second.communicate(timeout=60)
    assert second.returncode == 0, err
    assert out_of_first.count("did") == 20, err
    assert out_of_second.count("did") == 0, err


def test_without_a_lock_two_processes_make_the_same_result(tmp_path):
    one, two = Run(tmp_path / "one"), Run(tmp_path / "two")
    crowd = [python(WORKER, two.path, 0, 0.002, "free") for _ in range(3)] + [python(WORKER, one.path, 0, 0, "free")]
    for process in crowd:
        assert process.communicate(timeout=60)[1] == ""
        assert process.returncode == 0
    assert state(one) == state(two)
    assert len(two.items()) == 20


@posix
def test_a_killed_holder_frees_the_lock(tmp_path):
    process = python(HOLDER, tmp_path, stdin=subprocess.PIPE)
    process.stdout.readline()
    with pytest.raises(FileError, match=f"in use by process {process.pid}"), Run(tmp_path).lock():
        pass
    kill(process)
    with Run(tmp_path).lock():
        pass


def test_a_lock_is_released_by_an_error_and_may_be_nested(tmp_path):
    run = Run(tmp_path)

    def fail_while_locked():
        with run.lock():
            with run.lock():
                pass
            with pytest.raises(FileError), Run(tmp_path).lock():  # the inner end has not freed it
                pass
            raise KeyError

    with pytest.raises(KeyError):
        fail_while_locked()
    with Run(tmp_path).lock():
        pass


def test_a_lock_keeps_other_threads_out(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    run = Run(tmp_path)

    def other():
        with run.lock():
            return "both"

    with ThreadPoolExecutor(1) as pool, run.lock(), pytest.raises(FileError, match="in use"):
        pool.submit(other).result(10)
    with run.lock():
        pass
