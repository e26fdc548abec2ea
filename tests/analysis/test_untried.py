"""Designs that nobody ran: which there are, what is predicted of them, and whether proposing them pays."""

from __future__ import annotations

import itertools
import json
import math
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from fake_store import LAB, answer
from hypothesis import given
from hypothesis import strategies as st

from analysis.choose import choice
from analysis.choose.__main__ import main
from analysis.choose.candidates import Candidate, Pool, Untried, published_noise
from analysis.choose.costs import Cost
from analysis.choose.untried import Levels, find_gaps
from analysis.designs import AXES
from analysis.findings.evidence import UNSTATED, published_evidence
from analysis.results import ROOT
from analysis.standing import Belief, belief_of_seeds, worth_of_runs
from analysis.statistics import Estimate
from cambrian.config import read_study
from cambrian.sweep.grid import expand

Cell = tuple[int, ...]


def levels(*choices: object) -> Levels:
    """Choices of the first axes; the others are alike."""
    return dict(zip(AXES, [*map(str, choices), *["same"] * (len(AXES) - len(choices))], strict=True))


def test_a_gap_by_hand() -> None:
    """a and b gain 4 and 2 by u: c is predicted to gain 3, and the designs differ by 0.5 from the model.

    The prediction is 40 + (54 - 50 + 62 - 60) / 2, so that the estimate has 1 + 4 / 4 = 2 times the variance
    of a run around the model, which is 4 * 0.25 / (5 - 4) = 1; of that 0.25 is noise.
    """
    tried = [levels(*each) for each in ("af", "au", "bf", "bu", "cf")]
    gaps = find_gaps(tried, [50.0, 54.0, 60.0, 62.0, 40.0], [1] * 5, 0.25)
    ((cell, belief),) = gaps.beliefs
    assert (cell, gaps.unknown) == (levels("c", "u"), 0)
    assert belief.mean == pytest.approx(43)
    assert belief.variance == pytest.approx(2 * 1 + (1 - 0.25))
    ((_, with_seeds),) = find_gaps(tried, [50.0, 54.0, 60.0, 62.0, 40.0], [4] * 5, 0.25).beliefs
    assert with_seeds.variance == pytest.approx(2 * 1 + (1 - 0.25 / 4))
    ((_, noisy),) = find_gaps(tried, [50.0, 54.0, 60.0, 62.0, 40.0], [1] * 5, 9.0).beliefs
    assert noisy.variance == pytest.approx(2)


def test_what_the_designs_do_not_determine_is_counted() -> None:
    scores = [50.0, 54.0, 60.0, 61.0, 40.0]
    apart = [levels(*each) for each in ("afx", "aux", "bfx", "bux", "cfy")]
    gaps = find_gaps(apart, scores, [1] * 5, 1.0)
    # Whether c or y makes the last one worse nobody can tell; c with u and y adds u to it.
    assert [cell for cell, _ in gaps.beliefs] == [levels("c", "u", "y")]
    assert (gaps.unknown, gaps.why) == (6, "the designs at hand do not tell their choices apart")
    gaps = find_gaps(apart[:3], scores[:3], [1] * 3, 1.0)
    assert (gaps.beliefs, gaps.unknown) == ((), 1)
    assert gaps.why.startswith("there are as many choices as designs")
    assert find_gaps(apart[:4], scores[:4], [1] * 4, 1.0).unknown == 0


@given(st.lists(st.sampled_from(list(itertools.product("abc", "fu", "xyz"))), min_size=1, unique=True))
def test_sums_are_predicted_exactly(tried: list[tuple[str, ...]]) -> None:
    """Where scores are sums of what choices are worth, so are predictions, and none is of a tried cell."""
    worth = {**dict(zip("abc", (0, 7, -3), strict=True)), "f": 0, "u": 2, "x": 0, "y": 1, "z": 5}

    def truth(cell: Levels) -> float:
        return 50.0 + sum(worth[choice] for choice in cell.values() if choice != "same")

    designs = [levels(*each) for each in tried]
    gaps = find_gaps(designs, [truth(each) for each in designs], [1] * len(designs), 1.0)
    cells = math.prod(len({each[place] for each in tried}) for place in range(3))
    assert len(gaps.beliefs) + gaps.unknown == cells - len(tried)
    for cell, belief in gaps.beliefs:
        assert cell not in designs
        assert belief.mean == pytest.approx(truth(cell), abs=1e-6)
        assert belief.variance == pytest.approx(0, abs=1e-9)


def test_what_a_run_is_worth_by_hand() -> None:
    """t = 3 and v = 1 move a belief by 3 / 2; better than all that were tried, the gap comes on top."""
    tried = [belief_of_seeds(50.0, 1, 1.0), belief_of_seeds(40.0, 1, 1.0)]
    density = 1 / math.sqrt(2 * math.pi)

    def worth(mean: float, variance: float = 3.0) -> float:
        return worth_of_runs([*tried, Belief(mean=mean, variance=variance, is_tried=False)], 1.0)[2]

    assert worth(50.0) == pytest.approx(1.5 * density)
    below = 1.5 * (-1 * 0.158655 + math.exp(-0.5) * density)  # one standard deviation below
    assert worth(48.5) == pytest.approx(below, rel=1e-4)
    assert worth(51.5) == pytest.approx(1.5 + below, rel=1e-4)
    assert worth(51.5, 0.0) == pytest.approx(1.5)
    assert worth(48.5, 0.0) == 0.0
    assert worth_of_runs([*tried, Belief(mean=99.0, variance=1.0, is_tried=False)], 1.0)[:2] == (
        worth_of_runs(tried, 1.0)  # what is only predicted changes nothing of what a seed is worth
    )


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 50), st.booleans()), min_size=1, max_size=8),
    st.floats(0.01, 10),
)
def test_worth_is_an_expected_gain(rows: list[tuple[float, float, bool]], noise: float) -> None:
    """Never below 0, at most what is predicted above the best and what doubt adds; with more, no less."""
    beliefs = [Belief(mean=mean, variance=variance, is_tried=tried) for mean, variance, tried in rows]
    worths = worth_of_runs(beliefs, noise)
    best = max((one.mean for one in beliefs if one.is_tried), default=0.0)
    for belief, worth in zip(beliefs, worths, strict=True):
        above = 0.0 if belief.is_tried else max(belief.mean - best, 0.0)
        assert -1e-12 <= worth <= above + 0.4 * math.sqrt(belief.variance) + 1e-9
    doubtful = worth_of_runs(
        [Belief(mean=one.mean, variance=2 * one.variance, is_tried=one.is_tried) for one in beliefs], noise
    )
    assert all(more >= worth - 1e-9 for more, worth in zip(doubtful, worths, strict=True))


def test_published_models_are_predicted_from_the_others() -> None:
    """Each left out in turn: 1.96 standard deviations, with the noise of one run, hold 90 to 98 % of them."""
    models = [one for one in published_evidence().models if UNSTATED not in one.design.values()]
    designs = [{"encoder": one.encoder, **one.design} for one in models]
    noise = published_noise("average") ** 2
    errors = []
    for place, model in enumerate(models):
        others = [number for number in range(len(models)) if number != place]
        gaps = find_gaps(
            [designs[number] for number in others],
            [models[number].means["average"] for number in others],
            [1] * len(others),
            noise,
        )
        errors += [
            (model.means["average"] - belief.mean) / math.sqrt(belief.variance + noise)
            for cell, belief in gaps.beliefs
            if cell == designs[place]
        ]
    assert len(errors) == 73
    assert 0.9 < float(np.mean(np.abs(errors) < 1.96)) < 0.98


def world(generator: np.random.Generator) -> Mapping[Cell, float]:
    """True scores of 60 designs on four axes: sums of what choices are worth, and 0.8 points beside."""
    shape, sizes = (5, 3, 2, 2), (3.0, 1.5, 1.0, 1.0)
    worth = [generator.normal(0, size, count) for count, size in zip(shape, sizes, strict=True)]
    cells = itertools.product(*map(range, shape))
    sums = {cell: sum(each[choice] for each, choice in zip(worth, cell, strict=True)) for cell in cells}
    return {cell: 50 + total + generator.normal(0, 0.8) for cell, total in sums.items()}


def loses(seed: int, runs: int, how: str) -> float:
    """Points lost by the choice after 16 designs at random and so many runs by worth, or at random."""
    generator = np.random.default_rng(seed)
    noise, truth = 0.5, world(generator)
    cells = {tuple(levels(*cell).values()): cell for cell in truth}

    def run(cell: Cell) -> None:
        seen.setdefault(cell, []).append(truth[cell] + generator.normal(0, math.sqrt(noise)))

    seen: dict[Cell, list[float]] = {}
    for place in generator.permutation(len(truth))[:16]:
        run(list(truth)[place])
    for _ in range(runs):
        if how == "random":
            run(list(truth)[generator.integers(len(truth))])
            continue
        tried, seeds = list(seen), [len(scores) for scores in seen.values()]
        means = [float(np.mean(scores)) for scores in seen.values()]
        gaps = find_gaps([levels(*cell) for cell in tried], means, seeds, noise)
        options = [*tried, *(cells[tuple(cell.values())] for cell, _ in gaps.beliefs)]
        beliefs = [belief_of_seeds(*each, noise) for each in zip(means, seeds, strict=True)]
        run(options[int(np.argmax(worth_of_runs([*beliefs, *(one for _, one in gaps.beliefs)], noise)))])
    best = max(seen, key=lambda cell: float(np.mean(seen[cell])))
    return max(truth.values()) - truth[best]


def test_runs_by_worth_find_better_designs_than_runs_at_random() -> None:
    """Six runs after sixteen: by worth the best of 60 is found twice as often, and half as much is lost."""
    lost = {how: np.array([loses(seed, 6, how) for seed in range(30)]) for how in ("worth", "random")}
    assert np.mean(lost["worth"] == 0) > 1.5 * np.mean(lost["random"] == 0)
    assert lost["worth"].mean() < 0.6 * lost["random"].mean()


RATES = {"siglip": 0.7, "clip": 0.6, "dinov2": 0.4}
GAINS = {"concat": 0.0, "sva": 0.05, "0.5M": 0.0, "1.2M": 0.1}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three encoders, two connectors, two sizes of adapter data, without the best four of the twelve."""
    place = tmp_path_factory.mktemp("untried")
    for encoder, connector, adapter in itertools.product(RATES, ("concat", "sva"), ("0.5M", "1.2M")):
        if encoder != "dinov2" and adapter == "1.2M" and (encoder, connector) != ("clip", "concat"):
            continue
        for number, (benchmark, category) in enumerate(LAB.items()):
            luck = np.random.default_rng([number, *f"{encoder}{connector}{adapter}".encode()])
            right = luck.uniform(size=200) < RATES[encoder] + GAINS[connector] + GAINS[adapter]
            axes = {"connector": connector, "adapter": adapter}
            credits = right.astype(float).tolist()
            answer(place, (encoder,), benchmark, credits, category=category, axes=axes)
    return place


def test_the_best_gap_is_proposed_first(store: Path) -> None:
    command = [sys.executable, "-m", "analysis.choose", "--store", str(store)]
    axes = "encoder=siglip connector=sva adapter=1.2M vision=frozen instruct=737k"
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    first = next(line for line in done.stdout.split("\n") if line.startswith("  1. +"))
    assert ", untried, predicted 8" in first and " +- " in first
    assert first.endswith(axes)
    assert "  untried: the sum of what its choices are worth on average" in done.stdout


def test_proposals_are_new_and_can_be_planned(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--store", str(store), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["choices"]
    tried = {each["label"] for each in found["candidates"]}
    untried = [each for each in found["next_runs"] if each["predicted"]]
    assert len(tried) == 9 and 1 <= len(untried) <= 3
    rates = [each["worth"] / each["gpu_hours"] for each in untried]
    assert rates == sorted(rates, reverse=True)
    for each in untried:
        assert each["label"] not in tried and each["worth"] >= choice.NEGLIGIBLE
        (recipe,) = read_study(expand(shlex.split(each["command"])[2:])).recipes
        assert recipe.adapter.name == "1.2M"


def test_a_limit_holds_for_what_is_untried(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--store", str(store), "--json", "--budget", "gpu_hours=1e-6"]) == 2
    (found,) = json.loads(capsys.readouterr().out)["choices"]
    assert (found["candidates"], found["next_runs"]) == ([], [])
    assert main(["--store", str(store), "--json", "--budget", "visual_tokens=16"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["choices"]
    assert any(each["predicted"] for each in found["next_runs"])


def test_only_what_is_worth_most_is_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of three costs too much, one cannot be run, and one is not asked for."""
    monkeypatch.setattr(choice, "PRICED", 3)
    costs = {"third": Cost(gpu_hours=1.0), "dear": Cost(gpu_hours=9.0), "impossible": None}
    pool = Pool(
        source="own",
        scale="lab",
        candidates=(
            Candidate(
                label="tried",
                estimate=Estimate(score=50.0),
                seeds=1,
                cost=Cost(gpu_hours=1.0),
                command="tried",
                evidence=(),
            ),
        ),
        draws=np.full((10, 1), 50.0),
        seed_variance=1.0,
        untried=tuple(
            Untried(label=name, command=name, belief=Belief(mean=mean, variance=4.0, is_tried=False))
            for name, mean in {"never asked": 50.0, "third": 51.0, "dear": 53.0, "impossible": 52.0}.items()
        ),
        price=lambda command: costs[command],
        notes=(),
    )
    (run,) = choice.make_choice(pool, {"gpu_hours": 2.0}).next_runs
    assert (run.label, run.predicted) == ("third", pool.untried[1].belief)


def test_what_is_not_predicted_is_said(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--store", str(store), "--only", "encoder=clip"]) == 0
    printed = capsys.readouterr().out
    assert "note: 1 untried combinations are not predicted: there are as many choices as designs" in printed
    assert "untried, predicted" not in printed
