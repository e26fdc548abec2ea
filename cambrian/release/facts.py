"""What is known of a finished model's making, as far as others may know it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

from cambrian.errors import UserError
from cambrian.stages.base import Artifact
from cambrian.stages.connecting import encoder_roles
from cambrian.sweep.store import Store

KEPT = (
    "created",
    "seconds",
    "work",
    "python",
    "packages",
    "git",
    "workers",
    "micro_batch",
    "weights",
    "source",
)
"""Of a stage's provenance; names of machines stay at home."""
LAB = "lab"
TUNE = "tune"


def gather_facts(tuned: Artifact, store: Store) -> dict[str, Any]:
    """Collect recipe, data, settings, scores and provenance of a finished `tune` stage.

    Returns:
        {"name", "axes", "lab", "notes": sentences, "origin": {},
         "stages": [{"role", "kind", "digest", "label", "recipe", "metrics", "provenance"}],
         "evaluations": [{"digest", "benchmark", "category", "lab", "metric", "seed", "metrics"}]}

    Raises:
        UserError: if a stage it was made from is gone.
    """
    inputs = tuned.manifest["inputs"]
    roles = [*encoder_roles(inputs), "language", *(["align"] if "align" in inputs else [])]
    stages = [describe_stage(role, require(store, _kind(role), inputs[role])) for role in roles]
    axes = tuned.manifest["axes"]
    facts = {
        "name": run_name(tuned),
        "axes": axes,
        "lab": axes.get("scale") == LAB,
        "notes": [],
        "origin": {},
        "stages": [*stages, describe_stage(TUNE, tuned)],
        "evaluations": _evaluations(tuned.digest, store),
    }
    return public(facts)


def run_name(artifact: Artifact) -> str:
    """The name of the run that made a model, as its table of scores has it; of other stages the label."""
    label = artifact.manifest["label"]
    if artifact.manifest["kind"] != TUNE:
        return label
    return f"{label.removeprefix('tune ')} s{artifact.manifest['recipe']['seed']}"


def require(store: Store, kind: str, digest: str) -> Artifact:
    """Give a finished stage by its manifest alone.

    Raises:
        UserError: if it is not in the store.
    """
    found = store.find(kind, digest)
    if found is None:
        raise UserError(
            f"{kind} {digest[:12]} is not in the store {store.place}; the command of the sweep that needs it "
            "makes it again"
        )
    return found


def describe_stage(role: str, artifact: Artifact) -> dict[str, Any]:
    """Say what a stage is and how it was made; `role` is its part in the model."""
    manifest = artifact.manifest
    provenance = {name: value for name, value in manifest["provenance"].items() if name in KEPT}
    if isinstance(provenance.get("source"), Mapping):  # where a local LLM lay is nobody's business
        provenance["source"] = {k: v for k, v in provenance["source"].items() if k != "directory"}
    return {
        "role": role,
        "kind": manifest["kind"],
        "digest": artifact.digest,
        "label": manifest["label"],
        "recipe": manifest["recipe"],
        "metrics": manifest["metrics"],
        "provenance": provenance,
    }


def public(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Cut what is private out of a JSON value: where paths lead, passwords and queries of URLs."""
    if isinstance(value, Mapping):
        return {key: public(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [public(item) for item in value]
    if not isinstance(value, str):
        return value
    if "://" in value:
        parts = urlsplit(value)
        if parts.scheme == "file":
            return PurePath(parts.path).name
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    if value.startswith(("/", "~", "./", "../")):
        return PurePath(value).name
    return value


def _kind(role: str) -> str:
    return "encoder" if role.startswith("encoder.") else role


def _evaluations(model: str, store: Store) -> list[dict[str, Any]]:
    """All finished evaluations of a model, by benchmark and seed."""
    found = []
    for artifact in store.artifacts("evaluate"):
        manifest = artifact.manifest
        if manifest["inputs"].get("model") != model:
            continue
        recipe = manifest["recipe"]
        found.append(
            {
                "digest": artifact.digest,
                "benchmark": recipe["benchmark"]["id"],
                "category": manifest["axes"]["category"],
                "lab": recipe["benchmark"].get("source", LAB) == LAB,
                "metric": recipe["benchmark"]["metric"],
                "seed": recipe["seed"],
                "metrics": dict(artifact.metrics),
            }
        )
    return sorted(found, key=lambda row: (row["category"], row["benchmark"], row["seed"]))
