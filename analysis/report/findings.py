"""The paper's findings as a report shows them: each hypothesis on published numbers and on own results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.findings_text import MEASURES, effect_text
from analysis.hypotheses import FINDINGS
from analysis.inference import Verdict
from analysis.testing import Family, Finding, own_family, published_family
from analysis.units import Credits

UNRESOLVED = (Verdict.NO_DATA, Verdict.NOT_RESOLVED)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What one source says about one hypothesis."""

    source: str
    """`published`, or the scale of own results."""
    verdict: Verdict
    effect: str
    """With its interval and unit; empty without data."""
    reason: str
    notes: tuple[str, ...]
    evidence: tuple[str, ...]
    """Digests of models, or FILE:LINE of published tables."""
    remedy: str
    """The command that would tell more; empty where none is needed or none could."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One hypothesis."""

    id: str
    statement: str
    measure: str
    cells: tuple[Cell, ...]
    """One per source."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One finding of the paper with the hypotheses that it was split into."""

    number: int
    text: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All of them."""

    sources: tuple[str, ...]
    """`published`, then the scales of own results."""
    claims: tuple[Claim, ...]
    tests: tuple[tuple[str, int], ...]
    """Source -> tests among which its p-values are adjusted."""
    notes: tuple[tuple[str, str], ...]
    """Source, and which of its models took no part."""


def read_findings(frame: pd.DataFrame, credits: Sequence[Credits]) -> Findings:
    """Test the hypotheses on the published tables, and on the results in `frame` scale by scale.

    Args:
        frame: columns of results.Row.
        credits: those behind its scores.
    """
    families = [("published", published_family())]
    for scale in sorted(set(frame["scale"])):
        part = frame[frame["scale"] == scale]
        runs = set(part["run"])
        families.append((scale, own_family(part, [each for each in credits if runs.issuperset(each.runs)])))
    return Findings(
        sources=tuple(name for name, _ in families),
        claims=tuple(_claim(number, text, families) for number, text in FINDINGS.items()),
        tests=tuple((name, family.tests) for name, family in families),
        notes=tuple((name, note) for name, family in families for note in family.notes),
    )


def _claim(number: int, text: str, families: Sequence[tuple[str, Family]]) -> Claim:
    names = [name for name, _ in families]
    columns = [[one for one in family.findings if one.hypothesis.finding == number] for _, family in families]
    return Claim(
        number=number,
        text=text,
        rows=tuple(
            Row(
                id=ones[0].hypothesis.id,
                statement=ones[0].hypothesis.statement,
                measure=MEASURES[ones[0].hypothesis.measure],
                cells=tuple(_cell(name, one) for name, one in zip(names, ones, strict=True)),
            )
            for ones in zip(*columns, strict=True)
        ),
    )


def _cell(source: str, finding: Finding) -> Cell:
    helps = finding.source == "own" and finding.verdict in UNRESOLVED
    return Cell(
        source=source,
        verdict=finding.verdict,
        effect="" if finding.effect is None else effect_text(finding.effect, finding.hypothesis),
        reason=finding.reason,
        notes=finding.notes,
        evidence=finding.evidence,
        remedy=finding.hypothesis.command(finding.scale) if helps else "",
    )
