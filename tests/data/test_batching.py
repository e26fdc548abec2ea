from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from cambrian.data.batching import ConversationBatches, collate, load_images
from cambrian.data.pictures import View
from cambrian.data.tokenization import Example

ONE = Example(id="one", input_ids=(5, 6, 7), labels=(-100, -100, 7), placeholder=(False, True, False))
TWO = Example(id="two", input_ids=(8, 9), labels=(-100, 9), placeholder=(False, False))


def test_padding_on_the_right() -> None:
    batch = collate([ONE, TWO], {}, pad_id=1, padding="right")
    assert batch.ids == ("one", "two")
    assert batch.input_ids.tolist() == [[5, 6, 7], [8, 9, 1]]
    assert batch.labels.tolist() == [[-100, -100, 7], [-100, 9, -100]]
    assert batch.attention_mask.tolist() == [[True, True, True], [True, True, False]]
    assert batch.placeholder.tolist() == [[False, True, False], [False, False, False]]


def test_padding_on_the_left() -> None:
    batch = collate([ONE, TWO], {}, pad_id=1, padding="left")
    assert batch.input_ids.tolist() == [[5, 6, 7], [1, 8, 9]]
    assert batch.labels.tolist() == [[-100, -100, 7], [-100, -100, 9]]
    assert batch.attention_mask.tolist() == [[True, True, True], [False, True, True]]


def test_images_of_the_samples_that_have_one_for_each_view() -> None:
    asked: list[list[int]] = []

    def pictures(indices: Sequence[int], views: Sequence[View]) -> dict[View, np.ndarray]:
        asked.append(list(indices))
        return {view: _filled(view, [index + view.padding[0] for index in indices]) for view in views}

    grey, white, small = View(4, (100, 0, 0)), View(4, (200, 0, 0)), View(2, (0, 0, 0))
    loaded = load_images(pictures, [7, None, 3], [grey, small, white, grey])
    assert asked == [[7, 3]]
    assert set(loaded) == {grey, white, small}
    assert loaded[small].dtype == torch.uint8
    assert loaded[grey].shape == (2, 4, 4, 3)
    assert loaded[grey][:, 0, 0, 0].tolist() == [107, 103]
    assert loaded[white][:, 0, 0, 0].tolist() == [207, 203]
    assert load_images(pictures, [None, None], [grey]) == {}


def _filled(view: View, values: Sequence[int]) -> np.ndarray:
    shape = (view.resolution, view.resolution, 3)
    return np.stack([np.full(shape, value, dtype=np.uint8) for value in values])


@pytest.mark.parametrize(
    ("size", "epochs", "batch_size", "lengths"),
    [
        (10, 1, 4, [4, 4, 2]),
        (10, 2, 4, [4, 4, 4, 4, 4]),
        (10, 0.5, 4, [4, 1]),
        (3, 1, 8, [3]),
        (0, 1, 8, []),
    ],
)
def test_each_epoch_holds_every_example_once(
    size: int, epochs: float, batch_size: int, lengths: list[int]
) -> None:
    batches = ConversationBatches(size=size, epochs=epochs, batch_size=batch_size, seed=0)
    drawn = [batches.indices(step) for step in range(batches.steps)]
    assert [len(indices) for indices in drawn] == lengths
    stream = [index for indices in drawn for index in indices]
    for start in range(0, len(stream), max(size, 1)):
        epoch = stream[start : start + size]
        assert len(set(epoch)) == len(epoch)
        assert set(epoch) <= set(range(size))
    if epochs == 2:
        assert stream[:size] != stream[size:]


def test_a_batch_is_a_function_of_seed_and_step() -> None:
    def stream(seed: int, steps: list[int]) -> list[list[int]]:
        batches = ConversationBatches(size=50, epochs=3, batch_size=7, seed=seed)
        return [batches.indices(step) for step in steps]

    forward = stream(1, list(range(22)))
    assert stream(1, list(range(21, -1, -1))) == forward[::-1]
    assert stream(2, list(range(22))) != forward
