"""What a plan needs that is not on this machine, said before anything is launched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cambrian.benchmarks.hub.benchmark import HubBenchmark
from cambrian.benchmarks.hub.places import explain_absence, find_data
from cambrian.benchmarks.suite import BENCHMARKS
from cambrian.errors import ConfigError
from cambrian.recipe import Recipe
from cambrian.runtime import Runtime
from cambrian.sweep.plan import Plan

TRAINING = ("align", "tune")
NAMED = 6
"""Sources of a mixture that are named."""


def require_inputs(plan: Plan, recipes: Sequence[Recipe], runtime: Runtime) -> None:
    """Refuse a plan that needs models, data sets or benchmarks of which there is no copy.

    Raises:
        ConfigError: naming all of them, and what is missing of mixtures whose other sources are there.
    """
    faults = [] if runtime.download else _absent_models(plan)
    needed = [
        plan.stages[digest].recipe["data"] for digest in plan.pending if plan.stages[digest].kind in TRAINING
    ]
    absent = sorted({data["source"] for data in needed if not {"world", "content", "mixture"} & set(data)})
    sources = {data.source: data for recipe in recipes for data in recipe.data}
    faults += [
        f"the data set '{name}' is not on this machine: put {name}.jsonl (or .json), rows in LLaVA's "
        "format, and its images into one directory and say data=DIRECTORY"
        f"{_sources(sources[name].counts, sources[name].absent) if name in sources else ''}"
        for name in absent
    ]
    faults += [explain_absence(row, runtime.data) for row in _absent_benchmarks(plan, runtime)]
    if faults:
        raise ConfigError(faults)


def _absent_models(plan: Plan) -> list[str]:
    """Say which models of the hub are to be imported and are not in its cache."""
    faults = []
    for stage in (plan.stages[digest] for digest in plan.pending):
        objective = stage.recipe.get("objective", {})
        name = objective.get("hub") if stage.kind == "encoder" else stage.recipe.get("model")
        if name is None or "world" in stage.recipe or "content" in stage.recipe:
            continue
        revision = objective.get("revision") or stage.recipe.get("revision") or "main"
        if not _is_cached(name, revision):
            at = "" if revision == "main" else f" --revision {revision}"
            faults.append(
                f"{stage.label}: {name} is not on this machine; 'hf download {name}{at}' or "
                "runtime.download=true fetches it"
            )
    return faults


def _is_cached(name: str, revision: str) -> bool:
    """Whether anything of a commit of the hub is here; what is in it is judged when it is read."""
    from huggingface_hub import snapshot_download  # a third of a second, for real models alone
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        snapshot_download(name, revision=revision, local_files_only=True)
    except LocalEntryNotFoundError:
        return False
    return True


def _sources(counts: Mapping[str, int], absent: Sequence[str]) -> str:
    """Say which files would do instead."""
    if not counts:
        return ""
    missing = absent or tuple(counts)
    names = ", ".join(missing[:NAMED]) + (f" and {len(missing) - NAMED} more" if len(missing) > NAMED else "")
    return f"; or its sources, of which {names} {'is' if len(missing) == 1 else 'are'} missing"


def _absent_benchmarks(plan: Plan, runtime: Runtime) -> list[HubBenchmark]:
    """Find what is yet to be asked and can be had neither here nor, if that is allowed, from the hub."""
    asked = [
        plan.stages[digest].recipe["benchmark"]
        for digest in plan.pending
        if plan.stages[digest].kind == "evaluate"
    ]
    contents = {one["id"]: one["data"].get("content", "") for one in asked if "data" in one}
    rows = [row for name in contents if isinstance(row := BENCHMARKS[name], HubBenchmark)]
    return [
        row
        for row in rows
        if (contents[row.id] or not runtime.download) and not find_data(row, runtime.data, contents[row.id])
    ]
