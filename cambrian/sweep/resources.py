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

    def __str__(self) -> str:
        return ", ".join(
            f"{amount:g} {name}{'' if amount == 1 else 's'}"
            for amount, name in ((self.cpus, "CPU"), (self.gpus, "GPU"))
            if math.isfinite(amount)
        )


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a stage needs: several processes of the same size, each on one machine."""

    processes: int
    each: Resources

    @property
    def total(self) -> Resources:
        """Of all processes."""
        return Resources(cpus=self.processes * self.each.cpus, gpus=self.processes * self.each.gpus)

    def count_on(self, machine: Resources) -> int:
        """How many of the processes `machine` has room for."""
        rooms = [(machine.cpus, self.each.cpus), (machine.gpus, self.each.gpus)]
        return int(min(self.processes, *(have / need for have, need in rooms if need)))

    def bundles(self, machines: Sequence[Resources]) -> list[Resources]:
        """What to reserve: all of it on one machine if one is large enough, else process by process."""
        if any(self.count_on(machine) == self.processes for machine in machines):
            return [self.total]
        return [self.each] * self.processes


def request(kind: str, runtime: Runtime) -> Request:
    """Give what a stage of `kind` takes: a CPU for each thread, and a GPU for each of several processes."""
    processes = runtime.processes if KINDS[kind].parallel else 1
    gpus = 0.0
    if runtime.device.startswith("cuda"):
        gpus = runtime.gpu_fraction if processes == 1 else 1.0
    return Request(processes=processes, each=Resources(cpus=max(1, runtime.threads), gpus=gpus))


def largest(requests: Sequence[Request]) -> Request:
    """Give what suffices for each of `requests` in turn."""
    return Request(
        processes=max(one.processes for one in requests),
        each=Resources(
            cpus=max(one.each.cpus for one in requests), gpus=max(one.each.gpus for one in requests)
        ),
    )


def check_feasible(plan: Plan, runtime: Runtime, machines: Sequence[Resources]) -> None:
    """Refuse a plan with a stage for which the machines together are too small: it would wait for ever.

    Raises:
        UserError: with what is asked and what there is.
    """
    for kind in sorted({plan.stages[digest].kind for digest in plan.pending}):
        asked = request(kind, runtime)
        room = sum(asked.count_on(machine) for machine in machines)
        if room < asked.processes:
            raise UserError(
                f"a stage '{kind}' asks for {_sizes(asked)} (runtime.processes={runtime.processes}, "
                f"runtime.threads={runtime.threads}, runtime.device={runtime.device}), "
                f"but there is only: {_describe(machines)}. Nothing was run; ask for less"
            )
        if runtime.bucket and len(asked.bundles(machines)) > 1:
            raise UserError(
                f"a stage '{kind}' asks for {_sizes(asked)}, and no machine has all of it: "
                f"{_describe(machines)}. On several machines a stage needs a store on a disk that all "
                f"see, not {runtime.bucket}. "
                "Nothing was run"
            )


def _sizes(asked: Request) -> str:
    return str(asked.each) if asked.processes == 1 else f"{asked.processes} processes of {asked.each} each"


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
