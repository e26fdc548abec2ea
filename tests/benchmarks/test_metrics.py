"""Intervals that hold what they promise, and the baselines."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cambrian.benchmarks.metrics import accuracy, chance, majority

N = 200


def coverage(share: float, per_image: int, correlation: float, repeats: int = 600) -> float:
    """Percent of simulated benchmarks of 200 questions whose interval holds the true accuracy."""
    generator = np.random.default_rng(20)
    images = N // per_image
    names = [str(index // per_image) for index in range(N)]
    hits = 0
    for _ in range(repeats):
        easy = np.full(images, share)
        if correlation:
            spread = 1 / correlation - 1
            easy = generator.beta(share * spread, (1 - share) * spread, images)
        right = generator.random(N) < np.repeat(easy, per_image)
        estimate = accuracy(right.tolist(), names)
        hits += estimate.low <= 100 * share <= estimate.high
    return 100 * hits / repeats


@pytest.mark.parametrize(
    ("share", "per_image", "correlation"),
    [
        (0.5, 1, 0.0),
        (0.9, 1, 0.0),
        (0.98, 1, 0.0),
        (0.02, 1, 0.0),
        (0.99, 1, 0.0),
        (0.5, 4, 0.3),
        (0.9, 4, 0.3),
        (0.95, 4, 0.1),
        (0.05, 2, 0.3),
    ],
)
def test_interval_covers_95_percent(share: float, per_image: int, correlation: float) -> None:
    assert abs(coverage(share, per_image, correlation) - 95) <= 3


def test_ignoring_images_would_not_cover() -> None:
    # The same simulation with one cluster per question: without clusters the interval is far too short.
    generator = np.random.default_rng(3)
    hits = 0
    for _ in range(300):
        right = np.repeat(generator.random(50) < 0.5, 4)
        estimate = accuracy(right.tolist(), [str(index) for index in range(N)])
        hits += estimate.low <= 50 <= estimate.high
    assert hits / 3 < 80


def test_wilson_by_hand() -> None:
    # 8 of 10, one question per image: Wilson at n = 9 (variance with n - 1), Student's 2.262 for 9 degrees.
    estimate = accuracy([True] * 8 + [False] * 2, [str(index) for index in range(10)])
    z, n, p = 2.2622, 9.0, 0.8
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert estimate.value == 80.0
    assert estimate.low == pytest.approx(100 * (centre - half), abs=0.02)
    assert estimate.high == pytest.approx(100 * (centre + half), abs=0.02)


@pytest.mark.parametrize(("right", "value"), [(True, 100.0), (False, 0.0)])
def test_all_or_none_right_still_has_a_width(right: bool, value: float) -> None:
    estimate = accuracy([right] * N, [str(index) for index in range(N)])
    assert estimate.value == value
    assert estimate.low <= value <= estimate.high
    assert 1 < estimate.high - estimate.low < 3


def test_fully_dependent_questions_count_once_per_image() -> None:
    alone = accuracy([index % 2 == 0 for index in range(50)], [str(index) for index in range(50)])
    copies = accuracy([index // 4 % 2 == 0 for index in range(N)], [str(index // 4) for index in range(N)])
    assert copies.low == pytest.approx(alone.low)
    assert copies.high == pytest.approx(alone.high)


def test_one_question() -> None:
    estimate = accuracy([True], ["only"])
    assert estimate.low < 50 < estimate.high == 100


def test_chance_uses_the_actual_options() -> None:
    assert chance([2, 4]) == 37.5
    assert chance([4, None]) == 12.5


def test_chance_equals_simulated_guessing() -> None:
    options = [2] * 40 + [3] * 50 + [4] * 60 + [None] * 10
    generator = np.random.default_rng(0)
    draws = [
        np.mean([count is not None and generator.integers(count) == 0 for count in options])
        for _ in range(2000)
    ]
    assert chance(options) == pytest.approx(100 * np.mean(draws), abs=0.3)


def test_majority() -> None:
    assert majority(["red", "red", "blue", "green"]) == 50.0
