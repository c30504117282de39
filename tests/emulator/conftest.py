import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab" / "emulator"))


@pytest.fixture
def settings(monkeypatch):
    """The lab's settings, without a lab."""
    from extension.common import lab_settings

    monkeypatch.setattr(lab_settings, "values", lab_settings._defaults())
    monkeypatch.setattr(lab_settings.time, "time", lambda: 1000.0)
    return lab_settings.values
