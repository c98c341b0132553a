"Configurations: what `cuts.config` must take, what it must refuse, and how it says so."

import json
import math
import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest
import yaml
from hypothesis import given, settings, strategies as st
from refusals import outcome, refusal

from cuts.config.presets import PRESETS
from cuts.config.sections import SECTIONS, TrainingConfig
from cuts.config.settings import Config, describe, preset

SETTINGS = [setting for section in SECTIONS.values() for setting in section.model_fields]


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
    assert set(Config().flat()) == set(SETTINGS)
    assert len(SETTINGS) == len(set(SETTINGS))


@settings(max_examples=60, deadline=None)
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
    config, message = outcome(Config().replace, **{name: value})
    if config is None:
        assert name in message
        assert len(message) < 400
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
    for read in (Config.from_dict, Config.from_reference):
        config, message = outcome(read, mapping)
        assert config is not None or 0 < len(message) < 600


# ---------- refused, with what to do


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("epochs", -1, "at least 0"),
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
    assert f".{name} = " in message
    assert says in message
    assert len(message) < 300


def test_a_crop_smaller_than_the_patch_names_both():
    assert "crop = 5" in (message := refusal(Config().replace, crop=5, patch_size=7))
    assert "patch_size = 7" in message


def test_frozen():
    for thing, name in [(Config(), "data"), (Config().training, "epochs")]:
        with pytest.raises(FrozenInstanceError):
            setattr(thing, name, None)
    assert "Did you mean 'epochs'" in refusal(Config().replace, epoch=1)
    assert Config().replace(training=TrainingConfig(epochs=5), seed=3).training == TrainingConfig(epochs=5, seed=3)


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


def test_the_table_has_every_setting():
    pytest.importorskip("pandas")
    table = describe(mine=Config().replace(epochs=5))
    assert list(table.setting) == SETTINGS
    assert list(table.columns[-1:]) == ["mine"]
    assert table.set_index("setting").mine.epochs == "5"


def test_the_import_is_light():
    heavy = ("torch", "pandas", "numpy", "scipy", "matplotlib")
    code = f"import sys, cuts.config.settings, cuts.runs; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
