"""---
title: Changelog
description: What changed, version by version
---"""

import sys

from nbdev.config import get_config

sys.path.append(str(get_config().config_path / "scripts"))
from website import citation

print(citation.changes())
