"The command `cuts` from images to scores: steps, seeds, methods, tables and figures."

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import TINY, cuts, picture, segmentations, write_example

from cuts.data.fundus import fundus_phantom
from cuts.show.comparison import comparison_figure
from cuts.io.rasters import write_picture


def test_steps_and_scores(empty_folder, two_images, trained_run):
    assert cuts("embed", two_images, "--run", trained_run, "--out", "embedded")[0] == 0
    with np.load("embedded/0.png.vectors.npz") as f:
        assert f["vectors"].shape == (32, 36, 128)
        assert set(f) == {"image", "reconstruction", "label", "vectors"}
    assert set(pd.read_csv("embedded/losses.csv").image) == {"0.png", "1.png"}
    assert cuts("segment", two_images, "--run", trained_run, "--out", "out")[0] == 0
    status, text = cuts("evaluate", "out", "--out", "deep/er/scores.csv")
    assert status == 0
    assert "spectral k-means" in text
    table = pd.read_csv("deep/er/scores.csv")
    assert list(table.columns[:8]) == ["seed", "method", "image", "level", "n_regions", "oracle", "dice", "hausdorff"]
    assert set(table.method) == {
        "spectral k-means",
        "diffusion (persistent)",
        "diffusion (best level)",
        "diffusion (best salient level)",
    }
    assert len(table) == 8


def test_seeds_in_one_table(empty_folder, two_images):
    status, text = cuts("run", two_images, "--out", "out", "--seeds", "1,3", *TINY, "--method", "condensation")
    assert status == 0
    assert "±" in text
    table = pd.read_csv("out/metrics.csv")
    assert set(table.seed) == {1, 3}
    assert "spectral k-means" not in set(table.method)
    assert Path("out/seed-3/model.safetensors").is_file()
    assert len(list(Path("out/figures").glob("*.png"))) == 2


def test_seed_and_seeds_make_the_same(empty_folder, two_images):
    for flag, out in (("--seed", "one"), ("--seeds", "many")):
        assert cuts("run", two_images, "--out", out, flag, "3", *TINY)[0] == 0
    one, many = (segmentations(Path(out) / "seed-3" / "segmentations") for out in ("one", "many"))
    assert one == many
    assert len(one) >= 2
    assert Path("one/metrics.csv").read_bytes() == Path("many/metrics.csv").read_bytes()
    assert cuts("train", two_images, "--out", "alone", "--seed", "3", *TINY)[0] == 0
    assert cuts("segment", two_images, "--run", "alone", "--out", "steps")[0] == 0
    assert segmentations(Path("steps")) == one


@pytest.fixture(scope="module")
def eyes(tmp_path_factory):
    "Four pictures with truth."
    folder = tmp_path_factory.mktemp("images") / "eyes"
    (folder / "labels").mkdir(parents=True)
    for seed in range(4):
        image, truth = fundus_phantom((40, 40), seed)
        write_picture(folder / f"{seed}.png", image)
        np.save(folder / "labels" / f"{seed}.npy", truth)
    return folder


@pytest.fixture(scope="module")
def compared(eyes, tmp_path_factory):
    "A run of four methods, and what the command said."
    out = tmp_path_factory.mktemp("runs") / "compared"
    tiny = [*TINY, "--set", "supervised_features=4", "--set", "supervised_epochs=1"]
    status, text = cuts("run", eyes, "--out", out, "--methods", "cuts,random,otsu,unet", *tiny)
    assert status == 0
    return out, text


def test_methods_side_by_side(compared):
    out, text = compared
    assert "Otsu's threshold" in text
    assert "U-Net (supervised)" in text
    assert (out / "comparison.png").is_file()


def test_figures_of_a_comparison(empty_folder, compared):
    out, _ = compared
    separate = ["--comparison", "--binary", "--separate", "--grayscale"]
    for flags in ([], ["--comparison"], ["--comparison", "--binary"], separate):
        assert cuts("figure", out, "--images", "0,3.png", *flags, "--out", "deep/figure.pdf")[0] == 0
        assert Path("deep/figure.pdf").read_bytes().startswith(b"%PDF")
    status, text = cuts("figure", out, "--images", "9", "--out", "x.png")
    assert status == 1
    assert "positions from 0 to 3" in text


def test_scores_of_methods_in_folders_of_their_own(empty_folder, eyes):
    assert cuts("baselines", eyes, "--out", "others", "--methods", "slic", "--seeds", "1,2")[0] == 0
    small = ["--network", "dynunet", "--epochs", "1", "--set", "supervised_features=4"]
    assert cuts("supervised", eyes, "--out", "learned", *small)[0] == 0
    assert cuts("evaluate", "others", "learned", "--out", "scores")[0] == 0
    assert set(pd.read_csv("scores/metrics.csv").method) == {"SLIC", "DynUNet (supervised)"}
    assert "toprule" in Path("scores/summary.tex").read_text()
    status, text = cuts("baselines", eyes, "--out", "others", "--methods", "slick")
    assert status == 1
    assert "expected some of random, otsu" in text


def test_other_methods_stay_in_the_table(empty_folder, two_images, caplog):
    assert cuts("run", two_images, "--out", "out", "--methods", "cuts,otsu", *TINY)[0] == 0
    before, picture_before = pd.read_csv("out/metrics.csv"), Path("out/comparison.png").read_bytes()
    assert cuts("run", two_images, "--out", "out", *TINY)[0] == 0
    assert pd.read_csv("out/metrics.csv").equals(before)
    assert Path("out/comparison.png").read_bytes() == picture_before
    assert cuts("run", two_images, "--out", "out", "--methods", "slic", *TINY)[0] == 0
    assert set(pd.read_csv("out/metrics.csv").method) == set(before.method) | {"SLIC"}
    for name in ("0", "1"):  # other images under the same names
        write_example(Path("copy"), name, seed=9)
    status, text = cuts("run", "copy", "--out", "out", *TINY)
    assert status == 0
    assert set(pd.read_csv("out/metrics.csv").method) == set(before.method) - {"Otsu's threshold"}
    assert "made of other images" in text


def test_tables_fit_and_say_what_they_mean(empty_folder, two_images, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    status, text = cuts("run", two_images, "--out", "out", *TINY)
    assert status == 0
    assert "oracle: what a method is told" in text
    assert max(map(len, text.split("oracle:")[0].splitlines())) <= 80
    assert "1 segmentations" not in text
    assert "2 segmentations" in text


def test_without_truth(empty_folder):
    picture(Path("plain/a.png"))
    assert cuts("segment", "plain", "--out", "out", *TINY)[0] == 0
    status, text = cuts("evaluate", "out", "--out", "scores.csv")
    assert status == 0
    assert "no scores" in text
    assert "nan" not in Path("scores.csv").read_text().lower()


def test_nothing_is_said_of_scores_that_are_not_there(empty_folder):
    picture(Path("plain/a.png"))
    status, text = cuts("run", "plain", "--out", "out", *TINY)
    assert status == 0
    assert "metrics.csv" not in text
    assert "1 segmentation," in text
    assert "1 picture:" in text
    assert [p.name for p in Path("out/figures").glob("*.png")] == ["a.png"]


def test_figure_leaves_what_is_no_structure_unpainted():
    labels = np.zeros((8, 8), int)
    labels[:4], labels[4:, :4] = 5, 9
    for row in (dict(like=None), dict(like=labels), dict(true=labels == 5)):
        fig = comparison_figure([dict(image=np.ones((8, 8)), results={"persistent": labels}) | row], binary=False)
        painted = np.asarray(fig.axes[-1].images[0].get_array())
        assert not painted[labels == 0].any()
        assert painted[labels == 5].any()
        assert painted[labels == 9].any()


def test_phate_of_an_image(empty_folder, two_images):
    pytest.importorskip("phate")
    assert cuts("run", two_images, "--out", "out", *TINY)[0] == 0
    assert cuts("phate", "out/seed-1", "--out", "phate.png")[0] == 0
    assert Path("phate.png").stat().st_size > 10_000


def test_volumes_as_channels(empty_folder):
    nibabel = pytest.importorskip("nibabel")
    Path("in").mkdir()
    series = np.random.default_rng(0).normal(size=(20, 21, 2, 5)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(series, np.eye(4)), "in/series.nii.gz")
    status, text = cuts("info", "in/series.nii.gz")
    assert status == 1
    assert "channel_axis=3" in text
    assert "On the command line: --channel-axis\n" in text
    status, text = cuts("info", "in/series.nii.gz", "--channel-axis", "3")
    assert status == 0
    assert "5 channels" in text
    status, text = cuts("segment", "in", "--out", "out", *TINY)
    assert status == 1
    assert "pass channel_axis=3" in text
    assert "On the command line: --channel-axis\n" in text
    assert cuts("segment", "in", "--out", "out", "--channel-axis", "-1", *TINY)[0] == 0
