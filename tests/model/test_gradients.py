"""Gradients reach exactly what is unfrozen: every connector, in every stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pytest
import torch
from tiny_multimodal import CONCAT, SVA, Assemble, NoiseCorpus

from cambrian.connectors.table import CONNECTORS
from cambrian.data.batching import Batch, collate, load_images
from cambrian.model.freezing import freeze
from cambrian.model.mllm import MultimodalLLM

SIZES = {"side": 4, "width": 16, "depth": 1, "heads": 2, "newline": True}
RECIPES: dict[str, Mapping[str, Any]] = {
    "concat": {**CONCAT, "newline": True},
    "sva": SVA,
    "sva_no_multi_agg": {**SVA, "aggregation": None},
    "resampler": {"kind": "resampler", **SIZES},
    "c_abstractor": {"kind": "c_abstractor", "side": 4, "width": 16, "depth": 1, "newline": True},
    "ldpv2": {"kind": "ldpv2", "side": 4, "newline": True},
}
LAST_BLOCK = (
    *("encoders.0.blocks.0.", "encoders.0.norm."),
    *("encoders.1.late.0.", "encoders.1.norm."),
)
TRAINED: dict[str, tuple[str, ...]] = {
    "align": ("connector.",),
    "tune frozen": ("connector.", "llm.", "grid_positions."),
    "tune unfrozen": ("connector.", "llm.", "grid_positions.", "encoders."),
    "tune partial": ("connector.", "llm.", "grid_positions.", *LAST_BLOCK),
}
"""Stage -> beginnings of the names of what trains; encoders are a ViT of one block and a ConvNet of two."""


def batch_of(model: MultimodalLLM, *indices: int) -> Batch:
    corpus = NoiseCorpus(12)
    conversations = [corpus.conversation(index) for index in indices]
    images = load_images(corpus.pictures, [each.image for each in conversations], model.views)
    examples = [model.chat.encode(each) for each in conversations]
    return collate(examples, images, pad_id=model.chat.pad_id, padding="right")


def freeze_for(model: MultimodalLLM, stage: str) -> None:
    kind, _, freezing = stage.partition(" ")
    part: Literal["align", "tune"] = "align" if kind == "align" else "tune"
    vision: Literal["frozen", "unfrozen"] = "unfrozen" if freezing in ("unfrozen", "partial") else "frozen"
    freeze(model, stage=part, vision=vision, blocks=1 if freezing == "partial" else None)


def test_every_kind_of_connector_is_here() -> None:
    assert {recipe["kind"] for recipe in RECIPES.values()} == set(CONNECTORS)


@pytest.mark.parametrize("stage", TRAINED)
@pytest.mark.parametrize("connector", RECIPES)
def test_gradients_reach_exactly_what_is_unfrozen(make_model: Assemble, connector: str, stage: str) -> None:
    model = make_model(RECIPES[connector])
    # Away from where weights start: a zero in front of a matrix would hide what is behind it.
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    freeze_for(model, stage)
    loss, _ = model.loss(batch_of(model, 0, 1, 2, 3))
    loss.backward()
    names = dict(model.named_parameters())
    reached = {name for name, p in names.items() if p.grad is not None and bool(p.grad.any())}
    assert reached == {name for name in names if name.startswith(TRAINED[stage])}
    assert reached == {name for name, parameter in names.items() if parameter.requires_grad}
