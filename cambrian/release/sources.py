"""Finding a finished model: a stage of the store, or a directory that holds a whole one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cambrian.encoders.base import VisionEncoder
from cambrian.encoders.table import load_encoder
from cambrian.errors import UserError
from cambrian.model.assembly import load_trained
from cambrian.model.mllm import MultimodalLLM
from cambrian.release.directory import FACTS, is_release, load_model
from cambrian.release.facts import TUNE, describe_stage, gather_facts, public, require, run_name
from cambrian.release.files import read_json
from cambrian.stages.base import Artifact
from cambrian.stages.connecting import encoder_roles
from cambrian.sweep.catalog import MissingArtifactError
from cambrian.sweep.store import Store
from cambrian.sweep.why import complete

SHOWN = 12
"""Stages that a message lists."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A model that can be loaded."""

    load: Callable[[str], MultimodalLLM]
    """Reads it, in evaluation mode, onto a device."""
    facts: Callable[[], Mapping[str, Any]]
    """What is known of its making: see `cambrian.release.facts`."""


def find_model(given: str, store: Store) -> Finished:
    """Find a finished model: a directory, or a `tune` stage by run, label or first characters of its digest.

    Raises:
        UserError: if there is none, or several.
    """
    directory = Path(given).expanduser()
    if directory.is_dir():
        if not is_release(directory):
            raise UserError(
                f"{given} is a directory, but not a model of `python -m cambrian.release save` or `import`"
            )
        return Finished(load=partial(load_model, directory), facts=partial(read_json, directory / FACTS))
    tuned = find_stage(given, TUNE, store)
    return Finished(load=partial(_load, tuned, store), facts=partial(gather_facts, tuned, store))


def find_encoder(given: str, store: Store) -> tuple[VisionEncoder, dict[str, Any]]:
    """Load an encoder and say what is known of it: a directory, or a finished `encoder` stage of the store.

    Raises:
        UserError: if there is none, or several.
    """
    directory = Path(given).expanduser()
    if directory.is_dir():
        encoder = load_encoder(directory)
        known = {"role": "", "kind": "encoder", "digest": "", "label": directory.resolve().name}
        return encoder, {**known, "recipe": public(encoder.architecture), "metrics": {}, "provenance": {}}
    artifact = _fetch(store, "encoder", find_stage(given, "encoder", store).digest)
    return load_encoder(artifact.path), public(describe_stage("", artifact))


def find_stage(given: str, kind: str, store: Store) -> Artifact:
    """Find a finished stage of a kind by run, label or first characters of its digest.

    Raises:
        UserError: if there is none, or several.
    """
    digests = sorted(store.digests(kind))
    if digests and set(given) <= set("0123456789abcdef"):
        return require(store, kind, complete(given, digests, f"finished {kind} stages"))
    known = list(store.artifacts(kind))
    found = [each for each in known if given in (each.manifest["label"], run_name(each))]
    if len(found) == 1:
        return found[0]
    what = (
        f"{len(found)} finished {kind} stages are" if found else f"no directory or finished {kind} stage is"
    )
    listed = [f"  {artifact.digest[:12]}  {run_name(artifact)}" for artifact in (found or known)]
    more = [f"  ... and {len(listed) - SHOWN} more"] if len(listed) > SHOWN else []
    choice = (
        ["choose one by the beginning of its digest:", *listed[:SHOWN], *more]
        if listed
        else ["it has none; choose another with --store PLACE or CAMBRIAN_STORE"]
    )
    raise UserError("\n".join([f"{what} called '{given}' in the store {store.place};", *choice]))


def _load(tuned: Artifact, store: Store, device: str) -> MultimodalLLM:
    """Read a model from its own stage and from those of the parts that stayed frozen."""
    inputs = tuned.manifest["inputs"]
    eyes = [_fetch(store, "encoder", inputs[role]).path for role in encoder_roles(inputs)]
    return load_trained(_fetch(store, TUNE, tuned.digest).path, encoder_dirs=eyes, device=device)


def _fetch(store: Store, kind: str, digest: str) -> Artifact:
    """Give a stage whose files are here and whole."""
    try:
        return store.load(kind, digest)
    except MissingArtifactError as error:
        raise UserError(f"{error}; the command of the sweep that needs it makes it again") from error
