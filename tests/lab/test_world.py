"""The lab's world: deterministic, disjoint splits, words that say what is there."""

from __future__ import annotations

import subprocess
import sys
from random import Random

import numpy as np
import pytest

from cambrian.lab.captions import caption
from cambrian.lab.corpus import LabCorpus, pretrain_batch
from cambrian.lab.glyphs import GLYPHS
from cambrian.lab.questions import TASKS, questions_for
from cambrian.lab.vocabulary import VOCABULARY
from cambrian.lab.world import (
    DEPTHS,
    SPLITS,
    Bar,
    Scene,
    Thing,
    content,
    is_test_content,
    make_scene,
    symbolic_cells,
)


def thing(cell: int, colour: str, shape: str, depth: str = "near") -> Thing:
    return Thing(cell=cell, colour=colour, shape=shape, depth=depth, shift=(0, 0), rotation=1)


def test_a_scene_is_a_function_of_its_three_numbers_in_any_process():
    here = [repr(make_scene(3, split, index)) for split in SPLITS for index in range(5)]
    program = (
        "from cambrian.lab.world import *\n"
        "for split in SPLITS:\n  for index in range(5): print(repr(make_scene(3, split, index)))"
    )
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert there.stdout.splitlines() == here


def test_scenes_differ_by_seed_split_and_index():
    scenes = {repr(make_scene(seed, split, index)) for seed in (0, 1) for split in SPLITS for index in (0, 1)}
    assert len(scenes) == 2 * len(SPLITS) * 2


def test_no_content_of_the_test_split_is_ever_trained_on():
    tested = {content(make_scene(0, "test", index)) for index in range(500)}
    trained = {content(scene) for step in range(5) for scene in pretrain_batch(0, step, 200)}
    trained |= {
        content(make_scene(1, split, index)) for split in ("align", "instruct") for index in range(500)
    }
    assert not tested & trained
    assert all(is_test_content(make_scene(0, "test", index)) for index in range(50))
    assert not any(is_test_content(make_scene(0, "align", index)) for index in range(200))


def test_what_a_picture_hides_does_not_decide_the_split():
    one = Scene(kind="sign", letters="kbdf", row=0, background=1, style=0, shifts=((0, 0),) * 4)
    other = Scene(kind="sign", letters="kbdf", row=3, background=2, style=1, shifts=((1, 0),) * 4)
    assert content(one) == content(other)


@pytest.mark.parametrize(
    ("scene", "expected"),
    [
        pytest.param(
            Scene(kind="objects", things=(thing(5, "red", "star", "far"),)),
            {5: ("red", "star", "far")},
            id="objects",
        ),
        pytest.param(
            Scene(kind="sign", letters="kbdf", row=2),
            {8: ("letter", "k"), 9: ("letter", "b"), 10: ("letter", "d"), 11: ("letter", "f")},
            id="sign",
        ),
        pytest.param(
            Scene(kind="chart", bars=(Bar(colour="red", value=3), Bar(colour="blue", value=8))),
            {
                8: ("bar", "red", "three"),
                12: ("bar", "red"),
                1: ("bar", "blue", "eight"),
                5: ("bar", "blue"),
                9: ("bar", "blue"),
                13: ("bar", "blue"),
            },
            id="chart",
        ),
    ],
)
def test_symbolic_cells(scene: Scene, expected: dict[int, tuple[str, ...]]):
    assert symbolic_cells(scene) == tuple(expected.get(cell, ()) for cell in range(16))


def test_objects_have_cells_of_their_own_in_reading_order():
    for index in range(300):
        cells = [item.cell for item in make_scene(0, "align", index).things]
        assert cells == sorted(set(cells))


def test_every_word_is_in_the_vocabulary_and_every_word_of_it_is_used():
    used: set[str] = set()
    for index in range(1500):
        scene = make_scene(0, "align", index)
        rng = Random(index)
        texts = [caption(scene, rng)]
        for _, turn in questions_for(scene, rng, 8, tuple(TASKS)):
            texts += [turn.question, turn.answer]
        used.update(word for text in texts for word in text.split(" "))
        used.update(word for cell in symbolic_cells(scene) for word in cell)
    assert used == set(VOCABULARY)
    assert sorted(VOCABULARY) == list(VOCABULARY)


@pytest.mark.parametrize(
    ("scene", "expected"),
    [
        pytest.param(
            Scene(kind="sign", letters="kbdf", row=0), {"a sign with the letters k b d f"}, id="sign"
        ),
        pytest.param(
            Scene(kind="chart", bars=(Bar(colour="red", value=3), Bar(colour="blue", value=8))),
            {"a chart with a red bar of three a blue bar of eight"},
            id="chart",
        ),
        pytest.param(
            Scene(kind="objects", things=(thing(0, "red", "star", "far"), thing(15, "blue", "ring", "near"))),
            {
                "two objects a red star a blue ring",
                "two objects a far red star a near blue ring",
                "two objects a red star top left a blue ring bottom right",
                "two objects top left a red star bottom right a blue ring",
                "two objects top left a far red star bottom right a near blue ring",
            },
            id="objects",
        ),
    ],
)
def test_captions(scene: Scene, expected: set[str]):
    assert expected <= {caption(scene, Random(seed)) for seed in range(40)}


def test_captions_name_at_most_four_objects_and_stay_short():
    lengths = []
    for index in range(300):
        scene = make_scene(0, "align", index)
        words = caption(scene, Random(index)).split()
        lengths.append(len(words))
        if scene.kind == "objects":
            assert words.count("a") == min(4, len(scene.things))
    assert max(lengths) <= 30
    assert 15 <= np.mean(lengths) <= 25


def test_colours_alone_do_not_tell_captions_apart():
    objects = [scene for scene in pretrain_batch(0, 0, 2000) if scene.kind == "objects"]
    by_colour = {tuple(sorted(item.colour for item in scene.things)) for scene in objects}
    by_both = {tuple(sorted((item.colour, item.shape) for item in scene.things)) for scene in objects}
    assert len(by_colour) < 0.75 * len(by_both)


def test_corpora_of_two_sizes_agree_and_kinds_differ():
    small, large = LabCorpus("instruct", 5, seed=0), LabCorpus("instruct", 50, seed=0)
    assert [small.conversation(index) for index in range(5)] == [large.conversation(i) for i in range(5)]
    assert len(large) == 50
    captions = LabCorpus("caption", 5, seed=0)
    assert [len(captions.conversation(index).turns) for index in range(5)] == [1] * 5
    assert captions.conversation(0).turns[0].question == ""
    assert captions.scene(0) != large.scene(0)
    turns = [large.conversation(index).turns for index in range(50)]
    assert all(4 <= len(packed) <= 8 and len({t.question for t in packed}) == len(packed) for packed in turns)


def test_every_depth_and_glyph_is_distinct():
    assert len({glyph.tobytes() for glyph in GLYPHS.values()}) == len(GLYPHS)
    assert {glyph.shape for glyph in GLYPHS.values()} == {(7, 5)}
    assert len(DEPTHS) == 3
    assert {row.category for row in TASKS.values()} == {
        "general",
        "knowledge",
        "ocr_chart",
        "vision_centric",
    }
