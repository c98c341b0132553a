"""NRRD and MetaImage files for tests: written by ITK and by hand."""

import itertools

import numpy as np
import SimpleITK as sitk

rng = np.random.default_rng(0)

TURNS = [(p, s) for p in itertools.permutations(range(3)) for s in itertools.product((1, -1), repeat=3)]
TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


def turned(p, s):
    return (np.eye(3)[list(p)] * np.array(s)[:, None]).T  # columns are the directions of x, y, z


def itk_image(array, spacing=None, origin=None, direction=None, vector=False):
    im = sitk.GetImageFromArray(np.ascontiguousarray(array), isVector=vector)
    if spacing is not None:
        im.SetSpacing([float(s) for s in spacing])
    if origin is not None:
        im.SetOrigin([float(o) for o in origin])
    if direction is not None:
        im.SetDirection([float(d) for d in np.ravel(direction)])
    return im


def save(path, *args, packed=True, **kwargs):
    sitk.WriteImage(itk_image(*args, **kwargs), str(path), packed)
    return path


def agrees(pixels, im, n=40):
    "Whether the same values lie at the same places as in an ITK image, for some voxels."
    theirs, size = sitk.GetArrayFromImage(im), im.GetSize()
    inverse = np.linalg.inv(pixels.affine)
    for _ in range(n):
        index = [int(rng.integers(0, k)) for k in size]
        point = np.array(im.TransformIndexToPhysicalPoint(index))
        point = np.r_[point, [0.0] * (3 - len(point))]
        ours = inverse @ [-point[0], -point[1], point[2], 1]
        near = np.rint(ours[:3]).astype(int)
        assert np.allclose(ours[:3], near, atol=1e-3)
        spatial = pixels.data.ndim - (pixels.channel_axis == -1)
        if spatial == 2:
            assert near[2] == 0
        assert np.array_equal(pixels.data[tuple(near[:spatial])], theirs[tuple(index[::-1])], equal_nan=True)


def nrrd(path, lines, data=b"", end="\n"):
    path.write_bytes(end.join(["NRRD0004", *lines, "", ""]).encode() + data)
    return path


def meta(path, lines, data=b"", end="\n", file="LOCAL"):
    path.write_bytes((end.join(["ObjectType = Image", *lines, f"ElementDataFile = {file}"]) + end).encode() + data)
    return path


def good_files(tmp_path):
    array = rng.integers(0, 99, (4, 5, 6)).astype(np.int16)
    return [
        save(tmp_path / f"{packed}{ending}", array, (1, 2, 3), (4, 5, 6), packed=packed)
        for ending in (".nrrd", ".mha")
        for packed in (False, True)
    ]
