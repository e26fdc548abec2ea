"""Execute a study of fake stages: `python drive.py STORE LOG CLUSTER ACTS SECONDS RUNS [PROCESSES]`.

ACTS is JSON, name of stage -> what it does (see fake_stages.py); SECONDS is the length of each stage.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from cambrian.runtime import Runtime
from cambrian.stages.base import Stage
from cambrian.sweep.execute import Outcome, execute
from cambrian.sweep.plan import Plan, Run, make_plan
from cambrian.sweep.store import Store


def study(store: Store, log: Path, acts: dict[str, str], seconds: float = 0.1, runs: int = 2) -> Plan:
    """Runs that share an encoder and a language stage, each with align, tune and two evaluations."""
    stages: dict[str, Stage] = {}

    def add(kind: str, name: str, inputs: dict[str, str]) -> str:
        act = acts.get(name, "")
        recipe = {"name": name, "log": str(log), "seconds": seconds, "act": act}
        stage = Stage(kind=kind, recipe=recipe, inputs=inputs, label=name, axes={"encoder": name}, work=10.0)
        stages[stage.digest] = stage
        return stage.digest

    base = {"encoder": add("encoder", "encoder", {}), "language": add("language", "language", {})}
    points = []
    for name in "abcdefgh"[:runs]:
        align = add("align", f"align-{name}", base)
        tune = add("tune", f"tune-{name}", {**base, "align": align})
        finals = tuple(add("evaluate", f"evaluate-{name}{i}", {"model": tune}) for i in (1, 2))
        points.append(Run(name=name, axes={"encoder": name}, finals=finals))
    return make_plan(points, stages, store)


def main(arguments: list[str]) -> Outcome:
    """Execute and print the outcome by labels, as one line of JSON."""
    root, log, cluster, acts, seconds, runs, *more = arguments
    store = Store(Path(root))
    plan = study(store, Path(log), json.loads(acts), float(seconds), int(runs))
    processes = int(more[0]) if more else 1
    runtime = Runtime(
        store=Path(root), cluster=cluster, workers=2, processes=processes, checkpoint_seconds=0.0
    )
    outcome = execute(plan, store, runtime)
    label = {digest: stage.label for digest, stage in plan.stages.items()}
    print(
        json.dumps(
            {
                "done": sorted(label[digest] for digest in outcome.done),
                "failed": {label[digest]: failure.reason for digest, failure in outcome.failed.items()},
                "not_run": {label[digest]: reason for digest, reason in outcome.not_run.items()},
                "unfinished": dict(outcome.unfinished),
                "ray": "ray" in sys.modules,
            }
        )
    )
    return outcome


if __name__ == "__main__":
    # What a shell runs in the background ignores Ctrl-C, and its children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]).exit_code)
