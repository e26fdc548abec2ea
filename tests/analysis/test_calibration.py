"""Calibration on simulated data: how often a test finds what is not there, and an interval what is.

The slow tests print the table of docs/statistics.md.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from simulated import SHAPES, answers, credits_of

from analysis.designs import Design, field_of
from analysis.grid_model import GridModel, interaction_columns, main_columns
from analysis.paired import compare
from analysis.power import resolutions, verdict
from analysis.statistics import Estimate, mean_of_benchmarks
from cambrian.benchmarks.metrics import accuracy

REPETITIONS = 2000
"""So many that a rate of 5 % is measured to half a point (one standard error)."""
SEEDS = [
    ((1, 1), 0.0),
    ((2, 2), 0.0),
    ((2, 2), 0.1),
    ((2, 2), 0.5),
    ((3, 3), 0.0),
    ((3, 3), 0.3),
    ((5, 5), 0.1),
    ((3, 1), 0.1),
]


def paired_rates(
    shape: str, seeds: tuple[int, int], training: float, repetitions: int, effect: float = 0.0
) -> tuple[float, float]:
    """Per cent of tests below 5 %, and of intervals that hold the true difference."""
    true = 0.0
    if effect:
        many = np.random.default_rng(99)
        rows = [answers(shape, many, (1, 1), training, effect).mean(axis=1) for _ in range(2000)]
        true = 100 * float(np.mean([first - second for first, second in rows]))
    generator = np.random.default_rng(5)
    runs = [f"run{number:02d}" for number in range(sum(seeds))]
    found, held = 0, 0
    for _ in range(repetitions):
        credits = credits_of(shape, answers(shape, generator, seeds, training, effect))
        one = compare([credits], runs[: seeds[0]], runs[seeds[0] :]).differences[0]
        assert (one.p < 0.05) == (not one.low <= 0 <= one.high)
        found += one.p < 0.05
        held += one.low <= true <= one.high
    return 100 * found / repetitions, 100 * held / repetitions


@pytest.mark.parametrize("shape", SHAPES)
def test_paired_quickly(shape: str) -> None:
    found, _ = paired_rates(shape, (1, 1), 0.0, 80)
    assert found <= 10.0


def test_seeds_quickly() -> None:
    found, _ = paired_rates("plain", (3, 3), 0.3, 80)
    assert found <= 10.0
    # Without the seeds, the questions alone make much of what is training.
    runs = [f"run{number:02d}" for number in range(2)]
    generator = np.random.default_rng(5)
    wrong = [
        compare([credits_of("plain", answers("plain", generator, (1, 1), 0.5))], runs[:1], runs[1:])
        .differences[0]
        .p
        < 0.05
        for _ in range(80)
    ]
    assert np.mean(wrong) > 0.15


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_paired_false_positives(shape: str) -> None:
    found, held = paired_rates(shape, (1, 1), 0.0, REPETITIONS)
    print(f"\npaired, {shape}: {found:.1f} % false positives, {held:.1f} % of intervals hold")
    assert abs(found - 5) <= 2


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "training"), SEEDS)
def test_paired_false_positives_over_seeds(seeds: tuple[int, int], training: float) -> None:
    found, _ = paired_rates("plain", seeds, training, REPETITIONS)
    print(f"\npaired, seeds {seeds}, training {training}: {found:.1f} % false positives")
    assert abs(found - 5) <= 2


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["plain", "clustered", "near 97 %", "MMVP", "graded"])
def test_paired_intervals_hold_an_effect(shape: str) -> None:
    _, held = paired_rates(shape, (1, 1), 0.0, REPETITIONS, effect=0.5)
    print(f"\npaired, {shape}, with an effect: {held:.1f} % of intervals hold")
    assert abs(held - 95) <= 2


@pytest.mark.slow
def test_family_wise_rate_after_holm() -> None:
    generator = np.random.default_rng(3)
    once = 0
    for _ in range(500):
        credits = [
            credits_of(shape, answers(shape, generator, (1, 1)), benchmark=f"{shape} {number}")
            for number in range(2)
            for shape in ("plain", "clustered", "MMVP", "graded")
        ]
        family = compare(credits, ["run00"], ["run01"]).differences
        once += any(one.p_holm < 0.05 for one in family if one.level == "benchmark")
    rate = 100 * once / 500
    print(f"\nafter Holm, 8 benchmarks: {rate:.1f} % of families with a false positive")
    assert rate <= 7


GRIDS = {
    "4 x 2 x 2, 16 benchmarks": ((4, 2, 2), 16, 1, 0.0),
    "4 x 2 x 2, 4 benchmarks": ((4, 2, 2), 4, 1, 0.0),
    "3 x 2, three seeds": ((3, 2), 16, 3, 0.0),
    "6 x 3 x 2 with gaps": ((6, 3, 2), 16, 1, 0.25),
}


def effect_rates(grid: str, repetitions: int) -> tuple[float, float]:
    """Per cent of main effects and of interactions that are found though there are none."""
    levels, benchmarks, seeds, gaps = GRIDS[grid]
    generator = np.random.default_rng(1)
    names = [f"axis{number}" for number in range(len(levels))]
    cells = itertools.product(
        *[[f"level{number}" for number in range(count)] for count in levels], range(seeds)
    )
    whole = pd.DataFrame(list(cells), columns=[*names, "seed"])
    rates: tuple[list[bool], list[bool]] = ([], [])
    for _ in range(repetitions):
        runs = whole[generator.random(len(whole)) >= gaps].reset_index(drop=True)
        mains = main_columns(runs, names)
        scores = generator.normal(50, 5, benchmarks) + generator.normal(0, 1, (len(runs), 1))
        scores = scores + generator.normal(0, 2, (len(runs), benchmarks))
        for column in mains:
            axis, level = column.levels[0]
            scores += np.outer(runs[axis] == level, generator.normal(0, 1, benchmarks))
        columns = [*mains, *interaction_columns(runs, *names[:2])]
        for rate, model, place in (
            (rates[0], GridModel.fit(runs, scores, mains), 0),
            (rates[1], GridModel.fit(runs, scores, columns), len(columns) - 1),
        ):
            contrast = np.eye(len(model.columns))[place]
            if model.freedom and model.confounded(contrast) is None:
                points, variance = model.estimate(contrast)
                rate.append(abs(points) > variance.quantile() * variance.error)
    return 100 * float(np.mean(rates[0])), 100 * float(np.mean(rates[1]))


def test_effects_quickly() -> None:
    assert max(effect_rates("3 x 2, three seeds", 60)) <= 12.0


@pytest.mark.slow
@pytest.mark.parametrize("grid", GRIDS)
def test_effects_false_positives(grid: str) -> None:
    mains, interactions = effect_rates(grid, 800)
    print(f"\neffects, {grid}: main {mains:.1f} %, interaction {interactions:.1f} % false positives")
    assert abs(mains - 5) <= 2
    assert abs(interactions - 5) <= 2


def own_interval(row: np.ndarray, size: int) -> Estimate:
    clusters = [str(number // size) for number in range(len(row))]
    found = accuracy(row.tolist(), clusters)
    return Estimate(score=found.value, low=found.low, high=found.high)


def mean_rates(shapes: list[str], repetitions: int) -> float:
    """Per cent of intervals of `analysis.statistics` that hold the true mean of one run."""
    generator = np.random.default_rng(11)
    many = [np.mean([answers(shape, generator, (1,)).mean() for shape in shapes]) for _ in range(1500)]
    true = 100 * float(np.mean(many))
    held = 0
    for _ in range(repetitions):
        rows = [answers(shape, generator, (1,))[0] for shape in shapes]
        found = mean_of_benchmarks(
            [own_interval(row, SHAPES[shape][1]) for shape, row in zip(shapes, rows, strict=True)]
        )
        assert found.low is not None
        assert found.high is not None
        held += found.low <= true <= found.high
    return 100 * held / repetitions


@pytest.mark.slow
@pytest.mark.parametrize("shapes", [["plain"] * 4, ["plain", "clustered", "MMVP", "near 97 %"]], ids=str)
def test_means_of_benchmarks_hold(shapes: list[str]) -> None:
    held = mean_rates(shapes, REPETITIONS)
    print(f"\nmean of benchmarks {shapes}: {held:.1f} % of intervals hold")
    assert abs(held - 95) <= 2


def test_three_points_on_mmvp_are_not_resolvable() -> None:
    generator = np.random.default_rng(2)
    credits = credits_of("MMVP", answers("MMVP", generator, (1, 1, 1)))
    designs = [Design(label=run, runs=(run,)) for run in credits.runs]
    one = resolutions(field_of([credits], designs), 3.0)[0]
    assert one.units == 150
    assert one.detectable > 9
    assert one.units_needed is not None
    assert one.units_needed > 1500
    assert verdict(one) == f"not resolvable, need n >= {one.units_needed:,}"


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.4, 0.7])
def test_power_is_what_is_promised(effect: float) -> None:
    generator = np.random.default_rng(4)
    runs = ["run00", "run01"]
    designs = [Design(label=run, runs=(run,)) for run in runs]
    found, detectable, true = [], [], []
    for _ in range(REPETITIONS):
        credits = credits_of("plain", answers("plain", generator, (1, 1), effect=effect))
        one = compare([credits], runs[:1], runs[1:]).differences[0]
        found.append(one.p < 0.05)
        true.append(one.difference)
        detectable.append(resolutions(field_of([credits], designs))[0].detectable)
    promised = 100 * norm.cdf(2.8 * np.mean(true) / np.mean(detectable) - 1.96)
    rate = 100 * float(np.mean(found))
    print(f"\npower at {np.mean(true):.1f} points: {rate:.1f} % found, {promised:.1f} % promised")
    assert abs(rate - promised) <= 4
