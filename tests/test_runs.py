"What a run folder takes for done, and the digests by which it knows."

import hashlib
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuts.config.settings import Config
from cuts.runs.folder import Run
from cuts.files.digests import digest, file_digest
from cuts.files.atomic import write_atomic


# Done means done -----------------------------------------------------------------------------------------------------
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
    moved = Run(".")
    assert moved.done("item", "inputs")
    moved.record("again", "x", ["out/a", Path("out/b").absolute()])
    assert set(moved.items()["again"]["files"]) == {"out/a", "out/b"}
    assert moved.done("again", "x")


def test_nothing_is_written_outside(run, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("mine")
    for link, target in [("link", "outside"), ("out/file", "outside/file"), ("dangling", "nowhere")]:
        (run.path / link).symlink_to(tmp_path / target)
    upward = [("..", "x"), ("../x",), ("a", "..", "..", "x"), ("out/../../x",)]
    for parts in [*upward, ("/x",), (str(tmp_path / "x"),), (), ("",), (".",), ("a\0b",)]:
        with pytest.raises(ValueError, match="not a path inside the folder"):
            run.file(*parts)
    for parts in [("link", "x"), ("out", "file"), ("dangling",)]:
        with pytest.raises(ValueError, match="a link that leads out of the folder"):
            run.file(*parts)
    with pytest.raises(ValueError, match="not inside the folder"):
        run.record("x", "y", [tmp_path / "outside" / "file"])
    with pytest.raises(ValueError, match="not inside the folder"):
        run.record("x", "y", [run.path / ".." / "outside" / "file"])
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["outside", "run"]
    assert (tmp_path / "outside" / "file").read_text() == "mine"


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=80), st.text(max_size=5), max_size=4))
def test_keys_of_any_text_stay_apart(tmp_path_factory, keys):
    run = Run(tmp_path_factory.mktemp("keys"))
    for key, inputs in keys.items():
        run.record(key, inputs)
    assert {k: e["inputs"] for k, e in run.items().items()} == keys
    assert all(run.done(k, i) for k, i in keys.items())


# Digests -------------------------------------------------------------------------------------------------------------
def test_digests_of_values():
    a = np.arange(12, dtype=np.float32).reshape(3, 4)
    for same in (a.copy(order="F"), a.astype(">f4"), next(iter(a.reshape(1, 3, 4)))):
        assert digest(a) == digest(same)
    different = [a, a.T, a.astype(float), a[:, ::2], a[:2], a.view(np.int32), a.tobytes(), a.tolist()]
    different += ["a", "", None, 0, 0.0, False, [], {}, "0", [0], {"a": 0}, {"b": 0}, set(), {0}]
    assert len({digest(x) for x in different}) == len(different)
    assert digest({"a": 1, "b": [a]}) == digest({"b": (a,), "a": np.int64(1)})
    assert digest({1, 2, 3}) == digest({3, 2, 1})
    assert digest(Config()) == digest(Config().as_dict())
    for bad in (object(), np.array([{}]), {1: 1}, [{None: 1}], lambda: 0):
        with pytest.raises(TypeError):
            digest(bad)


def test_digest_of_a_file(tmp_path):
    data = random.Random(0).randbytes(3 * 10**6 + 1)
    (tmp_path / "x").write_bytes(data)
    assert file_digest(tmp_path / "x") == hashlib.sha256(data).hexdigest()


def test_config_in_the_folder(tmp_path):
    config = Config().replace(dataset="my images/", epochs=3, lambda_contrastive=0)
    Run(tmp_path / "r").save_config(config)
    assert Run(tmp_path / "r", create=False).load_config() == config
    assert "# " in (tmp_path / "r" / "config.yaml").read_text(encoding="utf-8")
