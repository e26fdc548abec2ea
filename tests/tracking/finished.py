"""A grid whose evaluations are all in the store: what a session finds at the end of a sweep."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path

from cambrian.config import read_study
from cambrian.stages.base import Stage
from cambrian.sweep.grid import expand
from cambrian.sweep.plan import Plan
from cambrian.sweep.session import make_study_plan
from cambrian.sweep.store import Store

CODE = {"fingerprint": "of no code"}
MADE = {"created": "2026-01-02T03:04:05+00:00", "seconds": 1.0, "work": 1.0}
FEW = "benchmarks.lab.include=[lab_existence,lab_facts,lab_text,lab_count]"
"""One benchmark of each category, for tests that need not have all."""
SCORES = {"siglip": 60.0, "dinov2": 50.0, "pixels": 40.0}


def finish(root: Path, words: Sequence[str], lacking: Container[str] = ()) -> Plan:
    """Plan the grid of `words` and put its evaluations into the store, without those of `lacking`."""
    study = read_study(expand([*words, f"store={root}"]))
    store = Store(root)
    plan, _ = make_study_plan(study, store)
    for digest in plan.pending:
        stage = plan.stages[digest]
        if stage.kind == "evaluate" and stage.axes["encoder"][0] not in lacking:
            with store.lease(digest, stage.label) as lease:
                payload = store.payload(lease)
                store.publish(
                    stage, payload, metrics=_metrics(stage), code=CODE, provenance=MADE, lease=lease
                )
    return make_study_plan(study, store)[0]


def _metrics(stage: Stage) -> dict[str, float]:
    score = SCORES[stage.axes["encoder"][0]] + 4.0 * (stage.axes["category"] == "knowledge")
    levels = {"blind": 30.0, "chance": 25.0, "majority": 26.0}
    return {"score": score, "low": score - 5.0, "high": score + 6.0, **levels, "n": 240, "unparsed": 0.0}
