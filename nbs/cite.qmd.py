"""---
title: How to cite
description: The paper, and the program
---"""

import sys

from nbdev.config import get_config

sys.path.append(str(get_config().config_path / "scripts"))
from website import citation

print(citation.cite())
