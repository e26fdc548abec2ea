from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tiny_multimodal import SVA, Assemble, write_parts

from cambrian.model.assembly import assemble
from cambrian.model.mllm import MultimodalLLM


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory with `vit`, `convnet`, `pixels` and `language`."""
    root = tmp_path_factory.mktemp("parts")
    write_parts(root)
    return root


@pytest.fixture
def make_model(parts: Path) -> Assemble:
    """Makes a tiny multimodal LLM with random weights, in evaluation mode."""

    def make(
        recipe: Mapping[str, Any] = SVA, encoders: Sequence[str] = ("vit", "convnet"), seed: int = 0
    ) -> MultimodalLLM:
        return assemble(
            encoder_dirs=[parts / name for name in encoders],
            language_dir=parts / "language",
            connector_recipe=recipe,
            template="lab",
            seed=seed,
        ).eval()

    return make
