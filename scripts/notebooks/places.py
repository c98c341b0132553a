"Where things lie."

import sys
from pathlib import Path

root = Path(__file__).resolve().parents[2]
nbs = root / "nbs"
lib = root / "cuts"
scripts = lib / "show" / "js"  # of the explorer and of live elements
if str(root) not in sys.path:
    sys.path.insert(0, str(root))
