"""What a session leaves in Weights & Biases besides its stages: a run per point of the grid, and a summary.

Parallel coordinates and parameter importance compare runs by config and summary. A stage knows only its part
of a result, so each point of the grid gets a small run of its own, with the axes as config and the scores as
summary. The summary run holds the same as one table, and Figure 6 of these runs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from statistics import fmean
from types import TracebackType
from typing import TYPE_CHECKING, Any

from cambrian.runtime import Runtime
from cambrian.stages.base import Stage, digest_of
from cambrian.sweep.execute import Outcome
from cambrian.sweep.figure import NoFigureError, draw_figure
from cambrian.sweep.plan import Plan, Run
from cambrian.sweep.scores import category_means, find_evaluations, is_unscored, partial
from cambrian.sweep.store import Store
from cambrian.tracking.wandb_client import (
    FAILED,
    STOPPED,
    axis_tags,
    axis_text,
    find_agent,
    finish_run,
    own_environment,
    start_run,
    wandb_mode,
)
from cambrian.tracking.wandb_stage import stage_run_id

if TYPE_CHECKING:
    import wandb

LOG = logging.getLogger(__name__)
Scores = dict[str, float] | None
"""Of one run, in percent; none if it has no result."""
METRICS = ("score", "low", "high", "blind", "chance")
"""What a point's run says of each benchmark."""
GAIN = "vision_gain"
"""Score minus blind, of each benchmark and category."""


class SweepRecord:
    """The W&B side of one session, as a context manager around its execution; never raises.

    Under `wandb agent` the run of the session's point is the agent's own, and it is live from the start. All
    other runs are made at the end, and only those that are not in W&B yet.
    """

    def __init__(self, plan: Plan, store: Store, runtime: Runtime) -> None:
        self._plan = plan
        self._store = store
        self._runtime = runtime
        self._tracked = "wandb" in runtime.trackers
        self._agent = find_agent() if self._tracked and len(plan.runs) == 1 else None
        self._live: wandb.Run | None = None
        self._exit_code = STOPPED

    def __enter__(self) -> SweepRecord:
        if self._agent is not None:
            run = self._plan.runs[0]
            with _warning("the run of the W&B agent"):
                self._live = start_run(
                    self._runtime,
                    run_id=self._agent.run,
                    name=run.name,
                    job_type="run",
                    config={**point_config(run, self._plan), **self._agent.parameters},
                    tags=axis_tags(run.axes),
                    agent=self._agent,
                )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            with _warning("the run of the W&B agent"):
                finish_run(self._live, self._exit_code)

    def finish(self, outcome: Outcome) -> None:
        """Record what came out, unless the user wants to get away."""
        if not self._tracked or outcome.interrupted:
            return
        points = [point_scores(run, self._store) for run in self._plan.runs]
        if self._agent is not None:
            if self._live is not None:
                with _warning("the run of the W&B agent"):
                    self._finish_live(self._live, points[0], outcome)
            return
        with _warning("what this session came to in W&B"):  # one for all: the next would fail alike
            for run, scores in zip(self._plan.runs, points, strict=True):
                if scores is not None:
                    self._record_point(run, scores)
            if len(points) > 1:
                self._record_summary(points, outcome)

    def _finish_live(self, live: wandb.Run, scores: Scores, outcome: Outcome) -> None:
        if scores is None:
            self._exit_code = FAILED
            live.summary["failure"] = outcome.unfinished[self._plan.runs[0].name]
        else:
            self._exit_code = 0
            live.log(scores)

    def _record_point(self, run: Run, scores: dict[str, float]) -> None:
        run_id = _run_id(self._runtime.group, [run])
        with self._once(run_id, scores) as is_new:
            if is_new:
                page = start_run(
                    self._runtime,
                    run_id=run_id,
                    name=run.name,
                    job_type="run",
                    config=point_config(run, self._plan),
                    tags=axis_tags(run.axes),
                )
                with _finishing(page):
                    page.log(scores)

    def _record_summary(self, points: Sequence[Scores], outcome: Outcome) -> None:
        columns, rows = results_table(self._plan, points, outcome)
        complete = [run for run, scores in zip(self._plan.runs, points, strict=True) if scores is not None]
        models = [_model(run, self._plan).digest for run in complete]
        run_id = _run_id(self._runtime.group, self._plan.runs)
        with self._once(run_id, {"columns": columns, "rows": rows}) as is_new:
            if is_new:
                self._write_summary(run_id, columns, rows, models)

    def _write_summary(
        self, run_id: str, columns: list[str], rows: list[list[Any]], models: Sequence[str]
    ) -> None:
        page = start_run(
            self._runtime,
            run_id=run_id,
            name=f"{self._runtime.group} summary",
            job_type="sweep",
            config={"axes": _values_of_axes(self._plan)},
        )
        with _finishing(page), own_environment(self._runtime), ExitStack() as files:
            import wandb

            page.summary.update({"runs": len(rows), **_best(columns, rows)})
            logged: dict[str, Any] = {"results": wandb.Table(columns=[*columns], data=[*rows])}
            try:
                figure = files.enter_context(draw_figure(models, self._runtime))
            except NoFigureError as reason:
                page.summary["figure6"] = f"not drawn: {reason}"
            else:
                logged["figure6/image"] = wandb.Image(str(figure.image), caption=figure.title)
                logged["figure6/points"] = wandb.Table(columns=[*figure.columns], data=[*figure.rows])
            page.log(logged)

    @contextmanager
    def _once(self, run_id: str, content: Mapping[str, Any]) -> Iterator[bool]:
        """Whether `content` still has to be recorded under `run_id`; once the body ends well, it has."""
        where = [wandb_mode(self._runtime), self._runtime.wandb_project]
        wanted = digest_of({"where": where, "content": content})
        mark = self._runtime.tracking / "recorded" / run_id
        is_new = not mark.is_file() or mark.read_text() != wanted
        yield is_new
        if is_new:
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.write_text(wanted)


def point_config(run: Run, plan: Plan) -> dict[str, Any]:
    """What tells `run` from others: its axes as single values, and how it was trained.

    `stages` has the ids of the W&B runs of its training.
    """
    tuned = _model(run, plan)
    trained = [tuned, *(plan.stages[digest] for role, digest in tuned.inputs.items() if role == "align")]
    return {
        **{axis: _choice(value) for axis, value in run.axes.items()},
        **{stage.kind: dict(stage.recipe) for stage in trained},
        "stages": {stage.kind: stage_run_id(stage.digest) for stage in trained},
    }


def point_scores(run: Run, store: Store) -> Scores:
    """Average, category means and benchmarks of `run` in percent; None while any of them is missing.

    Benchmarks that cannot be scored are not there.
    `partial` counts the benchmarks that were not asked or shown in whole, if there are such.
    """
    evaluations = find_evaluations(run, store)
    if evaluations is None or all(map(is_unscored, evaluations)):
        return None
    means = category_means(evaluations)
    scores = {"average": fmean(mean["score"] for mean in means.values())}
    scores |= {category: mean["score"] for category, mean in means.items()}
    levels = {category: {**mean, GAIN: mean["score"] - mean["blind"]} for category, mean in means.items()}
    for level in ("blind", "chance", GAIN):
        scores[f"{level}/average"] = fmean(mean[level] for mean in levels.values())
        scores |= {f"{level}/{category}": mean[level] for category, mean in levels.items()}
    for evaluation in evaluations:
        if is_unscored(evaluation):
            continue
        name, found = evaluation.manifest["axes"]["benchmark"], evaluation.metrics
        scores |= {f"{name}/{metric}": float(found[metric]) for metric in METRICS}
        scores[f"{name}/{GAIN}"] = float(found["score"] - found["blind"])
    lacking = partial(evaluations)
    return {**scores, "partial": float(len(lacking))} if lacking else scores


def results_table(
    plan: Plan, points: Sequence[Scores], outcome: Outcome
) -> tuple[list[str], list[list[Any]]]:
    """Columns and one row per run: name, axes, average, category means, blind, gains, why there is none."""
    axes = list(dict.fromkeys(axis for run in plan.runs for axis in run.axes))
    found = dict.fromkeys(name for scores in points if scores for name in scores)
    names = [name for name in found if "/" not in name] or ["average"]
    names += [name for name in found if name.startswith(("blind/", f"{GAIN}/"))]
    rows = [
        [
            run.name,
            *(_choice(run.axes.get(axis)) for axis in axes),
            *((scores or {}).get(name) for name in names),
            outcome.unfinished.get(run.name),
        ]
        for run, scores in zip(plan.runs, points, strict=True)
    ]
    return ["run", *axes, *names, "unfinished"], rows


def _model(run: Run, plan: Plan) -> Stage:
    return plan.stages[plan.stages[run.finals[0]].inputs["model"]]


def _best(columns: list[str], rows: list[list[Any]]) -> dict[str, Any]:
    """How many rows have a result, and the one with the highest average; a first look is no result."""
    place = columns.index("average")
    part = columns.index("proxy") if "proxy" in columns else None
    whole = [row for row in rows if part is None or row[part] is None]
    averages = {row[0]: row[place] for row in whole if row[place] is not None}
    if not averages:
        return {"complete": 0}
    best = max(averages, key=lambda name: averages[name])
    return {"complete": len(averages), "best": best, "average": averages[best]}


def _values_of_axes(plan: Plan) -> dict[str, list[Any]]:
    """Axis -> its choices in this sweep."""
    values: dict[str, dict[Any, None]] = {}
    for run in plan.runs:
        for axis, value in run.axes.items():
            values.setdefault(axis, {})[_choice(value)] = None
    return {axis: list(found) for axis, found in values.items()}


def _choice(value: object) -> Any:  # noqa: ANN401 - a number stays one
    return axis_text(value) if isinstance(value, list) else value


def _run_id(group: str, runs: Sequence[Run]) -> str:
    """The same for the same results in the same sweep."""
    return digest_of({"group": group, "finals": sorted(final for run in runs for final in run.finals)})[:16]


@contextmanager
def _finishing(page: wandb.Run) -> Iterator[None]:
    """End `page` after the body, as failed if that raises; W&B's own way also prints the traceback."""
    try:
        yield
    except BaseException:
        finish_run(page, FAILED)
        raise
    finish_run(page, 0)


@contextmanager
def _warning(what: str) -> Iterator[None]:
    """Turn whatever goes wrong with W&B into one line of the log."""
    try:
        yield
    except Exception as error:
        LOG.warning("no record of %s: %s: %s", what, type(error).__name__, error)
