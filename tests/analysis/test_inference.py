"""Effects, intervals and adjusted p against values worked out by hand, and against scipy's own tests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.findings.inference import (
    Combination,
    Effect,
    Part,
    Unit,
    Verdict,
    adjust,
    difference_of_groups,
    effect_of,
    judge,
    mean_of_units,
    share_of_units,
    slope_over_units,
)


def units(*values: float, group: str = "", places: tuple[float, ...] | None = None) -> list[Unit]:
    stands = places or (0.0,) * len(values)
    return [
        Unit(name=f"{group}{index}", value=value, weights={}, group=group, place=place)
        for index, (value, place) in enumerate(zip(values, stands, strict=True))
    ]


def test_a_mean_by_hand() -> None:
    """1, 2, 3: variance 1 / 3, t of two degrees 4.3027."""
    effect = effect_of(mean_of_units(units(1, 2, 3)), None)
    assert effect.value == 2
    assert effect.low == pytest.approx(2 - 4.30265 / 3**0.5, abs=1e-4)
    assert effect.high == pytest.approx(2 + 4.30265 / 3**0.5, abs=1e-4)
    assert effect.p == pytest.approx(stats.ttest_1samp([1, 2, 3], 0).pvalue)


def test_groups_are_welchs_test() -> None:
    more, less = (5.0, 7.0, 6.0, 9.0), (1.0, 4.0, 2.0)
    found = difference_of_groups([*units(*more, group="a"), *units(*less, group="b")], "a", "b")
    effect, welch = effect_of(found, None), stats.ttest_ind(more, less, equal_var=False)
    ends = welch.confidence_interval(0.95)
    assert (effect.p, effect.low, effect.high) == pytest.approx((welch.pvalue, ends.low, ends.high))
    assert found.weights == pytest.approx([0.25] * 4 + [-1 / 3] * 3)


def test_a_slope_is_least_squares() -> None:
    places, values = (8.0, 8.0, 9.0, 10.0), (30.0, 34.0, 39.0, 44.0)
    found = slope_over_units(units(*values, places=places))
    assert found is not None
    line, effect = stats.linregress(places, values), effect_of(found, None)
    assert (effect.value, effect.p) == pytest.approx((line.slope, line.pvalue))
    assert sum(weight * value for weight, value in zip(found.weights, values, strict=True)) == pytest.approx(
        line.slope
    )
    assert slope_over_units(units(1, 2, places=(3.0, 3.0))) is None
    two = slope_over_units(units(1, 2, places=(3.0, 4.0)))
    assert two is not None and (two.value, two.parts) == (1.0, None)


def test_questions_add_to_what_units_say() -> None:
    """The sides 4.3027 / sqrt(3) and 1.96 add in quadrature; p is where such an interval ends at zero."""
    effect = effect_of(mean_of_units(units(1, 2, 3)), 1.0)
    assert effect.high == pytest.approx(2 + math.hypot(4.30265 / 3**0.5, 1.959964), abs=1e-4)
    assert effect.p is not None
    sides = stats.t.isf(effect.p / 2, 2) / 3**0.5, stats.norm.isf(effect.p / 2)
    assert math.hypot(*sides) == pytest.approx(2)


def test_one_unit_has_the_interval_of_its_questions_and_no_test() -> None:
    one = mean_of_units(units(3))
    assert effect_of(one, None) == Effect(value=3)
    known = effect_of(one, 4.0)
    assert (known.low, known.high) == pytest.approx((3 - 2 * 1.959964, 3 + 2 * 1.959964))
    assert known.p is None


def test_a_share_by_hand() -> None:
    """Four of four: p is 2 / 16, and the interval ends where 0.025 = share^4."""
    effect = share_of_units(units(1, 2, 3, 4), below=5)
    assert (effect.value, effect.high, effect.p) == (100, 100, pytest.approx(0.125))
    assert effect.low == pytest.approx(100 * 0.025**0.25)


def test_holm_by_hand() -> None:
    assert adjust([0.01, 0.04, None, 0.03]) == [pytest.approx(0.03), pytest.approx(0.06), None, 0.06]
    assert adjust([0.9, 0.8]) == [1.0, 1.0]
    assert adjust([None]) == [None]


@given(st.lists(st.none() | st.floats(0, 1), max_size=8))
def test_adjusted_values_keep_their_order_and_are_no_smaller(values: list[float | None]) -> None:
    adjusted = adjust(values)
    pairs = [(a, b) for a, b in zip(values, adjusted, strict=True) if a is not None and b is not None]
    assert len(pairs) == sum(value is not None for value in values)
    assert all(a <= b <= 1 for a, b in pairs)
    ordered = [b for _, b in sorted(pairs)]
    assert ordered == sorted(ordered)


@pytest.mark.parametrize(
    ("value", "adjusted", "null", "verdict"),
    [
        (1.0, 0.05, 0.0, Verdict.SUPPORTED),
        (-1.0, 0.05, 0.0, Verdict.CONTRADICTED),
        (40.0, 0.01, 50.0, Verdict.CONTRADICTED),
        (1.0, 0.051, 0.0, Verdict.NOT_RESOLVED),
        (1.0, None, 0.0, Verdict.NOT_RESOLVED),
    ],
)
def test_a_verdict(value: float, adjusted: float | None, null: float, verdict: Verdict) -> None:
    assert judge(Effect(value=value), adjusted, null) is verdict


@pytest.mark.slow
def test_intervals_cover_at_95_per_cent() -> None:
    """Units and questions both vary; the interval knows the second by its variance."""
    rng, hits = np.random.default_rng(0), 0
    for _ in range(2000):
        values = rng.normal(1.0, 2.0, size=6) + rng.normal(0, 0.8)
        effect = effect_of(mean_of_units(units(*values)), 0.64)
        hits += effect.low is not None and effect.high is not None and effect.low <= 1.0 <= effect.high
    assert hits / 2000 == pytest.approx(0.95, abs=0.02)


def test_parts_of_a_variance_have_degrees() -> None:
    both = Combination(
        value=0.0, weights=(), parts=(Part(variance=1, degrees=1), Part(variance=1, degrees=1))
    )
    effect = effect_of(both, None)
    assert effect.high == pytest.approx(4.30265 * math.sqrt(2), abs=1e-4)  # 4 / (1 + 1) degrees


def test_equal_units_are_no_proof() -> None:
    """Two encoders that gain the same, as printed, do not show that a third one would."""
    found = effect_of(mean_of_units(units(1.5, 1.5)), None)
    assert found == Effect(value=1.5)
    with_questions = effect_of(mean_of_units(units(1.5, 1.5)), 0.25)
    assert with_questions.low == pytest.approx(1.5 - 1.96 * 0.5, abs=1e-3) and with_questions.p is None
