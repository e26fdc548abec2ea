"""Pictures: what is said to be in a cell is seen there."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from cambrian.lab import corpus as corpus_module
from cambrian.lab.corpus import LabCorpus, pretrain_batch
from cambrian.lab.render import PAINT, RESOLUTIONS, render, render_batch
from cambrian.lab.world import COLOURS, DEPTHS, SHAPES, Bar, Scene, Thing, symbolic_cells


def one_thing(cell: int, colour: str, shape: str, depth: str, shift: tuple[int, int] = (0, 0)) -> Scene:
    item = Thing(cell=cell, colour=colour, shape=shape, depth=depth, shift=shift, rotation=1)
    return Scene(kind="objects", things=(item,))


def cells_of(picture: np.ndarray) -> np.ndarray:
    side = picture.shape[0] // 4
    blocks = picture.reshape(4, side, 4, side, 3).transpose(0, 2, 1, 3, 4)
    return blocks.reshape(16, side, side, 3).astype(int)


def test_half_resolution_is_the_average_of_two_by_two_pixels():
    scenes = pretrain_batch(0, 0, 40)
    large, small = render_batch(scenes, 128).astype(float), render_batch(scenes, 64).astype(float)
    averaged = large.reshape(40, 64, 2, 64, 2, 3).mean((2, 4))
    assert abs(small - averaged).max() <= 0.5


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_pictures_are_the_same_alone_and_in_a_batch(resolution: int):
    scenes = pretrain_batch(1, 0, 5)
    batch = render_batch(scenes, resolution)
    assert batch.dtype == np.uint8
    assert batch.shape == (5, resolution, resolution, 3)
    for scene, picture in zip(scenes, batch, strict=True):
        np.testing.assert_array_equal(render(scene, resolution), picture)


def test_only_cells_that_symbols_fill_differ_from_the_background():
    for scene in pretrain_batch(2, 0, 60):
        empty = Scene(kind="objects", background=scene.background)
        changed = (cells_of(render(scene, 128)) != cells_of(render(empty, 128))).any((2, 3))
        # A chart's base line runs below all bars, so its last two rows of pixels say nothing.
        body = changed[:, :30].any(1) if scene.kind == "chart" else changed.any(1)
        assert body.tolist() == [bool(words) for words in symbolic_cells(scene)]


@pytest.mark.parametrize("colour", COLOURS)
def test_a_near_object_shows_its_paint_at_its_middle(colour: str):
    picture = render(one_thing(6, colour, "square", "near"), 128)
    np.testing.assert_allclose(picture[32 + 16, 64 + 16], PAINT[colour], atol=1)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_farther_is_smaller_and_paler(shape: str):
    empty = cells_of(render(Scene(kind="objects"), 128))
    areas, contrasts = [], []
    for depth in DEPTHS:
        difference = abs(cells_of(render(one_thing(9, "red", shape, depth), 128)) - empty)[9].max(2)
        areas.append((difference > 8).sum())
        contrasts.append(difference.max())
    assert areas[0] > 1.3 * areas[1] > 1.6 * areas[2]
    assert contrasts[0] > 1.1 * contrasts[1] > 1.2 * contrasts[2]


def test_shapes_of_one_colour_differ_in_many_pixels_even_far_away():
    pictures = render_batch([one_thing(0, "red", shape, "far") for shape in SHAPES], 64).astype(int)
    for first in range(len(SHAPES)):
        for second in range(first):
            assert (abs(pictures[first] - pictures[second]).max(2) > 20).sum() >= 8


def test_the_extreme_shift_stays_inside_the_cell():
    for depth in DEPTHS:
        for shift in ((-4, -4), (4, 4)):
            shifted = render(one_thing(5, "blue", "circle", depth, shift), 128)
            differs = (cells_of(shifted) != cells_of(render(Scene(kind="objects"), 128))).any((1, 2, 3))
            assert np.flatnonzero(differs).tolist() == [5]


@pytest.mark.parametrize("value", range(1, 9))
def test_the_height_of_a_bar_is_its_value(value: int):
    scene = Scene(kind="chart", bars=(Bar(colour="red", value=value),))
    column = render(scene, 128)[:, 16].astype(int)
    painted = np.flatnonzero((column == PAINT["red"]).all(1))
    assert painted[0] == 132 - 16 * value
    assert painted[-1] == 125


def test_the_cache_gives_the_pictures_that_rendering_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(corpus_module, "_BLOCK", 8)
    plain, cached = LabCorpus("caption", 20, seed=0), LabCorpus("caption", 20, seed=0, cache=tmp_path)
    indices = [17, 0, 9, 0]
    np.testing.assert_array_equal(cached.images(indices, 64), plain.images(indices, 64))
    assert len(list(tmp_path.rglob("*.npy"))) == 3
    again = LabCorpus("caption", 10, seed=0, cache=tmp_path)
    monkeypatch.setattr(corpus_module, "render_batch", None)
    np.testing.assert_array_equal(again.images([0, 9], 64), plain_pictures := cached.images([0, 9], 64))
    assert plain_pictures.shape == (2, 64, 64, 3)
    assert not list(tmp_path.rglob("*.partial"))


def test_corpora_that_share_a_cache_write_each_block_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(corpus_module, "_BLOCK", 4)
    drawn = []

    def counting(scenes: list[Scene], resolution: int) -> np.ndarray:
        drawn.append(len(scenes))
        return render_batch(scenes, resolution)

    monkeypatch.setattr(corpus_module, "render_batch", counting)
    corpora = [LabCorpus("instruct", 8, seed=0, cache=tmp_path) for _ in range(4)]
    threads = [threading.Thread(target=corpus.images, args=([0, 5], 64)) for corpus in corpora]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert drawn == [4, 4]
