"""Contrasts of several encoders together: over the best of them alone, and with one more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.catalog import backbones
from analysis.evidence import Model
from analysis.inference import mean_of_units
from analysis.terms import Comparison, QuestionVariance, Term, conclude, having, units_of


@dataclass(frozen=True, kw_only=True)
class BestMember:
    """Several encoders together over the best of them alone, everything else alike."""

    noun: str = "combinations"

    def compare(self, models: Sequence[Model], measure: str, questions: QuestionVariance) -> Comparison:
        """Average the gain over combinations; the best member is the best on the same measure."""
        found = having(models, measure)
        alone = {(m.encoder, m.seed, *m.design.values()): m for m in found if len(m.encoders) == 1}
        terms, lacking = [], 0
        for model in (one for one in found if len(one.encoders) > 1):
            keys = [(name, model.seed, *model.design.values()) for name in model.encoders]
            if all(key in alone for key in keys):
                best = max((alone[key] for key in keys), key=lambda one: one.means[measure])
                terms.append(Term(name=model.encoder, plus=model, minus=best))
            else:
                lacking += 1
        notes = (
            [f"{lacking} combinations left out: a member alone in the same design is missing"]
            if lacking
            else []
        )
        units = units_of(terms, measure)
        return conclude(units, mean_of_units(units) if units else None, measure, questions, notes)


@dataclass(frozen=True, kw_only=True)
class AddedMember:
    """A combination with one encoder more over the same without it, everything else alike."""

    supervision: str
    """Of the encoder that is added."""
    noun: str = "pairs of combinations"

    def compare(self, models: Sequence[Model], measure: str, questions: QuestionVariance) -> Comparison:
        """Average the gain over pairs; combinations that start with one encoder do not count."""
        found = [model for model in having(models, measure) if len(model.encoders) > 1]
        kinds = {name: backbone.supervision for name, backbone in backbones().items()}
        kinds |= {m.encoder: m.supervision for m in models if len(m.encoders) == 1}
        known = {(frozenset(m.encoders), m.seed, *m.design.values()): m for m in found}
        terms = []
        for model in found:
            for name in model.encoders:
                fewer = known.get((frozenset(model.encoders) - {name}, model.seed, *model.design.values()))
                if fewer is not None and kinds.get(name) == self.supervision:
                    terms.append(Term(name=f"{model.encoder} without {name}", plus=model, minus=fewer))
        units = units_of(terms, measure)
        return conclude(units, mean_of_units(units) if units else None, measure, questions)
