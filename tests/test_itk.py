"""NRRD and MetaImage: where voxels lie. ITK is the judge of what is in a good file."""

import gzip
import zlib

import numpy as np
import pytest

pytest.importorskip("SimpleITK")
pytest.importorskip("nibabel")
import nibabel
import SimpleITK as sitk
from itk_files import TURNS, agrees, itk_image, meta, nrrd, rng, save, turned

from cuts.io.reading import read_image
from cuts.io.itk import encode_itk, read_itk
from cuts.io.pixels import VOLUME_AXES, ImageError


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_every_order_of_axes_goes_there_and_back(tmp_path, ending):
    for k, (p, s) in enumerate(TURNS):
        array = rng.integers(0, 1000, (4, 5, 6)).astype(np.int16)
        source = save(
            tmp_path / f"a{ending}", array, (0.5, 0.75, 2), (-10.25, 20.5, 30.125), turned(p, s), packed=k % 2 == 0
        )
        im, got = sitk.ReadImage(str(source)), read_itk(source)
        assert nibabel.aff2axcodes(got.affine) == VOLUME_AXES
        assert got.unit == "mm"
        assert got.channel_axis == "none"
        assert got.data.dtype == np.int16
        assert got.spacing == tuple(np.linalg.norm(got.affine[:3, :3], axis=0))
        agrees(got, im)
        for other in (".nrrd", ".mha"):
            labels = rng.integers(0, 300, got.data.shape)
            (tmp_path / f"l{other}").write_bytes(encode_itk(labels, got, tmp_path / f"l{other}"))
            again, theirs = (
                read_itk(tmp_path / f"l{other}", as_labels=True),
                sitk.ReadImage(str(tmp_path / f"l{other}")),
            )
            assert (again.data == labels).all()
            assert again.data.dtype == np.uint16
            assert (again.affine == got.affine).all()
            assert again.file_axes == got.file_axes
            assert again.spacing == got.spacing
            assert theirs.GetSize() == im.GetSize()
            assert theirs.GetSpacing() == im.GetSpacing()
            assert theirs.GetOrigin() == im.GetOrigin()
            assert theirs.GetDirection() == im.GetDirection()
            agrees(again, theirs)


def test_the_affine_is_that_of_nibabel(tmp_path):
    for p, s in TURNS:
        array = rng.integers(0, 1000, (4, 5, 6)).astype(np.int16)
        im = itk_image(array, (0.5, 0.75, 2), (-10.25, 20.5, 30.125), turned(p, s))
        for name in ("a.nrrd", "a.mha", "a.nii"):
            sitk.WriteImage(im, str(tmp_path / name))
        theirs = read_image(tmp_path / "a.nii", window=(0, 1000))
        for name in ("a.nrrd", "a.mha"):
            ours = read_itk(tmp_path / name)
            assert np.allclose(ours.affine, theirs.affine, atol=1e-4)
            assert ours.file_axes == theirs.file_axes
            assert np.allclose(theirs.values()[0], ours.data, atol=1e-3)


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_oblique_and_sheared(tmp_path, ending):
    a, b = 0.3, -0.2
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]) @ np.array(
        [[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]
    )
    sheared = turn.copy()
    sheared[:, 2] = (turn[:, 2] + 0.2 * turn[:, 1]) / np.linalg.norm(turn[:, 2] + 0.2 * turn[:, 1])
    for direction in (turn, sheared, -turn[:, [2, 0, 1]]):
        source = save(
            tmp_path / f"a{ending}",
            rng.normal(size=(4, 5, 6)).astype(np.float32),
            (0.3, 1.7, 2.9),
            (-100.5, 20.25, 3),
            direction,
        )
        got = read_itk(source)
        agrees(got, sitk.ReadImage(str(source)))
        (tmp_path / f"l{ending}").write_bytes(
            encode_itk(np.arange(got.data.size).reshape(got.data.shape), got, f"l{ending}")
        )
        again = read_itk(tmp_path / f"l{ending}")
        assert np.allclose(again.affine, got.affine, atol=1e-9)
        assert again.file_axes == got.file_axes
        agrees(again, sitk.ReadImage(str(tmp_path / f"l{ending}")))


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_planes_have_rows_and_columns(tmp_path, ending):
    for direction in ([1, 0, 0, 1], [0, 1, 1, 0], [-1, 0, 0, 1], [0.6, -0.8, 0.8, 0.6]):
        source = save(
            tmp_path / f"a{ending}", rng.integers(0, 9, (5, 6)).astype(np.uint8), (0.5, 2), (10, -3.5), direction
        )
        got, im = read_itk(source), sitk.ReadImage(str(source))
        assert (got.data == sitk.GetArrayFromImage(im)).all()
        assert np.allclose(got.spacing, (2, 0.5))
        assert got.unit == "mm"
        assert got.file_axes is None
        agrees(got, im)
        (tmp_path / f"l{ending}").write_bytes(encode_itk(got.data, got, f"l{ending}"))
        again, theirs = read_itk(tmp_path / f"l{ending}"), sitk.ReadImage(str(tmp_path / f"l{ending}"))
        assert (again.data == got.data).all()
        assert np.allclose(again.affine, got.affine)
        assert theirs.GetDimension() == 2
        assert np.allclose(theirs.GetOrigin(), im.GetOrigin())
        assert np.allclose(theirs.GetDirection(), im.GetDirection())


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
@pytest.mark.parametrize("thin", [0, 1, 2])
def test_a_volume_one_plane_thick_is_a_plane(tmp_path, ending, thin):
    shape = [4, 5, 6]
    shape[thin] = 1
    for p, s in TURNS[::5]:
        source = save(
            tmp_path / f"a{ending}",
            rng.integers(0, 99, shape).astype(np.uint8),
            (0.5, 0.75, 2),
            (-10, 20, 30),
            turned(p, s),
        )
        got, im = read_itk(source), sitk.ReadImage(str(source))
        assert got.data.ndim == 2
        assert len(got.spacing) == 2
        agrees(got, im)
        (tmp_path / f"l{ending}").write_bytes(encode_itk(got.data, got, f"l{ending}"))
        again, theirs = read_itk(tmp_path / f"l{ending}"), sitk.ReadImage(str(tmp_path / f"l{ending}"))
        assert (again.data == got.data).all()
        assert np.allclose(again.affine, got.affine)
        assert again.file_axes == got.file_axes
        assert theirs.GetSize() == im.GetSize()
        assert np.allclose(theirs.GetSpacing(), im.GetSpacing())
        assert np.allclose(theirs.GetOrigin(), im.GetOrigin())


def test_singular_directions_are_refused(tmp_path):
    for directions in ("(1,0,0) (0,0,0) (0,0,2)", "(1,0,0) (1,0,0) (0,0,2)"):
        lines = ["type: uint8", "dimension: 3", "space: LPS", "sizes: 4 3 2", f"space directions: {directions}"]
        with pytest.raises(ImageError, match="a.nrrd: its header has distances that are zero, or directions"):
            read_itk(nrrd(tmp_path / "a.nrrd", [*lines, "encoding: raw"], bytes(24)))
    with pytest.raises(ImageError, match="a.nrrd: .*space vector coefficients"):
        read_itk(nrrd(tmp_path / "a.nrrd", [*lines[:-1], "space directions: (1,0,0) (0,nan,0) (0,0,2)"], bytes(24)))
    for place in ("ElementSpacing = 0 2", "ElementSpacing = nan 2", "TransformMatrix = 1 0 1 0", "Offset = inf 0"):
        lines = ["NDims = 2", "DimSize = 4 3", place, "ElementType = MET_UCHAR"]
        with pytest.raises(ImageError, match="a.mha"):
            read_itk(meta(tmp_path / "a.mha", lines, bytes(12)))


@pytest.mark.parametrize(
    ("space", "place"),
    [
        ("right-anterior-superior", (1, 2, 3)),
        ("RAS", (1, 2, 3)),
        ("left-anterior-superior", (-1, 2, 3)),
        ("left-posterior-superior", (-1, -2, 3)),
    ],
)
def test_the_first_voxel_lies_where_its_space_says(tmp_path, space, place):
    lines = ["type: uint8", "dimension: 3", f"space: {space}", "sizes: 4 3 2", "encoding: raw"]
    lines += ["space directions: (2,0,0) (0,2,0) (0,0,2)", "space origin: (1,2,3)"]
    got = read_itk(nrrd(tmp_path / "a.nrrd", lines, bytes([9]) + bytes(23)))
    voxel = np.argwhere(got.data == 9)[0]
    assert np.allclose(got.affine @ [*voxel, 1], [*place, 1])


def test_nanometres_are_not_singular(tmp_path):
    got = read_itk(save(tmp_path / "a.nrrd", np.zeros((3, 4, 5), np.uint8), [8e-6] * 3))
    assert np.allclose(got.spacing, 8e-6, rtol=1e-9)
    assert got.file_axes == "LPS"


HAND_NRRD = [
    ["space: right-anterior-superior", "space directions: (0.5,0,0) (0,2,0) (0,0,3)", "space origin: (1,2,3)"],
    ["space: LAS", "space directions: (0,0.5,0) (2,0,0) (0,0,-3)", "space origin: (1,2,3)"],
    ["space: left-posterior-superior", "space directions: (0.5,0.1,0) (0,2,0.2) (0,0,3)"],
    ["space: 3D-right-handed", "space directions: (0.5,0,0) (0,2,0) (0,0,3)", "space origin: (1,2,3)"],
    ["space: scanner-xyz", "space directions: (0.5,0,0) (0,2,0) (0,0,3)", "space origin: (1,2,3)"],
    ["space dimension: 3", "space directions: (0.5,0,0) (0,2,0) (0,0,3)", "space origin: (1,2,3)"],
    [
        "space: LPS",
        "space directions: (0.5,0,0) (0,2,0) (0,0,3)",
        "space origin: (1,2,3)",
        "kinds: domain domain domain",
        "# note",
        "key:=value: more",
        "measurement frame: (1,0,0) (0,1,0) (0,0,1)",
    ],
    ["spacings: 0.5 2 3"],
    ["spacings: 0.5 2 3", "kinds: space space domain", 'units: "mm" "mm" "mm"'],
]


@pytest.mark.parametrize("lines", HAND_NRRD, ids=lambda v: v[0])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_nrrd_by_hand_is_as_itk_reads_it(tmp_path, lines, end):
    array = rng.integers(0, 999, (4, 5, 6)).astype(">i2")
    for packing, data in (
        ("raw", array.tobytes()),
        ("gzip", gzip.compress(array.tobytes())),
        ("ascii", " ".join(map(str, array.ravel())).encode()),
    ):
        space = [line for line in lines if line.startswith("space:") or line.startswith("space dim")]
        path = nrrd(
            tmp_path / "a.nrrd",
            [
                "type: short",
                "dimension: 3",
                *space,
                "sizes: 6 5 4",
                "endian: big",
                f"encoding: {packing}",
                *[line for line in lines if line not in space],
            ],
            data,
            end,
        )
        got = read_itk(path)
        assert got.unit == "mm"
        assert got.data.dtype == np.int16
        agrees(got, sitk.ReadImage(str(path)))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("lines", "data"),
    [
        (["ElementSpacing = 0.5 2 3", "Offset = 1 2 3", "TransformMatrix = 0 1 0 1 0 0 0 0 -1"], "<i2"),
        (["ElementSize = 0.5 2 3", "Position = 1 2 3", "Rotation = 0 1 0 0 0 1 1 0 0"], "<i2"),
        (
            [
                "ElementSpacing = 0.5 2 3",
                "Origin = 1 2 3",
                "Orientation = -1 0 0 0 1 0 0 0 1",
                "BinaryDataByteOrderMSB = True",
            ],
            ">i2",
        ),
        (["Comment = x: y", "ElementSpacing : 0.5 2 3", "ElementByteOrderMSB = True"], ">i2"),
        (["ElementSpacing = 0.5 2 3", "BinaryData = False"], "text"),
        (["ElementSpacing = 0.5 2 3", "CompressedData = True"], "zlib"),
        (["ElementSpacing = 0.5 2 3", "HeaderSize = -1"], "end"),
        (["Offset = 1 2 3"], "<i2"),
    ],
)
def test_meta_by_hand_is_as_itk_reads_it(tmp_path, lines, data, end):
    array = rng.integers(0, 999, (4, 5, 6))
    content = {
        "text": " ".join(map(str, array.ravel())).encode() + b"\n",
        "zlib": zlib.compress(array.astype("<i2").tobytes()),
        "end": b"junk" + array.astype("<i2").tobytes(),
    }.get(data) or array.astype(data).tobytes()
    if data == "zlib":
        lines = [*lines, f"CompressedDataSize = {len(content)}"]
    path = meta(tmp_path / "a.mha", ["NDims = 3", "DimSize = 6 5 4", *lines, "ElementType = MET_SHORT"], content, end)
    got = read_itk(path)
    assert got.unit == "mm"
    assert got.data.dtype == np.int16
    if end == "\n":
        agrees(got, sitk.ReadImage(str(path)))
    else:
        assert sorted(got.data.ravel()) == sorted(array.ravel())


def test_nrrd_units(tmp_path):
    common = [
        "type: uint8",
        "dimension: 3",
        "space: LPS",
        "sizes: 4 3 2",
        "space directions: (1,0,0) (0,2,0) (0,0,3)",
        "encoding: raw",
    ]
    for unit, mm in (
        ("mm", 1),
        ("microns", 1e-3),
        ("µm", 1e-3),
        ("um", 1e-3),
        ("nm", 1e-6),
        ("cm", 10),
        ("furlong", 1),
        ("", 1),
    ):
        got = read_itk(nrrd(tmp_path / "a.nrrd", [*common, f'space units: "{unit}" "{unit}" "{unit}"'], bytes(24)))
        assert np.allclose(got.spacing, np.array([3, 2, 1]) * mm)
        assert got.unit == "mm"
    got = read_itk(
        nrrd(
            tmp_path / "a.nrrd",
            ["type: uint8", "dimension: 2", "sizes: 4 3", "spacings: 2 3", 'units: "um" "um"', "encoding: raw"],
            bytes(12),
        )
    )
    assert np.allclose(got.spacing, (3e-3, 2e-3))
