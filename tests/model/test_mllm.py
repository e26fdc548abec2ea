from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tiny_multimodal import CONCAT, SVA, Assemble, NoiseCorpus
from torch import Tensor

from cambrian.data.batching import Batch, ConversationBatches, collate, load_images
from cambrian.model.freezing import freeze
from cambrian.model.mllm import MultimodalLLM
from cambrian.model.task import MultimodalTask
from cambrian.training import Conditions, Schedule, fit

RECIPES = pytest.mark.parametrize("recipe", [CONCAT, SVA], ids=["concat", "sva"])
CORPUS = NoiseCorpus(12)
RATES = {"connector": 0.01, "sva": 0.003, "llm": 0.002, "vision": 0.001}


def batch_of(model: MultimodalLLM, *indices: int) -> Batch:
    conversations = [CORPUS.conversation(index) for index in indices]
    images = load_images(CORPUS.pictures, [each.image for each in conversations], model.views)
    examples = [model.chat.encode(each) for each in conversations]
    return collate(examples, images, pad_id=model.chat.pad_id, padding="right")


def train(model: MultimodalLLM, workdir: Path, *, steps: int = 2, stop: int | None = None) -> None:
    def progress(step: int, steps: int) -> None:
        if step == stop:
            raise KeyboardInterrupt

    batches = ConversationBatches(size=len(CORPUS), epochs=steps / 3, batch_size=4, seed=5)
    fit(
        MultimodalTask(model, CORPUS, batches, rates=RATES, weight_decay=0.0),
        Schedule(steps=batches.steps, batch_size=4, warmup_fraction=0.0, clip=1.0, betas=(0.9, 0.98), seed=0),
        Conditions(workdir=workdir, micro_batch=3, checkpoint_seconds=0.0, progress=progress),
    )


@RECIPES
def test_the_loss_is_that_of_the_whole_logits(make_model: Assemble, recipe: Mapping[str, Any]) -> None:
    model = make_model(recipe)
    batch = batch_of(model, 0, 1, 2, 3)
    states = model.states(batch, attention_mask=batch.attention_mask, position_ids=None, cache=None)
    logits = model.logits(states)[:, :-1].flatten(0, 1)
    expected = F.cross_entropy(logits, batch.labels[:, 1:].flatten(), ignore_index=-100, reduction="sum")
    loss, count = model.loss(batch)
    torch.testing.assert_close(loss, expected)
    assert count == (batch.labels != -100).sum()


@RECIPES
def test_samples_of_a_batch_do_not_influence_each_other(
    make_model: Assemble, recipe: Mapping[str, Any]
) -> None:
    model = make_model(recipe)
    alone = torch.stack([model.loss(batch_of(model, index))[0] for index in range(6)])
    together, _ = model.loss(batch_of(model, *range(6)))
    torch.testing.assert_close(together, alone.sum())


def test_text_alone_goes_through_the_llm_as_it_is(make_model: Assemble) -> None:
    model = make_model()
    batch = batch_of(model, 2, 5)
    assert batch.images == {}
    states = model.states(batch, attention_mask=None, position_ids=None, cache=None)
    plain = model.llm(input_ids=batch.input_ids).logits
    torch.testing.assert_close(model.logits(states), plain)


def test_the_image_and_its_place_matter(make_model: Assemble) -> None:
    model = make_model(CONCAT)
    batch = batch_of(model, 0)
    loss, _ = model.loss(batch)
    flipped = {resolution: images.flip(2) for resolution, images in batch.images.items()}
    assert model.see(flipped, None).tokens.shape == (1, 4, 4, 32)
    batch.images.update(flipped)
    assert model.loss(batch)[0] != loss
    assert model.grid_positions is not None
    bare = model.connector([torch.zeros(1, 8, 8, 16), torch.zeros(1, 8, 8, 16)], None).tokens
    placed = model.grid_positions(bare)
    torch.testing.assert_close(placed[0, 1, 2] - bare[0, 1, 2], placed_at(model, 1, 2))


def test_the_border_of_a_wide_image_is_cut_off_where_rows_end_in_newlines(make_model: Assemble) -> None:
    conversation = CORPUS.conversation(0)
    losses = []
    for recipe, positions in (({**SVA, "newline": True}, 2 * 5), ({**SVA, "newline": False}, 16)):
        model = make_model(recipe)
        assert model.image_positions((40, 20)) == positions
        example = model.chat.encode(conversation, model.image_positions((40, 20)))
        assert sum(example.placeholder) == positions
        images = load_images(CORPUS.pictures, [conversation.image], model.views)
        pad_id = model.chat.pad_id
        batch = collate([example], images, pad_id=pad_id, padding="right", sizes=[(40, 20)])
        losses.append(model.loss(batch)[0])
        changed = {view: image.clone() for view, image in images.items()}
        for view, image in changed.items():
            image[:, : view.resolution // 4] = 0  # the border above
        seen, unseen = (model.see(each, batch.sizes) for each in (images, changed))
        assert (seen.keep is None) == (positions == 16)
        assert not torch.equal(seen.tokens, unseen.tokens)
    assert losses[0] != losses[1]


def placed_at(model: MultimodalLLM, row: int, column: int) -> Tensor:
    assert model.grid_positions is not None
    return model.grid_positions.rows.weight[row] + model.grid_positions.columns.weight[column]


def changed(before: dict[str, Tensor], model: MultimodalLLM) -> set[str]:
    """Parts whose weights differ; a part is a name's first word, or two of them for the encoders."""
    names = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    return {".".join(name.split(".")[: 2 if name.startswith("encoders") else 1]) for name in names}


@pytest.mark.parametrize(
    ("stage", "vision", "learners"),
    [
        ("align", "frozen", {"connector"}),
        ("align", "unfrozen", {"connector"}),
        ("tune", "frozen", {"connector", "llm", "grid_positions"}),
        ("tune", "unfrozen", {"connector", "llm", "grid_positions", "encoders.0", "encoders.1"}),
    ],
)
def test_exactly_what_is_not_frozen_learns(
    make_model: Assemble, tmp_path: Path, stage: Any, vision: Any, learners: set[str]
) -> None:
    model = make_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    freeze(model, stage=stage, vision=vision)
    train(model, tmp_path)
    assert changed(before, model) == learners
    still = [
        name
        for name, value in model.connector.state_dict().items()
        if torch.equal(value, before[f"connector.{name}"])
    ]
    assert still == []
    assert [encoder.training for encoder in model.eyes] == [vision == "unfrozen" and stage == "tune"] * 2


def test_interrupted_tuning_ends_as_uninterrupted(make_model: Assemble, tmp_path: Path) -> None:
    whole, first, second = make_model(), make_model(), make_model()
    for model in (whole, first, second):
        freeze(model, stage="tune", vision="unfrozen")
    train(whole, tmp_path / "whole", steps=5)
    with pytest.raises(KeyboardInterrupt):
        train(first, tmp_path / "parts", steps=5, stop=2)
    train(second, tmp_path / "parts", steps=5)
    expected = whole.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in second.state_dict().items())
