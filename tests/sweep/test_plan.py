"""The plan: every stage once, only what is needed, in an order that works, at a known price."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from toy_stages import make, toy

from cambrian.stages.base import KINDS, Stage, StageKind
from cambrian.sweep import plan as planning
from cambrian.sweep.estimate import SECONDS_PER_EXAMPLE, wall_seconds
from cambrian.sweep.plan import Plan, Run, State, Task, make_plan, make_verified_plan
from cambrian.sweep.rendering import duration, plan_as_dict, print_plan
from cambrian.sweep.store import Store

Graph = tuple[list[Run], dict[str, Stage]]


@pytest.fixture(autouse=True)
def toy_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kind of the study, but its work is the toy's."""
    for name in [*KINDS, "toy"]:
        monkeypatch.setitem(KINDS, name, StageKind(name=name, version=1, function="toy_stages:run"))


def grid(visions: Sequence[str], adapters: Sequence[str], *, benchmarks: int = 2) -> Graph:
    """One encoder; the align stage does not know whether the encoder will be unfrozen; 0M has none."""
    stages: dict[str, Stage] = {}

    def add(kind: str, label: str, inputs: Mapping[str, str], **recipe: Any) -> str:
        axes = {"scale": "lab", "vision": vision}
        full = {"name": kind, **recipe}
        stage = Stage(kind=kind, recipe=full, inputs=dict(inputs), label=label, axes=axes, work=100.0)
        return stages.setdefault(stage.digest, stage).digest

    runs = []
    for vision in visions:
        for adapter in adapters:
            inputs = {
                "encoder.0": add("encoder", "encoder", {}),
                "language": add("language", "language", {}),
            }
            if adapter != "0M":
                inputs["align"] = add("align", f"align {adapter}", inputs, data=adapter)
            model = add("tune", f"tune {adapter} {vision}", inputs, vision=vision)
            finals = tuple(
                add("evaluate", f"evaluate {vision} {adapter} {b}", {"model": model}, benchmark=b)
                for b in range(benchmarks)
            )
            axes = {"vision": vision, "adapter": adapter}
            runs.append(Run(name=f"{vision} {adapter}", axes=axes, finals=finals))
    return runs, stages


def counts(plan: Plan, field: str) -> dict[str, int]:
    return {kind: getattr(count, field) for kind, count in plan.kinds().items()}


def execute(plan: Plan, store: Store) -> list[str]:
    """Run all tasks in the order of the plan; the labels of what ran."""
    ran = []
    for task in plan.tasks():
        for digest in task.stages:
            make(plan.stages[digest], store)
            ran.append(plan.stages[digest].label)
    return ran


def test_frozen_and_unfrozen_share_their_align_stages(store: Store) -> None:
    runs, stages = grid(["frozen", "unfrozen"], ["0M", "0.5M", "1.2M"])
    plan = make_plan(runs, stages, store)
    unique = {"encoder": 1, "language": 1, "align": 2, "tune": 6, "evaluate": 12}
    assert counts(plan, "unique") == counts(plan, "pending") == unique
    assert len(plan.runs) == 6
    assert not store.root.exists()


def test_inputs_come_before_what_is_made_from_them(store: Store) -> None:
    plan = make_plan(*grid(["frozen", "unfrozen"], ["0M", "1.2M"]), store)
    seen: set[str] = set()
    for digest, stage in plan.stages.items():
        assert set(stage.inputs.values()) <= seen
        seen.add(digest)
    finished: set[str] = set()
    for task in plan.tasks():
        assert set(task.depends) <= finished
        finished.add(task.id)
    assert {digest for task in plan.tasks() for digest in task.stages} == set(plan.pending)


def test_all_evaluations_of_one_model_are_one_task(store: Store) -> None:
    tasks = make_plan(*grid(["frozen", "unfrozen"], ["1.2M"], benchmarks=3), store).tasks()
    evaluations = [task for task in tasks if task.kind == "evaluate"]
    assert [len(task.stages) for task in evaluations] == [3, 3]
    assert all(len(task.stages) == 1 for task in tasks if task.kind != "evaluate")
    assert len(tasks) == 1 + 1 + 1 + 2 + 2


def test_executing_a_plan_makes_the_next_one_empty(store: Store) -> None:
    graph = grid(["frozen"], ["0M", "1.2M"])
    plan = make_plan(*graph, store)
    assert sorted(execute(plan, store)) == sorted(stage.label for stage in plan.stages.values())
    again = make_plan(*graph, store)
    assert (again.pending, again.tasks(), again.seconds) == ((), (), {})
    assert set(again.states.values()) == {State.DONE}


def test_growing_a_grid_changes_no_digest_and_repeats_nothing(store: Store) -> None:
    small = grid(["frozen"], ["0M", "1.2M"])
    execute(make_plan(*small, store), store)
    large = grid(["unfrozen", "frozen"], ["1.2M", "0.5M", "0M"], benchmarks=3)
    assert set(small[1]) <= set(large[1])
    plan = make_plan(*large, store)
    assert {d for d, state in plan.states.items() if state is State.DONE} == set(small[1])
    assert counts(plan, "pending") == {"encoder": 0, "language": 0, "align": 1, "tune": 4, "evaluate": 14}


def test_an_absent_stage_is_not_made_again_when_all_that_follows_is_there(store: Store) -> None:
    runs, stages = grid(["frozen"], ["1.2M"])
    execute(make_plan(runs, stages, store), store)
    for kind in ("align", "encoder"):
        (digest,) = store.digests(kind)
        store.set_aside(kind, digest, "a test")
    plan = make_plan(runs, stages, store)
    assert plan.pending == ()
    assert counts(plan, "unneeded") == {"encoder": 1, "language": 0, "align": 1, "tune": 0, "evaluate": 0}


def test_a_missing_result_asks_for_exactly_its_missing_ancestors(store: Store) -> None:
    runs, stages = grid(["frozen"], ["1.2M"])
    execute(make_plan(runs, stages, store), store)
    (tune,) = store.digests("tune")
    final = runs[0].finals[0]
    store.set_aside("tune", tune, "a test")
    store.set_aside("evaluate", final, "a test")
    plan = make_plan(runs, stages, store)
    assert plan.pending == (tune, final)
    assert plan.missing(runs[0]) == 2
    assert [(task.kind, task.depends) for task in plan.tasks()] == [("tune", ()), ("evaluate", (tune,))]


def test_the_verified_plan_makes_a_damaged_input_again(store: Store) -> None:
    runs, stages = grid(["frozen"], ["1.2M"])
    execute(make_plan(runs, stages, store), store)
    (align,) = store.digests("align")
    (tune,) = store.digests("tune")
    for kind in ("tune", "evaluate"):
        for digest in store.digests(kind):
            store.set_aside(kind, digest, "a test")
    (store.root / "align" / align / "text").write_text("damaged")
    assert align not in make_plan(runs, stages, store).pending
    plan = make_verified_plan(runs, stages, store)
    assert plan.pending == (align, tune, *runs[0].finals)


def test_a_damaged_shipped_input_is_made_again_too(tmp_path: Path) -> None:
    shipped = Store(tmp_path / "shipped")
    stage = toy("a")
    after = toy("b", inputs={"a": stage.digest})
    (make(stage, shipped).path / "text").write_text("damaged")
    store = Store(tmp_path / "store", shipped=(shipped.root,))
    runs = [Run(name="r", axes={}, finals=(after.digest,))]
    stages = {stage.digest: stage, after.digest: after}
    assert make_plan(runs, stages, store).states[stage.digest] is State.SHIPPED
    assert make_verified_plan(runs, stages, store).pending == (stage.digest, after.digest)


def test_changed_code_under_the_same_version_is_said_and_not_acted_upon(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, stages = grid(["frozen"], ["0M"])
    execute(make_plan(runs, stages, store), store)
    today = planning.code_fingerprint
    monkeypatch.setattr(planning, "code_fingerprint", lambda kind: "new" if kind == "tune" else today(kind))
    plan = make_plan(runs, stages, store)
    assert plan.pending == ()
    assert {plan.stages[digest].kind for digest in plan.changed} == {"tune"}
    assert "Reused, code changed" in printed(plan)


def test_a_new_version_is_a_new_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = toy("a").digest
    monkeypatch.setitem(KINDS, "toy", StageKind(name="toy", version=2, function="toy_stages:run"))
    assert toy("a").digest != before


def test_the_estimate_learns_from_like_stages(store: Store) -> None:
    runs, stages = grid(["frozen", "unfrozen"], ["1.2M"], benchmarks=1)
    unmeasured = make_plan(runs, stages, store)
    assert counts(unmeasured, "seconds")["tune"] == pytest.approx(2 * 100 * SECONDS_PER_EXAMPLE["tune"])
    slow, fast = (
        Stage(
            kind="tune",
            recipe={"name": "t", "vision": vision, "seconds": seconds},
            inputs={},
            label="measured",
            axes={"scale": "lab", "vision": vision},
            work=10.0,
        )
        for vision, seconds in (("unfrozen", 0.4), ("frozen", 0.0))
    )
    make(slow, store)
    make(fast, store)
    plan = make_plan(runs, stages, store)
    estimates = {s.recipe["vision"]: plan.seconds[d] for d, s in plan.stages.items() if s.kind == "tune"}
    assert 4.0 <= estimates["unfrozen"] < 20.0
    assert estimates["frozen"] < 0.7 * estimates["unfrozen"]


def task(name: str, seconds: float, *depends: str) -> Task:
    return Task(id=name, kind="toy", stages=(name,), depends=depends, seconds=seconds, path_seconds=0.0)


@pytest.mark.parametrize(("workers", "wall"), [(1, 16.0), (2, 10.0), (3, 10.0)])
def test_the_wall_clock_is_played_through(workers: int, wall: float) -> None:
    tasks = [task("a", 4.0), task("b", 6.0, "a"), task("c", 3.0, "a"), task("d", 2.0), task("e", 1.0, "d")]
    assert wall_seconds(tasks, workers) == wall


def test_too_few_workers_leave_a_task_waiting() -> None:
    assert wall_seconds([task("a", 3.0), task("b", 3.0), task("c", 3.0)], 2) == 6.0


def test_the_longest_path_goes_first(store: Store) -> None:
    plan = make_plan(*grid(["frozen"], ["0M", "1.2M"]), store)
    paths = [task.path_seconds for task in plan.tasks()]
    assert paths == sorted(paths, reverse=True)
    total = {task.kind: task.seconds for task in plan.tasks()}
    assert paths[0] == pytest.approx(total["language"] + total["align"] + total["tune"] + total["evaluate"])


def printed(plan: Plan, workers: int = 2) -> str:
    out = io.StringIO()
    print_plan(plan, workers, file=out)
    return out.getvalue()


def test_the_text_is_plain_and_narrow(store: Store) -> None:
    text = printed(make_plan(*grid(["frozen", "unfrozen"], ["0M", "0.5M", "1.2M"]), store))
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 100
    assert "6 runs" in text
    row = next(line for line in text.splitlines() if " align " in line)
    assert [cell.strip() for cell in row.split("│")[1:-1]] == [
        "align",
        "2",
        "0",
        "",
        "2",
        duration(200 * SECONDS_PER_EXAMPLE["align"]),
    ]
    assert "To run: 22 stages" in text


def test_the_text_of_many_runs_stays_short_and_says_so(store: Store) -> None:
    text = printed(make_plan(*grid(["frozen"], [f"{n}M" for n in range(60)]), store))
    assert "... and 20 more runs" in text
    assert len(text.splitlines()) < 80


def test_nothing_to_run_is_said(store: Store) -> None:
    graph = grid(["frozen"], ["0M"])
    execute(make_plan(*graph, store), store)
    assert "Nothing to run" in printed(make_plan(*graph, store))


def test_the_json_holds_all_of_it(store: Store) -> None:
    runs, stages = grid(["frozen", "unfrozen"], ["0M", "1.2M"])
    execute(make_plan(runs[:1], stages, store), store)
    plan = json.loads(json.dumps(plan_as_dict(make_plan(runs, stages, store), workers=2)))
    assert [run["name"] for run in plan["runs"]] == [run.name for run in runs]
    assert [run["pending"] for run in plan["runs"]] == [0, 4, 3, 4]
    assert {stage["digest"]: stage["inputs"] for stage in plan["stages"]} == {
        digest: dict(stage.inputs) for digest, stage in stages.items()
    }
    estimates = {stage["kind"]: stage["estimate_seconds"] for stage in plan["stages"]}
    assert estimates["align"] == pytest.approx(100 * SECONDS_PER_EXAMPLE["align"])
    assert all(s["state"] == "pending" or s["estimate_seconds"] == 0 for s in plan["stages"])
    totals = plan["totals"]
    assert (totals["runs"], totals["stages"], totals["reused"], totals["pending"]) == (4, 15, 5, 10)
    assert totals["kinds"]["align"] == {"stages": 1, "reused": 0, "pending": 1, "unneeded": 0}
    assert 0 < totals["wall_seconds"] <= totals["cpu_seconds"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (99, "99 s"), (600, "10 min"), (7200, "2.0 h"), (86400 * 2.5, "2.5 days")],
)
def test_durations_are_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
