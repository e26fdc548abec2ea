"""Kept features are those that were computed, or none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_multimodal import CONCAT, SVA, Assemble, NoiseCorpus

from cambrian.data.batching import ConversationBatches
from cambrian.model.features import FeatureFile, KeptFeatures
from cambrian.model.freezing import freeze
from cambrian.model.mllm import MultimodalLLM
from cambrian.model.task import MultimodalTask
from cambrian.training import Conditions, Schedule, fit


def opened(folder: Path, dtype: torch.dtype = torch.float32) -> FeatureFile:
    return FeatureFile(folder, count=6, shape=(2, 2, 3), dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_was_written_is_read_by_others_bit_for_bit(tmp_path: Path, dtype: torch.dtype) -> None:
    features = torch.randn(2, 2, 2, 3).to(dtype)
    opened(tmp_path, dtype).write([4, 1], features)
    again = opened(tmp_path, dtype)
    read = again.read([1, 4])
    assert read is not None
    assert read.dtype == dtype
    assert torch.equal(read, features.flip(0))
    assert again.read([1, 0]) is None


def test_zeros_that_were_never_written_are_not_features(tmp_path: Path) -> None:
    file = opened(tmp_path)
    assert file.read([0]) is None
    file.write([0], torch.zeros(1, 2, 2, 3))
    assert file.read([0]) is not None


def test_a_torn_row_is_not_there(tmp_path: Path) -> None:
    opened(tmp_path).write([2, 3], torch.ones(2, 2, 2, 3))
    (rows,) = tmp_path.glob("*.rows")
    content = np.memmap(rows, np.uint8, "r+").reshape(6, -1)
    content[2, 5] ^= 1
    content.flush()
    assert opened(tmp_path).read([2]) is None
    assert opened(tmp_path).read([3]) is not None


def test_other_types_and_counts_have_files_of_their_own(tmp_path: Path) -> None:
    opened(tmp_path).write([0], torch.ones(1, 2, 2, 3))
    assert opened(tmp_path, torch.bfloat16).read([0]) is None
    assert FeatureFile(tmp_path, count=7, shape=(2, 2, 3), dtype=torch.float32).read([0]) is None


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True), max_size=5))
def test_exactly_what_was_written_is_there(
    tmp_path_factory: pytest.TempPathFactory, writes: list[list[int]]
) -> None:
    file = opened(tmp_path_factory.mktemp("features"))
    for images in writes:
        file.write(images, torch.stack([torch.full((2, 2, 3), float(image)) for image in images]))
    there = {image for images in writes for image in images}
    for image in range(6):
        features = file.read([image])
        assert (features is not None) == (image in there)
        assert features is None or (features == image).all()


def train(model: MultimodalLLM, root: Path, name: str, kept: KeptFeatures | None) -> tuple[float, ...]:
    freeze(model, stage="tune", vision="frozen")
    corpus = NoiseCorpus(12)
    batches = ConversationBatches(size=12, epochs=2, batch_size=4, seed=5)
    rates = {"connector": 0.01, "sva": 0.01, "llm": 0.01}
    task = MultimodalTask(model, corpus, batches, rates=rates, weight_decay=0.0, kept=kept)
    schedule = Schedule(
        steps=batches.steps, batch_size=4, warmup_fraction=0.0, clip=1.0, betas=(0.9, 0.98), seed=0
    )
    return fit(task, schedule, Conditions(workdir=root / name, micro_batch=2)).losses


@pytest.mark.parametrize("recipe", [SVA, CONCAT], ids=["sva", "concat"])
def test_training_from_kept_features_is_the_same_and_looks_at_no_image(
    make_model: Assemble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: dict[str, object]
) -> None:
    plain = train(make_model(recipe), tmp_path, "plain", None)

    def kept(model: MultimodalLLM) -> KeptFeatures:
        folders = [tmp_path / "features" / str(index) for index in range(len(model.eyes))]
        return KeptFeatures(model.eyes, folders, count=200, dtype=torch.float32)

    model = make_model(recipe)
    assert train(model, tmp_path, "first", kept(model)) == pytest.approx(plain, rel=1e-5)
    again = make_model(recipe)
    monkeypatch.setattr(again, "look", pytest.fail)
    monkeypatch.setattr(NoiseCorpus, "pictures", pytest.fail)
    assert train(again, tmp_path, "again", kept(again)) == pytest.approx(plain, rel=1e-5)
