"""What stages ask for, and that nobody waits for what no machine has."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from cambrian.errors import UserError
from cambrian.runtime import Runtime
from cambrian.stages.base import Stage
from cambrian.sweep.execute import execute
from cambrian.sweep.plan import Plan, Run, make_plan
from cambrian.sweep.resources import Resources, check_feasible, request, this_machine
from cambrian.sweep.store import Store

SMALL = Resources(cpus=8, gpus=1)
LARGE = Resources(cpus=64, gpus=8)


def study(store: Store, *kinds: str) -> Plan:
    stages = [Stage(kind=kind, recipe={}, inputs={}, label=kind) for kind in kinds]
    runs = [Run(name=stage.kind, axes={}, finals=(stage.digest,)) for stage in stages]
    return make_plan(runs, {stage.digest: stage for stage in stages}, store)


@pytest.mark.parametrize(
    ("kind", "settings", "cpus", "gpus"),
    [
        ("tune", {}, 1, 0),
        ("tune", {"processes": 4, "threads": 2}, 8, 0),
        ("evaluate", {"processes": 4, "threads": 2}, 2, 0),
        ("encoder", {"processes": 4}, 1, 0),
        ("align", {"processes": 4, "device": "cuda"}, 4, 4),
        ("align", {"device": "cuda", "gpu_fraction": 0.5}, 1, 0.5),
        ("evaluate", {"processes": 4, "device": "cuda"}, 1, 1),
        ("evaluate", {"processes": 4, "device": "cuda", "gpu_fraction": 0.25}, 1, 0.25),
    ],
)
def test_request(kind: str, settings: dict[str, object], cpus: float, gpus: float) -> None:
    runtime = Runtime(store=Path("x"), **settings)  # type: ignore[arg-type]
    assert request(kind, runtime) == Resources(cpus=cpus, gpus=gpus)


def test_a_plan_is_feasible_if_some_machine_is_large_enough(tmp_path: Path) -> None:
    plan = study(Store(tmp_path), "tune", "evaluate")
    runtime = Runtime(store=tmp_path, device="cuda", processes=8)
    check_feasible(plan, runtime, [SMALL, LARGE])
    with pytest.raises(UserError) as caught:
        check_feasible(plan, runtime, [SMALL, SMALL, Resources(cpus=64, gpus=6)])
    assert str(caught.value) == (
        "a stage 'tune' asks for 8 CPUs, 8 GPUs on one machine (runtime.processes=8, runtime.threads=1, "
        "runtime.device=cuda), but there is only: (64 CPUs, 6 GPUs) and 2 x (8 CPUs, 1 GPU); "
        "80 CPUs, 8 GPUs in all. Nothing was run; ask for less"
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
    with pytest.raises(UserError, match=r"asks for 3 CPUs, 0 GPUs on one machine .*only: \(2 CPUs, 0 GPUs\)"):
        execute(study(store, "tune"), store, runtime)


def test_a_run_in_this_process_takes_the_cpus_it_wants(tmp_path: Path) -> None:
    assert this_machine(Runtime(store=tmp_path), 0) == Resources(cpus=math.inf, gpus=0)
    assert this_machine(Runtime(store=tmp_path, threads=3), 2) == Resources(cpus=6, gpus=0)
