"""One list of fonts for all figures that are drawn here; making it takes seconds."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib
import pytest


@pytest.fixture(autouse=True, scope="session")
def fonts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLCONFIGDIR", matplotlib.get_cachedir())
        yield
