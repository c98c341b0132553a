"""Series of DICOM files: which files are one volume, what it is called, and reading it."""

import logging
import os
import random
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pydicom")
from dicom_files import AXIAL, CORONAL, SAGITTAL, SAMPLES, ct, make, make_series, oblique, sample, uid, volume

from cuts.io.dicom import is_dicom
from cuts.io.series import find_series, read_dicom
from cuts.io.pixels import ImageError

rng = np.random.default_rng(0)


@pytest.mark.parametrize(
    "orientation",
    [AXIAL, CORONAL, SAGITTAL, [-1, 0, 0, 0, 1, 0], oblique()],
    ids=["axial", "coronal", "sagittal", "turned", "oblique"],
)
def test_series_agrees_with_simpleitk(tmp_path, orientation):
    sitk = pytest.importorskip("SimpleITK")
    planes = volume()
    files = make_series(tmp_path / "s", planes, orientation=orientation, **ct(RescaleSlope=1, RescaleIntercept=-1000))
    pixels = read_dicom(tmp_path / "s")
    assert (pixels.data == planes - 1000).all()
    assert pixels.data.dtype == np.int16
    assert pixels.files == tuple(files)
    assert np.allclose(pixels.spacing, (3, 0.5, 0.7))
    assert pixels.unit == "mm"
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(files)
    theirs = reader.Execute()
    assert (sitk.GetArrayFromImage(theirs) == pixels.data).all()
    assert np.allclose(theirs.GetSpacing()[::-1], pixels.spacing)
    for k, i, j in ((0, 0, 0), (4, 5, 6), (2, 1, 3)):
        assert np.allclose(
            pixels.affine[:3] @ [k, i, j, 1] * [-1, -1, 1], theirs.TransformIndexToPhysicalPoint((j, i, k)), atol=1e-4
        )


def test_order_and_names_of_files_do_not_matter(tmp_path):
    planes = volume(12, 4, 5)
    files = make_series(tmp_path / "s", planes)
    shuffled = random.Random(3).sample(files, len(files))
    assert find_series(shuffled) == find_series(files) == [(str(tmp_path / "s"), tuple(files))]
    assert (read_dicom(shuffled).data == planes).all()
    assert (read_dicom(Path(f) for f in files).data == planes).all()


def test_planes_are_sorted_by_position_though_numbers_say_otherwise(tmp_path):
    planes = volume(4)
    for k, p in enumerate(planes):
        make(
            tmp_path / f"{k}.dcm",
            p,
            ImageOrientationPatient=AXIAL,
            ImagePositionPatient=[0, 0, 5.0 * k],
            PixelSpacing=[1, 1],
            SliceThickness=9,
            InstanceNumber=4 - k,
        )
    pixels = read_dicom(tmp_path)
    assert (pixels.data == planes).all()
    assert pixels.spacing == (5, 1, 1)


def test_tilted_planes_keep_their_shift(tmp_path):
    for k in range(4):
        make(
            tmp_path / f"{k}.dcm",
            volume(1)[0],
            ImageOrientationPatient=AXIAL,
            ImagePositionPatient=[0, 2.0 * k, 5.0 * k],
            PixelSpacing=[1, 1],
        )
    pixels = read_dicom(tmp_path)
    assert np.allclose(pixels.spacing, (5, 1, 1))
    assert np.allclose(pixels.affine[:3, 0], [0, -2, 5])
    assert np.allclose(pixels.affine @ [3, 0, 0, 1], [0, -6, 15, 1])


def test_missing_plane_is_said(tmp_path):
    files = make_series(tmp_path / "s", volume(8))
    os.remove(files[3])
    with pytest.warns(UserWarning, match="distances are 3 to 6 mm"):
        pixels = read_dicom(tmp_path / "s")
    assert pixels.data.shape == (7, 6, 7)
    assert np.isclose(pixels.spacing[0], 21 / 6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_dicom(files[4:])


def test_window_of_a_series_is_that_of_its_middle(tmp_path):
    files = [
        make(
            tmp_path / f"{k}",
            volume(1)[0],
            ImageOrientationPatient=AXIAL,
            ImagePositionPatient=[0, 0, k],
            PixelSpacing=[1, 1],
            WindowCenter=100 + k,
            WindowWidth=51,
        )
        for k in range(5)
    ]
    assert read_dicom(files).window == (76.5, 126.5)


def test_slopes_may_differ_from_plane_to_plane(tmp_path):
    planes = volume(3, dtype=np.uint16)
    files = [
        make(
            tmp_path / f"{k}",
            p,
            ImageOrientationPatient=AXIAL,
            ImagePositionPatient=[0, 0, k],
            PixelSpacing=[1, 1],
            RescaleSlope=0.5 * (k + 1),
            RescaleIntercept=0,
        )
        for k, p in enumerate(planes)
    ]
    assert np.allclose(read_dicom(files).data, planes * np.array([0.5, 1, 1.5])[:, None, None])


def test_series_of_colours(tmp_path):
    planes = rng.integers(0, 256, (4, 5, 6, 3), dtype=np.uint8)
    pixels = read_dicom(make_series(tmp_path / "s", planes))
    assert (pixels.data == planes).all()
    assert pixels.channel_axis == -1
    assert len(pixels.spacing) == 3


def test_planes_as_channels(tmp_path):
    planes = volume(3)
    files = make_series(tmp_path / "s", planes)
    pixels = read_dicom(files, channel_axis=0)
    assert pixels.channel_axis == 0
    assert pixels.spacing == (0.5, 0.7)
    assert pixels.data.shape == planes.shape
    assert np.allclose(pixels.affine @ [1, 2, 0, 1], read_dicom(files).affine @ [0, 1, 2, 1])
    assert read_dicom(files, channel_axis="none").channel_axis == "none"
    for axis in (1, -1, "first"):
        with pytest.raises(ImageError, match="channel_axis"):
            read_dicom(files, channel_axis=axis)


def test_two_series_in_a_folder(tmp_path):
    one = make_series(tmp_path / "s", volume(), prefix="a", SeriesDescription="T1 / axial", SeriesNumber=3)
    two = make_series(
        tmp_path / "s", volume(4), prefix="b", SeriesInstanceUID=uid("other"), SeriesDescription="T2", SeriesNumber=4
    )
    assert find_series(two + one) == [
        (str(tmp_path / "s" / "T1-axial-3"), tuple(one)),
        (str(tmp_path / "s" / "T2-4"), tuple(two)),
    ]
    with pytest.raises(ImageError, match=r"s: 2 series(.|\n)*T1-axial-3: 5 files\n.*T2-4: 4 files"):
        read_dicom(tmp_path / "s")
    with pytest.raises(ImageError, match="of another series, size or orientation"):
        read_dicom(one + two)


def test_names_are_unique(tmp_path):
    files = []
    for k in range(3):
        files += make_series(
            tmp_path / "s",
            volume(3),
            prefix=f"{k}-",
            SeriesInstanceUID=uid(k),
            SeriesDescription="T1",
            SeriesNumber=None,
        )
    (tmp_path / "s" / "T1").mkdir()
    files += make_series(tmp_path / "s" / "T1", volume(2))
    names = [n for n, _ in find_series(files)]
    assert len(set(names)) == 4
    assert str(tmp_path / "s" / "T1") in names


def test_names_stay_relative(tmp_path, monkeypatch):
    make_series(tmp_path / "a", volume(3))
    make_series(tmp_path / "b", volume(3), SeriesInstanceUID=uid(2))
    make(tmp_path / "b" / "scout", volume(1)[0])
    monkeypatch.chdir(tmp_path)
    names = [n for n, _ in find_series(sorted(p for p in Path().rglob("*") if p.is_file()))]
    assert names == ["a", os.path.join("b", "MR-1"), os.path.join("b", "scout")]
    monkeypatch.chdir(tmp_path / "a")
    assert [n for n, _ in find_series(os.listdir())] == ["MR-1"]


def test_series_are_not_joined_across_folders(tmp_path):
    one, two = make_series(tmp_path / "a", volume(3)), make_series(tmp_path / "b", volume(3), origin=(-10, -20, 90))
    assert [n for n, _ in find_series(one + two)] == [str(tmp_path / "a"), str(tmp_path / "b")]


def test_sizes_orientations_and_spacings_are_kept_apart(tmp_path):
    make_series(tmp_path / "s", volume(3), prefix="a")
    make_series(tmp_path / "s", volume(3, 8, 9), prefix="b")
    make_series(tmp_path / "s", volume(3), prefix="c", orientation=CORONAL)
    make_series(tmp_path / "s", volume(3), prefix="d", orientation=SAGITTAL)
    make_series(tmp_path / "s", volume(3), prefix="e", spacing=(1, 1))
    make_series(tmp_path / "s", volume(1), prefix="f", orientation=oblique())  # alone
    items = find_series((tmp_path / "s").iterdir())
    assert sorted(len(f) for _, f in items) == [1, 3, 3, 3, 3, 3]
    for _, files in items:
        assert len({Path(f).name[0] for f in files}) == 1
    assert len({n for n, _ in items}) == 6


@pytest.mark.parametrize("field", ["EchoNumbers", "TemporalPositionIdentifier", "AcquisitionNumber"])
def test_two_planes_at_each_position_are_told_apart(tmp_path, field, caplog):
    first, second = volume(), volume()
    make_series(tmp_path / "s", first, prefix="a", **{field: 1})
    make_series(tmp_path / "s", second, prefix="b", **{field: 2})
    items = find_series((tmp_path / "s").iterdir())
    assert len(items) == 2
    assert all(n.endswith(f"-{k}") for k, (n, _) in enumerate(items, 1))
    assert not caplog.records
    for (_, files), planes in zip(items, (first, second), strict=True):
        assert (read_dicom(files).data == planes).all()


def test_echoes_and_times_together(tmp_path):
    for e in (1, 2):
        for t in (1, 2, 3):
            make_series(tmp_path / "s", volume(3), prefix=f"{e}{t}", EchoNumbers=e, TemporalPositionIdentifier=t)
    items = find_series((tmp_path / "s").iterdir())
    assert len(items) == 6
    assert all(len({Path(f).name[:2] for f in files}) == 1 and len(files) == 3 for _, files in items)


def test_what_cannot_be_told_apart_is_no_volume(tmp_path, caplog):
    make_series(tmp_path / "s", volume(3), prefix="a")
    make_series(tmp_path / "s", volume(3), prefix="b")
    with caplog.at_level(logging.WARNING):
        items = find_series((tmp_path / "s").iterdir())
    assert len(items) == 6
    assert all(n == f for n, (f,) in items)
    assert "several planes at one position" in caplog.text
    with pytest.raises(ImageError, match="several planes at one position"):
        read_dicom((tmp_path / "s").iterdir())


def test_numbers_of_their_own_do_not_tell_planes_apart(tmp_path, caplog):
    for k in range(6):
        make(
            tmp_path / f"{k}",
            volume(1)[0],
            ImageOrientationPatient=AXIAL,
            ImagePositionPatient=[0, 0, k // 2],
            PixelSpacing=[1, 1],
            AcquisitionNumber=k,
        )
    with caplog.at_level(logging.WARNING):
        assert len(find_series(tmp_path.iterdir())) == 6
    assert "several planes" in caplog.text


def test_one_plane_in_two_echoes_is_two_images(tmp_path, caplog):
    for k in (1, 2):
        make(
            tmp_path / f"{k}",
            volume(1)[0],
            ImageOrientationPatient=AXIAL,
            ImagePositionPatient=[0, 0, 0],
            PixelSpacing=[1, 1],
            EchoNumbers=k,
        )
    assert len(find_series(tmp_path.iterdir())) == 2
    assert not caplog.records


def test_a_copied_file_is_set_aside(tmp_path, caplog):
    files = make_series(tmp_path / "s", volume(), names=list("abcde"))
    copy = tmp_path / "s" / "copy of b"
    copy.write_bytes(Path(files[1]).read_bytes())
    with caplog.at_level(logging.WARNING):
        items = find_series((tmp_path / "s").iterdir())
    assert sorted(f for _, f in items) == sorted([tuple(files), (str(copy),)])
    assert "a copy of" in caplog.text


def test_files_that_cannot_be_read_are_items(tmp_path):
    files = make_series(tmp_path / "s", volume(3))
    (tmp_path / "s" / "bad.dcm").write_bytes(b"nothing")
    (tmp_path / "s" / "report.dcm").write_bytes(Path(sample("rtplan.dcm")).read_bytes())
    items = dict(find_series([*(tmp_path / "s").iterdir(), tmp_path / "gone.dcm"]))
    assert set(items.values()) == {
        tuple(files),
        *((str(p),) for p in (tmp_path / "s" / "bad.dcm", tmp_path / "s" / "report.dcm", tmp_path / "gone.dcm")),
    }
    assert find_series([]) == []


def test_series_of_the_sample_disk():
    files = [f for f in SAMPLES if "98892003" in f or "98892001" in f]
    if not files:
        pytest.skip("no DICOMDIR samples")
    items = find_series(files)
    assert sorted(f for _, fs in items for f in fs) == sorted(files)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _, fs in items:
            assert read_dicom(fs).data.shape[-2:] == (16, 16)


def test_only_headers_are_read_to_find_series(tmp_path):
    files = make_series(tmp_path / "s", volume(3))
    for f in files:
        Path(f).write_bytes(Path(f).read_bytes()[:-20])  # pixels cut short
    assert find_series(files) == [(str(tmp_path / "s"), tuple(files))]
    with pytest.raises(ImageError, match="IM.*less than expected"):
        read_dicom(files)


def test_folders_and_lists(tmp_path):
    with pytest.raises(ImageError, match="0 series.*Give a folder that holds DICOM"):
        read_dicom(tmp_path)
    with pytest.raises(ImageError, match="no files were given"):
        read_dicom([])
    with pytest.raises(FileNotFoundError, match="gone.dcm: no such file"):
        read_dicom(tmp_path / "gone.dcm")
    plane = volume(1)[0]
    one = make(tmp_path / "only", plane)
    (tmp_path / ".hidden.dcm").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    assert (read_dicom(tmp_path).data == plane).all()
    assert (read_dicom([one]).data == plane).all()
    with pytest.raises(ImageError, match="no plane with a position"):
        read_dicom([one, make(tmp_path / "two", plane)])


@pytest.mark.parametrize("name", ["a b.dcm", "Größe.DCM", "-rf.dcm", "IM'1"])
def test_names(tmp_path, name):
    plane = volume(1)[0]
    path = make(tmp_path / name, plane)
    assert (read_dicom(path).data == plane).all()
    assert is_dicom(path)
    link = tmp_path / "link.dcm"
    link.symlink_to(path)
    assert (read_dicom(link).data == plane).all()
