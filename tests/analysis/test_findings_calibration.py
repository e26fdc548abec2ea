"""How often the family of findings gives a verdict where nothing is true, and where something is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from analysis.findings.evidence import Evidence, Model, with_average
from analysis.findings.inference import Verdict
from analysis.findings.sampling import no_questions
from analysis.findings.testing import make_family
from analysis.published import CATEGORIES


def simulated(rng: np.random.Generator, effects: Mapping[str, float]) -> Evidence:
    """Models in which only `effects` of axes are real; encoders react to each change in their own way."""
    models = []
    for name, supervision in (
        ("clip", "language"),
        ("siglip", "language"),
        ("dinov2", "self"),
        ("mae", "self"),
    ):
        for adapter in ("0M", "0.5M", "1.2M"):
            for vision in ("frozen", "unfrozen"):
                for connector in ("concat", "resampler", "sva"):
                    design = {"adapter": adapter, "vision": vision, "connector": connector}
                    gain = sum(effects.get(choice, 0.0) for choice in design.values())
                    means = {category: 50 + gain + rng.normal(0, 2) for category in CATEGORIES}
                    models.append(
                        Model(
                            key=f"{name} {adapter} {vision} {connector}",
                            encoders=(name,),
                            supervision=supervision,
                            design={**design, "instruct": "737k", "llm": "tiny"},
                            means=with_average(means),
                        )
                    )
    return Evidence(source="own", scale="lab", models=tuple(models), benchmarks={})


@pytest.mark.slow
def test_one_false_verdict_in_a_family_is_rare() -> None:
    """500 families in which nothing is true: at most 5 +- 2 % of them have a verdict."""
    rng, false, found = np.random.default_rng(0), 0, 0
    for _ in range(500):
        family = make_family(simulated(rng, {}), no_questions)
        false += any(f.verdict in (Verdict.SUPPORTED, Verdict.CONTRADICTED) for f in family.findings)
        power = make_family(simulated(rng, {"unfrozen": 5.0}), no_questions)
        found += {f.hypothesis.id: f for f in power.findings}["4a"].verdict is Verdict.SUPPORTED
    assert false / 500 <= 0.07
    assert found / 500 >= 0.9
