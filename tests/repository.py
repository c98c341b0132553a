"Where this checkout is, and its scripts as modules."

import importlib.util
from pathlib import Path

root = Path(__file__).resolve().parents[1]
notebooks = sorted((root / "nbs").glob("*.ipynb"))


def script(name: str):
    "A module of scripts/, under a name that hides no other."
    spec = importlib.util.spec_from_file_location(f"scripts_{name}", root / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
