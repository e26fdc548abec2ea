"""What a session records at its end, with W&B's runs replaced by notes of what they were given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from finished import FEW, finish

from cambrian.runtime import Runtime
from cambrian.sweep import figure, summary
from cambrian.sweep.execute import Outcome
from cambrian.sweep.plan import Plan
from cambrian.sweep.store import Store
from cambrian.tracking.wandb_client import Agent

AGENT = Agent(run="run0", sweep="s1", project=None, parameters={"scale.tune.lr.llm": 0.002})


@dataclass
class Page:
    """A run of W&B that only takes notes."""

    given: dict[str, Any]
    offline: bool = True
    summary: dict[str, Any] = field(default_factory=dict)
    logged: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None

    def log(self, values: Mapping[str, Any]) -> None:
        self.logged.update(values)

    def finish(self, exit_code: int) -> None:
        self.exit_code = exit_code


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> list[Page]:
    started: list[Page] = []

    def start(runtime: Runtime, **given: Any) -> Page:
        started.append(Page(given))
        return started[-1]

    monkeypatch.setattr(summary, "start_run", start)
    monkeypatch.setattr(summary, "find_agent", lambda: None)
    return started


def outcome(plan: Plan, reason: str = "", *, interrupted: bool = False) -> Outcome:
    lost = {run.name: reason for run in plan.runs} if reason else {}
    return Outcome(done=(), failed={}, not_run={}, unfinished=lost, interrupted=interrupted)


def record(plan: Plan, root: Path, result: Outcome, trackers: tuple[str, ...] = ("jsonl", "wandb")) -> None:
    with summary.SweepRecord(plan, Store(root), Runtime(store=root, trackers=trackers)) as session:
        session.finish(result)


def test_a_single_run_has_a_page_and_no_summary(tmp_path: Path, pages: list[Page]) -> None:
    plan = finish(tmp_path, ["encoder=siglip", FEW])
    record(plan, tmp_path, outcome(plan))
    (page,) = pages
    assert page.given["job_type"] == "run"
    assert (page.logged["average"], page.exit_code) == (61.0, 0)


def test_without_the_tracker_nothing_is_recorded(tmp_path: Path, pages: list[Page]) -> None:
    plan = finish(tmp_path, ["encoder=siglip,pixels", FEW])
    record(plan, tmp_path, outcome(plan), trackers=("jsonl",))
    assert pages == []
    assert not (tmp_path / "tracking").exists()


def test_who_interrupts_does_not_wait_for_a_record(tmp_path: Path, pages: list[Page]) -> None:
    plan = finish(tmp_path, ["encoder=siglip,pixels", FEW])
    record(plan, tmp_path, outcome(plan, "interrupted", interrupted=True))
    assert pages == []


def test_without_a_result_the_summary_says_why_there_is_no_figure(tmp_path: Path, pages: list[Page]) -> None:
    plan = finish(tmp_path, ["encoder=siglip,pixels", FEW], lacking=["siglip", "pixels"])
    record(plan, tmp_path, outcome(plan, "language tiny: no"))
    (page,) = pages
    assert page.given["job_type"] == "sweep"
    assert page.summary["figure6"] == "not drawn: no run has a result"
    assert (page.summary["runs"], page.summary["complete"]) == (2, 0)
    assert [row[-1] for row in page.logged["results"].data] == ["language tiny: no"] * 2
    assert set(page.logged) == {"results"}
    assert page.exit_code == 0


def test_a_first_look_is_listed_but_is_no_result(tmp_path: Path, pages: list[Page]) -> None:
    plan = finish(tmp_path, ["encoder=siglip,pixels", "proxy=0.1,1.0", FEW])
    record(plan, tmp_path, outcome(plan))
    page = pages[-1]
    assert (page.summary["runs"], page.summary["complete"]) == (4, 2)
    assert page.summary["best"] == "siglip concat 1.2M frozen 737k s0"
    results, points = page.logged["results"], page.logged["figure6/points"]
    proxy = results.columns.index("proxy")
    assert sorted((row[0].endswith("proxy 0.1"), row[proxy]) for row in results.data) == [
        *[(False, None)] * 2,
        *[(True, 0.1)] * 2,
    ]
    drawn = {digest for row in points.data for digest in row[points.columns.index("runs")].split()}
    whole = [run for run in plan.runs if "proxy" not in run.axes]
    assert drawn == {plan.stages[run.finals[0]].inputs["model"] for run in whole}


def test_a_figure_that_cannot_be_drawn_leaves_the_reason(
    tmp_path: Path, pages: list[Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "plot.py"
    command.write_text("import sys; sys.exit('results of different scales share no axis')")
    monkeypatch.setattr(figure, "COMMAND", command)
    plan = finish(tmp_path / "store", ["encoder=siglip,pixels", FEW])
    record(plan, tmp_path / "store", outcome(plan))
    page = pages[-1]
    assert page.summary["figure6"] == "not drawn: results of different scales share no axis"
    assert (set(page.logged), page.exit_code) == ({"results"}, 0)


def test_the_agent_gets_axes_parameters_and_scores(
    tmp_path: Path, pages: list[Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "find_agent", lambda: AGENT)
    plan = finish(tmp_path, ["encoder=siglip", FEW])
    record(plan, tmp_path, outcome(plan))
    (page,) = pages
    assert (page.given["run_id"], page.given["agent"]) == ("run0", AGENT)
    assert page.given["config"]["encoder"] == "siglip"
    assert page.given["config"]["scale.tune.lr.llm"] == 0.002
    assert (page.logged["average"], page.exit_code) == (61.0, 0)


def test_the_agent_learns_of_a_failure_and_of_an_end_by_force(
    tmp_path: Path, pages: list[Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "find_agent", lambda: AGENT)
    plan = finish(tmp_path, ["encoder=siglip", FEW], lacking=["siglip"])
    record(plan, tmp_path, outcome(plan, "tune siglip: ValueError: no"))
    record(plan, tmp_path, outcome(plan, "interrupted", interrupted=True))
    runtime = Runtime(store=tmp_path, trackers=("wandb",))
    with pytest.raises(ZeroDivisionError), summary.SweepRecord(plan, Store(tmp_path), runtime):
        raise ZeroDivisionError
    failed, stopped, crashed = pages
    assert (failed.summary, failed.exit_code) == ({"failure": "tune siglip: ValueError: no"}, 1)
    assert [(page.summary, page.exit_code) for page in (stopped, crashed)] == [({}, 255)] * 2


def test_a_broken_wandb_costs_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(runtime: Runtime, **given: Any) -> Page:
        raise ConnectionError("no route")

    monkeypatch.setattr(summary, "start_run", refuse)
    monkeypatch.setattr(summary, "find_agent", lambda: None)
    plan = finish(tmp_path, ["encoder=siglip,pixels", FEW])
    record(plan, tmp_path, outcome(plan))
    assert [entry.message for entry in caplog.records] == [
        "no record of what this session came to in W&B: ConnectionError: no route"
    ]
    assert not (tmp_path / "tracking" / "recorded").exists()


def test_the_same_points_in_another_sweep_are_other_runs(tmp_path: Path, pages: list[Page]) -> None:
    plan = finish(tmp_path, ["encoder=siglip", FEW])
    for group in ("fig5", "fig6"):
        runtime = Runtime(store=tmp_path, trackers=("wandb",), group=group)
        with summary.SweepRecord(plan, Store(tmp_path), runtime) as session:
            session.finish(outcome(plan))
    one, two = (page.given["run_id"] for page in pages)
    assert one != two
