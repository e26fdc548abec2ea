"""Verdicts on the published tables, a few of them worked out by hand from what the tables print."""

from __future__ import annotations

import csv
import math
import statistics
from collections import defaultdict

import pytest
from scipy.special import stdtrit

from analysis.findings.catalog import backbones
from analysis.findings.evidence import AVERAGE, published_evidence
from analysis.findings.hypotheses import HYPOTHESES
from analysis.findings.testing import Finding, published_family
from analysis.findings.text import MEASURES, as_text
from analysis.published import NAMES, PAPER
from analysis.results import ROOT

FAMILY = published_family()
BY_ID: dict[str, Finding] = {finding.hypothesis.id: finding for finding in FAMILY.findings}


def printed(line: int) -> dict[str, str]:
    """One line of the table of recipes, as it is printed."""
    with (PAPER / "recipe_scores.csv").open() as lines:
        return list(csv.DictReader(lines))[line - 2]


def average(line: int) -> float:
    return float(printed(line)["average_printed"])


VERDICTS = {
    "1a": "no data",
    "1b": "no data",
    "3a": "supported",
    "3b": "not resolved",
    "4a": "supported",
    "4b": "not resolved",
    "4c": "not resolved",
    "5a": "not resolved",
    "5b": "not resolved",
    "5c": "not resolved",
    "5d": "not resolved",
    "5e": "not resolved",
    "5f": "not resolved",
    "6a": "supported",
    "6b": "supported",
    "6c": "not resolved",
    "6d": "not resolved",
    "6e": "not resolved",
    "7a": "not resolved",
    "7b": "not resolved",
    "7c": "not resolved",
    "8a": "not resolved",
    "8b": "not resolved",
    "8c": "not resolved",
}


def test_every_verdict() -> None:
    assert {id: str(finding.verdict) for id, finding in BY_ID.items()} == VERDICTS
    assert FAMILY.tests == 16


@pytest.mark.parametrize(
    ("id", "value"),
    [
        ("8a", (68.5 + 49.7 + 55.5 + 53.2 - 67.2 - 48.9 - 50.1 - 52.6) / 4),
        ("8b", (68.5 + 49.7 + 55.5 + 53.2 - 63.1 - 46.5 - 27.1 - 42.6) / 4),
        ("8c", 55.5 - 50.1),
        # SigLIP + DINOv2 + ConvNeXt-XXL less SigLIP + ConvNeXt-XXL
        ("7c", (34.67 + 58.69 + 55.74 + 60.33 - 32.0 - 57.91 - 58.83 - 56.58) / 4),
    ],
)
def test_one_model_a_side_is_an_effect_without_an_interval(id: str, value: float) -> None:
    finding = BY_ID[id]
    assert finding.effect is not None
    assert finding.effect.value == pytest.approx(value, abs=1e-9)
    assert (finding.effect.low, finding.effect.p, finding.adjusted) == (None, None, None)
    assert finding.reason.startswith("too few ")


def test_more_data_did_not_narrow_the_gap_between_clip_and_dinov2() -> None:
    """Frozen and unfrozen, 5M over 737K, from the printed averages."""
    dinov2 = (average(75) - average(52) + average(77) - average(67)) / 2
    clip = (average(74) - average(43) + average(76) - average(61)) / 2
    assert {printed(line)["model"] for line in (75, 52, 77, 67)} == {"DINOv2"}
    finding = BY_ID["6d"]
    assert finding.effect is not None
    assert finding.effect.value == pytest.approx(dinov2 - clip, abs=0.02)
    assert finding.evidence == tuple(f"recipe_scores.csv:{n}" for n in (43, 52, 61, 67, 74, 75, 76, 77))


def test_unfreezing_by_hand_from_the_printed_averages() -> None:
    """Thirteen encoders; CLIP and DINOv2, unfrozen at two sizes of data, count once each."""
    with (PAPER / "recipe_scores.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    after = {
        (row["model"], row["architecture"], row["instruction_data"]): float(row["average_printed"])
        for row in rows
        if row["vision"] == "unfrozen"
    }
    changes = defaultdict(list)
    for row in rows:
        key = (row["model"], row["architecture"], row["instruction_data"])
        if row["vision"] == "frozen" and row["adapter_data"] == "1.2M" and key in after:
            changes[key[:2]].append(after[key] - float(row["average_printed"]))
    means = [statistics.fmean(found) for found in changes.values()]
    error = float(stdtrit(12, 0.975)) * statistics.stdev(means) / math.sqrt(13)
    finding = BY_ID["4a"]
    effect = finding.effect
    assert effect is not None and len(finding.units) == len(means) == 13
    assert effect.value == pytest.approx(statistics.fmean(means), abs=0.01)
    assert effect.low == pytest.approx(statistics.fmean(means) - error, abs=0.02)
    assert effect.high == pytest.approx(statistics.fmean(means) + error, abs=0.02)
    assert finding.agreeing == 11
    assert len(finding.evidence) == 2 * 15


def test_what_would_count_alone_says_so() -> None:
    finding = BY_ID["3b"]
    assert finding.effect is not None and finding.effect.p is not None and finding.adjusted is not None
    assert finding.effect.p < 0.05 < finding.adjusted
    assert finding.reason == "alone it would count, among 16 tests it does not"


def test_language_leads_over_nineteen_encoders() -> None:
    finding = BY_ID["6a"]
    assert sorted(unit.group for unit in finding.units) == ["language"] * 9 + ["self"] * 6
    assert "fig6_category_only.csv:2" in finding.evidence
    assert len(BY_ID["6b"].units) == 9 + 4


def test_the_same_encoder_at_two_resolutions() -> None:
    values = {unit.name: unit.value for unit in BY_ID["5a"].units}
    assert list(values) == ["DINOv2 ViT-L/14", "OpenCLIP ConvNeXt-L"]
    # 0M, 0.5M and 1.2M frozen: ChartQA, OCRBench, TextVQA, DocVQA at 1024 less those at 512
    larger = (32.97 + 12.05 + 52.61 + 38.36, 29.92 + 13.25 + 50.37 + 43.67, 46.08 + 25.5 + 62.14 + 44.13)
    smaller = (28.04 + 25.2 + 55.45 + 28.41, 27.88 + 28.5 + 57.57 + 29.48, 34.4 + 28.0 + 58.36 + 28.41)
    assert values["OpenCLIP ConvNeXt-L"] == pytest.approx((sum(larger) - sum(smaller)) / 12)


def test_the_best_member_is_the_best_on_the_same_measure() -> None:
    """SigLIP alone beats the pair of SigLIP and DINOv2; CLIP and ConvNeXt-XXL beat ConvNeXt-XXL."""
    gains = {unit.name: unit.value for unit in BY_ID["7a"].units}
    assert len(gains) == 7
    assert gains["siglip+dinov2"] == pytest.approx(51.61 - 53.91, abs=0.02)
    assert gains["clip+convnext"] == pytest.approx(54.45 - 52.18, abs=0.02)


def test_the_documentation_shows_this_output_and_every_hypothesis() -> None:
    page = (ROOT / "docs" / "findings.md").read_text()
    assert f"```text\n{as_text([FAMILY])}\n```" in page
    for one in HYPOTHESES:
        assert f"| {one.id} | {one.statement} | {MEASURES[one.measure]} | {one.population} |" in page


def test_the_catalog_has_all_names() -> None:
    assert set(backbones()) == set(NAMES.values())
    found = backbones()["convnext"]
    assert (found.is_convnet, found.resolution, found.visual_tokens, found.family) == (
        *(True, 1024, 576),
        "OpenCLIP ConvNeXt-XXL",
    )


def test_all_published_models_are_evidence() -> None:
    evidence = published_evidence()
    assert len(evidence.models) == 76 + 1 + 7 + 4
    assert len({model.key for model in evidence.models}) == len(evidence.models)
    assert all(AVERAGE in model.means for model in evidence.models)
    (line,) = [model for model in evidence.models if model.key == "recipe_scores.csv:76"]
    assert (line.encoder, line.design["vision"], line.design["instruct"]) == ("clip", "unfrozen", "5m")
    assert line.means[AVERAGE] == pytest.approx(57.44, abs=0.01)
