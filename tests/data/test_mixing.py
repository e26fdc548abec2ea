"""Counts of mixtures: exact totals, never more than there is, larger thresholds take more."""

from __future__ import annotations

import csv
import io
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from analysis.published import PAPER
from cambrian.data.catalog import CATEGORIES, find_sources, read_catalog
from cambrian.data.mixing import Mixture, apportion, balance, count_rows, mix
from cambrian.data.mixture import read_mixture
from cambrian.data.mixture_table import mixture_table
from cambrian.errors import UserError

names = st.text("abcdef", min_size=1, max_size=3)
counts = st.dictionaries(names, st.integers(0, 3_000_000), min_size=1, max_size=12)


@given(weights=st.dictionaries(names, st.floats(0, 100) | st.integers(0, 10**7)), total=st.integers(0, 10**7))
def test_shares_add_up_exactly_and_are_off_by_less_than_one(weights: dict[str, float], total: int) -> None:
    shares = apportion(weights, total)
    whole = sum(weights.values())
    assert sum(shares.values()) == (total if whole else 0)
    if whole:
        assert all(abs(shares[name] - weights[name] / whole * total) < 1.01 for name in weights)


@given(counts, st.data())
def test_a_share_is_never_more_than_there_is(available: dict[str, int], data: st.DataObject) -> None:
    total = data.draw(st.integers(0, sum(available.values())))
    shares = apportion(available, total)
    assert all(shares[name] <= count for name, count in available.items())


@given(counts, st.integers(0, 2_000_000), st.integers(0, 2_000_000))
def test_a_larger_threshold_takes_more_of_every_source(available: dict[str, int], one: int, two: int) -> None:
    low, high = (balance(available, threshold, {}) for threshold in sorted((one, two)))
    assert all(low[name] <= high[name] <= available[name] for name in available)
    assert balance(available, None, {}) == available


@given(counts, st.dictionaries(st.sampled_from(CATEGORIES), st.floats(0.01, 60), min_size=1), st.data())
def test_ratios_give_exactly_the_total_or_say_what_is_missing(
    available: dict[str, int], ratios: dict[str, float], data: st.DataObject
) -> None:
    categories = {name: data.draw(st.sampled_from(CATEGORIES)) for name in available}
    total = data.draw(st.integers(0, sum(available.values())))
    try:
        taken = mix(available, categories, ratios, total)
    except UserError as refused:
        assert "too few rows for these ratios" in str(refused)
        return
    assert sum(taken.values()) == total
    assert taken.keys() == available.keys()
    assert all(taken[name] <= available[name] for name in available)
    of = Counter[str]()
    for name, count in taken.items():
        of[categories[name]] += count
    assert all(of[name] == share for name, share in apportion(ratios, total).items())


def test_remainders_go_to_the_largest_and_of_equals_to_the_first() -> None:
    assert apportion({"a": 1, "b": 1, "c": 1}, 10) == {"a": 4, "b": 3, "c": 3}
    assert apportion({"a": 5.5, "b": 3.3, "c": 1.2}, 10) == {"a": 6, "b": 3, "c": 1}


def test_too_few_rows_for_a_ratio_are_named_with_what_would_do() -> None:
    with pytest.raises(UserError) as refused:
        mix({"a": 10, "b": 100}, {"a": "math", "b": "ocr"}, {"math": 50, "ocr": 50}, 100)
    assert "math 10 of 50; 20 in all would have enough" in str(refused.value)


def test_the_catalog_is_the_papers() -> None:
    with (PAPER / "data_sources.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    sizes = Counter[str]()
    for row in rows:
        sizes[row["source"].removeprefix("Filtered ")] += round(1000 * float(row["thousands"]))
    catalog = {row.source: row for row in read_catalog().values() if row.category in CATEGORIES}
    assert {name: row.rows for name, row in catalog.items()} == sizes
    assert all(catalog[row["source"].removeprefix("Filtered ")].category == row["category"] for row in rows)
    assert len(find_sources("all")) == 65
    assert sum(catalog[name].rows for name in catalog) == 9_745_500
    assert len(find_sources("multimodal")) == 59


@pytest.mark.parametrize(
    ("name", "total"),
    [
        ("737k", 708_798),
        ("10m", 9_745_500),
        ("7m", 7_055_500),
        ("5m", 3_191_500),
        ("balance_150k", 3_861_500),
        ("balance_250k", 5_012_500),
        ("balance_350k", 5_776_500),
        ("balance_450k", 6_426_500),
        *((f"ratio_exp{number}", 1_350_000) for number in range(1, 6)),
        ("2.5M", 2_446_901),
        ("0.5M", 558_128),
        ("1.2M", 1_246_901),
        ("665k", 665_298),
    ],
)
def test_the_studys_mixtures_by_the_catalog(name: str, total: int) -> None:
    assert sum(read_mixture(name, None).counts.values()) == total


@pytest.mark.parametrize(
    ("name", "sources"),
    [
        ("0.5M", {"LLaVA-558K": "liuhaotian/LLaVA-Pretrain"}),
        ("1.2M", {"ShareGPT4V-PT": "Lin-Chen/ShareGPT4V"}),
        ("2.5M", {"ShareGPT4V-PT": "Lin-Chen/ShareGPT4V", "MiniGemini": "YanweiLi/MGM-Pretrain"}),
        ("665k", {"LLaVA-665K": "liuhaotian/LLaVA-Instruct-150K"}),
        (
            "737k",
            {
                "LLaVA-665K": "liuhaotian/LLaVA-Instruct-150K",
                "AI2D": "HuggingFaceM4/the_cauldron",
                "DocVQA": "HuggingFaceM4/the_cauldron",
                "DVQA": "HuggingFaceM4/the_cauldron",
            },
        ),
    ],
)
def test_the_sources_of_a_data_set_are_named_with_their_place_on_the_hub(
    name: str, sources: dict[str, str]
) -> None:
    data = read_mixture(name, None)
    assert {read_catalog()[file].source: read_catalog()[file].hub for file in data.counts} == sources
    said = io.StringIO()
    Console(width=200, file=said).print(mixture_table([data], by_source=True))
    assert all(source in said.getvalue() and hub in said.getvalue() for source, hub in sources.items())


@pytest.mark.parametrize(("name", "sources"), [("5m", 59), ("7m", 65), ("10m", 65)])
def test_the_large_mixtures_take_all_their_sources(name: str, sources: int) -> None:
    assert sum(count > 0 for count in read_mixture(name, None).counts.values()) == sources


def test_a_mixture_of_ratios_has_them() -> None:
    counts = read_mixture("ratio_exp1", None).counts
    of = Counter[str]()
    for name, count in counts.items():
        of[read_catalog()[name].category] += count
    assert of == {
        "language": 270_000,
        "general": 270_000,
        "ocr": 527_850,
        "counting": 27_000,
        "math": 135_000,
        "code": 59_400,
        "science": 60_750,
    }


def test_counts_are_a_function_of_counts() -> None:
    mixture = Mixture(sources=("a", "b"), at_most=5, caps={"b": 3})
    assert count_rows(mixture, {"a": 9, "b": 9}, {}, 0) == {"a": 5, "b": 3}
