"""Tables of scores: what one holds, which scores stand out, and its text, Markdown, LaTeX and CSV.

A score is bold if it is the highest of its column and the interval of its difference to each other one, from
the answers to the same questions, lies above zero. To published scores there are no answers: none of them is
ever bold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from analysis.answers import NO_ANSWERS, Answers, add
from analysis.statistics import Estimate
from analysis.text import align

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One model, or one kind of thing that is counted."""

    label: str
    scores: Mapping[str, Estimate]
    """Column -> score; a gap is absent."""
    group: str = ""
    """Rows of one group stand together below its name; bold compares them with each other alone."""
    source: str = "published"
    """`published` or `own`."""
    partial: frozenset[str] = frozenset()
    """Columns of which not all questions were asked or could be shown."""
    runs: tuple[str, ...] = ()
    """Digests of own models."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """What one table shows."""

    title: str
    subtitle: str
    head: str
    """What the labels of its rows are."""
    columns: Mapping[str, str]
    """Column -> how it is called."""
    rows: tuple[Row, ...]
    counts: frozenset[str] = frozenset()
    """Columns of whole numbers; all others have one decimal."""
    answers: Answers = NO_ANSWERS
    """To own scores: what tells whether one is surely the best."""

    def number(self, column: str, value: float) -> str:
        """`value` as `column` shows it."""
        return f"{value:.0f}" if column in self.counts else f"{value:.1f}"


def standing_out(table: Table) -> set[tuple[int, str]]:
    """Row and column of every score that is surely the best of its column and group."""
    found: set[tuple[int, str]] = set()
    for group in dict.fromkeys(row.group for row in table.rows):
        members = [index for index, row in enumerate(table.rows) if row.group == group]
        for column in table.columns:
            there = [index for index in members if column in table.rows[index].scores]
            if len(there) > 1:
                best = max(there, key=lambda index: table.rows[index].scores[column].score)
                if all(_surely_above(table, column, best, index) for index in there if index != best):
                    found.add((best, column))
    return found


def _surely_above(table: Table, column: str, first: int, second: int) -> bool:
    scores = [
        table.answers.score(row.runs, column, row.scores[column].score)
        for row in (table.rows[first], table.rows[second])
    ]
    low = table.answers.estimate(add(scores[0], scores[1].times(-1))).low
    return low is not None and low > 0


def to_text(table: Table) -> str:
    """The table for a terminal, with intervals; an asterisk is what is bold elsewhere."""
    bold = standing_out(table)
    lines = [[table.head, *table.columns.values()]]
    for group, members in _groups(table):
        if group:
            lines.append([group, *[""] * len(table.columns)])
        for index, row in members:
            cells = [
                _interval(table, row, column) + ("*" if (index, column) in bold else "")
                for column in table.columns
            ]
            lines.append([("  " if group else "") + _label(row), *cells])
    return align(lines)


def to_markdown(table: Table) -> str:
    """The table in Markdown."""
    bold = standing_out(table)
    lines = [[table.head, *table.columns.values()], ["---", *["---:"] * len(table.columns)]]
    for group, members in _groups(table):
        if group:
            lines.append([f"*{_markdown(group)}*", *[""] * len(table.columns)])
        for index, row in members:
            cells = []
            for column in table.columns:
                text = _interval(table, row, column)
                cells.append(f"**{text}**" if (index, column) in bold else text)
            lines.append([_markdown(_label(row)), *cells])
    body = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return f"**{_markdown(table.title)}.** {_markdown(table.subtitle)}\n\n{body}"


def to_latex(table: Table) -> str:
    """The table in LaTeX, for the package booktabs; intervals are small, below their scores."""
    bold = standing_out(table)
    width = len(table.columns)
    lines = [
        rf"% {table.title}. {table.subtitle}",
        rf"\begin{{tabular}}{{l{'r' * width}}}",
        r"\toprule",
        " & ".join(map(latex, [table.head, *table.columns.values()])) + r" \\",
    ]
    for group, members in _groups(table):
        lines.append(r"\midrule")
        if group:
            lines.append(rf"\multicolumn{{{width + 1}}}{{l}}{{\textit{{{latex(group)}}}}} \\")
        for index, row in members:
            cells = [
                _latex_cell(table, row, column, bold=(index, column) in bold) for column in table.columns
            ]
            lines.append(" & ".join([latex(_label(row)), *cells]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def to_frame(table: Table) -> pd.DataFrame:
    """One row per score; a gap keeps its row, without one."""
    bold = standing_out(table)
    return pd.DataFrame(
        [
            {
                "group": row.group,
                table.head: row.label,
                "column": column,
                "score": score.score if (score := row.scores.get(column)) else None,
                "low": score.low if score else None,
                "high": score.high if score else None,
                "best": (index, column) in bold,
                "partial": column in row.partial,
                "source": row.source,
                "runs": " ".join(row.runs),
            }
            for index, row in enumerate(table.rows)
            for column in table.columns
        ]
    )


def latex(text: str) -> str:
    """`text` with all that means something to LaTeX escaped."""
    return "".join(_LATEX.get(character, character) for character in text)


def _groups(table: Table) -> list[tuple[str, list[tuple[int, Row]]]]:
    names = dict.fromkeys(row.group for row in table.rows)
    return [
        (name, [(index, row) for index, row in enumerate(table.rows) if row.group == name]) for name in names
    ]


def _label(row: Row) -> str:
    return f"{row.label} (partial)" if row.partial else row.label


def _interval(table: Table, row: Row, column: str) -> str:
    score = row.scores.get(column)
    if score is None:
        return "-"
    text = table.number(column, score.score)
    if score.low is None or score.high is None:
        return text
    return f"{text} [{table.number(column, score.low)}, {table.number(column, score.high)}]"


def _latex_cell(table: Table, row: Row, column: str, *, bold: bool) -> str:
    score = row.scores.get(column)
    if score is None:
        return "--"
    text = table.number(column, score.score)
    text = rf"\textbf{{{text}}}" if bold else text
    if score.low is None or score.high is None:
        return text
    return rf"{text} {{\tiny [{table.number(column, score.low)}, {table.number(column, score.high)}]}}"


def _markdown(text: str) -> str:
    return text.replace("|", r"\|").replace("*", r"\*")
