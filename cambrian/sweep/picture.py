"""A plan as a picture: its tasks from left to right, what is done in grey, what will run in colour."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from cambrian.errors import UserError
from cambrian.sweep.plan import Plan, State

FORMATS = (".svg", ".pdf", ".png")
MOST_BOXES = 600
"""More boxes than that are no picture any more."""
COLOURS = {
    "encoder": "#0072B2",
    "language": "#56B4E9",
    "align": "#009E73",
    "tune": "#E69F00",
    "evaluate": "#CC79A7",
}
"""Okabe and Ito's palette; kinds are also told apart by their column."""
DONE = "#BBBBBB"
COLUMN, WIDTH, CHARACTERS = 1.35, 1.1, 46
"""Distance of columns, width of a box, and letters that it holds."""


def draw_plan(plan: Plan, path: Path) -> None:
    """Draw `plan` into `path`; all evaluations of one model are one box.

    Raises:
        UserError: for another kind of file, or a plan with too many boxes.
    """
    if path.suffix not in FORMATS:
        raise UserError(f"plan must be true, false, json or a file {', '.join(FORMATS)}, got {path}")
    boxes = _boxes(plan)
    if len(boxes) > MOST_BOXES:
        raise UserError(f"the plan has {len(boxes):,} boxes, a picture at most {MOST_BOXES}; narrow the grid")
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.patches import Rectangle

    places = _places(plan, boxes)
    rows = max((row for _, row in places.values()), default=0.0) + 1
    figure, axes = pyplot.subplots(figsize=(13, max(2.0, 0.3 * rows)))
    for box, (column, row) in places.items():
        stage = plan.stages[box]
        pending = any(plan.states[digest] is State.PENDING for digest in boxes[box])
        colour = COLOURS[stage.kind] if pending else DONE
        for before in dict.fromkeys(stage.inputs.values()):
            x, y = places[before]
            axes.plot([x + WIDTH, column], [y, row], color="#888888", linewidth=0.5, zorder=1)
        axes.add_patch(Rectangle((column, row - 0.35), WIDTH, 0.7, color=colour, linewidth=0, zorder=2))
        axes.text(
            column + 0.02, row, _label(stage.label, len(boxes[box])), fontsize=5.5, va="center", zorder=3
        )
    axes.set_xlim(-0.05, 3 * COLUMN + WIDTH + 0.05)
    axes.set_ylim(rows, -1)
    axes.axis("off")
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)
    print(f"{path}: {len(boxes)} boxes; colour: to run, grey: done")


def _label(text: str, stages: int) -> str:
    """Shorten a label to what a box holds."""
    if stages > 1:
        text = f"evaluate: {stages} benchmarks"
    return text if len(text) <= CHARACTERS else f"{text[: CHARACTERS - 1]}\N{HORIZONTAL ELLIPSIS}"


def _boxes(plan: Plan) -> dict[str, list[str]]:
    """Digest of the first stage of each box -> all its stages."""
    groups: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for digest, stage in plan.stages.items():
        shared = stage.kind == "evaluate"
        groups[tuple(stage.inputs.items()) if shared else (digest,)].append(digest)
    return {group[0]: group for group in groups.values()}


def _places(plan: Plan, boxes: dict[str, list[str]]) -> dict[str, tuple[float, float]]:
    """Column by kind; row by the mean row of what comes before, so that lines cross little."""
    columns = list(dict.fromkeys(["language", "encoder", *COLOURS]))
    x = {"language": 0.0, "encoder": 0.0, "align": COLUMN, "tune": 2 * COLUMN, "evaluate": 3 * COLUMN}
    places: dict[str, tuple[float, float]] = {}
    taken: dict[float, int] = defaultdict(int)
    for kind in columns:
        own = [box for box in boxes if plan.stages[box].kind == kind]

        def height(box: str) -> float:
            rows = [places[before][1] for before in plan.stages[box].inputs.values() if before in places]
            return sum(rows) / len(rows) if rows else 0.0

        for box in sorted(own, key=height):
            places[box] = (x[kind], float(taken[x[kind]]))
            taken[x[kind]] += 1
    return places
