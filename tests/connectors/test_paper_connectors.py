"""The connectors at the paper's size: the `paper:` sections of conf/connector, weights on the meta device."""

import pytest
import torch

from cambrian.connectors.base import build_connector
from cambrian.connectors.table import CONNECTORS, check_connector, visual_positions
from cambrian.sweep.composition import CONF
from cambrian.sweep.grid import expand

CHOICES = sorted(path.stem for path in (CONF / "connector").glob("*.yaml"))
LLM_WIDTH, LLM_LAYERS = 4096, 32
CLIP, FOUR = ((1024,), (24,)), ((1152, 1024, 1536, 3072), (24, 24, 24, 96))
"""Widths and grids: CLIP alone; SigLIP, CLIP, DINOv2 and ConvNeXt as in Cambrian-1."""


def recipe(name):
    node = expand([f"connector={name}"])[0]["connector"]
    return {"kind": node["kind"], **node["paper"], "side": node["paper"]["side"] or 24}


def mlp(width):
    return width * LLM_WIDTH + LLM_WIDTH + LLM_WIDTH * LLM_WIDTH + LLM_WIDTH


def auxiliary(width):
    return width * 1024 + 1024 + 1024 * 1024 + 1024 + 2 * 1024


def block(width):
    """A block of the C-Abstractor: convolutions and norms, squeeze-excitation to width / 4, skip."""
    convolutions = width * 1024 + 9 * 1024 + 1024 * 1024 + 3 * 2 * 1024
    squeeze = width // 4
    excitation = 1024 * squeeze + squeeze + squeeze * 1024 + 1024
    return convolutions + excitation + (0 if width == 1024 else width * 1024 + 2 * 1024)


RESAMPLER = {
    "auxiliary": sum(auxiliary(width) for width in FOUR[0]),
    "positions": (3 * 576 + 9216) * 1024,
    "queries": 576 * 1024,
    "layers": 3 * ((4 + 2 * 4) * 1024 * 1024 + 3 * 2 * 1024),
    "norm": 2 * 1024,
    "projector": mlp(1024),
}


@pytest.mark.parametrize(
    ("name", "encoders", "parameters"),
    [
        ("concat", CLIP, mlp(1024)),
        ("concat", FOUR, mlp(6784)),
        ("resampler", FOUR, sum(RESAMPLER.values())),
        ("c_abstractor", CLIP, 576 * 1024 + 6 * block(1024) + mlp(1024)),
        ("c_abstractor", FOUR, 9216 * 6784 + block(6784) + 5 * block(1024) + mlp(1024)),
        ("ldpv2", CLIP, mlp(1024) + (9 + 1) * LLM_WIDTH),
    ],
)
def test_parameters_are_counted_by_hand(name, encoders, parameters):
    with torch.device("meta"):
        connector = build_connector(recipe(name), *encoders, LLM_WIDTH, LLM_LAYERS)
    assert sum(parameter.numel() for parameter in connector.parameters()) == parameters


def test_every_kind_of_connector_can_be_chosen():
    assert {recipe(name)["kind"] for name in CHOICES} == set(CONNECTORS)


@pytest.mark.parametrize("name", CHOICES)
def test_the_settings_give_576_tokens_and_shrink_to_36(name):
    paper = recipe(name)
    grids = {"siglip": 24, "clip": 24, "dinov2": 24, "convnext": 96}
    assert check_connector(paper, grids, LLM_LAYERS) == []
    assert visual_positions({**paper, "newline": False}) == 576
    smaller = {**paper, "side": 6} | ({"groups": [6]} if "groups" in paper else {})
    assert check_connector(smaller, {"clip": 24}, LLM_LAYERS) == []
    assert visual_positions({**smaller, "newline": False}) == 36
