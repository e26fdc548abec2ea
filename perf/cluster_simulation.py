"""How long Figure 5 would take on simulated GPUs, with the scheduling code that runs for real.

python perf/cluster_simulation.py [--sweep fig5]

Tasks take what the cost model says; nothing is executed. The baseline is the lower bound that no schedule can
beat: the longest chain of stages, and all work spread evenly over all GPUs.
"""

from __future__ import annotations

import argparse
import heapq
import time
from pathlib import Path

from cambrian.config import Study, read_study
from cambrian.runtime import Hardware
from cambrian.sweep.grid import expand_sweeps
from cambrian.sweep.plan import Plan
from cambrian.sweep.schedule import Schedule
from cambrian.sweep.session import make_study_plan
from cambrian.sweep.store import Store

CLUSTERS = (8, 64, 1024)
PER_STAGE = 8
GPU = "a100-80gb"
HOUR = 3600.0


class DoneStore(Store):
    """A store in which every stage that is asked for after its task is finished."""

    def find(self, kind: str, digest: str) -> object:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Say that the stage is there; the simulation only asks at the end of its task."""
        return digest


def simulate(plan: Plan, places: int) -> float:
    """Seconds until the last task ends, `places` tasks at a time, handed out by the real schedule."""
    schedule = Schedule(plan, DoneStore(Path("simulated")))
    running: list[tuple[float, str]] = []
    now = 0.0
    while not schedule.is_over:
        while len(running) < places and (task := schedule.next()) is not None:
            heapq.heappush(running, (now + task.seconds, task.id))
        now, done = heapq.heappop(running)
        schedule.finish(schedule.tasks[done], {})
    return now


def bound(plan: Plan, places: int) -> float:
    """Seconds that no schedule can beat."""
    tasks = plan.tasks()
    work = sum(task.seconds for task in tasks)
    return max(work / places, max(task.path_seconds for task in tasks))


def main() -> None:
    """Print makespan, bound and their ratio for each cluster."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweep", default="fig5")
    name = parser.parse_args().sweep
    for gpus in CLUSTERS:
        each = f"price.gpus_per_stage={PER_STAGE}"
        words = [f"sweep={name}", "scale=paper", f"price.gpu={GPU}", f"price.gpus={gpus}", each]
        study: Study = read_study(expand_sweeps([name], words))
        hardware: Hardware = study.hardware
        plan, _ = make_study_plan(study, Store(Path("simulated")))
        began = time.perf_counter()
        makespan = simulate(plan, hardware.places)
        seconds = time.perf_counter() - began
        least = bound(plan, hardware.places)
        print(
            f"{name}: {len(plan.tasks()):,} tasks on {gpus:5,} {GPU}: {makespan / HOUR:8.1f} h, "
            f"bound {least / HOUR:8.1f} h, ratio {makespan / least:.3f} (scheduled in {seconds:.2f} s)"
        )


if __name__ == "__main__":
    main()
