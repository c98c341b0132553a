"""---
title: API
description: Every exported name, by module
---"""

import sys

from nbdev.config import get_config

sys.path.append(str(get_config().config_path / "scripts"))
from website import reference

reference.write_modules(get_config().config_path / "_proc")
print(reference.api_index())
