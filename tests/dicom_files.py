"""DICOM files for tests: single files, series, files of many frames, and label maps to go with them."""

import os
import random
from math import cos, sin
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_files
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, generate_uid

from cuts.io.series import read_dicom
from cuts.io.pixels import ImageError, ImageTypeError

SAMPLES = sorted(f for f in get_testdata_files() if os.path.isfile(f) and "TINY_ALPHA" not in f)
ROOT = os.path.commonpath(SAMPLES)
rng = np.random.default_rng(0)
CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
AXIAL, CORONAL, SAGITTAL = ([1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1])


def sample(name):
    "A file that comes with pydicom."
    path = next((f for f in SAMPLES if Path(f).name == name), None)
    if path is None:
        pytest.skip(f"{name} does not come with this pydicom")
    return path


def uid(*what):
    return generate_uid(entropy_srcs=[str(w) for w in what])


def header_fields(path, stored):
    "What the header of an MR image with these stored numbers says at least; None is left out."
    colour = stored.ndim >= 3 and stored.shape[-1] == 3
    bits = 8 * stored.dtype.itemsize
    return dict(
        SOPClassUID=MR,
        SOPInstanceUID=uid(path),
        StudyInstanceUID=uid("study"),
        SeriesInstanceUID=uid("series"),
        FrameOfReferenceUID=uid("frame"),
        Modality="MR",
        PatientName="Test^A",
        PatientID="1",
        StudyDate="20240101",
        StudyTime="120000",
        SeriesNumber=1,
        Rows=stored.shape[-3 if colour else -2],
        Columns=stored.shape[-2 if colour else -1],
        SamplesPerPixel=3 if colour else 1,
        PhotometricInterpretation="RGB" if colour else "MONOCHROME2",
        PlanarConfiguration=0 if colour else None,
        NumberOfFrames=stored.shape[0] if stored.ndim - colour == 3 else None,
        BitsAllocated=bits,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=int(stored.dtype.kind == "i"),
    )


def make(path, stored, *, syntax=ExplicitVRLittleEndian, **fields):
    "A DICOM file with these stored numbers; fields that are None are left out."
    stored = np.asarray(stored)
    ds = Dataset()
    for name, value in {**header_fields(path, stored), **fields}.items():
        if value is not None:
            setattr(ds, name, value)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    if stored.dtype.kind == "f":
        del ds.PixelRepresentation, ds.BitsStored, ds.HighBit
        ds.FloatPixelData = stored.astype("<f4").tobytes()
    elif syntax.is_encapsulated:
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.PixelData = stored.tobytes()
        ds["PixelData"].VR = "OW"
        ds.compress(syntax, generate_instance_uid=False)
    else:
        ds.PixelData = stored.astype(stored.dtype.newbyteorder(">" if syntax == ExplicitVRBigEndian else "<")).tobytes()
        ds["PixelData"].VR = "OB" if stored.dtype.itemsize == 1 else "OW"
    ds.save_as(path, enforce_file_format=True)
    return str(path)


def read_or_refusal(path, **options):
    "What `read_dicom` makes of a file, and the text of its refusal; one of them is None. It may raise nothing else."
    try:
        return read_dicom(path, **options), None
    except (ImageError, ImageTypeError, ImportError) as e:
        return None, str(e)


def directions(orientation):
    return np.array(orientation, float).reshape(2, 3)


def make_series(
    folder,
    volume,
    *,
    orientation=AXIAL,
    origin=(-10, -20, 30),
    distance=3.0,
    spacing=(0.5, 0.7),
    names=None,
    prefix="",
    **fields,
):
    "One file for each plane of `volume`, whose planes follow each other along the normal."
    folder.mkdir(exist_ok=True)
    normal = np.cross(*directions(orientation))
    names = names or [f"{prefix}IM{i:04}" for i in random.Random(1).sample(range(1000), len(volume))]
    return [
        make(
            folder / n,
            plane,
            ImageOrientationPatient=list(map(float, orientation)),
            PixelSpacing=list(spacing),
            SliceThickness=1.0,
            ImagePositionPatient=[round(float(c), 6) for c in np.add(origin, k * distance * normal)],
            **fields,
        )
        for k, (n, plane) in enumerate(zip(names, volume, strict=True))
    ]


def volume(d=5, h=6, w=7, dtype=np.int16):
    return rng.integers(0, 1000, (d, h, w)).astype(dtype)


def ct(**more):
    return dict(SOPClassUID=CT, Modality="CT", **more)


def oblique():
    "Directions along rows and columns that are those of no axis."
    a, b = 0.3, -0.5
    x = np.array([cos(a), sin(a), 0])
    y = np.array([-sin(a) * cos(b), cos(a) * cos(b), sin(b)])
    return [round(float(v), 8) for v in (*x, *y)]


def enhanced(path, planes, positions, *, orientation=AXIAL, spacing=(0.5, 0.7), slopes=None, **fields):
    "An enhanced MR: geometry in functional groups."

    def item(**k):
        d = Dataset()
        for a, b in k.items():
            setattr(d, a, b)
        return d

    common = item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=list(map(float, orientation)))],
        PixelMeasuresSequence=[item(PixelSpacing=list(spacing), SliceThickness=2)],
    )
    frames = []
    for k, p in enumerate(positions):
        group = {} if p is None else dict(PlanePositionSequence=[item(ImagePositionPatient=list(map(float, p)))])
        if slopes:
            group["PixelValueTransformationSequence"] = [
                item(RescaleSlope=slopes[k], RescaleIntercept=k, RescaleType="US")
            ]
        frames.append(
            item(
                **group,
                FrameVOILUTSequence=[item(WindowCenter=100 + k, WindowWidth=51)],
                FrameContentSequence=[item(DimensionIndexValues=[1, k + 1])],
            )
        )
    return make(
        path,
        planes,
        SOPClassUID="1.2.840.10008.5.1.4.1.1.4.1",
        SharedFunctionalGroupsSequence=[common],
        PerFrameFunctionalGroupsSequence=frames,
        **fields,
    )


def regions(shape, n=4):
    "Blobs with gaps in their numbers; the first and the last plane are empty."
    labels = np.zeros(shape, int)
    inner = labels[1:-1] if len(shape) == 3 else labels
    for k in range(n):
        inner[..., 1 + k % 2 : 4, k : k + 2] = 3 * k + 1
    return labels
