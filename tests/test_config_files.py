"Configuration files from strangers: what is read, what is refused with its line, and that nothing in them is run."

import os

import pytest
import yaml
from hypothesis import HealthCheck, given, settings, strategies as st
from refusals import outcome, refusal

from cuts.config.settings import Config, preset


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.sampled_from(list("abe:-[]{}!&*#|>'\"%@`,?~ \n\t0159.+\\é\0\x85")), max_size=60))
def test_any_text_is_a_configuration_or_a_config_error(text):
    config, message = outcome(Config.from_yaml, "training:\n  " + text)
    assert config is not None or message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("training: {epoch: 5}", "Did you mean 'epochs'"),
        ("training: {learningrate: 5}", "Did you mean 'learning_rate'"),
        ("trainig: {epochs: 5}", "Did you mean 'training'"),
        ("epochs: 5", "belongs into the section 'training'"),
        ("data: {epochs: 5}", "belongs into the section 'training'"),
        ("segmentation: {landmarks: 5}", "Did you mean 'n_landmarks'"),
        ("training: 5", "expected settings"),
        ("- training\n", "expected the sections"),
        ("just words here: ", "There are: data, training, segmentation"),
        ("1: 2", "1 is no section"),
        ("training: {1: 2}", "1 is no setting"),
        ("training: {[1]: 2}", "line 1"),
        ("{training: {epochs: 5}", "line 1"),
        ("training: {epochs: 5, epochs: 6}", "occurs twice"),
        ("training: {epochs: 5}\ntraining: {seed: 2}", "line 2"),
        ("training: {epochs: 09}", "whole number"),
        ("training: {epochs: 5}\n---\ndata: {}", "line 2"),
        ("training: &a {<<: *a}", "'<<'"),
        ("training: {epochs: " + "[" * 5000 + "}", "configuration"),
        ("training:\n  epochs: " + "9" * 5000, "configuration, a number has thousands of digits"),
        ("a: " + "b" * 2**20, "characters"),
        ("training: {crop: {a: &x [1, 1], b: [*x, *x, *x]}}", "crop"),
        ("training:\n\tepochs: 5", "line 2"),
        ("a: \0", "configuration"),
    ],
)
def test_a_wrong_file_is_named_by_its_fault(text, says):
    assert says in refusal(Config.from_yaml, text)


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system ['touch {}']",
        "!!python/object/new:os.system ['touch {}']",
        "!!python/name:os.system",
        "!!python/module:os",
        "!!python/object/apply:subprocess.check_output [[touch, '{}']]",
        "!!python/tuple [7, 3]",
        "!!set {{a}}",
        "!!binary aGk=",
        "!!timestamp x",
        "!mine 5",
        "!!int 'x'",
        "!<tag:yaml.org,2002:python/object/apply:os.system> ['touch {}']",
    ],
)
@pytest.mark.parametrize("at", ["training:\n  epochs: ", "\ndataset_name: ", "\n? "])
def test_a_tag_is_refused_and_nothing_runs(tmp_path, value, at):
    trace = tmp_path / "trace"
    (tmp_path / "evil.yaml").write_text(at + value.format(trace) + "\n")
    message = refusal(Config.from_yaml, tmp_path / "evil.yaml")
    assert "evil.yaml, line 2: the tag" in message
    assert not trace.exists()


def test_laughing_at_a_billion_laughs():
    lines = ["a0: &a0 [lol, lol]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}, *a{i - 1}]" for i in range(1, 40)]
    assert "'a0' is no section" in refusal(Config.from_yaml, "\n".join(lines))
    assert len(refusal(Config.from_yaml, "training:\n  epochs: &a [*a]\n")) < 300


# ---------- files


def test_files(tmp_path):
    config = preset("retina").replace(epochs=3, labels="Größe/日本")
    path = tmp_path / "c d.yaml"
    config.save(path)
    assert Config.from_yaml(path) == Config.from_yaml(str(path)) == config
    assert list(tmp_path.iterdir()) == [path]
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))  # as Windows' editors write it
    assert Config.from_yaml(path) == config
    path.write_bytes(b"training: {epochs: \xff}")
    assert "c d.yaml: not a text in UTF-8" in refusal(Config.from_yaml, path)
    path.write_text("training: {epochs: -1}")
    assert refusal(Config.from_yaml, path).startswith(f"{path}: training.epochs = -1")
    path.write_text("#" * 2**20 + "\n")
    assert "larger than" in refusal(Config.from_yaml, path)
    for missing in (tmp_path / "none.yaml", "none.yaml", tmp_path):
        with pytest.raises(FileNotFoundError, match="no such configuration file"):
            Config.from_yaml(missing)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        config.save(tmp_path / "no" / "c.yaml")
    with pytest.raises(TypeError, match="path or a YAML text"):
        Config.from_yaml(5)


def test_a_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    Config().save(tmp_path / "c.yaml")
    monkeypatch.setattr(os, "replace", lambda *a: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        preset("paper").save(tmp_path / "c.yaml")
    assert Config.from_yaml(tmp_path / "c.yaml") == Config()
    assert [p.name for p in tmp_path.iterdir()] == ["c.yaml"]


def test_comments_are_comments():
    config = Config()
    assert yaml.safe_load(config.to_yaml(comments=True)) == yaml.safe_load(config.to_yaml()) == config.as_dict()
    assert all("  # " in line for line in config.to_yaml(comments=True).splitlines())
    assert "#" not in config.to_yaml()
