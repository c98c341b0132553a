"Data sets: folders as people have them, damaged files, arrays, phantoms."

import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from small_pictures import open_with_warnings, picture

from cuts.data.catalogue import DATASETS
from cuts.data.opening import open_dataset
from cuts.data.head import brain_phantom
from cuts.data.fundus import fundus_phantom
from cuts.data.phantoms import nested_phantom, phantoms
from cuts.io.image import Image

rng = np.random.default_rng(0)


# Folders -------------------------------------------------------------------------------------------------------------
def test_odd_names_hidden_files_and_links(tmp_path, monkeypatch):
    names = ["01.png", "a/01.png", "b/01.png", "sp ace.PNG", "-rf.png", "ünï 漢字.Png", "x[1].png", "~tilde.png"]
    for name in [*names, ".hidden.png", ".git/a.png", "__MACOSX/b.png"]:
        picture(tmp_path / name)
    (tmp_path / "link.png").symlink_to(tmp_path / "01.png")
    (tmp_path / "circle").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "broken.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "notes.txt").write_text("not an image")
    ds = open_dataset(tmp_path).check()
    assert set(ds.names) == {*names, "link.png"}
    assert list(ds.failures) == ["broken.png"]
    assert "no such file" in ds.failures["broken.png"]
    for odd in ("x[1].png", "-rf.png", "~tilde.png"):
        assert open_dataset(tmp_path / odd).names == [odd]
    monkeypatch.chdir(tmp_path)
    assert open_dataset("~tilde.png")[0].name == "~tilde.png"
    assert open_dataset("./a").names == ["01.png"]


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
    with caplog.at_level(logging.WARNING, "cuts.data"):
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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux alone")
def test_a_file_that_kills_its_reader_is_left_out(tmp_path, monkeypatch, caplog):
    from cuts.io.reading import READERS
    from cuts.io.pixels import Pixels

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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux alone")
def test_a_harmless_name_does_not_spare_a_folder_its_trial(tmp_path, monkeypatch):
    from cuts.data.dataset import ImageDataset
    from cuts.io.reading import read_image, read_labels

    def hostile(path, **_):
        os.kill(os.getpid(), signal.SIGSEGV)

    monkeypatch.setattr("cuts.io.reading.read_zarr", hostile)
    evil = tmp_path / "evil.npy"
    evil.mkdir()
    (evil / ".zarray").write_text("{}")
    for read in (read_image, read_labels):
        with pytest.raises(ValueError, match="evil.npy: reading it kills a process by SIGSEGV"):
            read(evil)
    ds = ImageDataset([("evil", evil, None), ("good", rng.random((9, 8)), None)]).check(progress=False)
    assert ds.names == ["good"]
    assert "SIGSEGV" in ds.failures["evil"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux alone")
def test_nothing_is_forked_beside_the_main_thread(tmp_path, monkeypatch):
    picture(tmp_path / "a.png")
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("a fork in another thread"))
    checked = []
    thread = threading.Thread(target=lambda: checked.extend(open_dataset(tmp_path).check(progress=False).names))
    thread.start()
    thread.join()
    assert checked == ["a.png"]


def test_any_cap_of_pixels_is_a_cap(tmp_path):
    from cuts.io.reading import read_image

    picture(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", max_pixels=10**18).n_channels == 3


def test_channels_must_agree(tmp_path):
    picture(tmp_path / "colour.png")
    picture(tmp_path / "grey.png", (16, 18))
    with pytest.raises(ValueError, match=r"grey\.png has 1 channel .*colour\.png has 3"):
        open_dataset(tmp_path).check()
    assert open_dataset(tmp_path, channels="gray").check().n_channels == 1
    assert open_dataset(tmp_path, channels="rgb").check().n_channels == 3
    np.save(tmp_path / "grey.npy", rng.random((6, 16, 18)))
    (tmp_path / "colour.png").unlink()
    with pytest.raises(ValueError, match="a volume.*folders of their own"):
        open_dataset(tmp_path).check()


def test_a_folder_of_different_sizes_and_spacings(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    for i, (shape, spacing) in enumerate([((20, 22, 5), (1, 1, 3)), ((31, 18, 9), (0.5, 0.7, 1))]):
        volume = rng.integers(0, 99, shape).astype(np.int16)
        nibabel.save(nibabel.Nifti1Image(volume, np.diag([*spacing, 1.0])), tmp_path / f"{i}.nii.gz")
    ds = open_dataset(tmp_path).check(progress=False)
    assert [s.image.spatial for s in ds] == [(5, 22, 20), (9, 18, 31)]
    assert np.allclose([s.image.spacing for s in ds], [(3, 1, 1), (1, 0.7, 0.5)])
    picture(tmp_path / "flat.png", (16, 18))
    with pytest.raises(ValueError, match="flat.png has .*0.nii.gz has|0.nii.gz has .*flat.png has|flat.png.*0.nii.gz"):
        open_dataset(tmp_path).check(progress=False)


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


def test_a_name_wins_over_a_folder_with_a_warning(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "samples/1.png")
    assert len(open_with_warnings("samples")[0]) == 4
    assert "./samples" in open_with_warnings("samples")[1][0]
    assert open_dataset("./samples").names == ["1.png"]
    assert open_dataset(Path("samples")).names == ["1.png"]


# The data set --------------------------------------------------------------------------------------------------------
def test_subset_split_digest_and_pickle():
    ds = phantoms("fundus", 7, (32, 32))
    a, b = ds.split()
    assert (len(a), len(b)) == (5, 2)
    assert not {*a.names} & {*b.names}
    assert ds.split(seed=3)[0].names == phantoms("fundus", 7, (32, 32)).split(seed=3)[0].names
    copy = pickle.loads(pickle.dumps(ds))  # workers get a copy
    assert copy.digest() == ds.digest()
    assert ds.digest() != a.digest()
    assert copy[2].labels.shape == (32, 32)
    assert ds["fundus_003"] is ds[3]  # read once
    assert ds[3] is ds[-4]
    with pytest.raises(IndexError):
        ds[7]
    for unknown in (b.names[0], "fundus_007"):  # a subset has only what is in it
        with pytest.raises(KeyError, match="has no image"):
            a[unknown]
        with pytest.raises(KeyError, match="has no image"):
            a.subset([unknown])
    assert a[0].name == a.names[0]


def test_dataloader_workers():
    from torch.utils.data import DataLoader

    def names(samples):
        return [sample.name for sample in samples]

    loader = DataLoader(phantoms("nested", 4, (24, 24)), batch_size=2, num_workers=1, collate_fn=names)
    assert [name for batch in loader for name in batch] == [f"nested_{i:03}" for i in range(4)]


def test_arrays_and_lists():
    assert open_dataset(rng.random((9, 8))).names == ["000"]
    assert open_dataset(rng.random((2, 9, 8, 1)), labels=np.ones((2, 9, 8, 1)))[1].labels.shape == (9, 8)
    assert isinstance(open_dataset([Image(np.zeros((1, 4, 4), np.float32))])[0].image, Image)
    with pytest.raises(ValueError, match="channel_axis"):
        open_dataset(rng.random((2, 3, 9, 3)))
    with pytest.raises(ValueError, match="channel_axis"):
        open_dataset(rng.random((3, 9, 3))).check()
    assert open_dataset(rng.random((2, 6, 9, 8)), channel_axis="none")[0].image.is_volume


# Phantoms and samples ------------------------------------------------------------------------------------------------
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


DIGESTS = """
from cuts.data.phantoms import phantoms
for kind in ("brain", "nested"):
    print(phantoms(kind, 2, (32, 32)).digest())
"""


def test_same_bytes_in_another_process():
    env = os.environ | {"PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", DIGESTS], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.split() == [phantoms(kind, 2, (32, 32)).digest() for kind in ("brain", "nested")]


def test_every_set_without_files_opens():
    for name, info in DATASETS.items():
        if info.layout:
            continue
        if name == "mni":
            pytest.importorskip("nilearn")
        ds = open_dataset(name, root="nowhere").check()
        assert not ds.failures, name
        assert ds.is_binary == info.is_binary, name
