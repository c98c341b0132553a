"Where this checkout is, and its notebooks."

from pathlib import Path

root = Path(__file__).resolve().parents[1]
notebooks = sorted((root / "nbs").glob("*.ipynb"))
