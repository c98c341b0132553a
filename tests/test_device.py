"The device: what is there is taken, what is not is refused."

import pytest

device = pytest.importorskip("cuts.device")  # needs torch


def test_devices():
    assert str(device.choose_device("cpu")) == "cpu"
    assert device.choose_device(device.choose_device("auto")) == device.choose_device()
    for missing in ("cuda:77", "nonsense", 5.5):
        with pytest.raises(ValueError, match="not available here"):
            device.choose_device(missing)
