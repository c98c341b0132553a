"Data sets: folders as people have them, damaged files, the published formats, downloads, and the real sets where they are."

import hashlib
import http.server
import logging
import os
import pickle
import signal
import stat
import subprocess
import sys
import threading
import warnings
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cuts import datasets
from cuts.datasets import (
    DATASETS,
    ImageDataset,
    brain_phantom,
    download,
    find_root,
    fit_square,
    fundus_phantom,
    match_labels,
    nested_phantom,
    open_dataset,
    phantoms,
    unzip,
)
from cuts.images import Image, write_labels, write_picture

ROOT = Path(os.environ["CUTS_DATA"]) if os.environ.get("CUTS_DATA") else None
rng = np.random.default_rng(0)


def picture(path, shape=(16, 18, 3)):
    "A picture at any name, upper-case endings included."
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = path.parent / "tmp-picture.png"
    write_picture(plain, rng.random(shape))
    os.replace(plain, path)
    return path


def quietly(source, **options):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        return open_dataset(source, **options), [str(w.message) for w in said]


# ---- folders


def test_odd_names_hidden_files_and_links(tmp_path):
    names = [
        "01.png",
        "a/01.png",
        "b/01.png",
        "sp ace.PNG",
        "-rf.png",
        "ünï 漢字.Png",
        "x[1].png",
        "~tilde.png",
        ".hidden.png",
        ".git/a.png",
        "__MACOSX/b.png",
    ]
    for n in names:
        picture(tmp_path / n)
    (tmp_path / "link.png").symlink_to(tmp_path / "01.png")
    (tmp_path / "circle").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "broken.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "notes.txt").write_text("not an image")
    ds = open_dataset(tmp_path).check()
    assert set(ds.names) == {n for n in names if not n.startswith((".", "__"))} | {"link.png"}
    assert list(ds.failures) == ["broken.png"]
    assert "no such file" in ds.failures["broken.png"]
    for odd in ("x[1].png", "-rf.png", "~tilde.png"):
        assert open_dataset(tmp_path / odd).names == [odd]
    cwd = os.getcwd()
    os.chdir(tmp_path)
    try:
        assert open_dataset("~tilde.png")[0].name == "~tilde.png"
        assert open_dataset("./a").names == ["01.png"]
    finally:
        os.chdir(cwd)


def test_same_stem_keeps_ending(tmp_path):
    "`01.png`, `01.tif`, `a/01.png`, `b/01.png` are four images."
    tifffile = pytest.importorskip("tifffile")
    for n in ("01.png", "a/01.png", "b/01.png"):
        picture(tmp_path / n)
    tifffile.imwrite(tmp_path / "01.tif", rng.integers(0, 255, (16, 18, 3), dtype=np.uint8), photometric="rgb")
    assert open_dataset(tmp_path).check().names == ["01.png", "01.tif", "a/01.png", "b/01.png"]


def test_damaged_files_are_recorded_and_the_others_go_on(tmp_path, caplog):
    for n in "abc":
        picture(tmp_path / f"{n}.png")
    for n in ("t.png", "t.tif", "t.npz", "t.npy", "t.nii.gz"):
        (tmp_path / n).write_bytes((tmp_path / "a.png").read_bytes()[:60])
    np.save(tmp_path / "nan.npy", np.full((8, 9), np.nan))
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    with caplog.at_level(logging.WARNING, "cuts.datasets"):
        ds = open_dataset(tmp_path)
        assert [s.name for s in ds] == ["a.png", "b.png", "c.png"]  # iteration skips, and says so
    assert "nan.npy" in caplog.text
    assert len(ds) == 10
    assert ds.check() is ds
    assert len(ds) == 3
    assert set(ds.failures) == {"t.png", "t.tif", "t.npz", "t.npy", "t.nii.gz", "nan.npy", "objects.npy"}
    assert all(str(tmp_path / n) in m for n, m in ds.failures.items())  # every message names its file
    for n in "abc":
        (tmp_path / f"{n}.png").unlink()
    with pytest.raises(ValueError, match="none of the 7 images"):
        open_dataset(tmp_path).check()


def test_channels_must_agree(tmp_path):
    picture(tmp_path / "colour.png")
    picture(tmp_path / "grey.png", (16, 18))
    with pytest.raises(ValueError, match=r"grey\.png has 1 channel .*colour\.png has 3"):
        open_dataset(tmp_path).check()
    assert open_dataset(tmp_path, channels="gray").check().n_channels == 1
    assert open_dataset(tmp_path, channels="rgb").check().n_channels == 3
    np.save(tmp_path / "grey.npy", rng.random((6, 16, 18)))
    (tmp_path / "colour.png").unlink()
    with pytest.raises(ValueError, match="a volume"):
        open_dataset(tmp_path).check()


def test_empty_folder_and_missing_things(tmp_path):
    with pytest.raises(ValueError, match="no image among 0 files"):
        open_dataset(tmp_path)
    (tmp_path / "a.docx").touch()
    with pytest.raises(ValueError, match=r"endings \.docx"):
        open_dataset(tmp_path)
    picture(tmp_path / "labels/1.png")
    with pytest.raises(ValueError, match="folders called label"), pytest.warns(UserWarning, match="labels/1.png"):
        open_dataset(tmp_path)
    with pytest.raises(FileNotFoundError, match="no file matches this pattern"):
        open_dataset(f"{tmp_path}/*.png")
    with pytest.raises(FileNotFoundError, match="Data sets: demo"):
        open_dataset(tmp_path / "zzz")
    with pytest.raises(FileNotFoundError, match="did you mean 'brain_tumor'"):
        open_dataset("brain_tumour")
    with pytest.raises(FileNotFoundError, match="labels="):
        open_dataset(tmp_path, labels=tmp_path / "zzz")
    with pytest.raises(TypeError, match="int"):
        open_dataset(3)
    with pytest.raises(ValueError, match="empty list"):
        open_dataset([])


# ---- labels


@pytest.mark.parametrize("where", ["labels", "label_with_GA", "masks", "Labels"])
def test_labels_by_stem_and_digits(tmp_path, where):
    for n in ("image10.png", "image2.png", "deep/image2.png", "none.png"):
        picture(tmp_path / "images" / n)
    for n in ("label010.npy", "image2.npy", "deep/label2.npy", "stray99.npy"):
        x = np.zeros((16, 18), int)
        x[0] = len(n)
        x[1] = 1  # two values: not a binary mask
        (tmp_path / where / n).parent.mkdir(parents=True, exist_ok=True)
        np.save(tmp_path / where / n, x)
    ds, said = quietly(tmp_path)
    marks = {
        "images/image10.png": len("label010.npy"),
        "images/image2.png": len("image2.npy"),
        "images/deep/image2.png": len("deep/label2.npy"),
    }
    found = {s.name: int(s.labels[0, 0]) for s in ds if s.labels is not None}
    assert len(ds) == 4
    assert found == marks
    assert len(said) == 1
    assert "images/none.png" in said[0]
    assert "stray99.npy" in said[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no complaint about what was not asked for
        part = open_dataset(f"{tmp_path}/images/image*.png", labels=tmp_path / where)
    assert part.names == ["image2.png", "image10.png"]
    assert part.has_labels
    assert open_dataset(tmp_path / "images/image10.png", labels=tmp_path / where / "label010.npy")[0].labels.shape == (
        16,
        18,
    )


def test_labels_folder_elsewhere_inside_and_beside(tmp_path):
    for n in ("x1.png", "x2.png"):
        picture(tmp_path / "in" / n)
    (tmp_path / "in/truth").mkdir()
    for n in ("x1.png", "x2.png"):
        write_labels(tmp_path / "in/truth" / n, np.eye(16, 18, dtype=int))
    assert open_dataset(tmp_path / "in", labels=tmp_path / "in/truth").names == ["x1.png", "x2.png"]
    assert open_dataset(os.path.relpath(tmp_path / "in"), labels=tmp_path / "in/truth").check()[0].labels.sum() == 16
    listed = open_dataset([tmp_path / "in/x2.png", tmp_path / "in/x1.png"], labels=tmp_path / "in/truth")
    assert listed.names == ["x2.png", "x1.png"]
    assert listed.check().has_labels
    beside = tmp_path / "beside"
    for n in ("scan1.png", "scan2.png", "mask_of_zorro.png"):
        picture(beside / n)
    assert len(open_dataset(beside)) == 3  # nothing matches: these are images
    np.save(beside / "scan1_mask.npy", np.ones((16, 18), bool))
    ds, said = quietly(beside)
    assert ds.names == ["scan1.png", "scan2.png"]
    assert "mask_of_zorro.png" in said[0]
    assert "scan2.png" in said[0]


def test_wrong_labels_are_failures(tmp_path):
    for i in range(4):
        picture(tmp_path / f"{i}.png")
    (tmp_path / "labels").mkdir()
    for i, x in enumerate([np.ones((16, 18)), np.ones((5, 5)), np.full((16, 18), 0.5), np.full((16, 18), np.nan)]):
        np.save(tmp_path / f"labels/{i}.npy", x)
    ds = open_dataset(tmp_path).check()
    assert ds.names == ["0.png"]
    assert set(ds.failures) == {"1.png", "2.png", "3.png"}
    assert "[5, 5]" in ds.failures["1.png"]
    assert ds[0].labels.dtype == np.int32


def test_ambiguous_labels_are_not_guessed():
    assert match_labels(["a1.png", "b1.png"], ["label1.npy"]) == {}
    assert match_labels(["1.png", "1.tif"], ["labels/1.tif"]) == {"1.tif": "labels/1.tif"}
    assert match_labels(["a/1.png", "b/1.png"], ["a/labels/1.npy"]) == {"a/1.png": "a/labels/1.npy"}
    assert match_labels(["imagesTr/la_003.nii.gz"], ["labelsTr/la_003.nii.gz"]) == {
        "imagesTr/la_003.nii.gz": "labelsTr/la_003.nii.gz"
    }


def test_binary_masks_and_many_classes():
    x = rng.random((9, 9))
    masks = ImageDataset([("a", x, 255 * (x > 0.5)), ("b", x, np.zeros((9, 9), int))])
    assert masks.is_binary
    assert set(np.unique(masks["a"].labels)) == {0, 1}
    many = ImageDataset([("a", x, 255 * (x > 0.5)), ("b", x, np.full((9, 9), 3))])
    assert many.is_binary is False
    assert set(np.unique(many["a"].labels)) == {0, 255}
    assert ImageDataset([("a", x, None)]).is_binary is None
    assert not ImageDataset([("a", x, None)]).has_labels


# ---- the data set


def test_subset_split_digest_and_pickle():
    ds = phantoms("fundus", 7, (32, 32))
    a, b = ds.split()
    assert (len(a), len(b)) == (5, 2)
    assert not {*a.names} & {*b.names}
    assert ds.split(seed=3)[0].names == phantoms("fundus", 7, (32, 32)).split(seed=3)[0].names
    copy = pickle.loads(pickle.dumps(ds))  # workers get a copy
    assert copy.digest() == ds.digest() != a.digest()
    assert copy[2].labels.shape == (32, 32)
    assert ds["fundus_003"] is ds[3] is ds[-4]  # read once
    with pytest.raises(IndexError):
        ds[7]


def test_dataloader_workers():
    from torch.utils.data import DataLoader

    loader = DataLoader(
        phantoms("nested", 4, (24, 24)), batch_size=2, num_workers=1, collate_fn=lambda x: [s.name for s in x]
    )
    assert [n for b in loader for n in b] == [f"nested_{i:03}" for i in range(4)]


def test_a_name_wins_over_a_folder_with_a_warning(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "samples/1.png")
    assert len(quietly("samples")[0]) == 4
    assert "./samples" in quietly("samples")[1][0]
    assert open_dataset("./samples").names == open_dataset(Path("samples")).names == ["1.png"]


def test_arrays_and_lists():
    assert open_dataset(rng.random((9, 8))).names == ["000"]
    assert open_dataset(rng.random((2, 9, 8, 1)), labels=np.ones((2, 9, 8, 1)))[1].labels.shape == (9, 8)
    assert isinstance(open_dataset([Image(np.zeros((1, 4, 4), np.float32))])[0].image, Image)
    with pytest.raises(ValueError, match="channel_axis"):
        open_dataset(rng.random((2, 3, 9, 3)))
    with pytest.raises(ValueError, match="channel_axis"):
        open_dataset(rng.random((3, 9, 3))).check()
    assert open_dataset(rng.random((2, 6, 9, 8)), channel_axis="none")[0].image.is_volume


# ---- phantoms and samples


@pytest.mark.parametrize("draw", [fundus_phantom, brain_phantom, nested_phantom])
def test_phantoms_hold_their_promises(draw):
    for seed in range(12):
        image, labels = draw((40, 48), seed)
        assert image.dtype == np.float32
        assert np.isfinite(image).all()
        assert image.min() >= 0
        assert image.max() <= 1
        assert labels.max() >= 1
        assert image.std() > 0.03
    assert np.array_equal(draw((40, 50), 4)[0], draw((40, 50), 4)[0])
    assert not np.array_equal(draw((40, 50), 4)[0], draw((40, 50), 5)[0])


def test_same_bytes_in_another_process():
    code = "from cuts.datasets import phantoms; print(phantoms('brain', 2, (32, 32)).digest(), phantoms('nested', 2, (32, 32)).digest())"
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    ).stdout
    assert out.split() == [phantoms("brain", 2, (32, 32)).digest(), phantoms("nested", 2, (32, 32)).digest()]


def test_every_set_without_files_opens():
    for name, info in DATASETS.items():
        if info.layout:
            continue
        if name == "mni":
            pytest.importorskip("nilearn")
        ds = open_dataset(name, root="nowhere").check()
        assert not ds.failures and ds.is_binary == info.is_binary, name


# ---- the published formats


def test_brain_ventricles_scaling(tmp_path):
    (tmp_path / "brain_ventricles").mkdir()
    x = rng.gamma(2, 50, (5, 12, 14, 1))
    x[:, :3] = 0
    np.savez(tmp_path / "brain_ventricles/prepared_data.npz", data=x, label=x > 100)
    for ds in (
        open_dataset("brain_ventricles", root=tmp_path),
        open_dataset(tmp_path / "brain_ventricles"),
        open_dataset(tmp_path / "brain_ventricles/prepared_data.npz"),
    ):
        assert ds.is_binary
        assert len(ds.check()) == 5
        want = np.minimum(x[2, ..., 0] / np.percentile(x, 99), 1)
        want[x[2, ..., 0] == 0] = 1
        assert np.allclose(ds[2].image.data[0], 2 * want - 1, atol=1e-6)


def test_berkeley_format_and_alias(tmp_path):
    (tmp_path / "berkeley_natural_images").mkdir()
    x = rng.random((3, 12, 14, 3)).astype(np.float32)
    np.savez(
        tmp_path / "berkeley_natural_images/prepared_data.npz",
        all_images=x,
        all_images_segmented=rng.integers(1, 9, (3, 12, 14, 1)),
    )
    ds = open_dataset("berkeley", root=tmp_path)
    assert ds.names == ["000", "001", "002"]
    assert ds.is_binary is False
    assert np.allclose(ds[1].image.display(), x[1], atol=1e-6)


def test_brain_tumor_format(tmp_path):
    (tmp_path / "brain_tumor/p1").mkdir(parents=True)
    image = np.zeros((200, 100))
    image[50:150, 25:75] = 0.5  # twice as high as wide
    np.savez(tmp_path / "brain_tumor/p1/s1.npz", image=image, label=(image > 0)[..., None])
    np.savez(tmp_path / "brain_tumor/s2.npz", image=image.T, label=image.T > 0)
    ds = open_dataset("brain_tumor", root=tmp_path).check()
    assert ds.names == ["p1/s1.npz", "s2.npz"]
    assert {s.image.spatial for s in ds} == {(128, 128)}
    for s, axis in zip(ds, (1, 0)):
        assert s.image.data[0, 64, 64] == 0.5
        assert s.image.data[0, 0, 0] == 0
        assert np.ptp(np.nonzero(s.labels)[0]) + 1 == (64 if axis else 32)
        assert s.labels.sum() == 64 * 32
    assert fit_square(np.ones((300, 3)))[:, 63:65].sum() > 0


def test_npz_files_bring_their_labels(tmp_path):
    for i in range(3):
        np.savez(tmp_path / f"s{i}.npz", image=rng.random((9, 9)), label=np.eye(9))
    ds = open_dataset(tmp_path).check()
    assert ds.has_labels
    assert ds.is_binary
    assert ds[2].labels.sum() == 9
    np.savez(tmp_path / "s1.npz", image=np.array([{}], object), label=np.eye(9))
    assert list(open_dataset(tmp_path).check().failures) == ["s1.npz"]


@pytest.mark.parametrize("name", [n for n, d in DATASETS.items() if d.layout])
def test_a_missing_set_says_how_to_get_it(name, tmp_path, monkeypatch):
    monkeypatch.setenv("CUTS_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError) as e:
        open_dataset(name)
    for part in (str(tmp_path / name), DATASETS[name].layout[0], "--root", "CUTS_DATA", "https://"):
        assert part in str(e.value)
    monkeypatch.delenv("CUTS_DATA")
    assert find_root() == Path("data")
    assert find_root("x") == Path("x")


# ---- downloads


@pytest.fixture
def server(tmp_path):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *a):
            pass

    (tmp_path / "web").mkdir()
    s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path / "web"))
    threading.Thread(target=s.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{s.server_port}/"
    s.shutdown()
    s.server_close()


def make_zip(path, extra=None, top="retina/", link=False):
    picture(path.parent / "p.png", (16, 16, 3))
    np.save(path.parent / "l.npy", np.eye(16))
    with zipfile.ZipFile(path, "w") as z:
        for i in range(2):
            z.writestr(f"{top}image_with_GA/image{i}.png", (path.parent / "p.png").read_bytes())
            z.writestr(f"{top}label_with_GA/label{i}.npy", (path.parent / "l.npy").read_bytes())
        if extra:
            m = zipfile.ZipInfo(extra)
            if link:
                m.external_attr = (stat.S_IFLNK | 0o777) << 16
            z.writestr(m, "/etc/passwd")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("top", ["", "retina/", "data/retina/"])
def test_download(tmp_path, server, top):
    sha = make_zip(tmp_path / "web/x.zip", top=top)
    place = download("retina", tmp_path / "root", url=server + "x.zip", sha256=sha)
    assert place == tmp_path / "root/retina"
    assert [p.name for p in (tmp_path / "root").iterdir()] == ["retina"]
    assert open_dataset("retina", root=tmp_path / "root").check()[0].labels.sum() == 16
    assert download("retina", tmp_path / "root", url=server + "gone.zip") == place  # there already: nothing is fetched


@pytest.mark.parametrize(
    ("member", "link"),
    [
        ("../x", False),
        ("a/../../x", False),
        ("/tmp/x", False),
        ("C:/x", False),
        ("a\\..\\x", False),
        ("retina/x", True),
    ],
)
def test_unsafe_archives_are_refused(tmp_path, server, member, link):
    sha = make_zip(tmp_path / "web/x.zip", member, link=link)
    with pytest.raises(ValueError, match="nothing was unpacked"):
        download("retina", tmp_path / "root", url=server + "x.zip", sha256=sha)
    with pytest.raises(ValueError, match="nothing was unpacked"):
        unzip(tmp_path / "web/x.zip", tmp_path / "out")
    assert not list((tmp_path / "root").iterdir())
    assert not (tmp_path / "out").exists()


def test_wrong_checksum_is_not_kept(tmp_path, server):
    make_zip(tmp_path / "web/x.zip")
    with pytest.raises(ValueError) as e:
        download("retina", tmp_path / "root", url=server + "x.zip", sha256="0" * 64)
    assert server + "x.zip" in str(e.value)
    assert str(tmp_path / "root/retina.zip") in str(e.value)
    assert not list((tmp_path / "root").iterdir())


def test_no_network_says_where_to_put_the_file(tmp_path):
    with pytest.raises(ConnectionError) as e:
        download("retina", tmp_path / "root", url="http://127.0.0.1:9/x.zip")
    assert "http://127.0.0.1:9/x.zip" in str(e.value)
    assert str(tmp_path / "root/retina.zip") in str(e.value)
    sha = make_zip(tmp_path / "root/retina.zip")  # so it is put there by hand
    with pytest.raises(ValueError, match="expected 0000"):
        download("retina", tmp_path / "root", url="http://127.0.0.1:9/", sha256="0" * 64)
    assert (tmp_path / "root/retina.zip").exists()  # the user's own file is left alone
    assert download("retina", tmp_path / "root", url="http://127.0.0.1:9/x.zip", sha256=sha).name == "retina"


def test_bombs_and_rubbish(tmp_path, server):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("zeros", bytes(10**7))
    with pytest.raises(ValueError, match="more than the caps"):
        unzip(tmp_path / "bomb.zip", tmp_path / "out", max_bytes=10**6)
    with pytest.raises(ValueError, match="more than the caps"):
        unzip(tmp_path / "bomb.zip", tmp_path / "out", max_files=0)
    lie = bytearray((tmp_path / "bomb.zip").read_bytes())  # the directory says 10 bytes
    at = lie.rindex(b"PK\x01\x02")
    lie[at + 24 : at + 28] = (10).to_bytes(4, "little")
    (tmp_path / "lie.zip").write_bytes(lie)
    with pytest.raises(ValueError):
        unzip(tmp_path / "lie.zip", tmp_path / "out", max_bytes=10**6)
    assert sum(p.stat().st_size for p in (tmp_path / "out").rglob("*") if p.is_file()) <= 10**6
    (tmp_path / "web/x.zip").write_bytes(b"<html>no</html>")
    with pytest.raises(ValueError, match="no zip archive"):
        download("retina", tmp_path / "root", url=server + "x.zip")
    with zipfile.ZipFile(tmp_path / "web/y.zip", "w") as z:
        z.writestr("readme", "hello")
    with pytest.raises(ValueError, match="no folder in it has"):
        download("retina", tmp_path / "root", url=server + "y.zip")
    with pytest.raises(ValueError, match="not kept"):
        download("retina", tmp_path / "root", url=server + "x.zip", max_bytes=3)
    assert not list((tmp_path / "root").iterdir())


def test_what_cannot_be_downloaded(tmp_path):
    for name in ("berkeley", "brain_ventricles", "brain_tumor"):
        with pytest.raises(ValueError, match="huggingface.co/datasets/ChenLiu1996/CUTS"):
            download(name, tmp_path)
    with pytest.raises(ValueError, match="needs no download"):
        download("fundus", tmp_path)
    with pytest.raises(ValueError, match="data sets are"):
        download("zzz", tmp_path)


# ---- the real sets


@pytest.mark.skipif(
    ROOT is None or not DATASETS["retina"].available(ROOT), reason="set CUTS_DATA to a folder that holds retina/"
)
def test_real_retina():
    ds = open_dataset("retina").check()
    assert not ds.failures
    assert len(ds) in (28, 56)
    assert ds.n_channels == 3
    assert ds.is_binary
    assert {s.image.spatial for s in ds} == {(128, 128)}
    assert all(s.labels is not None and s.labels.any() for s in ds)
    for s in ds:
        assert s.name.startswith("image_with_GA/image")
    apart = open_dataset(ROOT / "retina/image_with_GA", labels=ROOT / "retina/label_with_GA")
    assert all(np.array_equal(a.labels, b.labels) for a, b in zip(apart, ds))


@pytest.mark.skipif(
    ROOT is None or not DATASETS["berkeley_natural_images"].available(ROOT),
    reason="set CUTS_DATA to a folder that holds berkeley_natural_images/",
)
def test_real_berkeley():
    ds = open_dataset("berkeley").check()
    assert ds.n_channels == 3
    assert ds.is_binary is False
    assert all(s.labels.max() > 1 for s in ds)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux alone")
def test_a_file_that_kills_its_reader_is_left_out(tmp_path, monkeypatch, caplog):
    from cuts.images import READERS
    from cuts.pixels import Pixels

    def hostile(path, **_):
        if Path(path).stem == "evil":
            os.kill(os.getpid(), signal.SIGSEGV)
        return Pixels(np.arange(400, dtype=np.uint8).reshape(20, 20))

    monkeypatch.setitem(READERS, ".raw", hostile)
    for n in ("a", "evil", "z"):
        (tmp_path / f"{n}.raw").write_bytes(b"x")
    ds = open_dataset(tmp_path).check(progress=False)
    assert ds.names == ["a.raw", "z.raw"]
    assert "kills a process by SIGSEGV" in ds.failures["evil.raw"]
    assert "evil.raw is left out" in caplog.text
    assert ds.check(progress=False).names == ["a.raw", "z.raw"]


def test_a_folder_of_different_sizes_and_spacings(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    for i, (shape, spacing) in enumerate([((20, 22, 5), (1, 1, 3)), ((31, 18, 9), (0.5, 0.7, 1))]):
        nibabel.save(
            nibabel.Nifti1Image(rng.integers(0, 99, shape).astype(np.int16), np.diag([*spacing, 1.0])),
            tmp_path / f"{i}.nii.gz",
        )
    ds = open_dataset(tmp_path).check(progress=False)
    assert [s.image.spatial for s in ds] == [(5, 22, 20), (9, 18, 31)]
    assert np.allclose([s.image.spacing for s in ds], [(3, 1, 1), (1, 0.7, 0.5)])
    picture(tmp_path / "flat.png", (16, 18))
    with pytest.raises(ValueError, match="flat.png has .*0.nii.gz has|0.nii.gz has .*flat.png has|flat.png.*0.nii.gz"):
        open_dataset(tmp_path).check(progress=False)
