"""The objectives of the lab's encoders, each by what makes it what it is."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from tiny_objectives import CONVNET, SETTINGS, VIT

from cambrian.encoders.table import build_encoder
from cambrian.errors import UserError
from cambrian.lab.objectives.base import Objective, spread
from cambrian.lab.objectives.contrastive import Contrast
from cambrian.lab.objectives.dino import SelfDistillation, balance, choose_points, crop, read_at
from cambrian.lab.objectives.mae import MaskedAutoencoder
from cambrian.lab.objectives.segmentation import BACKGROUND, CLASSES, true_classes
from cambrian.lab.objectives.table import OBJECTIVES, build_objective
from cambrian.lab.objectives.text import LONGEST, PHRASES, RIVALS, WORDS, Lexicon, describe
from cambrian.lab.pretraining import Pretraining
from cambrian.lab.render import render_batch
from cambrian.lab.world import COLOURS, DEPTHS, SHAPES, Bar, Scene, Thing, make_scene


def _task(
    kind: str, architecture: dict[str, Any] = VIT, batch_size: int = 16
) -> tuple[Objective, Pretraining]:
    torch.manual_seed(0)
    encoder = build_encoder(architecture)
    objective = build_objective(encoder, SETTINGS[kind])
    task = Pretraining(
        objective,
        resolution=encoder.resolution,
        batch_size=batch_size,
        steps=20,
        lr=1e-3,
        weight_decay=0.0,
        world_seed=0,
        seed=0,
        device="cpu",
    )
    return objective, task


@pytest.mark.parametrize("kind", sorted(OBJECTIVES))
def test_twenty_steps_lower_the_loss(kind: str):
    objective, task = _task(kind)
    fixed = task.batch(10_000)
    optimizer = torch.optim.Adam([p for p in objective.parameters() if p.requires_grad], lr=2e-3)
    objective.eval()  # keeps a teacher and its centres still, so that the target does not move
    before = objective.loss(fixed.tensors).item()
    for step in range(20):
        total, weight = task.loss(task.batch(step))
        optimizer.zero_grad()
        (total / weight).backward()
        optimizer.step()
    after = objective.loss(fixed.tensors).item()
    assert after < before
    assert all(np.isfinite(value) for value in task.quality().values())


@pytest.mark.parametrize("kind", sorted(OBJECTIVES))
def test_a_batch_is_a_function_of_its_step(kind: str):
    _, task = _task(kind, batch_size=4)
    first, again, other = task.batch(3), task.batch(3), task.batch(4)
    assert task.ids(first) == ["pretrain/12", "pretrain/13", "pretrain/14", "pretrain/15"]
    assert first.tensors.keys() == again.tensors.keys()
    assert all(torch.equal(value, again.tensors[name]) for name, value in first.tensors.items())
    assert any(
        value.shape != other.tensors[name].shape or not torch.equal(value, other.tensors[name])
        for name, value in first.tensors.items()
    )


def test_contrast_works_on_a_convnet():
    objective, task = _task("clip", CONVNET, batch_size=4)
    total, weight = task.loss(task.batch(0))
    (total / weight).backward()
    assert weight == 4
    assert objective.trained().stem.weight.grad.abs().sum() > 0  # pyright: ignore


def test_texts_say_what_is_there():
    circle = Thing(cell=5, colour="red", shape="circle", depth="near", shift=(0, 0), rotation=0)
    bars = (Bar(colour="red", value=2), Bar(colour="blue", value=8))
    sign = Scene(kind="sign", letters="bdfh", row=3, shifts=((0, 0),) * 4)
    told = {tuple(describe(Scene(kind="objects", things=(circle,)), Random(seed))) for seed in range(20)}
    assert told == {("near red circle",), ("near red circle upper midleft",)}
    assert describe(Scene(kind="chart", bars=bars), Random(0)) == ["bar red two", "bar blue eight"]
    assert describe(sign, Random(0))[1] in ("letter d", "letter d bottom midleft")


def test_texts_fit_their_tensor_and_only_known_words_occur():
    lexicon = Lexicon(WORDS, RIVALS)
    scenes = [make_scene(1, "pretrain", index) for index in range(300)]
    texts = [describe(scene, Random(number)) for number, scene in enumerate(scenes)]
    words = lexicon.tensor(texts, 2, Random(0))
    assert words.shape == (300, PHRASES, 3, LONGEST)
    assert words.max() < lexicon.size
    assert ((words[:, :, 0, 0] != 0).sum(dim=1) == torch.tensor([len(text) for text in texts])).all()
    assert words[7, 1, 0].tolist()[: len(texts[7][1].split())] == lexicon.encode(texts[7][1])


def test_exchanged_phrases_differ_in_one_word_of_the_same_kind():
    lexicon = Lexicon(WORDS, RIVALS)
    true = lexicon.encode("near red circle top left")
    kinds = [{lexicon.index[word] for word in kind} for kind in (DEPTHS, COLOURS, SHAPES)]
    others = lexicon.exchange(true, 3, Random(0))
    changed = []
    for other in others:
        ((position, word),) = [(p, w) for p, w in enumerate(other) if w != true[p]]
        assert word in kinds[position]
        changed.append(position)
    assert sorted(changed) == [0, 1, 2]


def test_words_decide_the_margin():
    objective, task = _task("siglip", batch_size=8)
    assert isinstance(objective, Contrast)
    batch = task.batch(0).tensors
    across, margins = objective.similarities(batch)
    phrases = int((batch["words"][:, :, 0, 0] != 0).sum())
    assert across.shape == (8, 8) and margins.shape == (phrases, 2)
    assert (margins != 0).all()
    batch["words"][:, :, 1:] = batch["words"][:, :, :1]  # exchanged for themselves
    _, margins = objective.similarities(batch)
    torch.testing.assert_close(margins, torch.zeros(phrases, 2), atol=1e-4, rtol=0)


def test_order_of_phrases_does_not_matter_and_padding_phrases_do_not_count():
    objective, task = _task("siglip", batch_size=6)
    assert isinstance(objective, Contrast)
    batch = task.batch(0).tensors
    across, _ = objective.similarities(batch)
    backwards, _ = objective.similarities({**batch, "words": batch["words"].flip(1)})
    assert (batch["words"][:, 3, 0, 0] == 0).any()  # some text has fewer phrases than there is room for
    torch.testing.assert_close(across, backwards, atol=1e-4, rtol=1e-4)


def test_the_teacher_is_a_moving_average_of_the_student():
    objective, _ = _task("dino")
    assert isinstance(objective, SelfDistillation)
    before = copy.deepcopy(objective.teacher.state_dict())
    with torch.no_grad():
        for parameter in objective.student.parameters():
            parameter.add_(1.0)
    objective.after_step(0.0)
    for name, value in objective.teacher.state_dict().items():
        torch.testing.assert_close(value, before[name] + 0.1)  # momentum 0.9 at the start
    moved = copy.deepcopy(objective.teacher.state_dict())
    objective.after_step(1.0)
    for name, value in objective.teacher.state_dict().items():
        assert torch.equal(value, moved[name])  # momentum 1 at the end
    assert objective.trained() is objective.teacher.encoder


def test_no_gradient_reaches_the_teacher():
    objective, task = _task("dino", batch_size=4)
    assert isinstance(objective, SelfDistillation)
    objective.loss(task.batch(0).tensors).backward()
    assert all(parameter.grad is None for parameter in objective.teacher.parameters())
    assert all(parameter.grad is not None for parameter in objective.student.parameters())


def test_balanced_answers_are_sharp_and_use_all_prototypes():
    torch.manual_seed(0)
    scores = torch.randn(200, 10) * 0.1
    scores[:, 3] += 1.0  # every image's favourite: without balance the only answer
    assert (scores.argmax(dim=1) == 3).all()
    answers = balance(scores, 0.05)
    torch.testing.assert_close(answers.sum(dim=1), torch.ones(200))
    torch.testing.assert_close(answers.sum(dim=0), torch.full((10,), 20.0), atol=4.0, rtol=0)
    assert answers.max(dim=1).values.mean() > 0.5


def test_crops_are_cut_where_their_corners_say():
    pixels = torch.arange(2 * 3 * 8 * 8, dtype=torch.float32).view(2, 3, 8, 8)
    corners = np.array([[[0, 0], [5, 2]], [[1, 4], [3, 3]]])  # x, y
    crops = crop(pixels, corners, 3)
    assert crops.shape == (2, 2, 3, 3, 3)
    assert torch.equal(crops[0, 1], pixels[0, :, 2:5, 5:8])
    assert torch.equal(crops[1, 0], pixels[1, :, 4:7, 1:4])


def test_points_lie_in_all_crops_and_mostly_on_things():
    images = np.full((1, 64, 64, 3), 128, np.uint8)
    images[0, 24:32:2, 32:40] = 255  # one striped patch in the fourth row and the fifth column
    corners = np.array([[[0, 8], [16, 0]]])
    points = choose_points(images, corners, 48, 400, np.random.default_rng(0))
    assert (points[0, :, 0] >= 16).all() and (points[0, :, 0] <= 48).all()
    assert (points[0, :, 1] >= 8).all() and (points[0, :, 1] <= 48).all()
    on_thing = (abs(points[0] - [36, 28]) <= 4).all(axis=1).mean()
    assert on_thing > 0.5  # 1 / 20 of the shared patches


def test_features_are_read_at_the_same_point_of_two_crops():
    # Features that are their own pixel position: both crops must report the point that was asked for.
    middles = torch.arange(6) * 8.0 + 4
    rows, columns = torch.meshgrid(middles, middles, indexing="ij")
    grid = torch.stack([columns, rows], dim=-1).reshape(1, 36, 2)
    corners = torch.tensor([[3.0, 10.0], [16.0, 5.0]])
    point = torch.tensor([30.0, 29.0])
    places = ((point - corners) / 48 * 2 - 1)[:, None]  # (2, 1, 2)
    found = read_at(grid + corners[:, None], places)
    torch.testing.assert_close(found, point.expand(2, 1, 2))


def test_mae_hides_three_quarters_and_the_loss_is_over_hidden_patches_alone():
    objective, task = _task("mae", batch_size=4)
    assert isinstance(objective, MaskedAutoencoder)
    batch = task.batch(0).tensors
    painted, true, hidden = objective.reconstruct(batch)
    assert painted.shape == true.shape == (4, 64, 192)
    assert (hidden.sum(dim=1) == 48).all()
    expected = ((painted - true) ** 2)[hidden].mean()
    torch.testing.assert_close(objective.loss(batch), expected)


def test_mae_does_not_see_hidden_pixels():
    objective, task = _task("mae", batch_size=2)
    assert isinstance(objective, MaskedAutoencoder)
    batch = task.batch(0).tensors
    painted, _, hidden = objective.reconstruct(batch)
    covered = spread(hidden, 8).permute(0, 2, 3, 1).expand(-1, -1, -1, 3)  # (B, 64, 64, 3)
    changed = torch.where(covered, 255 - batch["images"], batch["images"])
    again, other, _ = objective.reconstruct({**batch, "images": changed})
    assert torch.equal(painted, again)
    assert not torch.allclose(other, objective.reconstruct(batch)[1])


def test_segmentation_classes_follow_the_scene():
    circle = Thing(cell=5, colour="red", shape="circle", depth="near", shift=(0, 0), rotation=0)
    bars = tuple(Bar(colour="red", value=value) for value in (2, 4, 6, 8))
    scenes = [
        Scene(kind="objects", things=(circle,)),
        Scene(kind="sign", letters="bdfh", row=3, shifts=((0, 0),) * 4),
        Scene(kind="chart", bars=bars),
    ]
    things, sign, chart = true_classes(scenes, render_batch(scenes, 64), 32)
    assert things[12, 12] == CLASSES["circle"]  # the middle of cell 5
    assert things[8, 8] == BACKGROUND and set(np.unique(things)) == {BACKGROUND, CLASSES["circle"]}
    assert set(np.unique(sign)) == {BACKGROUND, *(CLASSES[letter] for letter in "bdfh")}
    assert (sign[:24] == BACKGROUND).all()
    heights = [(chart[:, column] == CLASSES["bar"]).sum() for column in (4, 12, 20, 28)]
    assert heights == sorted(heights) and heights[3] > 3 * heights[0]


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ({"kind": "siglp"}, "did you mean 'siglip'"),
        ({**SETTINGS["mae"], "mask": 0.5}, "did you mean 'masked'"),
        ({"kind": "mae", "masked": 0.5}, "lacks decoder_width"),
    ],
    ids=["kind", "unknown setting", "missing setting"],
)
def test_faulty_objectives_are_named(objective: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message):
        build_objective(build_encoder(VIT), objective)


@pytest.mark.parametrize("kind", ["mae", "dino"])
def test_masking_objectives_need_a_vit(kind: str):
    with pytest.raises(UserError, match="needs architecture kind 'vit'"):
        build_objective(build_encoder(CONVNET), SETTINGS[kind])
