"""From the configuration of an encoder to a typed one: of the study, or one's own."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from cambrian.errand import ask
from cambrian.errors import UserError
from cambrian.local_weights import fingerprint
from cambrian.recipe import PRETRAINED, Encoder
from cambrian.schema import read
from cambrian.stages.base import digest_of
from cambrian.user_cache import keep, kept

Node = Mapping[str, Any]

OWN = "timm"
"""The choice of the axis that stands for a person's own encoder."""
HUB = "hf-hub:"
FOLDER = "local-dir:"
_MEASURES = 2
"""Version of what is measured; raising it asks again."""
_COMMIT = 40
"""Letters of a commit's full name."""
_FORM = (
    "encoder.model must be a name of timm, such as vit_base_patch16_clip_224.openai, hf-hub:OWNER/NAME, or a "
    "folder, such as ./my-encoder"
)


@dataclass(frozen=True, kw_only=True)
class OwnEncoder:
    """What a person may choose about an encoder of their own; conf/encoder/timm.yaml says what it means."""

    supervision: str
    name: str | None
    model: str | None
    checkpoint: str | None
    revision: str | None
    resolution: int | None
    layer: int
    norm: bool | None
    multi_stage: bool
    grid: int | None
    pooling: str

    @property
    def label(self) -> str:
        """What it is called in results."""
        if self.name is not None:
            return self.name
        model = str(self.model).removeprefix(HUB).removeprefix(FOLDER).partition("@")[0]
        parts = [Path(model).name if self.model != model or _is_place(model) else model]
        parts += [] if self.resolution is None else [f"{self.resolution}px"]
        parts += [] if self.layer == -1 else [f"layer{self.layer}"]
        parts += ["multi-stage"] if self.multi_stage else []
        parts += [] if self.grid is None else [f"{self.grid}x{self.grid}"]
        return "-".join(parts)


def read_encoder(name: str, node: Node, section: Node, download: bool, faults: list[str]) -> Encoder | None:
    """Read the encoder `name` from its configuration `node`, whose part for one scale is `section`.

    None if there was a fault, which is then added to `faults`.
    """
    try:
        if name == OWN:
            return _read_own(node, section, download, faults)
        values = {"name": name, "supervision": node["supervision"], **section}
        encoder = read(Encoder, values, f"encoders.{name}", faults)
        return None if encoder is None else _with_copy(encoder)
    except UserError as error:
        faults.append(f"encoder '{name}': {error}")
        return None


def copies_of(encoders: Iterable[Encoder]) -> dict[str, str]:
    """Where the weights are that are on this machine, by their fingerprint."""
    return {
        encoder.objective["weights"]: encoder.checkpoint
        for encoder in encoders
        if encoder.checkpoint is not None
    }


def _with_copy(encoder: Encoder) -> Encoder:
    """Put the content of a copy in place of where the weights are published."""
    if encoder.checkpoint is None:
        return encoder
    place = _existing(encoder.checkpoint)
    objective = {"kind": PRETRAINED, "weights": fingerprint(place)}
    return replace(encoder, objective=objective, checkpoint=str(place))


def _read_own(node: Node, section: Node, download: bool, faults: list[str]) -> Encoder | None:
    values = {key: value for key, value in node.items() if not isinstance(value, Mapping)}
    own = read(OwnEncoder, values, f"encoders.{OWN}", faults)
    if own is None:
        return None
    place, request = _request(own, download)
    found = json.loads(_measure(json.dumps(request, sort_keys=True)))
    objective = {**section["objective"], **found["objective"]}
    if own.revision is not None:
        if "hub" not in objective:
            raise UserError(f"encoder.revision={own.revision} is for the hub; {own.model} is not from there")
        objective["revision"] = own.revision
    grid = own.grid or found["grid"]
    encoder = Encoder(
        name=own.label,
        supervision=own.supervision,
        architecture=found["architecture"],
        objective=objective,
        optimization=section["optimization"],
        grid=grid,
        checkpoint=None if place is None else str(place),
        measured={**found["measured"], "grid": found["grid"], "visual_tokens": grid**2},
    )
    return _with_copy(encoder)


def _request(own: OwnEncoder, download: bool) -> tuple[Path | None, dict[str, Any]]:
    """Say where the weights are, if that is here, and what is to be measured."""
    choices = {"layer": own.layer, "pooling": own.pooling}
    choices |= {} if own.norm is None else {"norm": own.norm}
    choices |= {"multi_stage": True} if own.multi_stage else {}
    request: dict[str, Any] = {"resolution": own.resolution, "choices": choices, "download": download}
    model = own.model or ""
    place = None if own.checkpoint is None else _existing(own.checkpoint)
    if model.startswith(HUB):
        hub, _, revision = model.removeprefix(HUB).partition("@")
        return place, {**request, "hub": hub, "revision": own.revision or revision or None}
    if model.startswith(FOLDER) or _is_place(model):
        folder = _existing(model.removeprefix(FOLDER))
        if not folder.is_dir():
            raise UserError(
                f"{model} is no folder: name its network, and the file as encoder.checkpoint={model}"
            )
        content = {"content": fingerprint(folder)}
        return place or folder, {**request, "folder": str(folder), **content}
    if not model or "/" in model:
        raise UserError(f"{_FORM}; got {own.model!r}")
    return place, {**request, "model": model}


def _is_place(model: str) -> bool:
    return model.startswith(("/", "./", "../", "~"))


def _existing(given: str) -> Path:
    place = Path(given).expanduser().absolute()
    if not place.exists():
        raise UserError(f"there is no {place}")
    return place


@lru_cache(maxsize=256)
def _measure(request: str) -> str:
    """Ask a process with torch what an encoder is like, or remember its answer; both are JSON.

    Raises:
        UserError: with what it said.
    """
    place = _place_of(request)
    if place is not None and place.is_file():
        return place.read_text()
    answer = ask("cambrian.encoders.measure", request)
    if place is not None:
        keep(place, answer)
    return answer


def _place_of(request: str) -> Path | None:
    """Where an answer is kept; None where the hub's `main` may be another one tomorrow."""
    asked = json.loads(request)
    if "hub" in asked and len(asked["revision"] or "") != _COMMIT:
        return None
    versions = {name: importlib.metadata.version(name) for name in ("timm", "transformers")}
    return kept("encoders", f"{digest_of([_MEASURES, asked, versions])}.json")
