"""Take results of lmms-eval into a store, as evaluations that the analysis reads.

python -m cambrian.interop.lmms_eval import RESULTS/*.json* --store STORE --axes encoder=clip ...
python -m cambrian.interop.lmms_eval tasks

FILES are what `lmms_eval --log_samples --output_path` writes: DATE_samples_TASK.jsonl, and DATE_results.json
for its own scores. Answers are scored by our rules; the benchmark's data have to be on this machine.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cambrian.benchmarks.hub.rows import HUB
from cambrian.errors import UserError, leaving_on_user_error, unknown_name
from cambrian.interop.lmms_samples import Report, read_reports, task_of
from cambrian.interop.lmms_tasks import TASKS, Task, find_task

NEEDED = ("encoder", "supervision", "connector", "adapter", "vision", "instruct", "llm")
SUPERVISIONS = ("language", "self", "other")
DEFAULTS = {"scale": "paper", "seed": "0"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb.

    Raises:
        UserError: for files that cannot be taken in; those before it are in the store.
    """
    given = _parser().parse_args(arguments)
    if given.verb == "tasks":
        for task in TASKS.values():
            print(f"{task.name:30}{task.benchmark:14}{HUB[task.benchmark].display}")
        return 0
    axes = read_axes(given.axes)
    samples = [path for path in given.files if path.suffix == ".jsonl"]
    chosen = [(path, find_task(task_of(path))) for path in samples]
    if not chosen:
        raise UserError("no file of samples among these; run lmms-eval with --log_samples")
    reports = read_reports([path for path in given.files if path.suffix == ".json"])
    _import(given, chosen, reports, axes)
    return 0


def read_axes(words: Sequence[str]) -> dict[str, Any]:
    """Read AXIS=VALUE words into the axes of a manifest; several encoders are joined by `+`.

    Raises:
        UserError: for what is missing, unknown or not of its kind; all faults at once.
    """
    known = (*NEEDED, *DEFAULTS)
    found = dict(DEFAULTS)
    faults = []
    for word in words:
        axis, equals, value = word.partition("=")
        if not (equals and value):
            faults.append(f"'{word}' is not AXIS=VALUE")
        elif axis not in known:
            faults.append(unknown_name("axis", axis, known))
        else:
            found[axis] = value
    faults += [f"{axis} is missing" for axis in NEEDED if axis not in found]
    if not found["seed"].isdecimal():
        faults.append(f"seed must be a whole number, got '{found['seed']}'")
    encoders = found.get("encoder", "").split("+")
    supervisions = found.get("supervision", "").split("+")
    faults += [
        unknown_name("supervision", one, SUPERVISIONS) for one in supervisions if one not in SUPERVISIONS
    ]
    if faults:
        raise UserError("\n".join(["--axes:", *(f"  - {fault}" for fault in faults)]))
    lists = {"encoder": encoders, "supervision": supervisions}
    return {**found, **lists, "seed": int(found["seed"])}


def _import(
    given: argparse.Namespace,
    chosen: Sequence[tuple[Path, Task]],
    reports: Mapping[str, Report],
    axes: Mapping[str, Any],
) -> None:
    from cambrian.interop.lmms_import import import_samples  # late: datasets and pandas take seconds
    from cambrian.runtime import Runtime
    from cambrian.sweep.bucket_store import open_store
    from cambrian.sweep.place import locate_store

    place = locate_store(given.store)
    runtime = Runtime(store=place.directory, bucket=place.url, data=given.data, download=given.download)
    store = open_store(runtime)
    for path, task in chosen:
        found = import_samples(path, task, reports.get(task.name), axes, store, runtime)
        metrics = found.artifact.metrics
        part = "whole" if metrics["n"] == metrics["total"] else f"PARTIAL: of {metrics['total']:,} questions"
        others = f", {found.left_out:,} samples are no part of it" if found.left_out else ""
        print(
            f"{task.name} -> {task.benchmark}: {metrics['score']:.2f} [{metrics['low']:.2f}, "
            f"{metrics['high']:.2f}], n {metrics['n']:,}, {part}{others}; {found.compared:,} targets compared"
        )
        for name in sorted(name for name in metrics if name.startswith("theirs.")):
            print(f"  {name} {metrics[name]:g}")
        print(f"  {found.artifact.digest[:12]} in {store.place}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cambrian.interop.lmms_eval",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("tasks", help="list the tasks of lmms-eval that can be taken in, and our benchmarks")
    take = verbs.add_parser("import", help="score the answers by our rules and put them into a store")
    take.add_argument("files", nargs="+", type=Path, metavar="FILE", help="samples, and results files")
    take.add_argument(
        "--axes",
        nargs="+",
        required=True,
        metavar="AXIS=VALUE",
        help=f"design of the model: {', '.join(NEEDED)}; {', '.join(DEFAULTS)} have defaults",
    )
    take.add_argument(
        "--store", metavar="PLACE", help="directory or URL; default: $CAMBRIAN_STORE, else runs/"
    )
    take.add_argument("--data", type=Path, metavar="DIR", help="has copies of benchmarks, as in data=DIR")
    take.add_argument(
        "--download", action="store_true", help="fetch the benchmark's data if they are not here"
    )
    return parser


if __name__ == "__main__":
    with leaving_on_user_error():
        sys.exit(main())
