"""The paper's findings as hypotheses, fixed before own results are looked at.

Each row says what is compared, on which measure and in which direction; how a verdict comes about is in
`analysis.inference`. All rows are tested together as one family. A hypothesis is phrased so that a positive
effect (a share above 50 %) is what the paper says. The published tables were known when the rows were
written, and which measures and pairs became rows was decided after a first look at them: on them a verdict
says whether the numbers carry the claim, and is no independent test; Holm's correction does not undo that.

Finding 2, that asking multiple-choice questions from vision benchmarks anew makes a better benchmark, led to
CV-Bench: it is a contribution and not a statement about models, so no row tests it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analysis.findings.combinations import AddedMember, BestMember
from analysis.findings.contrasts import Change, Lead, Narrowing, Resolution, Trend
from analysis.findings.image_use import BlindLead, SmallGain
from analysis.findings.terms import Contrast
from analysis.missing import run_command
from analysis.published import AVERAGE

FINDINGS: Mapping[int, str] = {
    1: "Most benchmarks hardly measure vision.",
    3: "Training in two stages helps, and more adapter data helps further.",
    4: "Unfreezing the vision encoder helps.",
    5: "High resolution and ConvNets help charts, text and vision-centric tasks.",
    6: "Language-supervised encoders lead; data and unfreezing narrow the gap to self-supervised ones.",
    7: "Combining vision encoders helps.",
    8: "SVA makes more of several encoders than concatenation or a resampler.",
}
"""The paper's number -> what it says, in short."""

OCR, VISION = "ocr_chart", "vision_centric"

FIGURE_6 = {"adapter": "1.2M", "vision": "frozen", "instruct": "737k"}
"""The design at which the paper compares encoders."""

UNFREEZE = Change(before={"vision": "frozen"}, after={"vision": "unfrozen"})
MORE_DATA = Change(before={"instruct": "737k"}, after={"instruct": "5m"})
BOTH = Change(before={"vision": "frozen", "instruct": "737k"}, after={"vision": "unfrozen", "instruct": "5m"})

SMALL_GAIN = 5.0
"""Points below which a benchmark hardly needs the image."""

POINTS = "points"

EACH = "each benchmark"
"""The measure of hypotheses about benchmarks."""


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """One statement that results can support or contradict."""

    id: str
    """The paper's finding and a letter."""
    statement: str
    contrast: Contrast
    population: str
    """Which models are compared."""
    fill: str
    """Words of `python run.py -m` that make runs for it in the lab, or at scale=mini if the lab cannot."""
    sweep: str
    """The same at other scales: the paper's own grids."""
    measure: str = AVERAGE
    null: float = 0.0
    """The effect that says nothing; the hypothesis is that it is larger."""
    unit: str = POINTS
    """Of the effect."""
    caution: str = ""
    """What the interval does not cover, if anything."""

    @property
    def finding(self) -> int:
        """The paper's number."""
        return int(self.id[:-1])

    def command(self, scale: str) -> str:
        """Make runs at `scale` that it is tested on; what is there is reused."""
        words = self.fill if scale == "lab" else f"sweep={self.sweep} scale={scale}"
        return run_command(words.split(), several=True)


_BY_ENCODER = "encoder=clip,siglip,convnext,dinov2,mae"
_TOGETHER = "encoder=siglip,clip,convnext,dinov2,[siglip,convnext],[clip,convnext],[siglip,dinov2,convnext]"
_SHARED = "combinations share encoders, so the interval is rather too narrow than too wide"
_CONFOUNDED = "encoders differ in more than this: size, patch and data"

HYPOTHESES: tuple[Hypothesis, ...] = (
    Hypothesis(
        id="1a",
        statement=f"Most benchmarks gain less than {SMALL_GAIN:g} points by the image",
        contrast=SmallGain(points=SMALL_GAIN),
        population="every model, with the image and without",
        fill=_BY_ENCODER,
        sweep="fig6",
        measure=EACH,
        null=50.0,
        unit="% of benchmarks",
    ),
    Hypothesis(
        id="1b",
        statement="Without the image models still beat chance",
        contrast=BlindLead(),
        population="every model, without the image",
        fill=_BY_ENCODER,
        sweep="fig6",
        measure=EACH,
    ),
    Hypothesis(
        id="3a",
        statement="Training the connector first, on 0.5M captions, helps",
        contrast=Change(before={"adapter": "0M"}, after={"adapter": "0.5M"}),
        population="the same model without and with a first stage",
        fill=f"{_BY_ENCODER} adapter=0M,0.5M",
        sweep="fig5",
    ),
    Hypothesis(
        id="3b",
        statement="1.2M captions help more than 0.5M",
        contrast=Change(before={"adapter": "0.5M"}, after={"adapter": "1.2M"}),
        population="the same model with less and more adapter data",
        fill=f"{_BY_ENCODER} adapter=0.5M,1.2M",
        sweep="fig5",
    ),
    Hypothesis(
        id="4a",
        statement="Unfreezing the encoder helps",
        contrast=UNFREEZE,
        population="the same model, frozen and unfrozen",
        fill=f"{_BY_ENCODER} vision=frozen,unfrozen",
        sweep="fig5",
    ),
    Hypothesis(
        id="4b",
        statement="Unfreezing helps language-supervised encoders",
        contrast=Change(before=UNFREEZE.before, after=UNFREEZE.after, only="language"),
        population="the same model, frozen and unfrozen",
        fill="encoder=clip,siglip,convnext vision=frozen,unfrozen",
        sweep="fig5",
    ),
    Hypothesis(
        id="4c",
        statement="Unfreezing helps self-supervised encoders in vision-centric tasks",
        contrast=Change(before=UNFREEZE.before, after=UNFREEZE.after, only="self"),
        population="the same model, frozen and unfrozen",
        fill="encoder=dinov2,mae vision=frozen,unfrozen",
        sweep="fig5",
        measure=VISION,
    ),
    *(
        Hypothesis(
            id=id,
            statement=f"The same encoder at a higher resolution is better at {task}",
            contrast=Resolution(),
            population="one encoder at two resolutions in the same design",
            fill="scale=mini encoder=dinov2,dinov2_518,convnext_l_512,convnext_l",
            sweep="fig6",
            measure=measure,
        )
        for id, measure, task in (("5a", OCR, "charts and text"), ("5b", VISION, "vision-centric tasks"))
    ),
    *(
        Hypothesis(
            id=id,
            statement=f"Language-supervised encoders of higher resolution are better at {task}",
            contrast=Trend(side="language", at=FIGURE_6),
            population="language-supervised encoders of several resolutions, 1.2M adapter data, frozen, 737K",
            fill="scale=mini encoder=clip,dfn_clip_l,siglip_l,siglip,convnext_l_512,convnext_l",
            sweep="fig6",
            measure=measure,
            unit="points per doubling of the resolution",
            caution=_CONFOUNDED,
        )
        for id, measure, task in (("5c", OCR, "charts and text"), ("5d", VISION, "vision-centric tasks"))
    ),
    *(
        Hypothesis(
            id=id,
            statement=f"ConvNets are better at {task} than language-supervised transformers",
            contrast=Lead(more="convnet", less="transformer", at=FIGURE_6),
            population="language-supervised encoders, 1.2M adapter data, frozen, 737K",
            fill="encoder=clip,siglip,convnext",
            sweep="fig6",
            measure=measure,
            caution=_CONFOUNDED,
        )
        for id, measure, task in (("5e", OCR, "charts and text"), ("5f", VISION, "vision-centric tasks"))
    ),
    *(
        Hypothesis(
            id=id,
            statement=f"Language-supervised encoders lead {name}",
            contrast=Lead(more="language", less=less, at=FIGURE_6),
            population="encoders with 1.2M adapter data, frozen, 737K",
            fill=f"encoder=clip,siglip,convnext,{others}",
            sweep="fig6",
        )
        for id, less, name, others in (
            ("6a", "self", "self-supervised ones", "dinov2,mae"),
            ("6b", "other", "those supervised in other ways", "sam"),
        )
    ),
    *(
        Hypothesis(
            id=id,
            statement=f"{what} narrows the gap between language- and self-supervised encoders",
            contrast=Narrowing(change=change, behind="self", ahead="language"),
            population="self- and language-supervised encoders before and after it",
            fill=f"{_BY_ENCODER} {words}",
            sweep=sweep,
        )
        for id, what, change, words, sweep in (
            ("6c", "Unfreezing", UNFREEZE, "vision=frozen,unfrozen", "fig5"),
            ("6d", "More instruction data (5M over 737K)", MORE_DATA, "instruct=737k,5m", "fig7"),
            ("6e", "Unfreezing with more data", BOTH, "vision=frozen,unfrozen instruct=737k,5m", "fig7"),
        )
    ),
    *(
        Hypothesis(
            id=id,
            statement=f"Several encoders are better than the best of them alone{where}",
            contrast=BestMember(),
            population="combinations and their members in the same design",
            fill=_TOGETHER,
            sweep="[fig6,table_ensembles]",
            measure=measure,
            caution=_SHARED,
        )
        for id, measure, where in (("7a", AVERAGE, ""), ("7b", VISION, " in vision-centric tasks"))
    ),
    Hypothesis(
        id="7c",
        statement="Adding a self-supervised encoder to others helps in vision-centric tasks",
        contrast=AddedMember(supervision="self"),
        population="combinations of at least two encoders, without and with one that is self-supervised",
        sweep="table_ensembles",
        fill="encoder=[siglip,convnext],[siglip,dinov2,convnext],[clip,convnext],[clip,dinov2,convnext]",
        measure=VISION,
        caution=_SHARED,
    ),
    *(
        Hypothesis(
            id=id,
            statement=f"SVA is better than {name}{where}",
            contrast=Change(
                before={"connector": connector}, after={"connector": "sva"}, noun="choices of encoders"
            ),
            population="the same encoders under both connectors",
            fill=f"{_TOGETHER} connector={connector},sva",
            sweep="table_connectors",
            measure=measure,
        )
        for id, connector, name, measure, where in (
            ("8a", "concat", "concatenation", AVERAGE, ""),
            ("8b", "resampler", "a resampler", AVERAGE, ""),
            ("8c", "concat", "concatenation", OCR, " at charts and text"),
        )
    ),
)
