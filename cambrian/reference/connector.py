"""Check a whole connector, from the encoders' tokens to the spliced text."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from cambrian.connectors.base import Connector, VisualTokens, build_connector
from cambrian.connectors.concat import ConcatConnector
from cambrian.connectors.grids import kept_cells
from cambrian.connectors.sva import SvaConnector, aggregation_inputs, global_context
from cambrian.connectors.table import kept_sides
from cambrian.connectors.windows import Windows, make_windows
from cambrian.reference.names import connector_names, gradients, load_reference
from cambrian.reference.sampler import HEADS
from cambrian.reference.text import spliced_text
from cambrian.reference.vectors import Vectors


def check_connector_file(vectors: Vectors) -> None:
    """Compare all intermediates, the visual tokens, their gradients, and the spliced sequence."""
    _run(vectors, torch.float32)
    connector, features, visual = _run(vectors, torch.float64)
    tolerance = _tolerance(connector, torch.float64)
    if isinstance(connector, SvaConnector):
        _compare_sva(vectors, connector, features, vectors["in.image_sizes_wh"], tolerance)
    elif isinstance(connector, ConcatConnector):
        vectors.compare("out.projector_input.float64", connector.channels(features).flatten(1, 2), tolerance)
    if "in.grad_seed" not in vectors:
        return
    (visual.tokens.flatten(1, 2) * vectors["in.grad_seed"]).sum().backward()
    bound = max(tolerance, 1e-8)
    vectors.compare_gradients(
        "grad.", {f"feat.{k}": _tokens_grad(grid) for k, grid in enumerate(features)}, bound
    )
    unused = {"image_newline": None, "embed_tokens.weight": None}  # the gradients are those of the tokens
    vectors.compare_gradients("gradparam.", unused | gradients(connector, connector_names(connector)), bound)


def _run(vectors: Vectors, dtype: torch.dtype) -> tuple[Connector, list[Tensor], VisualTokens]:
    connector = reference_connector(vectors, "param.", llm_layers=0).to(dtype)
    weights = vectors.below("param.")
    table = vectors["param.embed_tokens.weight"].to(dtype)
    del weights["embed_tokens.weight"]
    load_reference(connector, connector_names(connector), weights)
    features = reference_features(vectors, dtype)
    visual = connector(features, vectors["in.image_sizes_wh"])
    tolerance = _tolerance(connector, dtype)
    suffix = str(dtype).removeprefix("torch.")
    vectors.compare(f"out.tokens.{suffix}", visual.tokens.flatten(1, 2), tolerance)
    _compare_splice(vectors, connector, visual, table, tolerance)
    return connector, features, visual


def reference_connector(vectors: Vectors, prefix: str, llm_layers: int) -> Connector:
    """Build the connector that a file describes; its weights' names start with `prefix`."""
    features = vectors.sequence("in.feat.")
    grids = [math.isqrt(tokens.shape[1]) for tokens in features]
    side, newline = int(vectors.setting("L")), f"{prefix}image_newline" in vectors
    if f"{prefix}vision_query" in vectors:
        recipe = _sva_recipe(vectors, prefix, side) | {"newline": newline}
    else:
        names = vectors.below(f"{prefix}mm_projector.")
        layers = len([name for name in names if name.endswith("weight")])
        recipe = {"kind": "concat", "side": side, "layers": layers, "newline": newline}
    widths = [tokens.shape[2] for tokens in features]
    return build_connector(recipe, widths, grids, int(vectors.setting("H")), llm_layers)


def reference_features(vectors: Vectors, dtype: torch.dtype) -> list[Tensor]:
    """Give the encoders' tokens as grids (B, s_k, s_k, d_k) that record gradients."""
    grids = []
    for tokens in vectors.sequence("in.feat."):
        side = math.isqrt(tokens.shape[1])
        grids.append(tokens.unflatten(1, (side, side)).clone().to(dtype).requires_grad_())
    return grids


def mask_of(windows: Windows) -> Tensor:
    """Give the mask of windows, (B, N, K), written out."""
    shape = windows.tokens.shape[:3]
    return torch.ones(shape, dtype=torch.bool) if windows.mask is None else windows.mask


def _sva_recipe(vectors: Vectors, prefix: str, side: int) -> dict[str, object]:
    layers = vectors.below(f"{prefix}vision_sampler_layers.")
    count = len({name.split(".")[0] for name in layers})
    aggregation = None
    if count:
        start, stride = int(vectors.setting("start")), int(vectors.setting("stride"))
        aggregation = {"start": start, "stride": stride, "layers": count}
    return {
        "kind": "sva",
        "side": side,
        "width": int(vectors.setting("C")),
        "heads": HEADS,
        "depth": int(vectors.setting("D")),
        "groups": [math.isqrt(queries) for queries in vectors.setting("q")],
        "aggregation": aggregation,
    }


def _tolerance(connector: Connector, dtype: torch.dtype) -> float:
    if dtype == torch.float32:
        return 1e-5
    resized = isinstance(connector, SvaConnector) and set(connector.groups) != {connector.side}
    return 1e-6 if resized else 1e-9  # resizing goes through float32


def _compare_splice(
    vectors: Vectors, connector: Connector, visual: VisualTokens, table: Tensor, tolerance: float
) -> None:
    """Compare the text with its visual tokens; `table` (V, H) has the dtype to compare in."""
    text, spliced = spliced_text(vectors, connector, visual, table)
    suffix = str(table.dtype).removeprefix("torch.")
    vectors.compare(f"out.inputs_embeds.{suffix}", spliced.embeddings, tolerance)
    if table.dtype == torch.float64:
        vectors.compare("out.labels", text.labels, 0.0)
        vectors.compare("out.attention_mask", text.attention, 0.0)
        side = visual.tokens.shape[1]
        kept = [kept_sides(side, *size) for size in vectors["in.image_sizes_wh"].tolist()]
        vectors.compare("out.final_size_hw", torch.tensor(kept), 0.0)


def _compare_sva(
    vectors: Vectors, connector: SvaConnector, features: Sequence[Tensor], sizes: Tensor, tolerance: float
) -> None:
    """Compare what lies between the encoders' tokens and the projector, all in float64."""
    tokens = connector.project(features)
    for k, grid in enumerate(tokens):
        vectors.compare(f"out.aux.{k}.float64", grid.flatten(1, 2), 1e-9)
    context = global_context(tokens)
    outputs = []
    windows = connector.cut(tokens, sizes)
    for group, side in enumerate(connector.groups):
        outputs.append(connector.sample(group, context, windows))
        vectors.compare(f"out.group.{group}.float64", outputs[-1].flatten(0, 1)[:, None], 1e-9)
        queries = connector.query[group].expand(len(context) * side * side, 1, -1)
        vectors.compare(f"mid.group.{group}.queries.float64", queries, 1e-9)
        repeated = context.repeat_interleave(side * side, dim=0)[:, None]
        vectors.compare(f"mid.group.{group}.context.float64", repeated, 1e-9)
        for k, seen in enumerate(windows[side]):
            vectors.compare(f"mid.group.{group}.kv.{k}.float64", seen.tokens.flatten(0, 1), 1e-9)
            vectors.compare(f"mid.group.{group}.mask.{k}", mask_of(seen).flatten(0, 1), 0.0)
    vectors.compare("out.projector_input.float64", connector.join(outputs).flatten(1, 2), tolerance)
    cut = tuple(make_windows(grid, connector.side, sizes) for grid in tokens)
    inner = aggregation_inputs(context, cut, kept_cells(sizes, connector.side)[0])
    vectors.compare("out.inllm_context.float64", inner.context[inner.image][:, None], 1e-9)
    for k, seen in enumerate(inner.windows):
        vectors.compare(f"out.inllm_kv.{k}.float64", seen.tokens[0], 1e-9)
        vectors.compare(f"out.inllm_mask.{k}", mask_of(seen)[0], 0.0)


def _tokens_grad(grid: Tensor) -> Tensor | None:
    return None if grid.grad is None else grid.grad.flatten(1, 2)
