"With what a configuration is refused."

import pytest

from cuts.config.checks import ConfigError


def refusal(make, *args, **kwargs) -> str:
    "The message of the ConfigError that `make` raises."
    with pytest.raises(ConfigError) as e:
        make(*args, **kwargs)
    return str(e.value)


def outcome(make, *args, **kwargs) -> tuple:  # (result, ""), or (None, message)
    "What `make` returns, or the message of the ConfigError that it raises; another error is one of the test."
    try:
        return make(*args, **kwargs), ""
    except ConfigError as e:
        return None, str(e)
