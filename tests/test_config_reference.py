"Files of the code published beside the paper: every key arrives where it belongs, every fault is named by its key."

import pytest
import yaml
from refusals import refusal

from cuts.config.presets import PRESETS
from cuts.config.settings import Config, preset

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
    assert c == Config.from_reference(REFERENCE)
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
    assert Config.from_reference({"dataset_name": "retina"}) == preset("paper").replace(
        dataset="retina", channels="rgb", is_binary=True
    )


@pytest.mark.parametrize(
    ("name", "path", "dataset", "root"),
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
    c = Config.from_reference(dict(dataset_name=name, dataset_path=path))
    assert (c.data.dataset, c.data.root) == (dataset, root)


def test_reference_root_unset_is_kept_with_a_warning(monkeypatch, caplog):
    monkeypatch.delenv("CUTS_ROOT", raising=False)
    assert Config.from_reference(REFERENCE).data.root == "$CUTS_ROOT/data"
    assert [r.levelname for r in caplog.records] == ["WARNING"] * 2
    assert "CUTS_ROOT is not set" in caplog.text


def test_reference_supervised_keys_arrive(caplog):
    c = Config.from_reference(
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
    assert len(caplog.records) == 1
    assert "pretrained" in caplog.text


@pytest.mark.parametrize(
    ("key", "value", "says"),
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
    assert says in refusal(Config.from_reference, dict(dataset_name="retina", supervised_network="unet") | {key: value})


@pytest.mark.parametrize(("setting", "weight"), [("full", 0.01), ("no_recon", 1.0), ("no_contrastive", 0.0)])
def test_reference_model_setting(setting, weight):
    for mapping in (
        REFERENCE | {"model_setting": setting},
        {"model_setting": setting} | {k: v for k, v in REFERENCE.items() if k != "model_setting"},
    ):
        assert Config.from_reference(mapping).training.lambda_contrastive == weight


@pytest.mark.parametrize(
    ("key", "value", "says"),
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
    assert says in refusal(Config.from_reference, REFERENCE | {key: value})
    assert says in refusal(Config.from_yaml, yaml.safe_dump(REFERENCE | {key: value}))


def test_reference_as_it_is_written():
    "Unquoted ratios and exponents, which YAML 1.1 takes for something else."
    c = Config.from_yaml(
        "dataset_name: retina\ntrain_val_ratio: 7:3\nlearning_rate: 1e-4\nweight_decay: '1e-5'\nis_binary: True\n"
    )
    assert (c.training.train_val_ratio, c.training.learning_rate, c.training.weight_decay) == ((7, 3), 1e-4, 1e-5)
