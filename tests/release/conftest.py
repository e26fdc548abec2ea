from __future__ import annotations

from pathlib import Path

import pytest
from tiny_multimodal import write_parts


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory with `vit`, `convnet`, `pixels` and `language`."""
    root = tmp_path_factory.mktemp("parts")
    write_parts(root)
    return root
