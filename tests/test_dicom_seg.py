"""DICOM segmentations: written here and read back, or as others write and read them."""

import io
import os
import random
import sys
import time
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("pydicom")
import pydicom
from dicom_files import AXIAL, ct, enhanced, make, make_series, oblique, read_or_refusal, regions, sample, uid, volume

from cuts.io.dicom import is_dicom
from cuts.io.dicom_seg import encode_segmentation
from cuts.io.reading import read_image
from cuts.io.series import read_dicom
from cuts.io.pixels import ImageError, Pixels
from cuts.show.facts import label_format


@pytest.fixture
def scan(tmp_path):
    pytest.importorskip("highdicom")
    return read_dicom(make_series(tmp_path / "scan", volume(6, 8, 9), orientation=oblique(), **ct()))


def save(tmp_path, data, name="seg.dcm"):
    (tmp_path / name).write_bytes(data)
    return tmp_path / name


def test_segmentation_round_trip(tmp_path, scan):
    labels = regions((6, 8, 9))
    path = save(tmp_path, encode_segmentation(labels, scan, tmp_path / "seg.dcm"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        back = read_dicom(path, as_labels=True)
    assert (back.data == labels).all()
    assert back.data.dtype.kind == "i"
    assert back.channel_axis == "none"
    assert is_dicom(path)


def test_segmentation_as_others_read_it(tmp_path, scan):
    import highdicom

    labels = regions((6, 8, 9))
    path = save(
        tmp_path,
        encode_segmentation(
            labels, scan, "seg.dcm", names={4: "Läsion"}, colors=np.array([[0, 114, 178], [230, 159, 0], [0, 158, 115]])
        ),
    )
    ds = pydicom.dcmread(path)
    assert ds.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.4"
    assert ds.SegmentationType == "BINARY"
    assert ds.Modality == "SEG"
    assert ds.Manufacturer == "CUTS"
    assert [
        (s.SegmentNumber, s.SegmentLabel, s.SegmentAlgorithmType, s.SegmentAlgorithmName) for s in ds.SegmentSequence
    ] == [(k, name, "AUTOMATIC", "CUTS") for k, name in enumerate(("region 1", "Läsion", "region 7", "region 10"), 1)]
    source = pydicom.dcmread(scan.files[0])
    for k in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID", "StudyDate"):
        assert ds[k].value == source[k].value
    color = highdicom.color.CIELabColor.from_dicom_value(
        tuple(ds.SegmentSequence[0].RecommendedDisplayCIELabValue)
    ).to_rgb()
    assert np.abs(np.subtract(color, (230, 159, 0))).max() <= 2
    seg = highdicom.seg.segread(path)
    uids = [pydicom.dcmread(f, stop_before_pixels=True).SOPInstanceUID for f in scan.files]
    theirs = seg.get_pixels_by_source_instance(
        source_sop_instance_uids=uids,
        combine_segments=True,
        ignore_spatial_locations=False,
        assert_missing_frames_are_empty=True,
    )
    assert (np.array([0, 1, 4, 7, 10])[theirs] == labels).all()
    frame = ds.PerFrameFunctionalGroupsSequence[0]
    at = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float) * [-1, -1, 1]
    assert min(np.abs((scan.affine @ [k, 0, 0, 1])[:3] - at).max() for k in range(6)) < 1e-3


def test_segmentation_is_the_same_every_time(tmp_path, scan):
    labels = regions((6, 8, 9))
    first = encode_segmentation(labels, scan, "a.dcm")
    time.sleep(1.1)
    assert encode_segmentation(labels.astype(np.uint8), scan, "b.dcm") == first
    assert encode_segmentation(labels + (labels == 4), scan, "b.dcm") != first
    other = pydicom.dcmread(io.BytesIO(encode_segmentation(labels[:, ::-1], scan, "b.dcm")))
    assert other.SOPInstanceUID != pydicom.dcmread(io.BytesIO(first)).SOPInstanceUID


def strip(path):
    "Without the private field, as an archive may return it."
    ds = pydicom.dcmread(path)
    ds.remove_private_tags()
    ds.save_as(path)
    return path


def test_segmentation_without_the_private_field(tmp_path, scan):
    labels = regions((6, 8, 9))
    path = strip(save(tmp_path, encode_segmentation(labels, scan, "seg.dcm")))
    assert (read_dicom(path, as_labels=True).data == labels).all()  # from the list of source images
    ds = pydicom.dcmread(path)
    for s in ds.SegmentSequence:
        del s.TrackingID, s.TrackingUID
    ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence.reverse()
    ds.save_as(path)
    _, numbers = np.unique(labels, return_inverse=True)
    assert (
        read_dicom(path, as_labels=True).data == numbers.reshape(labels.shape)
    ).all()  # numbers of segments; a list from the other end
    del ds.ReferencedSeriesSequence
    ds.save_as(path)
    assert (
        read_dicom(path, as_labels=True).data == numbers.reshape(labels.shape)[1:-1]
    ).all()  # only the planes between the first and the last mark


def test_an_empty_plane_between_marks_is_kept(tmp_path, scan):
    labels = regions((6, 8, 9))
    labels[3] = 0
    path = strip(save(tmp_path, encode_segmentation(labels, scan, "seg.dcm")))
    ds = pydicom.dcmread(path)
    del ds.ReferencedSeriesSequence
    ds.save_as(path)
    assert (read_dicom(path, as_labels=True).data[2] == 0).all()
    assert read_dicom(path, as_labels=True).data.shape[0] == 4


def test_unevenly_spaced_source(tmp_path):
    pytest.importorskip("highdicom")
    files = make_series(tmp_path / "scan", volume(7, 8, 9))
    os.remove(files[4])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scan = read_dicom(tmp_path / "scan")
        labels = regions((6, 8, 9))
        path = save(tmp_path, encode_segmentation(labels, scan, "seg.dcm"))
    assert (read_dicom(path, as_labels=True).data == labels).all()
    assert (read_dicom(strip(path), as_labels=True).data == labels).all()


def test_segmentation_of_one_plane(tmp_path):
    pytest.importorskip("highdicom")
    for name in (
        "CT_small.dcm",
        "MR_small.dcm",
        "examples_overlay.dcm",
        "examples_rgb_color.dcm",
        "examples_palette.dcm",
        "SC_rgb_rle.dcm",
    ):
        scan = read_dicom(sample(name))
        labels = regions(scan.data.shape[:2])
        path = save(tmp_path, encode_segmentation(labels, scan, "seg.dcm"))
        assert (read_dicom(path, as_labels=True).data == labels).all(), name
        assert (read_dicom(strip(path), as_labels=True).data == labels).all(), name


def test_one_plane_of_a_series_finds_its_file(tmp_path, scan):
    from cuts.io.pixels import plane_affine

    labels = regions((8, 9))
    plane = SimpleNamespace(files=scan.files, affine=plane_affine(scan.affine, 0, 3))
    ds = pydicom.dcmread(io.BytesIO(encode_segmentation(labels, plane, "seg.dcm")))
    refers = ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert [r.ReferencedSOPInstanceUID for r in refers] == [pydicom.dcmread(scan.files[3]).SOPInstanceUID]
    for affine in (None, plane_affine(scan.affine, 1, 3)):
        with pytest.raises(ImageError, match="none of the 6 DICOM files"):
            encode_segmentation(labels, SimpleNamespace(files=scan.files, affine=affine), "seg.dcm")


def test_segmentation_of_an_enhanced_file(tmp_path):
    pytest.importorskip("highdicom")
    path = enhanced(tmp_path / "a.dcm", volume(5), [(0, 0, z) for z in (6, 2, 0, 4, 8)])
    scan, labels = read_dicom(path), regions((5, 6, 7))
    seg = save(tmp_path, encode_segmentation(labels, scan, "seg.dcm"))
    assert (read_dicom(seg, as_labels=True).data == labels).all()
    ds = pydicom.dcmread(seg)
    for f in ds.PerFrameFunctionalGroupsSequence:
        z = float(f.PlanePositionSequence[0].ImagePositionPatient[2])
        number = int(f.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber)
        assert (6, 2, 0, 4, 8)[number - 1] == z


def test_many_regions(tmp_path):
    pytest.importorskip("highdicom")
    scan = read_dicom(make_series(tmp_path / "scan", volume(2, 24, 24)))
    labels = np.arange(2 * 24 * 24).reshape(2, 24, 24) // 2
    assert (
        read_dicom(save(tmp_path, encode_segmentation(labels, scan, "seg.dcm")), as_labels=True).data == labels
    ).all()


def test_what_no_segmentation_can_be_made_of(tmp_path, scan):
    labels = regions((6, 8, 9))
    for like in (None, SimpleNamespace(), SimpleNamespace(files=()), Pixels(labels)):
        with pytest.raises(
            ImageError, match="out.dcm: a DICOM-SEG refers to the DICOM files .* none. Write .nii.gz or .tif"
        ):
            encode_segmentation(labels, like, "out.dcm")
    with pytest.raises(ImageError, match="gone.dcm is no longer there"):
        encode_segmentation(labels, SimpleNamespace(files=("gone.dcm",)), "out.dcm")
    for bad, why in (
        (labels - 1, "labels from -1"),
        (labels * 0, "every label is 0"),
        (labels * 1.0, "float64"),
        (labels[1:], r"\[5, 8, 9\]"),
        (labels[..., 1:], r"\[6, 8, 8\]"),
        (labels[0, 0], r"\[9\]"),
        (np.zeros((0, 8, 9), int), "not empty"),
        (labels * 2**40, "999 999 999"),
    ):
        with pytest.raises(ImageError, match=f"out.dcm: .*{why}"):
            encode_segmentation(bad, scan, "out.dcm")
    big = np.zeros((300, 300), np.int64) + np.arange(90000).reshape(300, 300)
    with pytest.raises(ImageError, match="89999 regions"):
        encode_segmentation(big, scan, "out.dcm")


def test_films_have_no_segmentation(tmp_path):
    pytest.importorskip("highdicom")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        film = read_dicom(sample("examples_ybr_color.dcm"))
        with pytest.raises(
            ImageError,
            match="seg.dcm: no DICOM-SEG can be made for this Ultrasound Multi-frame.*Write .nii.gz or .tif instead",
        ):
            encode_segmentation(regions(film.data.shape[:3]), film, "seg.dcm")
        bare = read_dicom(sample("693_J2KI.dcm"))
        with pytest.raises(ImageError, match="CT Image Storage.*Frame Of Reference UID"):
            encode_segmentation(regions(bare.data.shape), bare, "seg.dcm")
        dose = read_dicom(sample("rtdose.dcm"))
        with pytest.raises(ImageError, match="seg.dcm: no DICOM-SEG can be made for this RT Dose"):
            encode_segmentation(regions(dose.data.shape), dose, "seg.dcm")


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 100", "Müller^Jörg"),
        ("ISO_IR 192", "王^小东"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (None, "Plain^A"),
    ],
)
def test_names_of_patients_survive(tmp_path, charset, name):
    pytest.importorskip("highdicom")
    fields = dict(
        ImageOrientationPatient=AXIAL,
        ImagePositionPatient=[0, 0, 0],
        PixelSpacing=[1, 1],
        SliceThickness=1,
        PatientName=name,
        SpecificCharacterSet=charset,
    )
    scan = read_dicom(make(tmp_path / "a.dcm", volume(1)[0], **fields))
    ds = pydicom.dcmread(io.BytesIO(encode_segmentation(regions((6, 7)), scan, "seg.dcm", names={1: "Größe 大"})))
    assert str(ds.PatientName) == name
    assert ds.SegmentSequence[0].SegmentLabel == "Größe 大"


def test_anonymous_files_can_be_segmented(tmp_path):
    pytest.importorskip("highdicom")
    path = make(
        tmp_path / "a.dcm",
        volume(1)[0],
        ImageOrientationPatient=AXIAL,
        ImagePositionPatient=[0, 0, 0],
        PixelSpacing=[1, 1],
        SliceThickness=1,
        PatientName=None,
        PatientID=None,
        StudyDate=None,
        StudyTime=None,
        SeriesNumber=None,
        Modality=None,
        PatientSex="X",
    )
    labels = regions((6, 7))
    assert (
        read_dicom(save(tmp_path, encode_segmentation(labels, read_dicom(path), "seg.dcm")), as_labels=True).data
        == labels
    ).all()


def test_overlap_and_fractions(tmp_path):
    hd = pytest.importorskip("highdicom")
    from pydicom.sr.codedict import codes

    scan = read_dicom(make_series(tmp_path / "scan", volume(3, 6, 7)))
    method = hd.AlgorithmIdentificationSequence("other", codes.cid7162.ArtificialIntelligence, "1")
    about = [
        hd.seg.SegmentDescription(k, f"s{k}", codes.SCT.Tissue, codes.SCT.Bone, "AUTOMATIC", method) for k in (1, 2)
    ]
    sources = [pydicom.dcmread(f) for f in scan.files]
    for s in sources:
        for k in ("PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"):
            setattr(s, k, "")
    common = dict(
        series_instance_uid=uid("s"),
        series_number=1,
        sop_instance_uid=uid("i"),
        instance_number=1,
        manufacturer="x",
        manufacturer_model_name="x",
        software_versions="1",
        device_serial_number="1",
    )
    masks = np.zeros((3, 6, 7, 2))
    masks[1, 1:4, 1:4, 0] = 1
    masks[1, 3:5, 3:5, 1] = 1
    expected = np.zeros((3, 6, 7), int)
    expected[1, 1:4, 1:4] = 1
    expected[1, 3:5, 3:5] = 2
    hd.seg.Segmentation(sources, masks.astype(np.uint8), "BINARY", about, omit_empty_frames=False, **common).save_as(
        tmp_path / "b.dcm"
    )
    with pytest.warns(UserWarning, match="segments overlap"):
        assert (read_dicom(tmp_path / "b.dcm", as_labels=True).data == expected).all()
    soft = masks * 0.9
    soft[1, 0, 0, 0] = 0.2
    hd.seg.Segmentation(sources, soft, "FRACTIONAL", about, omit_empty_frames=False, **common).save_as(
        tmp_path / "f.dcm"
    )
    with pytest.warns(UserWarning, match="segments overlap"):
        assert (read_dicom(tmp_path / "f.dcm", as_labels=True).data == expected).all()
    hd.seg.Segmentation(
        sources, expected.astype(np.uint8), "LABELMAP", about, omit_empty_frames=False, **common
    ).save_as(tmp_path / "l.dcm")
    assert (read_dicom(tmp_path / "l.dcm", as_labels=True).data == expected).all()


@pytest.mark.filterwarnings("ignore")
def test_damaged_segmentations(tmp_path, scan):
    whole = encode_segmentation(regions((6, 8, 9)), scan, "seg.dcm")
    dice, path, n_refused = random.Random(0), tmp_path / "x.dcm", 0
    for k in range(60):
        raw = bytearray(whole[: dice.randrange(200, len(whole))] if k % 3 == 0 else whole)
        for _ in range(dice.choice((0, 1, 5)) if k % 3 == 0 else dice.choice((1, 5, 20))):
            raw[dice.randrange(132, len(raw))] = dice.randrange(256)
        path.write_bytes(raw)
        _, refusal = read_or_refusal(path, as_labels=True, max_pixels=40_000)
        assert refusal is None or "x.dcm" in refusal
        n_refused += refusal is not None
    assert 10 < n_refused < 50, n_refused  # they are neither all good nor all hopeless


@pytest.mark.parametrize("lacking", [None, "a file", "highdicom"])
def test_dicom_is_offered_only_where_it_can_be_written(tmp_path, monkeypatch, lacking):
    pytest.importorskip("highdicom")
    image = read_image(make_series(tmp_path / "scan", volume(6, 8, 9), orientation=oblique(), **ct()))
    if lacking == "a file":
        os.remove(image.files[2])
    if lacking == "highdicom":
        monkeypatch.setitem(sys.modules, "highdicom", None)
    assert label_format(image) == ("nii.gz" if lacking else "dcm")
