"""The multimodal LLM trained by two processes, and with recomputed activations: the same as in peace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny_stage
import torch
from safetensors.torch import load_file
from tiny_multimodal import BROKEN, ENDLESS, SVA
from torch import Tensor

from cambrian.runtime import Runtime, SilentTracker
from cambrian.stages.base import StageContext
from cambrian.stages.launch import run_stage


def run_in(
    root: Path, parts: Path, processes: int = 1, shard: bool = False, micro_batch: int = 0, **recipe: Any
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    root.mkdir(exist_ok=True)
    context = StageContext(
        payload=root,
        workdir=root / "work",
        runtime=Runtime(store=root, processes=processes, shard=shard, micro_batch=micro_batch),
        tracker=SilentTracker(),
        progress=lambda done, total: None,
    )
    recipe = {"parts": str(parts), "connector": SVA, "stage": "tune"} | recipe
    metrics = run_stage(tiny_stage.KIND, recipe, {}, context)
    return metrics, load_file(root / "model.safetensors")


def train(root: Path, parts: Path, *places: Any, **recipe: Any) -> tuple[list[float], dict[str, Tensor]]:
    """Losses and weights of `run_in`."""
    metrics, weights = run_in(root, parts, *places, **recipe)
    return metrics["losses"], weights


def assert_like(
    one: tuple[list[float], dict[str, Tensor]],
    other: tuple[list[float], dict[str, Tensor]],
    atol: float = 1e-5,
) -> None:
    assert one[0] == pytest.approx(other[0], rel=1e-6)
    assert one[1].keys() == other[1].keys()
    for name, value in one[1].items():
        torch.testing.assert_close(value, other[1][name], rtol=1e-4, atol=atol, msg=name)


@pytest.mark.slow
def test_the_first_of_two_workers_knows_what_the_other_left_out(parts: Path, tmp_path: Path) -> None:
    one, two = (run_in(tmp_path / str(count), parts, processes=count, damaged=True)[0] for count in (1, 2))
    assert set(one["left_out"]) == set(two["left_out"]) == {*BROKEN, *ENDLESS}
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-6)


@pytest.mark.slow
def test_two_workers_train_the_model_that_one_trains(parts: Path, tmp_path: Path) -> None:
    """Whole shares are text alone or empty, and once there is no image at all."""
    assert_like(train(tmp_path / "two", parts, processes=2), train(tmp_path / "one", parts))


@pytest.mark.parametrize("stage", ["align", "tune"])
def test_recomputed_activations_give_the_same_model(parts: Path, tmp_path: Path, stage: str) -> None:
    """With aggregation inside the LLM; a frozen LLM passes gradients on to the connector."""
    plain = train(tmp_path / "plain", parts, stage=stage)
    again = train(tmp_path / "again", parts, stage=stage, recompute=True)
    assert again[0] == plain[0]
    assert all(torch.equal(value, plain[1][name]) for name, value in again[1].items())
