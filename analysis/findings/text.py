"""Findings in words: one sentence each, as text, as Markdown and as plain JSON values."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from analysis.findings.hypotheses import EACH, FINDINGS, Hypothesis
from analysis.findings.inference import Effect, Verdict
from analysis.findings.testing import Family, Finding
from analysis.published import AVERAGE, CATEGORIES
from analysis.text import align

WIDTH = 110
MEASURES = {AVERAGE: "average of the four categories", EACH: EACH, **CATEGORIES}
INDENT = " " * 19
SHORT = 12
"""Characters of a digest that are printed; JSON has them whole."""


def as_text(families: Sequence[Family], *, look: str = "") -> str:
    """Every family with its findings, and with several a comparison; `look` stands over first looks."""
    blocks = []
    for family in families:
        lines = [_title(family, look), _method(family)]
        for number, claim in FINDINGS.items():
            lines += ["", f"Finding {number}. {claim}"]
            for finding in (one for one in family.findings if one.hypothesis.finding == number):
                lines += _entry(finding)
        lines += ["", *(f"note: {note}" for note in family.notes)] if family.notes else []
        blocks.append("\n".join(lines))
    if len(families) > 1:
        blocks.append("\n".join(["Side by side", *_side_by_side(families)]))
    return "\n\n\n".join(blocks)


def as_markdown(families: Sequence[Family], *, look: str = "") -> str:
    """The same as Markdown: a table per family, with the evidence below it."""
    blocks = []
    for family in families:
        lines = [f"## {_title(family, look)}", "", _method(family)]
        for number, claim in FINDINGS.items():
            ones = [one for one in family.findings if one.hypothesis.finding == number]
            lines += ["", f"### Finding {number}. {claim}", ""]
            lines += ["| | hypothesis | effect | over | verdict |", "|---|---|---|---|---|"]
            lines += [_row(finding) for finding in ones]
            behind = [
                (one.hypothesis.id, "; ".join(filter(None, (_behind(one), _remedy(one))))) for one in ones
            ]
            lines += ["", *(f"- {id}: {text}" for id, text in behind if text)]
        lines += ["", *(f"Note: {note}." for note in family.notes)] if family.notes else []
        blocks.append("\n".join(lines))
    if len(families) > 1:
        blocks.append("\n".join(["## Side by side", "", "```", *_side_by_side(families), "```"]))
    return "\n\n".join(blocks)


def as_dict(families: Sequence[Family]) -> dict[str, Any]:
    """All that is known, in plain JSON values."""
    return {
        "families": [
            {
                "source": family.source,
                "scale": family.scale,
                "tests": family.tests,
                "notes": list(family.notes),
                "findings": [_finding_as_dict(finding) for finding in family.findings],
            }
            for family in families
        ]
    }


def sentence(finding: Finding) -> str:
    """One sentence: whose result it is, the statement, the verdict and the effect."""
    verdict = finding.verdict
    whose = _whose(finding.source, finding.scale)
    if verdict is Verdict.CONTRADICTED and finding.source == "own":
        whose = f"{whose}, against the paper"
    text = f"{whose}: {finding.hypothesis.statement}: {verdict}"
    if finding.effect is None:
        return f"{text} ({finding.reason})."
    return f"{text}, {effect_text(finding.effect, finding.hypothesis)} ({_count(finding)}; {finding.reason})."


def effect_text(effect: Effect, hypothesis: Hypothesis) -> str:
    """Such as `+1.19 points [+0.53, +1.85]`; a share has no sign."""
    form = "{:+.2f}" if hypothesis.null == 0 else "{:.0f}"
    value = f"{form.format(effect.value)} {hypothesis.unit}"
    if effect.low is None or effect.high is None:
        return f"{value}, no interval"
    return f"{value} [{form.format(effect.low)}, {form.format(effect.high)}]"


def _title(family: Family, look: str) -> str:
    if family.source == "published":
        return "The paper's findings on its own published tables"
    return f"{look}{_whose(family.source, family.scale)}: the paper's findings on own results"


def _whose(source: str, scale: str) -> str:
    if source == "published":
        return "Published"
    return "A result of the lab" if scale == "lab" else f"A result at scale={scale}"


def _method(family: Family) -> str:
    counts = {verdict: sum(one.verdict is verdict for one in family.findings) for verdict in Verdict}
    found = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    return (
        f"{len(family.findings)} hypotheses: {found}. Intervals: 95 %, of each effect alone. p: two-sided, "
        f"Holm over {family.tests} tests."
    )


def _entry(finding: Finding) -> list[str]:
    hypothesis = finding.hypothesis
    statement = f"{hypothesis.statement} ({MEASURES[hypothesis.measure]})"
    head = textwrap.wrap(
        f"  {hypothesis.id}  {finding.verdict.upper():<13}{statement}", WIDTH, subsequent_indent=INDENT
    )
    lines = [*head, *_wrapped(_numbers(finding)), *_wrapped(finding.reason)]
    lines += [line for note in finding.notes for line in _wrapped(f"but: {note}")]
    if finding.verdict is Verdict.CONTRADICTED and finding.source == "own":
        lines += _wrapped(f"{_whose(finding.source, finding.scale)}, against the paper")
    remedy = _remedy(finding)  # in one piece, to be copied
    return [*lines, *_wrapped(_behind(finding)), *([INDENT + remedy] if remedy else [])]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=INDENT,
        subsequent_indent=INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _numbers(finding: Finding) -> str:
    if finding.effect is None:
        return ""
    tested = ""
    if finding.effect.p is not None and finding.adjusted is not None:
        tested = f"; p {_p(finding.effect.p)}, adjusted {_p(finding.adjusted)}"
    return f"{effect_text(finding.effect, finding.hypothesis)}; {_count(finding)}{tested}"


def _count(finding: Finding) -> str:
    noun = finding.hypothesis.contrast.noun
    groups = sorted({unit.group for unit in finding.units if unit.group})
    if groups:
        return (
            ", ".join(f"{sum(u.group == name for u in finding.units)} {name}" for name in groups) + f" {noun}"
        )
    agreeing = finding.agreeing
    if agreeing is None:
        return f"{len(finding.units)} {noun}"
    return f"{agreeing} of {len(finding.units)} {noun} on this side"


def _p(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def _behind(finding: Finding) -> str:
    return f"from {', '.join(_shortened(finding.evidence, finding.source))}" if finding.evidence else ""


def _remedy(finding: Finding) -> str:
    """What to run where own results say too little."""
    if finding.source == "published" or finding.verdict not in (Verdict.NO_DATA, Verdict.NOT_RESOLVED):
        return ""
    what = (
        "to fill it" if finding.verdict is Verdict.NO_DATA else "to know more, with further encoders or seeds"
    )
    return f"{what}: {finding.hypothesis.command(finding.scale)}"


def _shortened(keys: Sequence[str], source: str) -> list[str]:
    """Digests cut; lines of one table together, `recipe_scores.csv:2,5`."""
    if source == "own":
        return [key[:SHORT] for key in keys]
    tables: dict[str, list[int]] = {}
    for key in keys:
        name, _, line = key.partition(":")
        tables.setdefault(name, []).append(int(line))
    return [f"{name}:{','.join(_ranges(sorted(lines)))}" for name, lines in tables.items()]


def _ranges(lines: Sequence[int]) -> list[str]:
    """Neighbours joined: 2, 3, 4, 7 -> 2-4, 7."""
    runs: list[list[int]] = []
    for line in lines:
        if runs and line == runs[-1][1] + 1:
            runs[-1][1] = line
        else:
            runs.append([line, line])
    return [str(first) if first == last else f"{first}-{last}" for first, last in runs]


def _row(finding: Finding) -> str:
    hypothesis = finding.hypothesis
    effect = effect_text(finding.effect, hypothesis) if finding.effect else "-"
    count = _count(finding) if finding.effect else "-"
    statement = f"{hypothesis.statement} ({MEASURES[hypothesis.measure]})"
    verdict = f"**{finding.verdict}**: {'; '.join([finding.reason, *finding.notes])}"
    return f"| {hypothesis.id} | {statement} | {effect} | {count} | {verdict} |"


def _side_by_side(families: Sequence[Family]) -> list[str]:
    rows = [["", *(_whose(family.source, family.scale) for family in families), ""]]
    for ones in zip(*(family.findings for family in families), strict=True):
        verdicts = [str(one.verdict) for one in ones]
        opposite = {Verdict.SUPPORTED, Verdict.CONTRADICTED} <= {one.verdict for one in ones}
        rows.append([ones[0].hypothesis.id, *verdicts, "they contradict each other" if opposite else ""])
    return align(rows).split("\n")


def _finding_as_dict(finding: Finding) -> dict[str, Any]:
    hypothesis = finding.hypothesis
    return {
        "id": hypothesis.id,
        "finding": hypothesis.finding,
        "statement": hypothesis.statement,
        "measure": hypothesis.measure,
        "population": hypothesis.population,
        "unit": hypothesis.unit,
        "null": hypothesis.null,
        "verdict": str(finding.verdict),
        "reason": finding.reason,
        "sentence": sentence(finding),
        "effect": None if finding.effect is None else asdict(finding.effect),
        "p_adjusted": finding.adjusted,
        "units": [
            {"name": unit.name, "group": unit.group, "value": unit.value, "models": sorted(unit.weights)}
            for unit in finding.units
        ],
        "evidence": list(finding.evidence),
        "notes": list(finding.notes),
        "fill": hypothesis.command(finding.scale),
    }
