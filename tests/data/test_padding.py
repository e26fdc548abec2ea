"""How a global batch is cut and dealt: little padding, like work for all, nothing lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambrian.data.batching import cut_by_length
from cambrian.sweep.work import TEXT
from cambrian.workers import Workers

BATCH = 512
LONGEST = 2048
IMAGE = 576


def llava_like(count: int, seed: int) -> np.ndarray:
    """Lengths (count,) in shape like LLaVA's instructions.

    Most are a question or two, some a long talk, a few fill the context; all but a tenth have an image. The
    text of the mean one is as long as the cost model says of the 665K of LLaVA-1.5.
    """
    rng = np.random.default_rng(seed)
    kinds = rng.choice(3, size=count, p=[0.6, 0.3, 0.1])
    text = rng.integers(np.array([60, 120, 600])[kinds], np.array([120, 600, LONGEST])[kinds], endpoint=True)
    assert text.mean() == pytest.approx(TEXT["llava_665k"].mean, rel=0.05)
    return np.minimum(text + IMAGE * (rng.random(count) < 0.9), LONGEST)


def computed(lengths: list[int], parts: list[list[int]]) -> int:
    """Positions with padding."""
    return sum(len(part) * max(lengths[place] for place in part) for part in parts)


def padding(micro_batch: int, workers: int) -> tuple[float, float]:
    """Share of padding over 100 batches, and the work of the worker that has most over the mean."""
    real = padded = heaviest = 0
    for batch in llava_like(100 * BATCH, seed=0).reshape(-1, BATCH).tolist():
        parts = cut_by_length(batch, micro_batch)
        shares = [
            [part for part in Workers(rank=rank, count=workers).share(parts) if part is not None]
            for rank in range(workers)
        ]
        assert sorted(place for share in shares for part in share for place in part) == list(range(BATCH))
        work = [computed(batch, share) for share in shares]
        real, padded, heaviest = real + sum(batch), padded + sum(work), heaviest + max(work)
    return 1 - real / padded, heaviest * workers / padded


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize("micro_batch", [8, 16])
def test_padding_is_under_five_percent_and_all_have_like_work(micro_batch: int, workers: int) -> None:
    wasted, heaviest = padding(micro_batch, workers)
    assert wasted < 0.05
    # All have as many parts, and of four the longest is more than a third of what it should be.
    assert heaviest < 1.12


@pytest.mark.parametrize(("micro_batch", "least"), [(8, 0.30), (16, 0.40)])
def test_the_order_of_the_corpus_or_the_full_length_would_waste_far_more(
    micro_batch: int, least: float
) -> None:
    lengths = llava_like(100 * BATCH, seed=0).tolist()
    whole = [[*range(start, start + micro_batch)] for start in range(0, len(lengths), micro_batch)]
    assert 1 - sum(lengths) / computed(lengths, whole) > least
    assert 1 - sum(lengths) / (LONGEST * len(lengths)) > 0.55


def test_what_needs_no_cut_keeps_its_order() -> None:
    assert cut_by_length([1, 3, 2], 3) == [[0, 1, 2]]
    assert cut_by_length([1, 3, 2, 3], 3) == [[1, 3, 2], [0]]
    assert cut_by_length([], 3) == []


@given(
    lengths=st.lists(st.integers(0, 50), min_size=1, max_size=40),
    size=st.integers(1, 10),
    workers=st.integers(1, 5),
)
def test_every_example_is_computed_once_in_as_many_rounds_by_all(
    lengths: list[int], size: int, workers: int
) -> None:
    parts = cut_by_length(lengths, size)
    shares = [Workers(rank=rank, count=workers).share(parts) for rank in range(workers)]
    assert len({len(share) for share in shares}) == 1
    given_out = [place for share in shares for part in share if part for place in part]
    assert sorted(given_out) == list(range(len(lengths)))
    assert all(len(part) <= size for part in parts)
