"The published data sets: their formats, their downloads, and the real ones where they are."

import errno
import hashlib
import http.server
import os
import stat
import threading
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from small_pictures import picture

from cuts.data.catalogue import DATASETS
from cuts.data.opening import open_dataset
from cuts.data.downloads import download, unzip
from cuts.files.atomic import FileError
from cuts.data.paper_sets import find_root, fit_square

ROOT = Path(os.environ["CUTS_DATA"]) if os.environ.get("CUTS_DATA") else None
rng = np.random.default_rng(0)


# Formats -------------------------------------------------------------------------------------------------------------
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
    for sample, height in zip(ds, (64, 32), strict=True):
        assert sample.image.data[0, 64, 64] == 0.5  # values as stored, padded with 0
        assert sample.image.data[0, 0, 0] == 0
        assert np.ptp(np.nonzero(sample.labels)[0]) + 1 == height
        assert sample.labels.sum() == 64 * 32
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


# Downloads -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def server(tmp_path):
    "The address of a web server of the folder web/."

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *a):
            pass

    (tmp_path / "web").mkdir()
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path / "web"))
    threading.Thread(target=web.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{web.server_port}/"
    web.shutdown()
    web.server_close()


def make_zip(path, extra=None, top="retina/", link=False):
    "An archive of two images with labels, and with an `extra` member, or a link of that name; its checksum."
    picture(path.parent / "p.png", (16, 16, 3))
    np.save(path.parent / "l.npy", np.eye(16))
    with zipfile.ZipFile(path, "w") as z:
        for i in range(2):
            z.writestr(f"{top}image_with_GA/image{i}.png", (path.parent / "p.png").read_bytes())
            z.writestr(f"{top}label_with_GA/label{i}.npy", (path.parent / "l.npy").read_bytes())
        if extra:
            member = zipfile.ZipInfo(extra)
            if link:
                member.external_attr = (stat.S_IFLNK | 0o777) << 16
            z.writestr(member, "/etc/passwd")
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
    with pytest.raises(ValueError, match="is not what it should be") as e:
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


def test_a_full_disk_is_no_missing_network(tmp_path, server, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    make_zip(tmp_path / "web/x.zip")
    monkeypatch.setattr("cuts.data.downloads._Capped.write", full)
    with pytest.raises(FileError, match="retina.zip: not written: the disk is full"):
        download("retina", tmp_path / "root", url=server + "x.zip")
    assert not list((tmp_path / "root").iterdir())


@pytest.mark.parametrize("packer", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_member_is_a_value_error(tmp_path, packer):
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w", packer) as z:
        z.writestr("x", rng.bytes(3000))
    whole = file.read_bytes()
    for at in range(31, 2000, 97):
        file.write_bytes(whole[:at] + bytes(b ^ 0xA5 for b in whole[at : at + 40]) + whole[at + 40 :])
        with pytest.raises(ValueError, match="a.zip: damaged"):
            unzip(file, tmp_path / f"out{at}")


def test_bombs_unpack_no_further_than_the_caps(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("zeros", bytes(10**7))
    with pytest.raises(ValueError, match="more than the caps"):
        unzip(tmp_path / "bomb.zip", tmp_path / "out", max_bytes=10**6)
    with pytest.raises(ValueError, match="more than the caps"):
        unzip(tmp_path / "bomb.zip", tmp_path / "out", max_files=0)
    lie = bytearray((tmp_path / "bomb.zip").read_bytes())  # the directory says 10 bytes
    entry = lie.rindex(b"PK\x01\x02")
    lie[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    (tmp_path / "lie.zip").write_bytes(lie)
    with pytest.raises(ValueError, match="lie.zip: "):
        unzip(tmp_path / "lie.zip", tmp_path / "out", max_bytes=10**6)
    assert sum(p.stat().st_size for p in (tmp_path / "out").rglob("*") if p.is_file()) <= 10**6


def test_rubbish_is_not_kept(tmp_path, server):
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


# The real sets -------------------------------------------------------------------------------------------------------
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
    assert all(s.name.startswith("image_with_GA/image") for s in ds)
    apart = open_dataset(ROOT / "retina/image_with_GA", labels=ROOT / "retina/label_with_GA")
    assert all(np.array_equal(a.labels, b.labels) for a, b in zip(apart, ds, strict=True))


@pytest.mark.skipif(
    ROOT is None or not DATASETS["berkeley_natural_images"].available(ROOT),
    reason="set CUTS_DATA to a folder that holds berkeley_natural_images/",
)
def test_real_berkeley():
    ds = open_dataset("berkeley").check()
    assert ds.n_channels == 3
    assert ds.is_binary is False
    assert all(s.labels.max() > 1 for s in ds)
