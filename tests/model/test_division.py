"""A model divided over processes, layer by layer: it learns what a whole one does, and gets whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
import torch
from safetensors.torch import load_file
from test_sharing import assert_like, train
from tiny_multimodal import ENCODERS, Assemble
from transformers import LlamaConfig, LlamaForCausalLM

from cambrian import precision
from cambrian.checkpoints import Pieces, load_checkpoint
from cambrian.encoders.table import build_encoder, save_encoder
from cambrian.memory import OutOfMemory
from cambrian.model.assembly import load_trained
from cambrian.model.freezing import TrainingStage, freeze
from cambrian.model.language import load_language, save_language
from cambrian.model.placement import is_to_divide
from cambrian.preemption import Preempted
from cambrian.workers import Workers


@pytest.fixture(scope="session")
def rounded(parts: Path) -> Path:
    """The parts, and besides an LLM with a head of its own, its files in float32 and in bfloat16."""
    language = load_language(parts / "language")
    settings = {**language.llm.config.to_dict(), "tie_word_embeddings": False}
    torch.manual_seed(5)
    llm = LlamaForCausalLM(LlamaConfig(**settings))
    save_language(replace(language, llm=llm), parts / "untied")
    save_language(replace(language, llm=llm.to(torch.bfloat16)), parts / "rounded")
    return parts


@pytest.fixture(scope="session")
def deep(parts: Path) -> list[str]:
    """Encoders, the first with so many blocks that they are divided when it trains."""
    (parts / "deep").mkdir()
    save_encoder(build_encoder({**ENCODERS[0], "depth": 8}), parts / "deep")
    return ["deep", "convnet"]


WRITTEN_BY_TWO = ["part-00000.pt", "part-00001.pt", "sha256", "state.pt"]


@pytest.mark.slow
@pytest.mark.parametrize(("language", "micro_batch"), [("language", 0), ("untied", 1)])
@pytest.mark.parametrize("stage", ["align", "tune"])
def test_a_divided_model_learns_what_a_whole_one_does(
    rounded: Path, tmp_path: Path, deep: list[str], stage: str, language: str, micro_batch: int
) -> None:
    """With aggregation inside the LLM; shares are text alone, empty, uneven; once nobody has an image."""
    recipe = {"stage": stage, "encoders": deep, "language": language}
    one = train(tmp_path / "one", rounded, **recipe)
    two = train(tmp_path / "two", rounded, 2, True, micro_batch, **recipe)
    assert_like(two, one, atol=5e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after"),
    [((2, True), (1, False)), ((1, False), (2, True)), ((2, True), (3, True)), ((2, True), (2, False))],
    ids=str,
)
def test_any_number_of_workers_continues_what_others_have_left(
    parts: Path, tmp_path: Path, before: tuple[int, bool], after: tuple[int, bool]
) -> None:
    root, loaded = tmp_path / "parted", tmp_path / "loaded"
    with pytest.raises(Preempted, match="left at step 3 of 5"):
        train(root, parts, *before, leaves_after=3)
    names = sorted(path.name for path in (root / "work" / "step-00000003").iterdir())
    assert names == (WRITTEN_BY_TWO if before[1] else ["sha256", "state.pt"])
    left = read_whole(root / "work")
    parted = train(root, parts, *after, copies_to=str(loaded))
    assert_same(read_whole(loaded), left)
    assert_like(parted, train(tmp_path / "whole", parts), atol=5e-5)


@pytest.mark.slow
def test_a_damaged_part_spoils_its_checkpoint_alone(parts: Path, tmp_path: Path) -> None:
    with pytest.raises(Preempted):
        train(tmp_path, parts, 2, True, leaves_after=2)
    with pytest.raises(Preempted):
        train(tmp_path, parts, 2, True, leaves_after=1)
    part = tmp_path / "work" / "step-00000003" / "part-00001.pt"
    content = part.read_bytes()
    part.write_bytes(content[:700] + bytes([content[700] ^ 1]) + content[701:])
    assert read_whole(tmp_path / "work")["step"] == 2
    part.unlink()
    assert read_whole(tmp_path / "work")["step"] == 2
    part.write_bytes(content)
    assert read_whole(tmp_path / "work")["step"] == 3


@pytest.mark.slow
def test_a_process_without_memory_ends_all_and_says_what_to_halve(parts: Path, tmp_path: Path) -> None:
    """The other one is waiting for it inside a layer."""
    with pytest.raises(OutOfMemory, match=r"divided over 2 processes.* set runtime\.micro_batch=1$"):
        train(tmp_path, parts, 2, True, micro_batch=2, short=1)


@pytest.mark.parametrize(
    ("stage", "room", "wish", "count", "divided"),
    [
        ("tune", 1.01, None, 2, False),
        ("tune", 0.99, None, 2, True),
        ("tune", 0.99, None, 1, False),
        ("tune", 0.99, False, 2, False),
        ("tune", 1.01, True, 2, True),
        ("align", 0.99, None, 2, True),
    ],
)
def test_a_model_is_divided_that_is_too_large_for_one_gpu(
    make_model: Assemble,
    monkeypatch: pytest.MonkeyPatch,
    stage: TrainingStage,
    room: float,
    wish: bool | None,
    count: int,
    divided: bool,
) -> None:
    """By the plan's rule: 16 bytes for what trains and 2 for what is frozen, on four fifths of the GPU."""
    model = make_model()
    freeze(model, stage=stage, vision="frozen")
    needed = sum((16 if value.requires_grad else 2) * value.numel() for value in model.parameters())
    gpu = SimpleNamespace(total_memory=int(room * needed / 0.8))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: gpu)
    assert is_to_divide(model, wish, "cuda:0", Workers(count=count)) is divided
    assert is_to_divide(model, wish, "cpu", Workers(count=count)) is bool(wish)


@pytest.mark.parametrize("stage", ["align", "tune"])
def test_bfloat16_stays_near_float32(parts: Path, tmp_path: Path, stage: str) -> None:
    exact = train(tmp_path / "exact", parts, stage=stage)
    near = train(tmp_path / "near", parts, stage=stage, bfloat16=True)
    assert near[0] == pytest.approx(exact[0], rel=0.02)
    assert near[0] != pytest.approx(exact[0], rel=1e-5)
    assert {value.dtype for value in near[1].values()} == {torch.float32}


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["align", "tune"])
def test_a_divided_model_in_bfloat16_stays_near_float32(
    rounded: Path, tmp_path: Path, deep: list[str], stage: str
) -> None:
    """Less so than a whole one: what goes from layer to layer is in bfloat16 too."""
    recipe = {"stage": stage, "encoders": deep, "language": "rounded"}
    exact = train(tmp_path / "exact", rounded, **recipe)
    near = train(tmp_path / "near", rounded, 2, True, **recipe, bfloat16=True)
    assert near[0][0] == pytest.approx(exact[0][0], rel=0.01)
    assert near[0] == pytest.approx(exact[0], rel=0.1)


@pytest.mark.parametrize(
    ("processes", "shard"), [(1, False), pytest.param(2, True, marks=pytest.mark.slow)], ids=str
)
def test_the_llm_is_published_in_the_type_of_its_files(
    rounded: Path, tmp_path: Path, processes: int, shard: bool
) -> None:
    """What is loaded to be evaluated is what was published, bit for bit; the head shares its weights."""
    train(tmp_path, rounded, processes, shard, language="rounded")
    published, eyes = tmp_path / "published", [rounded / "vit", rounded / "convnet"]
    written = load_file(published / "language" / "model.safetensors")
    start = load_file(rounded / "rounded" / "model.safetensors")
    assert written.keys() == start.keys()
    assert {value.dtype for value in written.values()} == {torch.bfloat16}
    assert not any(torch.equal(value, start[name]) for name, value in written.items() if value.ndim > 1)
    assert json.loads((published / "language" / "config.json").read_text())["dtype"] == "bfloat16"
    connector = load_file(published / "connector.safetensors")
    assert {value.dtype for value in connector.values()} == {torch.float32}
    for kept in (torch.float32, torch.bfloat16):
        with patch.object(precision, "compute_type", lambda device, kept=kept: kept):
            model = load_trained(published, encoder_dirs=eyes)
        for name, value in written.items():
            assert torch.equal(model.llm.get_parameter(name), value.to(kept)), name
        assert all(torch.equal(value, connector[name]) for name, value in model.connector.named_parameters())


def read_whole(directory: Path) -> dict[str, Any]:
    """A checkpoint without its course in time, tensors put together."""

    def join(tree: Any) -> Any:
        if isinstance(tree, dict):
            return {key: join(value) for key, value in tree.items()}
        return tree.read(None) if isinstance(tree, Pieces) else tree

    state = load_checkpoint(directory)
    assert state is not None
    return {key: join(value) for key, value in state.items() if key != "seconds"}


def assert_same(one: Any, other: Any) -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert_same(value, other[key])
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    else:
        assert one == other
