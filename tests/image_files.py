"Pictures, and files of them in every format."

import numpy as np
import pytest
from PIL import Image as Picture

rng = np.random.default_rng(0)
GREY = rng.integers(0, 256, (24, 36), dtype=np.uint8)
RGB = rng.integers(0, 256, (24, 36, 3), dtype=np.uint8)


def save(path, array, **options):
    "Write `array` in the format of the ending, with the library of that format."
    name = path.name.lower()
    if name.endswith((".tif", ".tiff")):
        import tifffile

        tifffile.imwrite(path, array, **options)
    elif name.endswith(".npy"):
        with open(path, "wb") as f:
            np.save(f, array)
    elif name.endswith(".npz"):
        with open(path, "wb") as f:
            np.savez_compressed(f, image=array)
    elif name.endswith((".nii", ".nii.gz")):
        nib = pytest.importorskip("nibabel")
        lower = path.with_name(name)  # nibabel would change upper-case endings
        nib.save(nib.Nifti1Image(array, np.eye(4)), lower)
        lower.rename(path)
    else:
        Picture.fromarray(array).save(path, **options)
    return path
