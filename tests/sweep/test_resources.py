"""What stages ask for, and that nobody waits for what no machine has."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambrian.errors import UserError
from cambrian.runtime import Runtime
from cambrian.stages.base import Stage
from cambrian.sweep.execute import execute
from cambrian.sweep.plan import Plan, Run, make_plan
from cambrian.sweep.resources import Request, Resources, check_feasible, largest, request, this_machine
from cambrian.sweep.store import Store

SMALL = Resources(cpus=8, gpus=1)
LARGE = Resources(cpus=64, gpus=8)


def study(store: Store, *kinds: str) -> Plan:
    stages = [Stage(kind=kind, recipe={}, inputs={}, label=kind) for kind in kinds]
    runs = [Run(name=stage.kind, axes={}, finals=(stage.digest,)) for stage in stages]
    return make_plan(runs, {stage.digest: stage for stage in stages}, store)


@pytest.mark.parametrize(
    ("kind", "settings", "processes", "cpus", "gpus"),
    [
        ("tune", {}, 1, 1, 0),
        ("tune", {"processes": 4, "threads": 2}, 4, 2, 0),
        ("evaluate", {"processes": 4, "threads": 2}, 1, 2, 0),
        ("encoder", {"processes": 4}, 1, 1, 0),
        ("align", {"processes": 4, "device": "cuda"}, 4, 1, 1),
        ("align", {"device": "cuda", "gpu_fraction": 0.5}, 1, 1, 0.5),
        ("evaluate", {"processes": 4, "device": "cuda"}, 1, 1, 1),
        ("evaluate", {"processes": 4, "device": "cuda", "gpu_fraction": 0.25}, 1, 1, 0.25),
    ],
)
def test_request(kind: str, settings: dict[str, object], processes: int, cpus: float, gpus: float) -> None:
    runtime = Runtime(store=Path("x"), **settings)  # type: ignore[arg-type]
    assert request(kind, runtime) == Request(processes=processes, each=Resources(cpus=cpus, gpus=gpus))


def test_what_fits_on_one_machine_is_asked_of_one() -> None:
    eight = Request(processes=8, each=Resources(cpus=2, gpus=1))
    assert eight.bundles([SMALL, LARGE]) == [Resources(cpus=16, gpus=8)]
    assert eight.bundles([SMALL] * 8) == [Resources(cpus=2, gpus=1)] * 8
    half = Request(processes=1, each=Resources(cpus=1, gpus=0.5))
    assert half.bundles([SMALL]) == [half.each]


@given(
    processes=st.integers(1, 40),
    each=st.tuples(st.integers(1, 4), st.integers(0, 1)),
    machines=st.lists(st.tuples(st.integers(0, 16), st.integers(0, 8)), max_size=6),
)
def test_processes_are_counted_machine_by_machine(
    processes: int,
    each: tuple[int, int],
    machines: list[tuple[int, int]],
) -> None:
    """By placing them one after the other wherever there is still room."""
    cpus, gpus = each
    asked = Request(processes=processes, each=Resources(cpus=cpus, gpus=gpus))
    placed, rooms = 0, [list(machine) for machine in machines]
    for room in rooms:
        while placed < processes and room[0] >= cpus and room[1] >= gpus:
            room[0], room[1], placed = room[0] - cpus, room[1] - gpus, placed + 1
    known = [Resources(cpus=cpus, gpus=gpus) for cpus, gpus in machines]
    assert min(processes, sum(asked.count_on(machine) for machine in known)) == placed


def test_the_largest_request_suffices_for_each() -> None:
    runtime = Runtime(store=Path("x"), processes=4, threads=2, device="cuda", gpu_fraction=0.5)
    both = largest([request("evaluate", runtime), request("tune", runtime)])
    assert both == request("tune", runtime)
    assert largest([request("evaluate", runtime)]).total == Resources(cpus=2, gpus=0.5)


def test_a_plan_is_feasible_if_the_machines_have_room_for_its_processes(tmp_path: Path) -> None:
    plan = study(Store(tmp_path), "tune", "evaluate")
    runtime = Runtime(store=tmp_path, device="cuda", processes=8)
    check_feasible(plan, runtime, [SMALL, LARGE])
    check_feasible(plan, runtime, [SMALL, SMALL, Resources(cpus=64, gpus=6)])
    with pytest.raises(UserError) as caught:
        check_feasible(plan, runtime, [SMALL, SMALL, Resources(cpus=5, gpus=6)])
    assert str(caught.value) == (
        "a stage 'tune' asks for 8 processes of 1 CPU, 1 GPU each (runtime.processes=8, runtime.threads=1, "
        "runtime.device=cuda), but there is only: (5 CPUs, 6 GPUs) and 2 x (8 CPUs, 1 GPU); "
        "21 CPUs, 8 GPUs in all. Nothing was run; ask for less"
    )
    check_feasible(study(Store(tmp_path), "evaluate"), runtime, [SMALL])
    with pytest.raises(UserError, match="there is only: no machine"):
        check_feasible(plan, runtime, [])


def test_an_infeasible_sweep_fails_before_ray_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cambrian.sweep.execute.ray_session", None)
    store = Store(tmp_path / "store")
    runtime = Runtime(store=store.root, workers=2, processes=3)
    with pytest.raises(UserError, match=r"asks for 3 processes of 1 CPU.* each .*only: \(2 CPUs, 0 GPUs\)"):
        execute(study(store, "tune"), store, runtime)


def test_a_run_in_this_process_takes_the_cpus_it_wants(tmp_path: Path) -> None:
    assert this_machine(Runtime(store=tmp_path), 0) == Resources(cpus=math.inf, gpus=0)
    assert this_machine(Runtime(store=tmp_path, threads=3), 2) == Resources(cpus=6, gpus=0)


def test_several_machines_without_a_common_disk_are_refused(tmp_path: Path) -> None:
    plan = study(Store(tmp_path), "tune")
    runtime = Runtime(store=tmp_path, processes=12)
    check_feasible(plan, runtime, [SMALL] * 8)
    with pytest.raises(UserError, match=r"needs a store on a disk that all see, not s3://a/b"):
        check_feasible(plan, replace(runtime, bucket="s3://a/b"), [SMALL] * 8)
