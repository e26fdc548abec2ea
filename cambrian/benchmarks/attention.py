"""Measure how SVA's attention is shared out among the encoders: `python -m cambrian.benchmarks.attention`.

python -m cambrian.benchmarks.attention MODEL BENCHMARK ... [--images N] > shares.json

A finished model looks at the pictures of benchmarks that it was evaluated on, each with the first question
about it. The share of an encoder is its part of the attention of all queries, heads and layers, those inside
the LLM included. Tong et al. 2024, "Cambrian-1", print such shares of one model for GQA, DocVQA and
ScienceQA, and do not say how they averaged.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cambrian.benchmarks.material import Material, Shown
from cambrian.benchmarks.records import Question
from cambrian.data.pictures import View
from cambrian.errors import UserError, leaving_on_user_error
from cambrian.runtime import Runtime
from cambrian.stages.base import Artifact
from cambrian.sweep.__main__ import positive
from cambrian.sweep.bucket_store import open_store
from cambrian.sweep.place import locate_store
from cambrian.sweep.store import Store


@dataclass(frozen=True, kw_only=True)
class OnePerPicture:
    """The material of a benchmark, with the first question about each picture."""

    whole: Material
    most: int
    """Pictures; 0 for all."""

    @property
    def questions(self) -> Sequence[Question]:
        """The first about each of the first pictures."""
        first: dict[str, Question] = {}
        for question in self.whole.questions:
            first.setdefault(question.image, question)
        chosen = list(first.values())
        return chosen[: self.most] if self.most else chosen

    @property
    def total(self) -> int:
        """Of the whole."""
        return self.whole.total

    @property
    def facts(self) -> Mapping[str, str]:
        """Of the whole."""
        return self.whole.facts

    def show(self, names: Sequence[str], views: Sequence[View]) -> Shown:
        """Make pictures ready."""
        return self.whole.show(names, views)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the shares as JSON.

    Raises:
        UserError: if the model has no SVA, or was not evaluated on one of the benchmarks.
    """
    given = make_parser().parse_args(arguments)
    place = locate_store(given.store)
    runtime = Runtime(store=place.directory, bucket=place.url, device=given.device, data=given.data)
    report = measure(given.model, given.benchmarks, open_store(runtime), runtime, most=given.images)
    json.dump(report, sys.stdout, indent=1)
    print()
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    about, _, more = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m cambrian.benchmarks.attention",
        description=about + more,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="a finished `tune` stage, by run, label or start of its digest")
    parser.add_argument("benchmarks", nargs="+", metavar="BENCHMARK", help="that it was evaluated on")
    parser.add_argument(
        "--images", type=positive, default=0, metavar="N", help="look at the first N pictures; default: all"
    )
    parser.add_argument(
        "--store", metavar="PLACE", help="directory or URL; default: $CAMBRIAN_STORE, else runs/"
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="holds copies of benchmarks in DIR/benchmarks"
    )
    parser.add_argument("--device", default="cpu", help="of torch; default: cpu")
    return parser


def measure(
    given: str, benchmarks: Sequence[str], store: Store, runtime: Runtime, *, most: int
) -> dict[str, Any]:
    """Look at the pictures of each benchmark with the model called `given`: shares in per cent.

    Raises:
        UserError: if the model has no SVA, or was not evaluated on one of the benchmarks.
    """
    from cambrian.release.sources import find_model, find_stage  # late: torch and transformers take seconds
    from cambrian.stages.device import prepare_device

    tuned = find_stage(given, "tune", store)
    evaluations = _evaluations(tuned, store)
    missing = [name for name in benchmarks if name not in evaluations]
    if missing:
        raise UserError(
            f"{tuned.manifest['label']} was not evaluated on {', '.join(missing)}; "
            f"it was on: {', '.join(sorted(evaluations)) or 'nothing'}"
        )
    if tuned.manifest["recipe"]["connector"]["kind"] != "sva":
        raise UserError(
            f"{tuned.manifest['label']} has no SVA, and with other connectors no encoder gets attention; "
            "choose a model with connector=sva or sva_no_multi_agg"
        )
    model = find_model(tuned.digest, store).load(prepare_device(runtime))
    found = {name: _shares(model, evaluations[name], runtime, most) for name in dict.fromkeys(benchmarks)}
    encoders = [str(name) for name in tuned.manifest["axes"]["encoder"]]
    return {
        "model": tuned.digest,
        "label": tuned.manifest["label"],
        "scale": tuned.manifest["axes"]["scale"],
        "encoders": encoders,
        "benchmarks": found,
    }


def _evaluations(tuned: Artifact, store: Store) -> dict[str, Artifact]:
    """Benchmark -> an evaluation of the model on it."""
    return {
        artifact.manifest["recipe"]["benchmark"]["id"]: artifact
        for artifact in store.artifacts("evaluate")
        if artifact.manifest["inputs"].get("model") == tuned.digest
        and "benchmark" in artifact.manifest["recipe"]
    }


def _shares(model: Any, evaluation: Artifact, runtime: Runtime, most: int) -> dict[str, Any]:  # noqa: ANN401
    from cambrian.benchmarks.material import open_material
    from cambrian.connectors.attention_share import watch_attention
    from cambrian.stages.asking import Asking

    material = OnePerPicture(whole=open_material(evaluation.manifest["recipe"], runtime), most=most)
    asking = Asking(model=model, material=material, max_new_tokens=1)
    with watch_attention(model) as meter:
        asking.sighted()
    shown = len(material.questions) - len(asking.faults)
    if not shown:
        raise UserError(f"no picture of {evaluation.manifest['label']} can be shown")
    return {"images": shown, "shares": [100 * share for share in meter.shares()]}


if __name__ == "__main__":
    with leaving_on_user_error():
        sys.exit(main())
