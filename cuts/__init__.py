"""CUTS: unsupervised, multigranular segmentation of medical images."""
__version__ = "0.2.0"

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what an editor reads; at run time `__getattr__` fetches a name when it is first asked for
    from .condensation import DiffusionCondensation
    from .config.settings import Config, preset
    from .datasets import open_dataset
    from .encoder import Model
    from .experiment import fit, load, run, segment
    from .images import Image, as_image, read_image, write_labels
    from .segmentation import Segmentation

_home = {  # name → the module it lives in
    **dict.fromkeys(["fit", "segment", "load", "run"], "experiment"),
    **dict.fromkeys(["Image", "read_image", "as_image", "write_labels"], "images"),
    **dict.fromkeys(["Config", "preset"], "config.settings"),
    "open_dataset": "datasets", "Model": "encoder", "Segmentation": "segmentation",
    "DiffusionCondensation": "condensation"}

__all__ = ["fit", "segment", "load", "run", "Image", "read_image", "as_image", "write_labels", "Config", "preset",
           "open_dataset", "Model", "Segmentation", "DiffusionCondensation"]


def __getattr__(name: str):
    "Import the module behind `name` on first use, so that `import cuts` stays fast and free of torch."
    if name not in _home: raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_home[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]: return sorted([*globals(), *_home])
