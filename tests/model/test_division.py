"""A model divided over two processes, one layer at a time: the same as whole in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny_stage
from safetensors.torch import load_file
from test_sharing import assert_like, train
from tiny_multimodal import CONCAT, ENCODERS, SVA


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["align", "tune"])
@pytest.mark.parametrize("micro_batch", [0, 1])
def test_a_divided_model_learns_what_a_whole_one_does(
    parts: Path, tmp_path: Path, stage: str, micro_batch: int
) -> None:
    one = train(tmp_path / "one", parts, stage=stage)
    two = train(tmp_path / "two", parts, stage=stage, processes=2, shard=True, micro_batch=micro_batch)
    assert_like(two, one)
