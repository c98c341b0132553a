"Fixtures for every test: those of browser.py. The modules of scripts/ can be imported."

import sys
from pathlib import Path

pytest_plugins = ["browser"]
sys.path.append(str(Path(__file__).resolve().parents[1] / "scripts"))
