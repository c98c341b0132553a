"Small pictures in files, and data sets opened with what they warn of."

import os
import warnings

import numpy as np

from cuts.data.opening import open_dataset
from cuts.io.rasters import write_picture

rng = np.random.default_rng(0)


def picture(path, shape=(16, 18, 3)):
    "A picture at any name, upper-case endings included."
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = path.parent / "tmp-picture.png"
    write_picture(plain, rng.random(shape))
    os.replace(plain, path)
    return path


def open_with_warnings(source, **options):
    "A data set, and what is warned of while it is opened."
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        return open_dataset(source, **options), [str(warning.message) for warning in caught]
