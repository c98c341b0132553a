"""Every sample file of the libraries that read images opens as they read it, or is refused with a reason.

What libraries ship is tried where they are installed; what their writers make is made anew.
"""

import csv
import re
import shutil
import struct
from functools import cache

import library_samples as samples
import numpy as np
import pytest
from repository import root
from library_samples import SAMPLING, Made, aperio, canonical, difference, outcome, shipped, values, written

from cuts.io.chunked import ChunkedImage
from cuts.io.foreign import FOREIGN
from cuts.io.pixels import ImageError, suffix
from cuts.io.reading import READERS, is_image_file, read_image, read_labels

pytestmark = [pytest.mark.usefixtures("no_trials"), pytest.mark.filterwarnings("ignore")]

SHIPPED = [(library, path) for library in samples.SHIPPED if library != "pydicom" for path in shipped(library)]
MADE = [(library, name) for library in samples.WRITTEN for name in written(library)]
REMEDY = re.compile(
    r"\b(Save|Convert|convert|Copy|copy|export|Give|Take|Pass|Replace|Unpack|Crop|Install|pip install|leave it out)\b"
)


def check_refusal(message, path):
    "It names the file, or its other half, and says what to do."
    stem = path.name[: len(path.name) - len(suffix(path))]
    assert message.startswith(str(path.parent / stem)), message
    assert REMEDY.search(message[len(str(path)) :]), message
    assert "Traceback" not in message


# ---------- files that come with the libraries


def read_by_nibabel(path):
    import nibabel

    try:
        image = nibabel.load(path)
    except Exception:
        return None
    if isinstance(image, nibabel.minc1.Minc1Image) and len(image.shape) > 3:
        return None  # nibabel leaves time first
    return canonical(image) if hasattr(image, "affine") else None


def read_as_picture(path):
    from PIL import Image as Picture

    if path.suffix == ".tif":
        held = pytest.importorskip("tifffile").imread(path)
        return np.moveaxis(held, 1, -1) if held.ndim == 4 else held, None  # channels last
    with Picture.open(path) as picture:
        return np.asarray(picture.convert("RGB") if picture.mode in ("P", "RGBA") else picture), None


def read_by_theirs(library, path):
    "Values and spacing as the library reads them, None where it does not."
    if library in ("nibabel", "nilearn", "dipy") and not path.name.endswith(".dcm"):
        return read_by_nibabel(path)
    if library in ("scikit-image", "pyjpegls") and path.suffix != ".npz":
        return read_as_picture(path)
    return None


@cache
def known_to_open() -> set[tuple[str, str]]:  # library, file
    "What opened when the table of the page was made."
    with open(root / "nbs/results/library_samples.csv", newline="") as f:
        return {(row["library"], row["file"]) for row in csv.DictReader(f) if row["opened"] == "True"}


@pytest.mark.parametrize(("library", "path"), SHIPPED, ids=lambda x: x if isinstance(x, str) else x.name)
def test_a_file_that_a_library_ships(library, path):
    image, refusal = outcome(path)
    if image is None:
        assert (library, path.name) not in known_to_open(), refusal
        check_refusal(refusal, path)
        return
    assert np.isfinite(image.data).all()
    assert all(s > 0 for s in image.spacing)
    theirs = read_by_theirs(library, path)
    if theirs is None:
        return
    held, spacing = theirs
    if spacing is not None:
        assert np.allclose(image.spacing, spacing, rtol=1e-4)
    held = np.asarray(held, np.float64)
    image = read_image(path, window=(float(held.min()), float(held.max()) + (held.min() == held.max())))
    held = held[..., 0] if held.ndim == image.ndim + 1 and image.n_channels == 1 else held
    assert values(image).shape == held.shape
    assert np.allclose(values(image), held, atol=1e-5 * (np.ptp(held) or 1))


@pytest.mark.parametrize("name", ["test.mgz", "scaled+tlrc.HEAD", "phantom_varscale.PAR", "tiny.mnc", "anatomical.nii"])
def test_a_sample_of_each_format_of_nibabel_opens(name):
    found = [path for path in shipped("nibabel") if path.name == name]
    if not found:
        pytest.skip(f"{name} does not come with this nibabel")
    image, refusal = outcome(found[0])
    assert image is not None, refusal
    assert image.is_volume
    assert image.unit == "mm"


# ---------- files that their writers make


@cache
def makers(library):
    return written(library)


@pytest.mark.parametrize(("library", "name"), MADE)
def test_a_file_that_a_library_writes(library, name, tmp_path):
    made = makers(library)[name](tmp_path)
    wrong = difference(made)
    ending = suffix(made.path)
    if ending in FOREIGN:
        check_refusal(wrong, made.path)
        assert FOREIGN[ending][1] in wrong
    elif ending == ".mnc" and "MINC 2" in (wrong or ""):
        check_refusal(wrong, made.path)
    else:
        assert wrong == ""


@pytest.mark.parametrize("library", samples.WRITTEN)
def test_ten_files_at_least_of_each(library):
    pytest.importorskip({"Pillow": "PIL"}.get(library, library), reason=f"{library} is not installed")
    assert len(written(library)) >= 10


def test_no_ending_is_both_read_and_foreign():
    assert not set(FOREIGN) & set(READERS)


# ---------- pairs


@pytest.fixture
def pair(tmp_path):
    pytest.importorskip("nibabel")
    return samples.nifti("Nifti1Pair", "i2", "scan.img", tmp_path)


def test_either_half_of_a_pair_may_be_named_and_a_folder_counts_it_once(pair, tmp_path):
    a, b = (read_image(tmp_path / f"scan.{end}") for end in ("hdr", "img"))
    assert np.array_equal(a.data, b.data)
    assert [is_image_file(tmp_path / f"scan.{end}") for end in ("hdr", "img")] == [True, False]


def test_motion_parameters_of_fsl_are_no_image(tmp_path):
    (tmp_path / "scan_mcf.par").write_text("0 0 0 0 0 0")
    assert not is_image_file(tmp_path / "scan_mcf.par")
    (tmp_path / "scan_mcf.rec").write_bytes(b"")
    assert is_image_file(tmp_path / "scan_mcf.par")


def test_upper_case_halves_find_each_other(pair, tmp_path):
    for end in ("hdr", "img"):
        (tmp_path / f"scan.{end}").rename(tmp_path / f"scan.{end.upper()}")
    assert difference(Made(tmp_path / "scan.HDR", pair.values, pair.spacing)) == ""


@pytest.mark.parametrize(("there", "missing"), [("hdr", "img"), ("img", "hdr")])
def test_half_a_pair_is_told(pair, tmp_path, there, missing):
    (tmp_path / f"scan.{missing}").unlink()
    _, refusal = outcome(tmp_path / f"scan.{there}")
    assert f"scan.{missing} is not there. Copy both into one folder" in refusal


def test_numbers_that_are_cut_short(pair, tmp_path):
    numbers = tmp_path / "scan.img"
    numbers.write_bytes(numbers.read_bytes()[:-9])
    _, refusal = outcome(tmp_path / "scan.hdr")
    check_refusal(refusal, tmp_path / "scan.hdr")


def test_matlab_files_beside_analyze_are_not_opened(tmp_path):
    pytest.importorskip("nibabel")
    made = samples.nifti("Spm99AnalyzeImage", "i2", "scan.img", tmp_path, turned=False)
    (tmp_path / "scan.mat").write_bytes(b"no MATLAB")
    assert difference(made) == ""


# ---------- the wall


def mgh_claims(path, *shape):
    path.write_bytes(struct.pack(">7i", 1, *shape, 3, 0) + bytes(300))


def header_claims(path, *shape):
    head = bytearray(348)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, len(shape), *shape, *[1] * (7 - len(shape)))
    struct.pack_into("<2h", head, 70, 16, 32)
    path.write_bytes(head)
    path.with_suffix(".img").write_bytes(bytes(99))


def afni_claims(path, *shape):
    fields = {"DATASET_RANK": (3, 1), "DATASET_DIMENSIONS": shape, "BRICK_TYPES": (3,), "ORIENT_SPECIFIC": (0, 3, 4)}
    fields |= {"DELTA": (1.0, 1.0, 1.0), "ORIGIN": (0.0, 0.0, 0.0), "BRICK_FLOAT_FACS": (0.0,)}
    fields["IJK_TO_DICOM_REAL"] = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    text = "type = string-attribute\nname = BYTEORDER_STRING\ncount = 10\n'LSB_FIRST~\n\n"
    for name, numbers in fields.items():
        kind = "float" if isinstance(numbers[0], float) else "integer"
        numbers_text = " ".join(map(str, numbers))
        text += f"type = {kind}-attribute\nname = {name}\ncount = {len(numbers)}\n {numbers_text}\n\n"
    path.write_text(text.rstrip() + "\n")
    path.with_suffix(".BRIK").write_bytes(bytes(99))


@pytest.mark.parametrize(
    ("name", "claim", "shape"),
    [
        ("a.mgh", mgh_claims, (2**14, 2**14, 2**14, 1)),
        ("a.hdr", header_claims, (2**14, 2**14, 2**14)),
        ("a.HEAD", afni_claims, (2**20, 2**20, 2**20)),
    ],
)
def test_headers_that_claim_too_much_are_refused_before_memory_is_asked_for(tmp_path, name, claim, shape):
    pytest.importorskip("nibabel")
    claim(tmp_path / name, *shape)
    _, refusal = outcome(tmp_path / name)
    assert "more than the cap of" in refusal
    check_refusal(refusal, tmp_path / name)


@pytest.mark.parametrize(("name", "claim"), [("a.mgh", mgh_claims), ("a.hdr", header_claims), ("a.HEAD", afni_claims)])
def test_headers_that_claim_less_than_nothing(tmp_path, name, claim):
    pytest.importorskip("nibabel")
    claim(tmp_path / name, -4, -4, 9, *([1] if name == "a.mgh" else []))
    _, refusal = outcome(tmp_path / name)
    check_refusal(refusal, tmp_path / name)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.jp2", "a.ppm", "a.tga", "a.pfm", "a.pbm"])
def test_pictures_are_measured_before_they_are_decoded(tmp_path, name):
    kind = dict(mode="1") if name == "a.pbm" else {}
    picture = samples.GREY.astype(np.float32) if name == "a.pfm" else samples.RGB
    made = samples.picture(picture, name, tmp_path, **kind)
    _, refusal = outcome(made.path, max_pixels=99)
    assert "more than the cap of 99" in refusal
    made.path.write_bytes(made.path.read_bytes()[:-100] if name != "a.pbm" else made.path.read_bytes()[:40])
    _, refusal = outcome(made.path)
    check_refusal(refusal, made.path)


def test_a_series_of_pictures_is_told(tmp_path):
    made = makers("Pillow")["frames.gif"](tmp_path)
    with pytest.warns(UserWarning, match="5 pictures that follow each other, the first is read"):
        read_image(made.path)


@pytest.mark.parametrize("name", ["a.webp", "a.jp2", "a.gif", "a.jpg"])
def test_labels_are_not_kept_where_numbers_change(tmp_path, name):
    made = samples.picture(samples.GREY, name, tmp_path)
    with pytest.raises(ImageError, match=r"changes numbers, labels cannot be kept in it. Use .png"):
        read_labels(made.path)


def test_sixteen_bits_a_colour_are_told(tmp_path):
    header = b"P6\n# a remark\n4 3\n65535\n"
    (tmp_path / "a.ppm").write_bytes(header + np.arange(36, dtype=">u2").tobytes())
    with pytest.warns(UserWarning, match="sixteen bits a colour, of which eight are read"):
        assert read_image(tmp_path / "a.ppm").n_channels == 3


# ---------- slides, in pieces


@pytest.fixture(scope="module")
def photo():
    data = pytest.importorskip("skimage.data")
    return np.ascontiguousarray(data.astronaut()[:300, :421])


@pytest.mark.parametrize(("colours", "sampling"), [*(("YCBCR", s) for s in SAMPLING), ("RGB", "444")])
def test_tiles_of_jpeg_with_their_tables_apart_are_read_in_pieces(tmp_path, photo, colours, sampling):
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("imagecodecs")
    made = aperio(tmp_path, sampling, colours, photo)
    with tifffile.TiffFile(made.path) as tif:
        page = tif.pages[0]
        assert 347 in page.tags  # JPEGTables
        assert page.photometric.name == ("YCBCR" if colours == "YCBCR" else "RGB")
    slide = ChunkedImage(str(made.path))
    assert [level.spatial for level in slide.levels] == [(300, 421), (150, 211)]
    assert np.allclose(slide.levels[1].spacing, 0.000998, rtol=0.01)
    whole = np.moveaxis(slide.read(slice(0, 300), slice(0, 421)), 0, -1)
    assert np.abs(whole.astype(int) - photo).mean() < 5
    for rows, columns in ((slice(60, 130), slice(5, 200)), (slice(299, 300), slice(400, 421)), (slice(64, 128),) * 2):
        assert np.array_equal(np.moveaxis(slide.read(rows, columns), 0, -1), whole[rows, columns])
    half = np.moveaxis(slide.read(slice(0, 150), slice(0, 211), level=1), 0, -1)
    assert np.abs(half.astype(int) - photo[::2, ::2]).mean() < 8
    assert np.array_equal(values(read_image(made.path, window=(0, 255))).round(), whole)


def test_a_damaged_tile_of_jpeg_takes_nothing_but_itself(tmp_path, photo):
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("imagecodecs")
    made = aperio(tmp_path, "420", "YCBCR", photo)
    before = ChunkedImage(str(made.path)).read(slice(0, 300), slice(0, 421))
    with tifffile.TiffFile(made.path) as tif:
        start, n = tif.pages[0].dataoffsets[8], tif.pages[0].databytecounts[8]  # row 1 of 7 tiles, column 1
    with open(made.path, "r+b") as f:
        f.seek(start)
        f.write(b"\xff" * n)
    x, known, reason = ChunkedImage(str(made.path)).read_known(slice(0, 300), slice(0, 421))
    assert reason.startswith(str(made.path))
    assert not known[64:128, 64:128].any()
    assert known.sum() == known.size - 64 * 64
    assert np.array_equal(x[:, known], before[:, known])


def test_other_names_of_tiff_are_read(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", samples.GREY, tile=(16, 16))
    for ending in (".svs", ".scn", ".qptiff", ".btf"):
        shutil.copy(tmp_path / "a.tif", tmp_path / f"a{ending}")
        assert read_image(tmp_path / f"a{ending}").spatial == (48, 64)
        assert ChunkedImage(str(tmp_path / f"a{ending}")).spatial == (48, 64)


# ---------- what is no image


@pytest.mark.parametrize("name", ["brain.gii", "fibres.trk", "slide.czi", "scan.dcm.gz", "film.mp4", "x.pkl", "notes"])
def test_what_is_no_image_is_told_with_a_remedy(tmp_path, name):
    (tmp_path / name).write_bytes(b"something")
    _, refusal = outcome(tmp_path / name)
    check_refusal(refusal, tmp_path / name)
    assert name in refusal


@pytest.mark.parametrize(
    ("name", "what"),
    [("a.gii.gz", "a surface"), ("a.nii.zst", "a packed file"), ("DICOMDIR", "a DICOMDIR"), ("a.gii", "a surface")],
)
def test_what_it_seems_to_be(tmp_path, name, what):
    (tmp_path / name).write_bytes(b"something")
    assert what in outcome(tmp_path / name)[1]
