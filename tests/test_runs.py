"Killed, crowded and full: what a run folder must survive, and how `cuts.runs` says so."

import errno
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

import cuts.runs
from cuts.config import Config
from cuts.runs import Run, RunError, digest, file_digest, output_name, write_atomic

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and limits")


def python(code, *args, **options):
    "A Python process that works on the same modules."
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, args)],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def leftovers(folder):
    return [p for p in Path(folder).rglob(".writing-*")]


# ---------- killed while writing

WRITER = """
    import sys, itertools
    from cuts.runs import write_atomic
    for i in itertools.count():
        letter = b"AB"[i % 2:i % 2 + 1]
        if sys.argv[2] == "bytes": write_atomic(sys.argv[1], letter * 3_000_000)
        else: write_atomic(sys.argv[1], lambda p: [open(p, "ab", buffering=0).write(letter * 300_000) for _ in range(10)])
        if i == 0: print("begun", flush=True)
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
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        content = path.read_bytes()
        assert len(content) == 3_000_000
        assert content in (b"A" * 3_000_000, b"B" * 3_000_000)
        seen_half += len(leftovers(tmp_path))
        with run.lock():
            assert leftovers(tmp_path) == []  # the next run sweeps up
    assert seen_half, "no writer was killed in the middle: the test tested nothing"


@posix
def test_a_writer_killed_before_its_first_file_leaves_none(tmp_path):
    process = python(
        """
        import sys, time
        from cuts.runs import write_atomic
        def slow(p):
            with open(p, "wb", buffering=0) as f: f.write(b"half"); print("half", flush=True); time.sleep(60)
        write_atomic(sys.argv[1], slow)""",
        tmp_path / "x.npz",
    )
    process.stdout.readline()
    process.kill()
    process.communicate()
    assert not (tmp_path / "x.npz").exists()
    assert len(leftovers(tmp_path)) == 1
    with Run(tmp_path).lock():
        assert leftovers(tmp_path) == []


WORKER = """
    import sys, time, random
    from cuts.runs import Run, RunError, write_atomic, output_name
    run, timeout, pause, locked = Run(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4] == "lock"
    def work():
        for i in range(20):
            if run.done(f"item/{i}", "inputs"): continue
            def write(p):
                with open(p, "wb", buffering=0) as f:
                    for part in range(4): f.write(bytes([i]) * 50_000); time.sleep(pause)
            file = run.file("out", output_name(f"{i}.png", ".npz"))
            write_atomic(file, write)
            run.record(f"item/{i}", "inputs", [file], number=i)
            print("did", i, flush=True)
    if not locked: work()
    else:
        try:
            with run.lock(timeout): print("locked", flush=True); work()
        except RunError as e: sys.exit(str(e))
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
    assert process.returncode == 0 and out.count("did") == 20, err
    run, moments = Run(tmp_path / "killed"), random.Random(1)
    for _ in range(4):
        process = python(WORKER, run.path, 0, 0.004, "lock")
        assert process.stdout.readline() == "locked\n"  # the killed one's lock was freed
        for _ in range(moments.randint(0, 2)):
            process.stdout.readline()
        time.sleep(moments.uniform(0, 0.016))  # somewhere in the next item
        process.kill()
        process.communicate()
        for key in run.items():
            assert run.done(key, "inputs")  # what the manifest says is true
    assert 0 < len(run.items()) < 20, "the moments of death should leave something done and something to do"
    kept = len(run.items())
    process = python(WORKER, run.path, 0, 0, "lock")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and out.count("did") == 20 - kept, err
    assert state(run) == state(whole)


# ---------- two at once


def test_a_second_process_is_told_who_is_there_and_the_first_goes_on(tmp_path):
    first = python(
        """
        import sys
        from cuts.runs import Run
        with Run(sys.argv[1]).lock(): print("locked", flush=True); sys.stdin.read(); print("whole")""",
        tmp_path,
        stdin=subprocess.PIPE,
    )
    first.stdout.readline()
    second = python(WORKER, tmp_path, 0, 0, "lock")
    out, err = second.communicate(timeout=60)
    assert second.returncode == 1
    assert f"{tmp_path}: this run folder is in use by process {first.pid} on" in err
    assert "Traceback" not in err
    assert out == ""
    out, err = first.communicate(timeout=60)
    assert first.returncode == 0 and out == "whole\n", err


def test_who_waits_finds_everything_done(tmp_path):
    first = python(WORKER, tmp_path, 0, 0.005, "lock")
    first.stdout.readline()
    second = python(WORKER, tmp_path, 60, 0, "lock")
    (a, _), (b, err) = first.communicate(timeout=60), second.communicate(timeout=60)
    assert second.returncode == 0 and a.count("did") == 20 and b.count("did") == 0, err


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
    process = python(
        "import sys, time, cuts.runs\nwith cuts.runs.Run(sys.argv[1]).lock(): print('locked', flush=True); time.sleep(60)",
        tmp_path,
    )
    process.stdout.readline()
    with pytest.raises(RunError, match=f"in use by process {process.pid}"), Run(tmp_path).lock():
        pass
    process.kill()
    process.communicate()
    with Run(tmp_path).lock():
        pass


def test_a_lock_is_released_by_an_error_and_may_be_nested(tmp_path):
    run = Run(tmp_path)
    with pytest.raises(KeyError), run.lock():
        with run.lock():
            pass
        with pytest.raises(RunError):  # the inner end has not freed it
            with Run(tmp_path).lock():
                pass
        raise KeyError
    with Run(tmp_path).lock():
        pass


def test_a_lock_keeps_other_threads_out(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    run = Run(tmp_path)

    def other():
        with run.lock():
            return "both"

    with ThreadPoolExecutor(1) as pool, run.lock(), pytest.raises(RunError, match="in use"):
        pool.submit(other).result(10)
    with run.lock():
        pass


# ---------- full, read-only, missing


@posix
def test_a_full_disk_in_the_middle_of_a_file(tmp_path):
    "A limit on the size of files stops a real write half-way."
    process = python(
        """
        import resource, sys
        from cuts.runs import Run, RunError, write_atomic
        run = Run(sys.argv[1])
        write_atomic(run.file("a.bin"), bytes(1000)); run.record("a", "x", [run.file("a.bin")])
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try: write_atomic(run.file("a.bin"), bytes(10**6))
        except RunError as e: sys.exit(str(e))""",
        tmp_path,
    )
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert f"{tmp_path / 'a.bin'}: not written" in err
    assert "Earlier results" in err
    assert "Traceback" not in err
    assert Run(tmp_path).done("a", "x")
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "can only be read"),
        (errno.EACCES, "not allowed"),
        (errno.EIO, "fault"),
    ],
)
@pytest.mark.parametrize("function", ["open", "replace", "fsync"])
def test_a_disk_that_refuses(tmp_path, monkeypatch, code, says, function):
    "Root may write anywhere, so the refusal is pretended: on opening, on flushing, on renaming."
    run = Run(tmp_path / "run")
    write_atomic(run.file("a.txt"), "old")
    run.record("a", "x", [run.file("a.txt")])

    def refuse(*args, **kwargs):
        raise OSError(code, os.strerror(code), *([str(args[0])] if function != "fsync" else []))

    with monkeypatch.context() as m:
        m.setattr(*((cuts.runs, "open", refuse) if function == "open" else (os, function, refuse)), raising=False)
        for work in (
            lambda: write_atomic(run.file("a.txt"), "new"),
            lambda: run.save_config(Config()),
            lambda: write_atomic(run.file("b.txt"), "new"),
        ):
            with pytest.raises(RunError) as e:
                work()
            assert says in str(e.value)
            assert str(tmp_path) in str(e.value)
            assert ".writing-" not in str(e.value)
            assert e.value.errno == code
    assert run.done("a", "x")
    assert sorted(p.name for p in run.path.iterdir()) == ["a.txt", "manifest"]


def test_folders_that_are_not_there(tmp_path, monkeypatch):
    with pytest.raises(RunError, match="does not exist"):
        write_atomic(tmp_path / "no" / "x", b"")
    with pytest.raises(RunError, match="no such run folder"):
        Run(tmp_path / "no", create=False)
    assert not (tmp_path / "no").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="a file, where a run folder"):
        Run(tmp_path / "file")
    with pytest.raises(RunError, match="is a file, not a folder"):
        Run(tmp_path / "file" / "run")
    run = Run(tmp_path / "a" / "b")
    with pytest.raises(RunError, match="no config.yaml"):
        run.load_config()
    run.path.rmdir()
    with pytest.raises(RunError, match="the run folder is gone"):
        run.record("x", "y")
    monkeypatch.setattr(
        Path, "mkdir", lambda self, **k: (_ for _ in ()).throw(PermissionError(errno.EACCES, "no", str(self)))
    )
    with pytest.raises(RunError, match="not allowed"):
        Run(tmp_path / "c")


def test_interruption_leaves_nothing_behind(tmp_path):
    def interrupted(p):
        p.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "x", interrupted)
    assert list(tmp_path.iterdir()) == []


@posix
def test_rights_of_a_new_file_are_those_of_any_new_file(tmp_path):
    (tmp_path / "usual").write_text("")
    write_atomic(tmp_path / "atomic", "")
    assert (tmp_path / "usual").stat().st_mode == (tmp_path / "atomic").stat().st_mode


# ---------- done means done


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path / "run")
    for name in ("a", "b"):
        write_atomic(run.file("out", name), name.encode() * 1000)
    run.record("item", "inputs", [run.file("out", "a"), run.file("out", "b")], dice=0.5)
    return run


def test_done(run):
    assert run.done("item", "inputs")
    assert run.items()["item"]["facts"] == {"dice": 0.5}
    assert set(run.items()["item"]["files"]) == {"out/a", "out/b"}


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:-1]), "out/b: has 999 bytes, had 1000"),
        (lambda p: p.write_bytes(b""), "out/b: has 0 bytes"),
        (lambda p: p.write_bytes(b"c" * 1000), "out/b: has changed"),
        (lambda p: p.unlink(), "out/b: is not there"),
        (lambda p: (p.unlink(), p.mkdir()), "out/b: is not there"),
    ],
)
def test_a_damaged_file_is_no_result(run, damage, why):
    damage(run.path / "out" / "b")
    assert not run.done("item", "inputs")
    assert run.why_not("item", "inputs").startswith(why)


def test_other_inputs_or_another_key_are_not_done(run):
    assert not run.done("item", "other")
    assert not run.done("Item", "inputs")
    assert not run.done("item ", "inputs")
    run.forget("item")
    run.forget("item")
    assert not run.done("item", "inputs")
    assert run.items() == {}
    assert (run.path / "out" / "a").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "5",
        "null",
        '{"key": "item"}',
        '{"key": "item", "inputs": "inputs", "files": [], "facts": {}}',
        "[" * 10**5,
        "\xff",
        '{"key": "item", "inputs": "inputs", "files": {"../secret": {"size": 1, "sha256": ""}}, "facts": {}}',
        '{"key": "item", "inputs": "inputs", "files": {"/etc/passwd": {"size": 1, "sha256": ""}}, "facts": {}}',
        '{"key": "item", "inputs": "inputs", "files": {"out/a": 5}, "facts": {}}',
    ],
)
def test_a_damaged_manifest_means_not_done(run, text):
    next((run.path / "manifest").iterdir()).write_bytes(text.encode("latin-1"))
    assert not run.done("item", "inputs")
    assert set(run.items()) <= {"item"}


def test_a_moved_run_is_still_done(run, tmp_path, monkeypatch):
    run.path.rename(tmp_path / "else where")
    assert Run(tmp_path / "else where", create=False).done("item", "inputs")
    monkeypatch.chdir(tmp_path / "else where")
    here = Run(".")
    assert here.done("item", "inputs")
    here.record("again", "x", ["out/a", Path("out/b").absolute()])
    assert set(here.items()["again"]["files"]) == {"out/a", "out/b"}
    assert here.done("again", "x")


def test_nothing_is_written_outside(run, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("mine")
    for link, target in [("link", "outside"), ("out/file", "outside/file"), ("dangling", "nowhere")]:
        (run.path / link).symlink_to(tmp_path / target)
    for parts in [
        ("..", "x"),
        ("../x",),
        ("/x",),
        ("a", "..", "..", "x"),
        (str(tmp_path / "x"),),
        (),
        ("",),
        (".",),
        ("a\0b",),
        ("link", "x"),
        ("out", "file"),
        ("dangling",),
        ("out/../../x",),
    ]:
        with pytest.raises(ValueError):
            run.file(*parts)
    with pytest.raises(ValueError, match="not inside the run folder"):
        run.record("x", "y", [tmp_path / "outside" / "file"])
    with pytest.raises(ValueError, match="not inside the run folder"):
        run.record("x", "y", [run.path / ".." / "outside" / "file"])
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["outside", "run"]
    assert (tmp_path / "outside" / "file").read_text() == "mine"


def test_a_link_is_replaced_not_followed(tmp_path):
    (tmp_path / "target").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_atomic(tmp_path / "link", "new")
    assert (tmp_path / "target").read_text() == "mine"
    assert (tmp_path / "link").read_text() == "new"
    assert not (tmp_path / "link").is_symlink()


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=80), st.text(max_size=5), max_size=4))
def test_keys_of_any_text_stay_apart(tmp_path_factory, keys):
    run = Run(tmp_path_factory.mktemp("keys"))
    for key, inputs in keys.items():
        run.record(key, inputs)
    assert {k: e["inputs"] for k, e in run.items().items()} == keys
    assert all(run.done(k, i) for k, i in keys.items())


# ---------- names

part = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda p: p not in (".", "..")
)
part = part | st.sampled_from(
    [
        "a",
        "b",
        "01.png",
        "01.tif",
        "01.png.npz",
        ".npz",
        "a.npz~",
        "-rf",
        "~",
        "..npz",
        "x" * 300,
        "x" * 301,
        "é" * 140 + ".png",
        "x" * 200 + ".npz",
    ]
)
image_name = st.lists(part, min_size=1, max_size=3).map("/".join)


@settings(max_examples=300, deadline=None)
@given(st.sets(image_name, max_size=8), st.sampled_from([".npz", "_labels.nii.gz", ".PNG"]))
def test_no_two_names_share_a_place(names, suffix):
    outputs = [Path(output_name(n, suffix)) for n in names]
    assert len(set(outputs)) == len(names)
    assert not {p for o in outputs for p in o.parents} & set(outputs)  # no result where another's folder must be
    for o in outputs:
        assert o.name.endswith(suffix)
        assert not o.is_absolute()
        assert ".." not in o.parts
        assert max(len(os.fsencode(p)) for p in o.parts) <= 200


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere disks take fewer names")
@settings(max_examples=60, deadline=None)
@given(st.sets(image_name, max_size=5))
def test_every_name_can_be_written(tmp_path_factory, names):
    run = Run(tmp_path_factory.mktemp("names"))
    for n in names:
        file = run.file("out", output_name(n, ".npz"))
        write_atomic(file, n)
        run.record(n, "x", [file])
    assert all(
        run.done(n, "x") and (run.path / "out" / output_name(n, ".npz")).read_bytes().decode() == n for n in names
    )


def test_names_from_a_disk_that_knows_no_unicode(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    run = Run(tmp_path)
    try:
        write_atomic(file := run.file(output_name(name, ".npz")), "x")
    except OSError:
        pytest.skip("this disk takes only Unicode")
    run.record(name, "x", [file])
    assert run.done(name, "x")
    assert digest(name) != digest("café.png")


@pytest.mark.parametrize("name", ["../a.png", "a/../../b.png", "/a.png", "//a", "", ".", "..", "a/", "./a", "a\0b"])
def test_names_that_lead_elsewhere_are_refused(name):
    with pytest.raises(ValueError, match="relative path"):
        output_name(name, ".npz")


# ---------- digests


def test_digests_of_values():
    np = pytest.importorskip("numpy")
    a = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert digest(a) == digest(a.copy(order="F")) == digest(a.astype(">f4")) == digest([*a.reshape(1, 3, 4)][0])
    different = [
        a,
        a.T,
        a.astype(float),
        a[:, ::2],
        a[:2],
        a.view(np.int32),
        a.tobytes(),
        a.tolist(),
        "a",
        "",
        None,
        0,
        0.0,
        False,
        [],
        {},
        "0",
        [0],
        {"a": 0},
        {"b": 0},
        set(),
        {0},
    ]
    assert len({digest(x) for x in different}) == len(different)
    assert digest({"a": 1, "b": [a]}) == digest({"b": (a,), "a": np.int64(1)})
    assert digest({1, 2, 3}) == digest({3, 2, 1})
    assert digest(Config()) == digest(Config().as_dict())
    for bad in (object(), np.array([{}]), {1: 1}, [{None: 1}], lambda: 0):
        with pytest.raises(TypeError):
            digest(bad)


def test_digest_of_a_file(tmp_path):
    import hashlib

    data = random.Random(0).randbytes(3 * 10**6 + 1)
    (tmp_path / "x").write_bytes(data)
    assert file_digest(tmp_path / "x") == hashlib.sha256(data).hexdigest()


def test_config_in_the_folder(tmp_path):
    config = Config().replace(dataset="my images/", epochs=3, lambda_contrastive=0)
    Run(tmp_path / "r").save_config(config)
    assert Run(tmp_path / "r", create=False).load_config() == config
    assert "# " in (tmp_path / "r" / "config.yaml").read_text(encoding="utf-8")
