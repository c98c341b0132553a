"""CUTS: unsupervised, multigranular segmentation of medical images."""

__version__ = "0.2.0"

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what an editor reads; at run time `__getattr__` fetches a name when it is first asked for
    from .api import fit, segment
    from .config.settings import Config
    from .config.settings import preset
    from .data.opening import open_dataset
    from .integrations.estimator import Segmenter
    from .io.image import Image
    from .io.reading import as_image, read_image
    from .io.writing import write_labels
    from .runs.experiment import run
    from .runs.loading import load
    from .segmentation.picture import Segmentation
    from .show.explorer import Explorer
    from .stage1.model import Model
    from .stage2.condensation import DiffusionCondensation

_home = {  # name → the module it lives in
    "fit": "api",
    "segment": "api",
    "load": "runs.loading",
    "run": "runs.experiment",
    "Image": "io.image",
    "read_image": "io.reading",
    "as_image": "io.reading",
    "write_labels": "io.writing",
    "Config": "config.settings",
    "preset": "config.settings",
    "open_dataset": "data.opening",
    "Model": "stage1.model",
    "Segmentation": "segmentation.picture",
    "Segmenter": "integrations.estimator",
    "Explorer": "show.explorer",
    "DiffusionCondensation": "stage2.condensation",
}

__all__ = [
    "fit",
    "segment",
    "load",
    "run",
    "Image",
    "read_image",
    "as_image",
    "write_labels",
    "Config",
    "preset",
    "open_dataset",
    "Model",
    "Segmentation",
    "Segmenter",
    "Explorer",
    "DiffusionCondensation",
]


def __getattr__(name: str):
    "Import the module behind `name` on first use, so that `import cuts` stays fast and free of torch."
    if name not in _home:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_home[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_home])
