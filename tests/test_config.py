"Configurations from strangers: what `cuts.config` must read, what it must refuse, and how it says so."

import itertools, json, math, os, subprocess, sys
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings, strategies as st

from cuts.config import (
    PRESETS,
    Config,
    ConfigError,
    DataConfig,
    SegmentationConfig,
    SupervisedConfig,
    TrainingConfig,
    choose_device,
    describe,
    preset,
    read_reference_yaml,
)

SETTINGS = [f.name for s in (DataConfig, TrainingConfig, SegmentationConfig, SupervisedConfig) for f in fields(s)]


def refusal(make, *args, **kwargs):
    with pytest.raises(ConfigError) as e:
        make(*args, **kwargs)
    return str(e.value)


# ---------- every valid configuration

positive = st.integers(1, 10**6)
share = st.floats(0, 1)
size = st.floats(0, 1e300, exclude_min=True)
seeds = st.integers(0, 2**32 - 1)
text = st.none() | st.text(max_size=30)
odd = st.integers(1, 20).map(lambda n: 2 * n + 1)
valid = st.fixed_dictionaries(
    {},
    optional=dict(
        dataset=text,
        root=text,
        labels=text,
        channels=st.sampled_from(["gray", "rgb", None]),
        is_binary=st.sampled_from([None, True, False]),
        window=st.none() | st.tuples(st.floats(-1e5, 0), st.floats(1e-3, 1e5)),
        max_pixels=positive,
        epochs=positive,
        batch_size=positive,
        min_batches=positive,
        learning_rate=size,
        min_learning_rate=st.floats(0, 1e9),
        warmup_epochs=st.integers(0, 99),
        weight_decay=share,
        lambda_contrastive=share,
        temperature=size,
        n_anchors=st.integers(2, 9999),
        crop=st.none() | st.integers(41, 999),
        patch_size=st.integers(1, 15).map(lambda n: 2 * n + 1),
        num_kernels=positive,
        n_layers=st.integers(1, 10),
        kernel_size=odd,
        ssim_threshold=st.floats(-1, 1),
        max_tries=positive,
        train_val_ratio=st.tuples(positive, positive),
        patience=st.none() | positive,
        num_workers=st.integers(0, 64),
        seed=seeds,
        device=st.sampled_from(["auto", "cpu", "cuda", "cuda:1", "mps"]),
        precision=st.sampled_from(["auto", "float32", "bfloat16"]),
        method=st.sampled_from(["both", "kmeans", "condensation"]),
        form=st.sampled_from(["vectors", "potential"]),
        normalize=st.sampled_from(["centred", "unit", "raw"]),
        drawn_weight=st.floats(0, 1e9),
        smoothing=size,
        padding=st.sampled_from(["image", "layers"]),
        spectral_input=st.sampled_from(["condensed", "vectors"]),
        n_landmarks=st.integers(2, 65535),
        n_clusters=st.integers(1, 65535),
        spectral_landmarks=st.integers(2, 65535),
        spectral_knn=positive,
        diffusion_time=positive,
        max_regions=st.integers(2, 65535),
        segmentation_seed=seeds,
        supervised_network=st.sampled_from(["unet", "dynunet"]),
        supervised_features=st.integers(1, 1024),
        supervised_loss=st.sampled_from(["cross_entropy", "dice_ce"]),
        supervised_epochs=positive,
        supervised_patience=st.none() | positive,
        supervised_batch_size=positive,
        supervised_learning_rate=size,
        supervised_weight_decay=share,
        supervised_crop=st.none() | positive,
        train_val_test_ratio=st.tuples(positive, positive, positive),
    ),
)


def test_the_strategy_covers_every_setting():
    assert set(Config().flat()) == set(SETTINGS) and len(SETTINGS) == len(set(SETTINGS))


@settings(max_examples=150, deadline=None)
@given(valid, st.booleans())
def test_what_is_written_is_read_back(changes, comments):
    config = Config().replace(**changes)
    assert Config.from_yaml(config.to_yaml(comments)) == config
    assert Config.from_dict(json.loads(json.dumps(config.as_dict()))) == config
    assert yaml.safe_load(config.to_yaml(comments)) == config.as_dict()  # other readers, of YAML 1.1, find the same
    assert Config.from_yaml(config.to_yaml(comments)).digest() == config.digest()
    assert hash(config) == hash(Config().replace(**changes))


@settings(max_examples=100, deadline=None)
@given(valid, valid)
def test_replace_changes_what_it_is_told_and_nothing_else(first, second):
    config = Config().replace(**first)
    after = config.replace(**second)
    assert after.flat() == config.flat() | second
    assert set(after.differences(config)) <= set(second)
    place = {"root", "num_workers", "device"}
    assert (after.digest() == config.digest()) == (set(after.differences(config)) <= place)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=6), x, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SETTINGS), junk)
def test_any_value_is_taken_or_refused_by_name(name, value):
    try:
        config = Config().replace(**{name: value})
    except ConfigError as e:
        assert name in str(e) and len(str(e)) < 400
    else:
        assert Config.from_yaml(config.to_yaml()) == config


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["data", "training", "segmentation", "dataset_name", "epochs"]) | st.text(max_size=5),
        junk,
        max_size=3,
    )
)
def test_any_mapping_is_a_configuration_or_a_config_error(mapping):
    for read in (Config.from_dict, read_reference_yaml):
        try:
            read(mapping)
        except ConfigError as e:
            assert len(str(e)) < 600


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.sampled_from(list("abe:-[]{}!&*#|>'\"%@`,?~ \n\t0159.+\\é\0\x85")), max_size=60))
def test_any_text_is_a_configuration_or_a_config_error(text):
    try:
        Config.from_yaml("training:\n  " + text)
    except ConfigError as e:
        assert str(e)


# ---------- refused, with what to do


@pytest.mark.parametrize(
    "name, value, says",
    [
        ("epochs", 0, "at least 1"),
        ("epochs", 1.5, "whole number"),
        ("epochs", True, "whole number"),
        ("epochs", "5", "without quotes"),
        ("learning_rate", "1e-3", "without quotes"),
        ("learning_rate", 0, "larger than 0"),
        ("learning_rate", math.inf, "larger than 0"),
        ("lambda_contrastive", 1.1, "from 0 to 1"),
        ("lambda_contrastive", math.nan, "from 0 to 1"),
        ("patch_size", 6, "odd"),
        ("crop", 2, "at least 3"),
        ("method", "kmean", "Did you mean 'kmeans'"),
        ("form", "potentials", "Did you mean 'potential'"),
        ("precision", 16, "auto, float32 or bfloat16"),
        ("train_val_ratio", [7, 2, 1], "[7, 3]"),
        ("train_val_ratio", "7/3", "[7, 3]"),
        ("train_val_ratio", (1, 0), "at least 1"),
        ("is_binary", "yes", "true or false"),
        ("dataset", 2020, "in quotes"),
        ("normalize", True, "centred, unit or raw"),
        ("is_binary", 1, "true or false"),
        ("seed", -1, "from 0 to 4294967295"),
        ("device", "gpu 1", "cuda:1"),
        ("device", "auto; rm", "cuda:1"),
        ("n_landmarks", 65536, "from 2 to 65535"),
        ("max_regions", 1, "from 2"),
        ("epochs", [1] * 10**5, "whole number"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(name, value, says):
    message = refusal(Config().replace, **{name: value})
    assert f".{name} = " in message and says in message and len(message) < 300


def test_a_crop_smaller_than_the_patch_names_both():
    assert "crop = 5" in (message := refusal(Config().replace, crop=5, patch_size=7)) and "patch_size = 7" in message


@pytest.mark.parametrize(
    "text, says",
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
        ("training: {epochs: " + "9" * 5000 + "}", "line 1"),
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
    assert "evil.yaml, line 2: the tag" in message and not trace.exists()


def test_laughing_at_a_billion_laughs():
    lines = ["a0: &a0 [lol, lol]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}, *a{i - 1}]" for i in range(1, 40)]
    assert "'a0' is no section" in refusal(Config.from_yaml, "\n".join(lines))
    assert len(refusal(Config.from_yaml, "training:\n  epochs: &a [*a]\n")) < 300


# ---------- files


def test_files(tmp_path):
    config = preset("retina").replace(epochs=3, labels="Größe/日本")
    path = tmp_path / "c d.yaml"
    config.save(path)
    assert Config.from_yaml(path) == Config.from_yaml(str(path)) == config and list(tmp_path.iterdir()) == [path]
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))  # as Windows' editors write it
    assert Config.from_yaml(path) == config
    path.write_bytes(b"training: {epochs: \xff}")
    assert "c d.yaml: not a text in UTF-8" in refusal(Config.from_yaml, path)
    path.write_text("training: {epochs: 0}")
    assert refusal(Config.from_yaml, path).startswith(f"{path}: training.epochs = 0")
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
    with pytest.raises(OSError):
        preset("paper").save(tmp_path / "c.yaml")
    assert Config.from_yaml(tmp_path / "c.yaml") == Config() and [p.name for p in tmp_path.iterdir()] == ["c.yaml"]


def test_comments_are_comments():
    config = Config()
    assert yaml.safe_load(config.to_yaml(comments=True)) == yaml.safe_load(config.to_yaml()) == config.as_dict()
    assert all("  # " in line for line in config.to_yaml(comments=True).splitlines()) and "#" not in config.to_yaml()


def test_frozen():
    for thing, name in [(Config(), "data"), (Config().training, "epochs")]:
        with pytest.raises(FrozenInstanceError):
            setattr(thing, name, None)
    with pytest.raises(ConfigError, match="Did you mean 'epochs'"):
        Config().replace(epoch=1)
    assert Config().replace(training=TrainingConfig(epochs=5), seed=3).training == TrainingConfig(epochs=5, seed=3)


# ---------- presets and the reference's files


def test_presets():
    assert set(PRESETS) == {"default", "paper", "retina", "berkeley_natural_images", "brain_ventricles", "brain_tumor"}
    for name in PRESETS:
        assert Config.from_yaml(preset(name).to_yaml()) == preset(name)
    paper = preset("paper").training
    assert (paper.crop, paper.n_anchors, paper.lambda_contrastive, paper.precision, paper.epochs, paper.batch_size) == (
        None,
        8,
        0.001,
        "float32",
        200,
        16,
    )
    assert "Did you mean 'retina'" in refusal(preset, "retna")


REFERENCE = dict(
    dataset_name="retina",
    dataset_path="$CUTS_ROOT/data/retina",
    model_save_path="$CUTS_ROOT/checkpoints/r.pty",
    output_save_path="$CUTS_ROOT/results/",
    log_folder="$CUTS_ROOT/logs/",
    model_setting="full",
    learning_rate=1e-3,
    weight_decay=1e-4,
    max_epochs=100,
    patience=50,
    batch_size=8,
    num_kernels=32,
    sampled_patches_per_image=4,
    patch_size=7,
    num_workers=2,
    lambda_contrastive_loss=0.01,
    random_seed=3,
    train_val_ratio="6:4",
    is_binary=True,
    no_label=False,
)


def test_reference_keys_arrive(monkeypatch):
    monkeypatch.setenv("CUTS_ROOT", "/somewhere")
    c = Config.from_yaml(yaml.safe_dump(REFERENCE))
    assert c == read_reference_yaml(REFERENCE)
    assert c.differences(preset("paper")) == {
        k: (v, preset("paper").flat()[k])
        for k, v in dict(
            dataset="retina",
            root="/somewhere/data",
            channels="rgb",
            is_binary=True,
            epochs=100,
            batch_size=8,
            lambda_contrastive=0.01,
            n_anchors=4,
            patch_size=7,
            num_kernels=32,
            train_val_ratio=(6, 4),
            patience=50,
            num_workers=2,
            seed=3,
        ).items()
    }
    assert read_reference_yaml({"dataset_name": "retina"}) == preset("paper").replace(
        dataset="retina", channels="rgb", is_binary=True
    )


@pytest.mark.parametrize(
    "name, path, dataset, root",
    [
        ("berkeley", "$CUTS_ROOT/data/berkeley_natural_images", "berkeley_natural_images", "/r/data"),
        ("berkeley", "${CUTS_ROOT}/berkeley/", "berkeley_natural_images", "/r"),
        ("brain_tumor", "brain_tumor", "brain_tumor", None),
        ("retina", "/elsewhere/eyes/", "/elsewhere/eyes", None),
        ("mine", "$CUTS_ROOTS/mine", "mine", "$CUTS_ROOTS"),
    ],
)
def test_reference_paths(monkeypatch, name, path, dataset, root):
    monkeypatch.setenv("CUTS_ROOT", "/r")
    c = read_reference_yaml(dict(dataset_name=name, dataset_path=path))
    assert (c.data.dataset, c.data.root) == (dataset, root)


def test_reference_root_unset_is_kept_with_a_warning(monkeypatch, caplog):
    monkeypatch.delenv("CUTS_ROOT", raising=False)
    assert read_reference_yaml(REFERENCE).data.root == "$CUTS_ROOT/data"
    assert [r.levelname for r in caplog.records] == ["WARNING"] * 2 and "CUTS_ROOT is not set" in caplog.text


def test_reference_supervised_keys_arrive(caplog):
    c = read_reference_yaml(
        dict(
            dataset_name="retina",
            supervised_network="nnunet",
            train_val_test_ratio="7:1:2",
            pretrained=False,
            random_seed=2,
            learning_rate="1e-4",
            weight_decay=0,
            max_epochs=9,
            patience=5,
            batch_size=2,
        )
    )
    assert c == preset("retina").replace(
        **PRESETS["paper"],
        supervised_network="dynunet",
        train_val_test_ratio=(7, 1, 2),
        seed=2,
        supervised_learning_rate=1e-4,
        supervised_weight_decay=0,
        supervised_epochs=9,
        supervised_patience=5,
        supervised_batch_size=2,
    )
    assert len(caplog.records) == 1 and "pretrained" in caplog.text


@pytest.mark.parametrize(
    "key, value, says",
    [
        ("pretrained", True, "pretrained = True: expected false"),
        ("pretrained", "yes", "expected false"),
        ("supervised_network", "u-net", "Did you mean 'unet'"),
        ("supervised_network", None, "supervised_network → "),
        ("train_val_test_ratio", "7:3", "[7, 1, 2]"),
        ("max_epochs", 0, "max_epochs → supervised.supervised_epochs"),
    ],
)
def test_reference_supervised_faults(key, value, says):
    assert says in refusal(read_reference_yaml, dict(dataset_name="retina", supervised_network="unet") | {key: value})


@pytest.mark.parametrize("setting, weight", [("full", 0.01), ("no_recon", 1.0), ("no_contrastive", 0.0)])
def test_reference_model_setting(setting, weight):
    for mapping in (
        REFERENCE | {"model_setting": setting},
        {"model_setting": setting} | {k: v for k, v in REFERENCE.items() if k != "model_setting"},
    ):
        assert read_reference_yaml(mapping).training.lambda_contrastive == weight


@pytest.mark.parametrize(
    "key, value, says",
    [
        ("max_epoch", 5, "Did you mean 'max_epochs'"),
        ("max_epochs", "many", "max_epochs → training.epochs"),
        ("model_setting", "no_reco", "Did you mean 'no_recon'"),
        ("learning_rate", -1, "learning_rate → training.learning_rate"),
        ("train_val_ratio", "7:1:2", "[7, 3]"),
        ("dataset_name", None, "dataset_name = None"),
        ("dataset_path", 5, "dataset_path = 5"),
        ("model_setting", ["full"], "model_setting"),
        ("random_seed", {}, "random_seed → training.seed"),
    ],
)
def test_reference_faults_are_named_by_the_reference_key(key, value, says):
    assert says in refusal(read_reference_yaml, REFERENCE | {key: value})
    assert says in refusal(Config.from_yaml, yaml.safe_dump(REFERENCE | {key: value}))


def test_reference_as_it_is_written():
    "Unquoted ratios and exponents, which YAML 1.1 takes for something else."
    c = Config.from_yaml(
        "dataset_name: retina\ntrain_val_ratio: 7:3\nlearning_rate: 1e-4\nweight_decay: '1e-5'\nis_binary: True\n"
    )
    assert (c.training.train_val_ratio, c.training.learning_rate, c.training.weight_decay) == ((7, 3), 1e-4, 1e-5)


# ---------- the rest


def test_the_table_has_every_setting():
    pytest.importorskip("pandas")
    table = describe(mine=Config().replace(epochs=5))
    assert (
        list(table.setting) == SETTINGS
        and list(table.columns[-1:]) == ["mine"]
        and table.set_index("setting").mine.epochs == "5"
    )


def test_devices():
    pytest.importorskip("torch")
    assert str(choose_device("cpu")) == "cpu" and choose_device(choose_device("auto")) == choose_device()
    for missing in ("cuda:77", "nonsense", 5.5):
        with pytest.raises(ValueError, match="not available here"):
            choose_device(missing)


def test_the_import_is_light():
    code = "import sys, cuts.config, cuts.runs; print([m for m in ('torch', 'pandas', 'numpy', 'scipy', 'matplotlib') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
