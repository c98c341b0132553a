"`cuts.Segmenter` by the rules of scikit-learn: what its own checks ask, searches in processes, files, and bad input."

import contextlib
import itertools
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
import torch
from repository import root
from sklearn.base import clone
from sklearn.ensemble import BaggingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.utils import estimator_checks as checks

import cuts
from cuts.config.settings import Config
from cuts.data.phantoms import nested_phantom

QUICK = dict(n_landmarks=60, method="condensation")
SHORT = dict(QUICK, crop=24, batch_size=2, min_batches=1, n_anchors=8, num_kernels=4, n_layers=3, device="cpu")
PICTURES = [nested_phantom((32, 32), seed)[0] for seed in range(4)]
TRUTHS = [nested_phantom((32, 32), seed)[1][0] for seed in range(4)]


@pytest.fixture(scope="module")
def learned():
    return cuts.Segmenter(what=4, epochs=1, settings=SHORT).fit(PICTURES)


@pytest.fixture(scope="module")
def other():
    return cuts.Segmenter(what=6, epochs=1, settings=SHORT, random_state=5).fit(PICTURES)


# The rules of scikit-learn -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "check",
    [
        checks.check_parameters_default_constructible,
        checks.check_no_attributes_set_in_init,
        checks.check_get_params_invariance,
        checks.check_set_params,
        checks.check_estimator_cloneable,
        checks.check_estimator_repr,
        checks.check_estimator_tags_renamed,
    ],
)
def test_checks_of_scikit_learn_that_need_no_rows(check):
    check("Segmenter", cuts.Segmenter())


def test_what_is_asked_before_fit_is_refused():
    for method in ("predict", "transform"):
        with pytest.raises(NotFittedError):
            getattr(cuts.Segmenter(), method)(PICTURES)
    with pytest.raises(NotFittedError):
        cuts.Segmenter().get_feature_names_out()


def test_fit_leaves_the_parameters_alone(learned):
    assert learned.get_params()["settings"] is SHORT
    assert clone(learned).get_params() == learned.get_params()
    assert not hasattr(clone(learned), "config_")


def test_parameters_reach_through_a_pipeline():
    pipeline = Pipeline([("regions", cuts.Segmenter(settings=QUICK))]).set_params(regions__what=3)
    labels = pipeline.fit(PICTURES).predict(PICTURES[:1])
    assert labels[0].max() == 3


def test_a_search_in_processes_finds_what_one_in_this_process_finds():
    grid = {"what": [2, 5], "settings": [QUICK, QUICK | {"spatial_weight": 0.0}]}
    alone, many = (
        GridSearchCV(cuts.Segmenter(), grid, cv=2, n_jobs=n).fit(PICTURES, TRUTHS).cv_results_ for n in (1, 2)
    )
    np.testing.assert_array_equal(alone["mean_test_score"], many["mean_test_score"])
    assert np.isfinite(alone["mean_test_score"]).all()


def test_a_search_may_hand_out_numbers_of_numpy():
    grid = {"what": np.arange(2, 4), "settings": [QUICK | {"spatial_weight": np.float32(0.5)}]}
    search = GridSearchCV(cuts.Segmenter(), grid, cv=2, n_jobs=2).fit(PICTURES, TRUTHS)
    assert pickle.loads(pickle.dumps(search.best_estimator_)).what == search.best_params_["what"]
    with pytest.raises(TypeError, match="a object among the parameters"):
        pickle.dumps(cuts.Segmenter(what=object()))


def test_an_array_of_images_can_be_divided_too():
    scores = cross_val_score(cuts.Segmenter(3, settings=QUICK), np.stack(PICTURES), np.stack(TRUTHS), cv=2)
    assert scores.shape == (2,)


# What comes out ------------------------------------------------------------------------------------------------------
def test_the_label_maps_are_those_of_segment(learned):
    maps = learned.predict(PICTURES)
    for labels, picture in zip(maps, PICTURES, strict=True):
        np.testing.assert_array_equal(labels, cuts.segment(picture, learned.model_).labels(4))
    again = cuts.Segmenter(what=4, epochs=1, settings=SHORT, n_jobs=2).fit(PICTURES).predict(PICTURES)
    np.testing.assert_array_equal(maps, again)


def test_paths_images_and_a_folder_are_samples(tmp_path):
    for i, picture in enumerate(PICTURES[:2]):
        PIL.Image.fromarray((255 * picture).astype(np.uint8)).save(tmp_path / f"{i}.png")
    paths = sorted(tmp_path.glob("*.png"))
    segmenter = cuts.Segmenter(what=3, settings=QUICK)
    by_path = segmenter.fit_predict(paths)
    assert len(segmenter.fit_predict([*paths, paths[0]])) == 3  # as a bootstrap draws them
    for other in (tmp_path, [str(p) for p in paths], np.array([str(p) for p in paths])):
        np.testing.assert_array_equal(segmenter.fit_predict(other), by_path)
    np.testing.assert_array_equal(segmenter.fit_predict([cuts.read_image(p) for p in paths]), by_path)


def test_images_of_different_sizes_come_back_as_a_list():
    pictures = [PICTURES[0], PICTURES[1][:20]]
    maps = cuts.Segmenter(what=3, settings=QUICK).fit_predict(pictures)
    assert [labels.shape for labels in maps] == [(32, 32), (20, 32)]
    assert isinstance(maps, list)


def test_features_do_not_depend_on_the_other_images(learned):
    rows = learned.transform(PICTURES)
    assert rows.shape == (4, 2 * learned.n_numbers_) == (4, len(learned.get_feature_names_out()))
    assert np.isfinite(rows).all()
    np.testing.assert_array_equal(rows[2:3], learned.transform(PICTURES[2:3]))
    turned = [np.ascontiguousarray(picture[::-1]) for picture in PICTURES]
    assert np.abs(rows - learned.transform(turned)).max() < np.abs(rows - rows[[1, 2, 3, 0]]).max()


def test_the_features_are_means_and_spreads(learned):
    from cuts.segmentation.content import image_tiles

    image = cuts.as_image(PICTURES[0])
    ((_, Z),) = image_tiles(image, learned.model_, learned.config_.segmentation)[0]()
    Z = Z.reshape(-1, Z.shape[-1])
    np.testing.assert_allclose(learned.transform([image])[0], [*Z.mean(0), *Z.std(0)], atol=1e-4)


def test_other_estimators_take_the_rows():
    target = np.array([truth.max() for truth in TRUTHS], float)
    rows = cuts.Segmenter(settings=QUICK).fit_transform(PICTURES)
    assert BaggingRegressor(n_estimators=3, random_state=0).fit(rows, target).predict(rows).shape == (4,)


def test_segmentations_answer_hints(learned):
    first = next(iter(learned.segmentations(PICTURES)))
    np.testing.assert_array_equal(
        first.mask((16, 16)),
        clone(learned).set_params(hint=(16, 16), what="persistent").fit(PICTURES).predict(PICTURES)[0],
    )


# What the parameters say together ------------------------------------------------------------------------------------
def test_the_parameters_have_one_order():
    config = Config().replace(epochs=1, **SHORT)
    assert cuts.Segmenter(config=config).fit(PICTURES).model_ is not None  # epochs=None: as the configuration says
    assert cuts.Segmenter(config=config, epochs=0).fit(PICTURES).model_ is None
    assert cuts.Segmenter(settings=QUICK).fit(PICTURES).model_ is None  # nothing says how many
    fitted = cuts.Segmenter(config=config, settings={"n_landmarks": 50}, epochs=0, channels="gray").fit(PICTURES)
    assert fitted.config_ == config.replace(n_landmarks=50, epochs=0, channels="gray")


@pytest.mark.parametrize(
    ("settings", "parameters"),
    [
        (dict(epochs=1), {}),
        (dict(epochs=1), dict(epochs=1)),
        (dict(channels="gray"), dict(channels="rgb")),
        (dict(channel_axis=0), {}),
        (dict(seed=3), dict(random_state=4)),
        (dict(segmentation_seed=3), dict(random_state=4)),
    ],
)
def test_what_is_said_twice_is_refused(settings, parameters):
    with pytest.raises(ValueError, match="settings: '.*' is said by a parameter"):
        cuts.Segmenter(settings=settings, **parameters).fit(PICTURES)


def test_seeds_come_from_numbers_and_from_random_states():
    def seeds(random_state):
        known = cuts.Segmenter(random_state=random_state).fit(PICTURES[:1]).config_.flat()
        return known["seed"], known["segmentation_seed"]

    assert seeds(None) == (Config().training.seed, Config().segmentation.segmentation_seed)
    assert seeds(3) == seeds(np.int64(3)) == (3, 3)
    drawing = np.random.RandomState(0)
    first = seeds(drawing)
    assert first == seeds(np.random.RandomState(0))
    assert first != seeds(drawing)  # the next number


def test_a_fit_that_fails_leaves_nothing_behind(monkeypatch):
    def failing(*args, **kwargs):
        raise RuntimeError("out of memory")

    segmenter = cuts.Segmenter(what=3, settings=QUICK)
    with pytest.raises(ValueError, match="X: empty"):
        segmenter.fit([])
    with pytest.raises(NotFittedError):
        segmenter.predict(PICTURES)
    segmenter.fit(PICTURES)
    before = dict(vars(segmenter))
    monkeypatch.setattr("cuts.integrations.estimator.train", failing)
    with pytest.raises(RuntimeError, match="out of memory"):
        segmenter.set_params(epochs=1, settings=SHORT).fit([picture[..., 0] for picture in PICTURES])
    for name in ("config_", "model_", "n_channels_", "n_numbers_"):
        assert vars(segmenter)[name] is before[name]


def test_a_wrong_request_is_refused_before_any_image_is_read(learned):
    def unread():
        raise AssertionError("read")
        yield

    with pytest.raises(ValueError, match="what: 'foo'"):
        cuts.Segmenter(what="foo").fit(unread())
    for y, message in (
        (TRUTHS[:1], "y: expected a label map for each of the 2 images, found 1"),
        ([TRUTHS[0], TRUTHS[1][:9]], r"y: label map 1: labels \[9, 32\], but the image"),
        ([TRUTHS[0], TRUTHS[1] + 0.5], "y: label map 1: labels hold fractions"),
    ):
        segmenter = cuts.Segmenter.__new__(cuts.Segmenter)
        vars(segmenter).update(vars(learned))
        segmenter.predict = None  # must not be reached
        with pytest.raises(ValueError, match=message):
            segmenter.score(PICTURES[:2], y)


# Which images --------------------------------------------------------------------------------------------------------
def test_a_generator_is_gone_through_once():
    segmenter = cuts.Segmenter(what=3, settings=QUICK)
    expected = segmenter.fit_predict(PICTURES)
    np.testing.assert_array_equal(segmenter.fit_predict(x for x in PICTURES), expected)
    np.testing.assert_array_equal(segmenter.fit_transform(x for x in PICTURES), segmenter.transform(PICTURES))
    assert segmenter.score((x for x in PICTURES), iter(TRUTHS)) == segmenter.score(PICTURES, TRUTHS)


@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy])
def test_a_picture_with_channels_is_not_taken_for_many(make):
    segmenter = cuts.Segmenter(what=3, settings=QUICK)
    last, first = PICTURES[0], np.ascontiguousarray(np.moveaxis(PICTURES[0], -1, 0))
    for single in (last, first, last[..., :1], np.concatenate([last, last[..., :1]], -1)):
        with pytest.raises(
            ValueError, match=r"X: an array .* looks like a single picture .*\[image\], or image\[None\]"
        ):
            segmenter.fit(make(single))
    for axis in (0, -1):
        with pytest.raises(ValueError, match="looks like a single picture"):
            clone(segmenter).set_params(channel_axis=axis).fit(np.zeros((9, 32, 9)))
    expected = segmenter.fit_predict([last])[0]
    for many in ([make(last)], make(last)[None], [make(first)]):
        np.testing.assert_array_equal(np.asarray(segmenter.fit_predict(many))[0], expected)


def test_pictures_without_channels_are_known_by_a_parameter():
    gray = np.stack([picture[..., 0] for picture in PICTURES])
    segmenter = cuts.Segmenter(what=3, channel_axis="none", settings=QUICK).fit(gray)
    assert segmenter.n_channels_ == 1
    np.testing.assert_array_equal(segmenter.predict(gray[:3]), clone(segmenter).fit_predict(list(gray[:3])))
    assert cross_val_score(segmenter, gray, TRUTHS, cv=2).shape == (2,)
    wide = np.moveaxis(np.stack([PICTURES[0][..., 0]] * 5), 0, 1)  # five channels in the middle, which no shape tells
    assert cuts.Segmenter(channel_axis=1, settings=QUICK).fit([wide]).n_channels_ == 5


# Files ---------------------------------------------------------------------------------------------------------------
def test_a_folder_keeps_everything(learned, tmp_path):
    config = Config().replace(n_landmarks=50, method="condensation", epochs=1)
    for name, segmenter in {
        "learned": learned,
        "prior": cuts.Segmenter(hint=np.array([10, 12]), config=config, random_state=3).fit(PICTURES),
    }.items():
        segmenter.save(tmp_path / name)
        again = cuts.Segmenter.load(tmp_path / name)
        assert again.config_ == segmenter.config_
        assert {**again.get_params(), "hint": None} == {**segmenter.get_params(), "hint": None}
        np.testing.assert_array_equal(again.predict(PICTURES), segmenter.predict(PICTURES))


def test_copies_have_the_same_parameters(tmp_path):
    mask = np.zeros((32, 32), bool)
    mask[8:12, 9:14] = True
    told = dict(hint=mask, settings={"window": (0.0, 1.0), "prior_weight": 1.0}, config="paper", n_jobs=2)
    for parameters in (told, told | dict(hint=(5, 5)), told | dict(hint=[(5, 5), (6, 7)]), told | dict(hint=None)):
        segmenter = cuts.Segmenter(**parameters, epochs=0).fit(PICTURES)
        segmenter.save(tmp_path / "kept")
        for copy in (pickle.loads(pickle.dumps(segmenter)), cuts.Segmenter.load(tmp_path / "kept")):
            for name, value in segmenter.get_params().items():
                assert type(copy.get_params()[name]) is type(value), name
                np.testing.assert_equal(copy.get_params()[name], value)


def test_a_yaml_file_stays_a_path_in_a_pickle_and_is_read_into_a_folder(tmp_path):
    (tmp_path / "own.yaml").write_text(Config().replace(n_landmarks=50, method="condensation").to_yaml())
    segmenter = cuts.Segmenter(config=tmp_path / "own.yaml", epochs=0).fit(PICTURES)
    assert pickle.loads(pickle.dumps(segmenter)).config == segmenter.config
    segmenter.save(tmp_path / "kept")
    (tmp_path / "own.yaml").unlink()
    assert cuts.Segmenter.load(tmp_path / "kept").config == Config().replace(n_landmarks=50, method="condensation")


def test_a_file_of_an_older_version_is_read(learned, tmp_path):
    learned.save(tmp_path)
    path = tmp_path / "estimator.json"
    told = json.loads(path.read_text())
    del told["model_sha256"], told["params"]["channel_axis"]
    told["params"] |= dict(hint=[3, 4], config=Config().as_dict())
    path.write_text(json.dumps(told))
    again = cuts.Segmenter.load(tmp_path)
    assert (again.hint, again.config, again.model_.data_digest) == ([3, 4], Config(), learned.model_.data_digest)


def files_of(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_folders_of_something_else_are_left_alone(learned, tmp_path):
    prior = cuts.Segmenter(settings=QUICK).fit(PICTURES)
    for name, content, made in (
        ("run", {"model.safetensors": b"of a run"}, ("manifest",)),
        ("model", {"model.safetensors": b"anything"}, ()),
        ("other", {"estimator.json": b"{}", "model.safetensors": b"anything"}, ()),
    ):
        folder = tmp_path / name
        for part in ("", *made):
            (folder / part).mkdir()
        for file, data in content.items():
            (folder / file).write_bytes(data)
        for segmenter in (prior, learned):
            with pytest.raises(ValueError, match="Choose another folder"):
                segmenter.save(folder)
            assert files_of(folder) == content
    shared = tmp_path / "shared"
    learned.model_.push(shared)
    before = files_of(shared)
    with pytest.raises(ValueError, match="has a model, but not that of an estimator"):
        prior.save(shared)
    assert files_of(shared) == before


class Crash(BaseException):
    "What no program catches, as a power cut."


def breaking(function, steps, breaks_at: int):
    "A function of the system that is never reached at this step, and never after it."

    def step(*args, **kwargs):
        if next(steps) >= breaks_at:
            raise Crash
        return function(*args, **kwargs)

    return step


@pytest.mark.parametrize("breaks_at", range(1, 7))
@pytest.mark.parametrize("pair", [("learned", "prior"), ("learned", "other"), ("prior", "learned")], ids="-".join)
def test_a_crash_leaves_the_old_estimator_or_the_new_one(learned, other, tmp_path, monkeypatch, breaks_at, pair):
    prior = cuts.Segmenter(what=5, settings=QUICK).fit(PICTURES)
    old, new = (dict(learned=learned, prior=prior, other=other)[name] for name in pair)
    old.save(tmp_path)
    with monkeypatch.context() as system, contextlib.suppress(Crash):
        steps = itertools.count(1)
        for name in ("replace", "unlink"):
            system.setattr(os, name, breaking(getattr(os, name), steps, breaks_at))
        new.save(tmp_path)
    again = cuts.Segmenter.load(tmp_path)
    source = old if again.what == old.what else new
    assert (again.what, again.model_ is None) == (source.what, source.model_ is None)
    np.testing.assert_array_equal(again.transform(PICTURES[:1]), source.transform(PICTURES[:1]))
    new.save(tmp_path)  # and it can be written into again
    assert cuts.Segmenter.load(tmp_path).what == new.what


def test_another_model_in_the_folder_is_refused(learned, other, tmp_path):
    learned.save(tmp_path)
    other.model_.save(tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="the model there is not the one that was saved with it"):
        cuts.Segmenter.load(tmp_path)


def test_no_pickle_is_read(tmp_path):
    (tmp_path / "estimator.json").write_bytes(pickle.dumps({"format": "cuts estimator 1"}))
    with pytest.raises(ValueError, match=r"estimator\.json: "):
        cuts.Segmenter.load(tmp_path)


def test_parameters_that_are_none_are_refused(learned, tmp_path):
    learned.save(tmp_path)
    path = tmp_path / "estimator.json"
    told = json.loads(path.read_text())
    told["params"]["__class__"] = "os.system"
    path.write_text(json.dumps(told))
    with pytest.raises(ValueError, match=r"estimator\.json: '__class__' is no parameter"):
        cuts.Segmenter.load(tmp_path)


def test_a_learned_estimator_without_its_model_is_refused(learned, tmp_path):
    learned.save(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"estimator\.json: it learned in 1 epochs?, but model\.safetensors"):
        cuts.Segmenter.load(tmp_path)


def test_a_pickle_holds_the_output_that_was_set():
    named = cuts.Segmenter(settings=QUICK).set_output(transform="pandas").fit(PICTURES)
    rows = pickle.loads(pickle.dumps(named)).transform(PICTURES)
    assert list(rows.columns) == list(named.get_feature_names_out())


def test_skops_stores_it_and_trusts_one_class(learned, tmp_path):
    skops = pytest.importorskip("skops.io", reason="skops is not installed")
    path = tmp_path / "segmenter.skops"
    skops.dump(learned, path)
    assert skops.get_untrusted_types(file=path) == ["cuts.integrations.estimator.Segmenter"]
    again = skops.load(path, trusted=["cuts.integrations.estimator.Segmenter"])
    np.testing.assert_array_equal(again.predict(PICTURES), learned.predict(PICTURES))


# What cannot be ------------------------------------------------------------------------------------------------------
def test_bad_input_is_named(learned, tmp_path):
    (tmp_path / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for X, message in (
        (PICTURES[0][..., 0], "X: a single picture, expected many"),
        (cuts.as_image(PICTURES[0]), "X: a single picture"),
        ([], "X: empty"),
        ([PICTURES[0], np.full((32, 32, 3), np.nan)], "X: 000001 cannot be read: .*NaN|finite"),
        ([tmp_path / "damaged.png"], "damaged.png"),
        ([PICTURES[0][..., 0]], "X: images of 1 channels, but those of fit had 3"),
        ([PICTURES[0], PICTURES[0][..., 0]], "one set needs one kind"),
    ):
        with pytest.raises(ValueError, match=message):
            learned.predict(X)


def test_wrong_parameters_are_named_in_fit():
    for parameters, message in (
        (dict(what="persistant"), "what: 'persistant', expected"),
        (dict(what="kmeans", settings=QUICK), "what: 'kmeans', which method='condensation' does not make"),
        (dict(what=3, hint=(5, 5)), "what: 3 beside a hint"),
        (dict(random_state="abc"), "abc"),
        (dict(channel_axis="last"), "channel_axis"),
        (dict(epochs=-1), "epochs"),
        (dict(config="papier"), "papier"),
        (dict(settings={"smooothing": 1}), "smooothing"),
        (dict(channels="grey"), "channels"),
    ):
        with pytest.raises(ValueError, match=message):
            cuts.Segmenter(**parameters).fit(PICTURES)


def test_scores_need_labels(learned):
    with pytest.raises(ValueError, match="y: expected a label map for each of the 4 images"):
        learned.score(PICTURES, None)


def test_cuts_hands_it_on_without_torch():
    code = "import cuts, sys; assert 'Segmenter' in dir(cuts); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
