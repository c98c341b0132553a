"Small good files of every format that can be read, to make mutants of; and how each kind is read."

import gzip
import os
import shutil
from pathlib import Path


def seeds(folder):
    "Write small good files: kind of reader → paths."
    import numpy as np

    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (12, 13), dtype=np.uint8)
    colour = rng.integers(0, 256, (12, 13, 3), dtype=np.uint8)
    deep = rng.integers(0, 4096, (12, 13), dtype=np.uint16)
    stack = rng.integers(0, 256, (6, 7, 8), dtype=np.uint8)
    paths = {}
    for kind, path in (
        *pictures(folder, grey, colour, deep),
        *tiffs(folder, grey, colour, deep, stack),
        *arrays(folder, colour, deep),
        *niftis(folder, stack),
        *volumes(folder, stack),
        *dicoms(folder),
        *itk_images(folder, stack),
        *own_files(folder, grey, rng),
    ):
        paths.setdefault(kind, []).append(path)
    return paths


# Pairs of a kind of reader and a path --------------------------------------------------------------------------------
def pictures(folder, grey, colour, deep):
    from PIL import Image as Picture

    palette = Picture.fromarray(colour).quantize(7)
    for name, picture in (
        ("grey", Picture.fromarray(grey)),
        ("colour", Picture.fromarray(colour)),
        ("palette", palette),
    ):
        for ending in (".png", ".bmp") if name == "palette" else (".png", ".bmp", ".jpg"):
            picture.save(folder / f"{name}{ending}")
            yield ending, folder / f"{name}{ending}"
    for ending in (".gif", ".webp", ".jp2", ".ppm", ".tga"):
        Picture.fromarray(colour).save(folder / f"colour{ending}")
        yield ending, folder / f"colour{ending}"
    for ending in (".png", ".pgm", ".jp2"):
        Picture.fromarray(deep).save(folder / f"deep{ending}")
        yield ending, folder / f"deep{ending}"
    frames = [Picture.fromarray(grey), Picture.fromarray(255 - grey)]
    for ending in (".gif", ".webp"):
        frames[0].save(folder / f"frames{ending}", save_all=True, append_images=frames[1:])
        yield ending, folder / f"frames{ending}"


def tiffs(folder, grey, colour, deep, stack):
    import tifffile
    from PIL import Image as Picture

    for name, data, options in (
        ("plain", grey, {}),
        ("deflate", deep, dict(compression="zlib")),
        ("pages", stack, dict(photometric="minisblack", compression="zlib")),
        ("float", deep.astype("float32"), {}),
        ("rgb", colour, dict(photometric="rgb")),
    ):
        tifffile.imwrite(folder / f"{name}.tif", data, **options)
        yield ".tif", folder / f"{name}.tif"
    Picture.fromarray(grey).save(folder / "lzw.tif", compression="tiff_lzw")
    yield ".tif", folder / "lzw.tif"


def arrays(folder, colour, deep):
    import numpy as np

    np.save(folder / "a.npy", deep)
    yield ".npy", folder / "a.npy"
    np.savez_compressed(folder / "a.npz", image=colour, spacing=np.ones(2))
    yield ".npz", folder / "a.npz"


def niftis(folder, stack):
    import numpy as np

    try:
        import nibabel
    except ImportError:
        return
    nibabel.save(nibabel.Nifti1Image(stack, np.diag([1.0, 2, 3, 1])), folder / "a.nii")
    yield ".nii", folder / "a.nii"
    nibabel.save(nibabel.Nifti2Image(stack.astype(np.float32), np.eye(4)), folder / "b.nii")
    yield ".nii", folder / "b.nii"
    (folder / "a.nii.gz").write_bytes(gzip.compress((folder / "a.nii").read_bytes()))
    yield ".nii.gz", folder / "a.nii.gz"


def volumes(folder, stack):
    "Volumes that nibabel reads, besides NIfTI. Numbers that lie beside a header are given to its mutants, too."
    import numpy as np

    try:
        import nibabel
    except ImportError:
        return
    for cls, name in ((nibabel.Nifti1Pair, "pair"), (nibabel.Spm99AnalyzeImage, "analyze")):
        cls(stack, np.diag([1.0, 2, 3, 1])).to_filename(folder / f"{name}.img")
        shutil.copy(folder / f"{name}.img", folder / f"mutant{name}.img")
        yield ".hdr", folder / f"{name}.hdr"
    for ending in (".mgh", ".mgz"):
        nibabel.MGHImage(stack, np.diag([1.0, 2, 3, 1])).to_filename(folder / f"a{ending}")
        yield ending, folder / f"a{ending}"
    samples = Path(nibabel.__file__).parent / "tests" / "data"
    for name, numbers in (
        ("phantom_EPI_asc_CLEAR_2_1.PAR", "phantom_EPI_asc_CLEAR_2_1.REC"),
        ("scaled+tlrc.HEAD", "scaled+tlrc.BRIK"),
        ("example4d+orig.HEAD", "example4d+orig.BRIK.gz"),
        ("tiny.mnc", "tiny.mnc"),
        ("minc1_4d.mnc", "minc1_4d.mnc"),
    ):
        if (samples / name).exists() and (samples / numbers).exists():
            for prefix in ("", "mutant"):
                shutil.copy(samples / name, folder / f"{prefix}{name}")
                shutil.copy(samples / numbers, folder / f"{prefix}{numbers}")
            yield f".{name.split('.')[-1].lower()}", folder / name


def dicoms(folder):
    "The small ones among the files with which pydicom tests itself."
    try:
        from pydicom.data import get_testdata_files
    except ImportError:
        return
    paths = [Path(p) for p in get_testdata_files()]
    for path in sorted(paths, key=lambda p: p.name):
        if path.suffix == ".dcm" and 500 < os.path.getsize(path) < 60_000:
            shutil.copy(path, folder / path.name)
            yield ".dcm", folder / path.name


def itk_images(folder, stack):
    try:
        import SimpleITK as sitk
    except ImportError:
        return
    for ending in (".nrrd", ".mha"):
        for packed in (False, True):
            path = folder / f"itk{packed}{ending}"
            sitk.WriteImage(sitk.GetImageFromArray(stack), str(path), packed)
            yield ending, path
    sitk.WriteImage(sitk.GetImageFromArray(stack.astype("float32")), str(folder / "itk.mrc"))
    yield ".mrc", folder / "itk.mrc"


def own_files(folder, grey, rng):
    "A model, a configuration and a segmentation."
    import numpy as np

    from cuts.stage2.condensation import DiffusionCondensation
    from cuts.config.settings import Config
    from cuts.stage1.model import Model
    from cuts.stage1.encoder import Network
    from cuts.io.reading import as_image
    from cuts.segmentation.picture import Segmentation

    config = Config().replace(num_kernels=2)
    Model(Network.of(config, 1), config, [], "").save(folder / "model.safetensors")
    yield ".safetensors", folder / "model.safetensors"
    (folder / "settings.yaml").write_text(config.to_yaml())
    yield ".yaml", folder / "settings.yaml"
    tree = DiffusionCondensation().fit(rng.normal(size=(20, 2)).astype(np.float32)).tree_
    landmarks = rng.integers(0, len(tree), (12, 13)).astype(np.uint16)
    Segmentation(tree, landmarks, as_image(grey)).save(folder / "segmentation.npz")
    yield "segmentation", folder / "segmentation.npz"


# Readers -------------------------------------------------------------------------------------------------------------
def reader(kind):
    "The function that reads a file of a kind."
    if kind == ".safetensors":
        from cuts.stage1.model import Model

        return Model.load
    if kind == ".yaml":
        from cuts.config.settings import Config

        return Config.from_yaml
    if kind == "segmentation":
        from cuts.segmentation.picture import Segmentation

        return lambda path: Segmentation.load(path).labels(5)
    from cuts.io.reading import read_image

    return lambda path: read_image(path, max_pixels=2**24)
