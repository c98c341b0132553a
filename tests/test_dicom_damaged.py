"""DICOM files that claim too much, are damaged, or are no images: how `cuts.io` says no."""

import io
import logging
import random
import time
import tracemalloc
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pydicom")
import pydicom
from dicom_files import enhanced, make, make_series, read_or_refusal, sample, volume
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from cuts.io.dicom import is_dicom
from cuts.io.series import find_series, read_dicom
from cuts.io.pixels import ImageError
from cuts.io.guard import read_ahead


@contextmanager
def at_most(n_bytes):
    "More memory than this is not asked for."
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < n_bytes
    finally:
        tracemalloc.stop()


# ---------- sizes, before anything is decoded


def test_the_cap_is_checked_first(tmp_path, monkeypatch):
    files = make_series(tmp_path / "s", volume(8, 20, 30))
    frames = make(tmp_path / "f.dcm", volume(8, 20, 30))
    monkeypatch.setattr("cuts.io.dicom.decode", lambda *a: pytest.fail("decoded"))
    for path, shape in (
        (files, "8 × 20 × 30"),
        (tmp_path / "s", "8 × 20 × 30"),
        (files[0], "20 × 30"),
        (frames, "8 × 20 × 30"),
    ):
        with pytest.raises(ImageError, match=f"{shape} is .* more than the cap of 500. Pass max_pixels="):
            read_dicom(path, max_pixels=500)


def test_a_header_that_claims_much(tmp_path):
    claims = dict(Rows=60000, Columns=4000), dict(NumberOfFrames=5_000_000), dict(Rows=0), dict(NumberOfFrames=-3)
    with at_most(30e6):
        for n, fields in enumerate(claims):
            path = make(tmp_path / f"{n}.dcm", volume(1)[0], **fields)
            with pytest.raises(ImageError, match=f"{n}.dcm"):
                read_dicom(path)
        path = make(tmp_path / "rle.dcm", volume(1)[0].astype(np.uint16), syntax=RLELossless)
        ds = pydicom.dcmread(path)
        ds.Rows = ds.Columns = 60
        ds.save_as(path)
        with pytest.raises(ImageError, match="rle.dcm"):
            read_dicom(path)


def test_a_field_that_claims_gigabytes(tmp_path):
    path = Path(make(tmp_path / "a.dcm", volume(1)[0], SeriesDescription="x"))
    raw = path.read_bytes()
    at = raw.index(b"\xe0\x7f\x10\x00OW") + 8
    path.write_bytes(raw[:at] + (2**32 - 4).to_bytes(4, "little") + raw[at + 4 :])
    with at_most(30e6):
        _, refusal = read_or_refusal(path)
    assert refusal is None or "a.dcm" in refusal


def deflated(path, header, pixels):
    "A deflated file with whatever pixels."
    make(path, volume(1)[0], syntax=DeflatedExplicitVRLittleEndian, **header)
    raw = Path(path).read_bytes()
    start = 144 + int.from_bytes(raw[140:144], "little")
    body = zlib.decompressobj(-15).decompress(raw[start:])
    body = body[: body.index(b"\xe0\x7f\x10\x00OW") + 8] + len(pixels).to_bytes(4, "little") + pixels
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    Path(path).write_bytes(raw[:start] + pack.compress(body) + pack.flush())
    return path


def test_deflated_bombs(tmp_path):
    bomb = deflated(tmp_path / "bomb.dcm", dict(Rows=16, Columns=16), bytes(200_000_000))
    assert bomb.stat().st_size < 0.5e6
    with at_most(60e6):
        assert find_series([bomb]) == [(str(bomb), (str(bomb),))]  # only what a header needs is unpacked
        assert list(read_ahead([bomb], read_dicom)) == [(bomb, None)]
        image, refusal = read_or_refusal(bomb)  # no more than its size allows
    assert refusal is None or "bomb.dcm" in refusal


def compressed(path, frame, syntax, **fields):
    "A file with this compressed frame."
    make(path, np.zeros((8, 8), np.uint8), **fields)
    ds = pydicom.dcmread(path)
    ds.PixelData = pydicom.encaps.encapsulate([frame])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = syntax
    ds.save_as(path)
    return path


@pytest.mark.parametrize(
    ("form", "syntax"),
    [("JPEG", pydicom.uid.JPEGBaseline8Bit), ("JPEG2000", JPEG2000Lossless), ("JPEG2000 boxed", JPEG2000Lossless)],
)
def test_compressed_frames_larger_than_the_header_says(tmp_path, form, syntax):
    from PIL import Image as Picture

    out = io.BytesIO()
    Picture.new("L", (3000, 2000)).save(out, form.split()[0], **({"no_jp2": " " not in form} if "2000" in form else {}))
    path = compressed(tmp_path / "a.dcm", out.getvalue(), syntax)
    with pytest.raises(ImageError, match="a.dcm: cannot be read as DICOM .*The file is cut short or damaged"):
        read_dicom(path)


def test_jpeg_ls_frames_larger_than_the_header_says(tmp_path):
    jpeg_ls = pytest.importorskip("jpeg_ls")
    frame = bytearray(jpeg_ls.encode_array(np.zeros((8, 8), np.uint8)))
    path = compressed(tmp_path / "a.dcm", bytes(frame), pydicom.uid.JPEGLSLossless)
    assert (read_dicom(path).data == 0).all()
    at = frame.index(b"\xff\xf7")
    frame[at + 5 : at + 9] = b"\xea\x60\xea\x60"
    compressed(path, bytes(frame), pydicom.uid.JPEGLSLossless)
    begun = time.time()
    with pytest.raises(ImageError, match=r"(?s)a.dcm: cannot be read as DICOM .*The file is cut short or damaged"):
        read_dicom(path)
    assert time.time() - begun < 2


def test_a_box_without_length_is_no_endless_loop(tmp_path):
    "pydicom 3.0.2 would look at it for ever."
    whole = Path(sample("GDCMJ2K_TextGBR.dcm")).read_bytes()
    at = whole.index(b"ftyp") - 4
    (tmp_path / "a.dcm").write_bytes(whole[:at] + bytes(4) + whole[at + 4 :])
    with pytest.raises(ImageError, match="a box of length 0"):
        read_dicom(tmp_path / "a.dcm")


# ---------- files that cannot be read


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("rtplan.dcm", "RT Plan Storage"),
        ("rtstruct.dcm", "RT Structure Set Storage"),
        ("test-SR.dcm", "Comprehensive SR Storage"),
        ("waveform_ecg.dcm", "12-lead ECG Waveform Storage"),
        ("DICOMDIR", "Media Storage Directory"),
    ],
)
def test_what_is_no_image_is_named(name, kind):
    with pytest.raises(ImageError, match=f"{name}: {kind}"):
        read_dicom(sample(name))


def test_missing_decoder_is_named(tmp_path):
    from pydicom.pixels import get_decoder

    if get_decoder(pydicom.uid.JPEGLosslessSV1).is_available:
        pytest.skip("a decoder is installed")
    with pytest.raises(ImportError, match=r"SC_rgb_jpeg_gdcm.dcm: .*JPEG Lossless.*pip install python-gdcm"):
        read_dicom(sample("SC_rgb_jpeg_gdcm.dcm"))
    with pytest.raises(ImportError, match="JPGExtended.dcm: .*JPEG Extended.*12 bits.*pip install"):
        read_dicom(sample("JPGExtended.dcm"))


def test_films_compressed_as_video(tmp_path):
    path = make(tmp_path / "a.dcm", np.zeros((8, 8), np.uint8))
    ds = pydicom.dcmread(path)
    ds.file_meta.TransferSyntaxUID = pydicom.uid.MPEG2MPML
    ds.PixelData = pydicom.encaps.encapsulate([b"1234"])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.save_as(path)
    with pytest.raises(ImageError, match="a.dcm: pixels stored as MPEG2"):
        read_dicom(path)


@pytest.mark.filterwarnings("ignore")
def test_no_trace_in_the_log(caplog):
    with caplog.at_level(logging.DEBUG), pytest.raises(ImageError):
        read_dicom(sample("GDCMJ2K_TextGBR.dcm"))
    assert not any(r.exc_info for r in caplog.records)


@pytest.mark.parametrize(
    "name",
    [
        "MR_small.dcm",
        "MR_small_RLE.dcm",
        "MR_small_jp2klossless.dcm",
        "image_dfl.dcm",
        "examples_palette.dcm",
        "liver_1frame.dcm",
    ],
)
@pytest.mark.parametrize("keep", [0, 1, 100, 131, 132, 140, 200, 400, 0.2, 0.5, 0.8, 0.97])
@pytest.mark.filterwarnings("ignore")
def test_cut_short(tmp_path, name, keep):
    whole = Path(sample(name)).read_bytes()
    path = tmp_path / "cut.dcm"
    path.write_bytes(whole[: int(len(whole) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(ImageError, match="cut.dcm"):
        read_dicom(path)
    assert find_series([path]) == [(str(path), (str(path),))]
    assert is_dicom(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 600,
        b"\xff" * 600,
        b"GIF89a" + bytes(600),
        b"\x1f\x8b" + bytes(600),
        bytes(128) + b"DICM",
        bytes(128) + b"DICM" + b"\xff" * 900,
        bytes(128) + b"DICM\x02\x00\x00\x00UL\x04\x00\xff\xff\xff\xff",
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_garbage(tmp_path, content):
    path = tmp_path / "odd.dcm"
    path.write_bytes(content)
    with pytest.raises(ImageError, match="odd.dcm"):
        read_dicom(path)


@pytest.mark.parametrize(
    "name", ["MR_small_implicit.dcm", "CT_small.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "enhanced"]
)
@pytest.mark.filterwarnings("ignore")
def test_flipped_bytes(tmp_path, name):
    "Two hundred damaged files, forty of each kind: an image or one sentence, and never much memory."
    path = tmp_path / "x.dcm"
    whole = Path(
        enhanced(path, volume(3), [(0, 0, k) for k in range(3)]) if name == "enhanced" else sample(name)
    ).read_bytes()
    dice, n_refused = random.Random(name), 0
    with at_most(60e6):
        for _ in range(40):
            raw = bytearray(whole)
            for _ in range(dice.choice((1, 3, 20))):
                raw[dice.randrange(128, min(len(raw), 4000))] = dice.randrange(256)
            path.write_bytes(raw)
            find_series([path])
            _, refusal = read_or_refusal(path, max_pixels=40_000)
            assert refusal is None or "x.dcm" in refusal
            n_refused += refusal is not None
    assert 0 < n_refused < 40, n_refused  # they are neither all good nor all hopeless
