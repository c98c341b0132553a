"`cuts.Segmenter` by the rules of scikit-learn: what its own checks ask, searches in processes, files, and bad input."

import json
import pickle
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
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
        first.mask((16, 16)), clone(learned).set_params(hint=(16, 16)).fit(PICTURES).predict(PICTURES)[0]
    )


# Files ---------------------------------------------------------------------------------------------------------------
def test_a_folder_keeps_everything(learned, tmp_path):
    config = Config().replace(n_landmarks=50, method="condensation")
    for name, segmenter in {
        "learned": learned,
        "prior": cuts.Segmenter(hint=np.array([10, 12]), config=config, random_state=3).fit(PICTURES),
    }.items():
        segmenter.save(tmp_path / name)
        again = cuts.Segmenter.load(tmp_path / name)
        assert again.config_ == segmenter.config_
        assert {**again.get_params(), "hint": None} == {**segmenter.get_params(), "hint": None}
        np.testing.assert_array_equal(again.predict(PICTURES), segmenter.predict(PICTURES))


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
        (dict(what="kmeans", settings=QUICK), 'what: "kmeans" was not computed'),
        (dict(epochs=-1), "epochs"),
        (dict(config="papier"), "papier"),
        (dict(settings={"smooothing": 1}), "smooothing"),
        (dict(channels="grey"), "channels"),
    ):
        with pytest.raises(ValueError, match=message):
            cuts.Segmenter(**parameters).fit(PICTURES).predict(PICTURES[:1])


def test_scores_need_labels(learned):
    with pytest.raises(ValueError, match="y: expected a label map for each of the 4 images"):
        learned.score(PICTURES, None)


def test_cuts_hands_it_on_without_torch():
    code = "import cuts, sys; assert 'Segmenter' in dir(cuts); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
