"""Intervals of lines with several seeds, from the credits of single questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from analysis.answers import Answers
from analysis.lines import Line, OwnLines, Point
from analysis.published import AVERAGE
from analysis.statistics import Estimate
from analysis.units import Credits


def with_answers(own: OwnLines, frame: pd.DataFrame, read: Callable[[], Sequence[Credits]]) -> OwnLines:
    """Let what is drawn of `own` have intervals from the credits that `read` gives.

    Lines of several seeds have theirs at once; their scores stay, and a note names what has none.

    Args:
        own: lines of the evaluations in `frame`.
        frame: columns of results.Row.
        read: called when credits are first wanted.
    """
    answers = Answers(
        asked={str(run): frozenset(names) for run, names in frame.groupby("run")["benchmark"]},
        groups={
            **{category: [ids] for category, ids in own.benchmarks.items()},
            AVERAGE: list(own.benchmarks.values()),
        },
        read=read,
    )
    lines, notes = [], list(own.notes)
    for line in own.lines:
        lines.append(_with_intervals(line, answers) if len(line.runs) > 1 else line)
        lacking = [name for name, point in lines[-1].scores.items() if point.estimate.low is None]
        if lacking:
            notes.append(
                f"{line.label}: no interval over its seeds on {', '.join(lacking)} and on means with them: "
                "no credits of single questions, or not of the same ones"
            )
    return replace(own, lines=tuple(lines), notes=tuple(notes), answers=answers)


def _with_intervals(line: Line, answers: Answers) -> Line:
    def estimate(name: str, known: Estimate) -> Estimate:
        one = answers.score(line.runs, name, known.score)
        alone = all(len(seeds) == 1 for seeds, _ in one.weights)
        return known if alone else answers.estimate_score(one)

    def points(known: Mapping[str, Point]) -> dict[str, Point]:
        return {name: replace(one, estimate=estimate(name, one.estimate)) for name, one in known.items()}

    return replace(
        line,
        points=points(line.points),
        scores=points(line.scores),
        average=line.average and estimate(AVERAGE, line.average),
    )
