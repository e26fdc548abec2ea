"""Sizes of the real models, held against published numbers and against the real modules."""

from __future__ import annotations

import pytest
import torch
from published import LLMS
from torch.utils.flop_counter import FlopCounterMode

from cambrian.connectors.concat import ConcatConnector
from cambrian.connectors.sva import SvaConnector
from cambrian.sweep.connector_shapes import Concat, Resampler, Sva
from cambrian.sweep.shapes import ENCODERS, vit


def test_flops_of_a_small_vision_transformer_by_hand() -> None:
    small = vit("small", layers=3, width=2, hidden=4, patch=2, resolution=4, visual_tokens=4)
    # 4 patches and a class token; a block has 4 x 2x2 + 2 x 2x4 = 32; a patch 12 x 2; attention 2 x 5x5x2.
    assert small.flops == 2 * (3 * 5 * 32 + 4 * 24 + 3 * 100)
    windowed = vit(
        "windowed",
        layers=3,
        width=2,
        hidden=4,
        patch=1,
        resolution=3,
        visual_tokens=9,
        class_token=False,
        window=2,
        global_layers=1,
    )
    # A grid of 3 x 3 is padded to 4 x 4 for windows of 4 tokens; one layer sees all 9.
    assert windowed.flops == 2 * (3 * 9 * 32 + 9 * 6 + 2 * 7 * 16) + 4 * 2 * (9 * 9 + 2 * 16 * 4)


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("vicuna_7b", 6738),
        ("vicuna_13b", 13016),
        ("llama3_8b", 8030),
        ("yi_34b", 34389),
        ("phi3_4b", 3821),
        ("qwen2_5_0_5b", 494),
        ("smollm2_360m", 362),
        ("clip", 304),
        ("dfn_clip_l", 304),
        ("dfn_clip_h", 632),
        ("eva_clip", 304),
        ("siglip_l", 316),
        ("siglip", 428),
        ("convnext_l_512", 196),
        ("convnext_l", 196),
        ("convnext", 846),
        ("dinov2", 304),
        ("dinov2_518", 304),
        ("moco_v3_b", 86),
        ("moco_v3_l", 304),
        ("mae", 303),
        ("mae_h", 632),
        ("ijepa", 631),
        ("sam", 308),
        ("sam_h", 637),
        ("midas", 304),
        ("midas_518", 304),
        ("diffusion", 900),
        ("supvit_l", 303),
        ("supvit_h", 631),
    ],
)
def test_parameters_are_the_published_ones(name: str, millions: int) -> None:
    shape = {**LLMS, **ENCODERS}[name]
    assert shape.parameters == pytest.approx(millions * 1e6, rel=0.01)


def test_every_encoder_of_the_paper_has_a_shape() -> None:
    assert len(ENCODERS) == 23
    assert len(LLMS) == 7


@pytest.mark.parametrize("groups", [(4,), (4, 2)])
@pytest.mark.parametrize("inner", [0, 2])
def test_connector_parameters_are_those_of_the_real_modules(groups: tuple[int, ...], inner: int) -> None:
    module = SvaConnector(
        widths=(24, 40),
        grids=(4, 16),
        llm_width=96,
        side=4,
        width=64,
        heads=16,
        depth=3,
        groups=groups,
        newline=True,
        aggregation={"start": 0, "stride": 1, "layers": inner} if inner else None,
    )
    shape = Sva(
        widths=(24, 40), grids=(4, 16), llm_width=96, side=4, width=64, groups=groups, aggregation=inner
    )
    assert shape.parameters == sum(p.numel() for p in module.parameters() if p.ndim > 1)  # norms, biases
    assert shape.tokens == 4 * 5


def test_connector_flops_are_those_of_the_real_modules() -> None:
    # Cambrian-1's four encoders and windows, at a quarter of its width and a third of its side.
    grids, widths = (8, 8, 8, 32), (288, 256, 256, 1440)
    features = [torch.empty(1, grid, grid, width) for grid, width in zip(grids, widths, strict=True)]
    sva = SvaConnector(
        widths=widths,
        grids=grids,
        llm_width=512,
        side=8,
        width=256,
        heads=16,
        depth=3,
        groups=(8,),
        newline=True,
        aggregation=None,
    )
    with FlopCounterMode(display=False) as counter:
        sva(features, None)
    shape = Sva(widths=widths, llm_width=512, grids=grids, side=8, groups=(8,), width=256)
    assert shape.flops == pytest.approx(counter.get_total_flops(), rel=0.03)

    mlp = ConcatConnector(widths=widths[:2], grids=grids[:2], llm_width=512, side=8, layers=2, newline=False)
    with FlopCounterMode(display=False) as counter:
        mlp(features[:2], None)
    shape = Concat(widths=widths[:2], llm_width=512, tokens=64)
    assert shape.flops == counter.get_total_flops()
    assert shape.parameters == sum(p.numel() for p in mlp.parameters())


def test_resampler_by_hand() -> None:
    shape = Resampler(widths=(3, 5), llm_width=4, sources=20, tokens=6, width=2, depth=1)
    assert shape.parameters == 8 * 2 + 2 * 4 + 12 * 4 + 6 * 2
    assert shape.flops == 2 * (10 * 8 * 2 + 6 * 8 + (10 * 6 + 2 * 20) * 4 + 2 * 6 * 20 * 2)
