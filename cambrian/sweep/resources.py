"""What a stage asks of a machine, and whether any machine there is can give it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cambrian.errors import UserError
from cambrian.runtime import Runtime
from cambrian.stages.base import KINDS
from cambrian.sweep.plan import Plan


@dataclass(frozen=True, kw_only=True)
class Resources:
    """CPUs and GPUs, of a stage or of a machine."""

    cpus: float
    gpus: float

    def fit_into(self, machine: Resources) -> bool:
        """Whether `machine` has as much."""
        return self.cpus <= machine.cpus and self.gpus <= machine.gpus

    def __str__(self) -> str:
        return ", ".join(
            f"{amount:g} {name}{'' if amount == 1 else 's'}"
            for amount, name in ((self.cpus, "CPU"), (self.gpus, "GPU"))
            if math.isfinite(amount)
        )


def request(kind: str, runtime: Runtime) -> Resources:
    """Give what a stage of `kind` takes: a CPU for each thread, and a GPU for each of several processes."""
    processes = runtime.processes if KINDS[kind].parallel else 1
    gpus = 0.0
    if runtime.device.startswith("cuda"):
        gpus = runtime.gpu_fraction if processes == 1 else float(processes)
    return Resources(cpus=processes * max(1, runtime.threads), gpus=gpus)


def check_feasible(plan: Plan, runtime: Runtime, machines: Sequence[Resources]) -> None:
    """Refuse a plan with a stage for which no machine is large enough: it would wait for ever.

    Raises:
        UserError: with what is asked and what there is.
    """
    for kind in sorted({plan.stages[digest].kind for digest in plan.pending}):
        asked = request(kind, runtime)
        if not any(asked.fit_into(machine) for machine in machines):
            raise UserError(
                f"a stage '{kind}' asks for {asked} on one machine (runtime.processes={runtime.processes}, "
                f"runtime.threads={runtime.threads}, runtime.device={runtime.device}), "
                f"but there is only: {_describe(machines)}. Nothing was run; ask for less"
            )


def this_machine(runtime: Runtime, places: int) -> Resources:
    """Describe this machine, on which `places` stages of one process may run at a time; 0 for any number."""
    gpus = 0
    if runtime.device.startswith("cuda"):
        import torch  # only where the plan will need it anyway

        gpus = torch.cuda.device_count()
    return Resources(cpus=places * max(1, runtime.threads) if places else math.inf, gpus=gpus)


def _describe(machines: Sequence[Resources]) -> str:
    if not machines:
        return "no machine"
    counts: dict[str, int] = {}
    for machine in machines:
        counts[str(machine)] = counts.get(str(machine), 0) + 1
    sizes = [f"{count} x ({text})" if count > 1 else f"({text})" for text, count in sorted(counts.items())]
    total = Resources(cpus=sum(m.cpus for m in machines), gpus=sum(m.gpus for m in machines))
    return f"{' and '.join(sizes)}" + (f"; {total} in all" if len(machines) > 1 else "")
