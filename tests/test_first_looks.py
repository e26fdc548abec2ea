"""Successive halving and the preflight as a user runs them: real training on Ray, only shorter."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from commands import PROJECT, call, executions, manifests

from cambrian.sweep.scores import category_means
from cambrian.sweep.store import Store

pytestmark = pytest.mark.slow

ENCODERS = ("siglip", "dinov2", "mae", "pixels")
RUNGS = (0.2, 0.6, 1.0)
FACTOR = (RUNGS[-1] / RUNGS[0]) ** 0.5
EXAMPLES = {"align": (32, 96, 160), "tune": (64, 192, 320)}
"""Of each rung."""
QUESTIONS = [
    "benchmarks.lab.include=[lab_existence,lab_facts,lab_text,lab_count]",
    "benchmarks.lab.questions=24",
]
HALVING = [
    "-m",
    f"encoder={','.join(ENCODERS)}",
    "halving=[0.2,0.6,1.0]",
    "adapter.examples.lab=160",
    "instruct.examples.lab=320",
    "runtime.workers=2",
    *QUESTIONS,
]
LOOK = re.compile(r"^(?:first look at (\d+) %|all data): [\d.]+ (\w+) concat", re.MULTILINE)


def looks_in_store(store: Path) -> dict[tuple[str, float], float]:
    """Encoder and part of the data -> mean of the category means, of every look that was taken."""
    found: dict[tuple[str, float], list[Any]] = defaultdict(list)
    for artifact in Store(store).artifacts("evaluate"):
        axes = artifact.manifest["axes"]
        found[axes["encoder"][0], axes.get("proxy", 1.0)].append(artifact)
    return {
        look: fmean(mean["score"] for mean in category_means(artifacts).values())
        for look, artifacts in found.items()
    }


def replay(order: Sequence[tuple[str, float]], scores: Mapping[tuple[str, float], float]) -> set[Any]:
    """The looks that ASHA's rule allows, if they are reported in this order."""
    allowed = {(encoder, RUNGS[0]) for encoder in ENCODERS}
    reported: dict[float, list[float]] = defaultdict(list)
    for encoder, part in order:
        before, score = reported[part], scores[encoder, part]
        if part < 1 and (not before or score >= np.percentile(before, 100 * (1 - 1 / FACTOR))):
            allowed.add((encoder, RUNGS[RUNGS.index(part) + 1]))
        before.append(score)
    return allowed


def figure(store: Path, out: Path, *words: str) -> tuple[str, set[str]]:
    """What Figure 6 of `store` says above its table, and the encoders of its points."""
    drawn = call(["--store", str(store), "--out", str(out), *words], store, script="analysis/plot_fig6.py")
    with (out / "fig6.csv").open() as file:
        return drawn.stdout.splitlines()[0], {row["encoder"] for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def halved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A store after successive halving on Ray, tracked by W&B, and what was printed."""
    store = tmp_path_factory.mktemp("halving") / "store"
    return store, call(HALVING, store).stdout


def test_each_rung_trains_on_its_part_of_the_data_and_says_so(halved: tuple[Path, str]) -> None:
    store, _ = halved
    for kind, examples in EXAMPLES.items():
        for manifest in manifests(store, kind).values():
            part = manifest["recipe"]["data"].get("proxy", 1.0)
            assert manifest["axes"].get("proxy", 1.0) == part
            assert manifest["metrics"]["examples"] == examples[RUNGS.index(part)]
            assert manifest["metrics"]["steps"] == manifest["metrics"]["examples"] // 32
            assert manifest["label"].endswith(f" proxy {part:g}") == (part < 1)
    assert set(executions(store).values()) == {1}


def test_the_better_runs_go_on(halved: tuple[Path, str]) -> None:
    store, printed = halved
    order = [(encoder, int(part or 100) / 100) for part, encoder in LOOK.findall(printed)]
    scores = looks_in_store(store)
    assert Counter(order) == Counter(scores.keys()), printed
    assert replay(order, scores) == scores.keys(), printed
    assert "a first look is no result" in printed


def test_a_first_look_is_in_no_figure(halved: tuple[Path, str], tmp_path: Path) -> None:
    store, _ = halved
    looks = looks_in_store(store)
    title, encoders = figure(store, tmp_path / "results")
    assert encoders == {encoder for encoder, part in looks if part == 1} != set()
    assert "irst look" not in title
    title, encoders = figure(store, tmp_path / "looks", "--proxy", "0.2")
    assert encoders == set(ENCODERS)
    assert title.startswith("First look at 20 % of the data, no result.")


def test_finishing_the_rungs_in_order_makes_only_what_is_missing(halved: tuple[Path, str]) -> None:
    store, _ = halved
    printed = call([*HALVING, "cluster=inline", "tracker=none"], store).stdout
    scores = looks_in_store(store)
    left = ENCODERS
    for part, many in zip(RUNGS, (2, 1, 1), strict=True):
        assert {(encoder, part) for encoder in left} <= scores.keys(), printed
        left = sorted(left, key=lambda encoder: -scores[encoder, part])[:many]
    assert set(executions(store).values()) == {1}


TRIED = [
    "-m",
    "connector=concat,sva",
    "preflight=true",
    "adapter.examples.lab=96",
    "instruct.examples.lab=128",
    "tracker=none",
    "runtime.workers=2",
    *QUESTIONS,
]


def watch(words: list[str], store: Path) -> tuple[int, str, dict[str, dict[str, Any]], bool]:
    """Run a sweep and look on: exit code, output, what the preflight trained, whether it came first alone."""
    trained: dict[str, dict[str, Any]] = {}
    alone = True
    with (store.parent / "printed").open("w") as printed:
        driver = subprocess.Popen(
            [sys.executable, str(PROJECT / "run.py"), *words, f"store={store}"],
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        scratch = store / "cache" / "preflight"
        while driver.poll() is None:
            with suppress(FileNotFoundError):  # it is removed when the preflight ends
                trained |= {**manifests(scratch, "align"), **manifests(scratch, "tune")}
            begun = any((store / kind).exists() for kind in ("align", "tune", "work"))
            alone &= not (begun and scratch.exists())
            time.sleep(0.05)
    return driver.returncode, (store.parent / "printed").read_text(), trained, alone


def test_a_preflight_tries_every_combination_before_anything_long(tmp_path: Path) -> None:
    store = tmp_path / "store"
    exit_code, printed, trained, alone = watch([*TRIED, "encoder=siglip,pixels"], store)
    assert exit_code == 0, printed
    assert "preflight: 4 combinations passed" in printed
    assert alone, "a long stage was begun while the preflight was at work"
    assert Counter((m["kind"], *m["axes"]["encoder"], m["axes"]["connector"]) for m in trained.values()) == {
        (kind, encoder, connector): 1
        for kind in ("align", "tune")
        for encoder in ("siglip", "pixels")
        for connector in ("concat", "sva")
    }
    assert {m["metrics"]["steps"] for m in trained.values()} == {2}
    assert {m["metrics"]["steps"] for m in manifests(store, "tune").values()} == {4}
    assert len(manifests(store, "evaluate")) == 4 * 4
    assert not (store / "cache" / "preflight").exists()


def test_a_broken_combination_is_known_before_anything_long(tmp_path: Path) -> None:
    store = tmp_path / "store"
    # The configuration says a grid of 8; patches of 32 make one of 2, too coarse for the windows of SVA.
    broken = ["encoder=pixels", "encoders.pixels.lab.architecture.patch=32"]
    exit_code, printed, trained, alone = watch([*TRIED, *broken], store)
    assert exit_code == 1, printed
    assert alone
    failures = [line for line in printed.splitlines() if line.startswith("preflight failed: ")]
    assert len(failures) == 1
    assert failures[0].startswith("preflight failed: pixels sva vicuna_7b frozen: align pixels sva")
    assert "nothing was started" in printed
    assert {m["axes"]["connector"] for m in trained.values() if m["kind"] == "tune"} == {"concat"}
    for kind in ("encoder", "align", "tune", "evaluate"):
        assert not manifests(store, kind)
