"""Hypotheses tested on the evidence of one source: what `analysis.findings` prints and the report shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from analysis.evidence import Evidence, own_evidence, published_evidence
from analysis.hypotheses import HYPOTHESES, Hypothesis
from analysis.inference import Effect, Unit, Verdict, adjust, judge
from analysis.sampling import no_questions, question_variance
from analysis.terms import Comparison, QuestionVariance
from analysis.units import Credits


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one source says about one hypothesis."""

    hypothesis: Hypothesis
    source: str
    """`published` or `own`."""
    scale: str
    verdict: Verdict
    reason: str
    """Why this verdict, in a few words."""
    effect: Effect | None
    """None without data."""
    adjusted: float | None
    """p after Holm over the family; none if there was no test."""
    units: tuple[Unit, ...]
    notes: tuple[str, ...]
    """What the numbers leave out, one sentence each."""

    @property
    def agreeing(self) -> int | None:
        """Units that lie on the hypothesis' side; none for a contrast between groups or over a trend."""
        if any(unit.group or unit.place for unit in self.units) or self.hypothesis.null:
            return None
        return sum(unit.value > 0 for unit in self.units)

    @property
    def evidence(self) -> tuple[str, ...]:
        """Digests of the models behind the effect, or FILE:LINE of published tables; sorted."""
        return tuple(sorted({key for unit in self.units for key, weight in unit.weights.items() if weight}))


@dataclass(frozen=True, kw_only=True)
class Family:
    """All hypotheses on one source, tested together."""

    source: str
    scale: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    """Which models took no part, one sentence each."""

    @property
    def tests(self) -> int:
        """Hypotheses among which p is adjusted."""
        return sum(finding.adjusted is not None for finding in self.findings)


def published_family() -> Family:
    """The paper's findings on its own tables, where how encoders differ is the only noise known."""
    return make_family(published_evidence(), no_questions)


def own_family(frame: pd.DataFrame, credits: Sequence[Credits]) -> Family:
    """The paper's findings on own results.

    Args:
        frame: evaluations of one scale (columns of results.Row), as `command.read_frame` gives them.
        credits: of single questions (`units.read_units(...).credits`); without them intervals know only how
            encoders differ.
    """
    evidence = own_evidence(frame)
    return make_family(evidence, question_variance(credits, evidence.benchmarks))


def make_family(evidence: Evidence, questions: QuestionVariance) -> Family:
    """Test every hypothesis on `evidence` and adjust for their number."""
    models = [model for model in evidence.models if model.supervision != "control"]
    found = [one.contrast.compare(models, one.measure, questions) for one in HYPOTHESES]
    adjusted = adjust([one.effect.p if one.effect else None for one in found])
    drafts = [
        Finding(
            hypothesis=hypothesis,
            source=evidence.source,
            scale=evidence.scale,
            verdict=Verdict.NO_DATA,
            reason="",
            effect=comparison.effect,
            adjusted=p,
            units=comparison.units,
            notes=_notes(hypothesis, comparison),
        )
        for hypothesis, comparison, p in zip(HYPOTHESES, found, adjusted, strict=True)
    ]
    tests = sum(p is not None for p in adjusted)
    return Family(
        source=evidence.source,
        scale=evidence.scale,
        findings=tuple(_judged(draft, tests) for draft in drafts),
        notes=evidence.notes,
    )


def _notes(hypothesis: Hypothesis, comparison: Comparison) -> tuple[str, ...]:
    """What a reader of the numbers must know; without numbers nothing."""
    if comparison.effect is None:
        return ()
    return (*comparison.notes, *([hypothesis.caution] if hypothesis.caution else []))


def _judged(draft: Finding, tests: int) -> Finding:
    if draft.effect is None:
        return replace(draft, verdict=Verdict.NO_DATA, reason=_missing(draft))
    verdict = judge(draft.effect, draft.adjusted, draft.hypothesis.null)
    return replace(draft, verdict=verdict, reason=_reason(draft, draft.effect, verdict, tests))


def _missing(draft: Finding) -> str:
    if draft.source == "published":
        return "no published table holds what this compares"
    if draft.units:
        return f"only one side is there: {', '.join(unit.name for unit in draft.units)}"
    return f"no results of {draft.hypothesis.population}"


def _reason(draft: Finding, effect: Effect, verdict: Verdict, tests: int) -> str:
    p, adjusted, null = effect.p, draft.adjusted, draft.hypothesis.null
    if effect.low is None or effect.high is None:
        return f"too few {draft.hypothesis.contrast.noun} to tell how much this would vary"
    if p is None or adjusted is None:
        noun = draft.hypothesis.contrast.noun
        return f"too few {noun}: the interval knows how questions vary, not how {noun} or seeds do"
    if verdict is not Verdict.NOT_RESOLVED:
        side = "above" if verdict is Verdict.SUPPORTED else "below"
        return f"{side} {null:g}, also among {tests} tests"
    if effect.low > null or effect.high < null:
        return f"alone it would count, among {tests} tests it does not"
    return f"the interval holds {null:g}"
