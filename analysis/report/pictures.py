"""Small pictures of questions: drawn again for the lab, read from copies of the data for the hub's."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from cambrian.benchmarks.material import Material, open_material
from cambrian.benchmarks.suite import BENCHMARKS
from cambrian.data.pictures import Size, View
from cambrian.errors import DataError, UserError
from cambrian.runtime import Runtime

BYTES = 1_200_000
"""Room for all pictures of a report; in the file each byte takes four thirds."""
SIDES = (384, 256, 192, 128)
"""Longer sides in pixels; the largest of which all pictures of a benchmark fit into its share of the room."""
LAB_SIDES = (128,)
"""The lab draws its pictures in the sizes that its encoders see."""
QUALITY = 60
"""Of WebP, from 0 to 100."""
PADDING = (255, 255, 255)

NOT_NOTED = "The evaluation does not say which data it asked about."
NOT_HERE = (
    "The pictures of this benchmark are not on the machine that made the report; --data DIR names them."
)
CHANGED = "The copy of the data is not the one that was evaluated."
NO_ROOM = "Left out: the report has no more room for pictures."


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Pictures of one benchmark."""

    shown: Mapping[str, str]
    """Name -> data URL."""
    lacking: Mapping[str, str]
    """Name -> why there is none, a sentence."""


def read_pictures(recipe: Mapping[str, Any], names: Sequence[str], data: Path | None, room: int) -> Pictures:
    """Make the pictures `names` of an evaluation, at the largest size at which they fit into `room` bytes.

    Args:
        recipe: of the evaluation.
        names: what its questions call the pictures.
        data: folder of data sets with copies of benchmarks in it.
        room: bytes.
    """
    wanted = list(dict.fromkeys(names))
    row = BENCHMARKS.get(str(recipe.get("benchmark", {}).get("id", "")))
    if row is None or not {"questions", "seed"} <= recipe.keys():
        return _none(wanted, NOT_NOTED)
    with tempfile.TemporaryDirectory(prefix="cambrian-report-") as cache:
        try:
            material = open_material(recipe, Runtime(store=Path(cache), data=data))
            known = {question.image for question in material.questions}
            here = [name for name in wanted if name in known]
            sides = LAB_SIDES if row.source == "lab" else SIDES
            found = _fitting(material, here, sides, room)
        except DataError:
            return _none(wanted, CHANGED)
        except UserError:
            return _none(wanted, NOT_HERE)
    gone = {name: CHANGED for name in wanted if name not in known}
    return Pictures(shown=found.shown, lacking={**found.lacking, **gone})


def _none(names: Sequence[str], why: str) -> Pictures:
    return Pictures(shown={}, lacking=dict.fromkeys(names, why))


def _fitting(material: Material, names: Sequence[str], sides: Sequence[int], room: int) -> Pictures:
    """Pictures at the first of `sides` at which all fit, else at the last as many as do, in their order."""
    found: dict[str, bytes] = {}
    lacking: dict[str, str] = {}
    for side in sides:
        found, lacking = _encode_all(material, names, side)
        if sum(map(len, found.values())) <= room or side == sides[-1]:
            break
    shown: dict[str, str] = {}
    used = 0
    for name, content in found.items():
        used += len(content)
        if used <= room:
            shown[name] = f"data:image/webp;base64,{base64.b64encode(content).decode('ascii')}"
        else:
            lacking[name] = NO_ROOM
    return Pictures(shown=shown, lacking=lacking)


def _encode_all(
    material: Material, names: Sequence[str], side: int
) -> tuple[dict[str, bytes], dict[str, str]]:
    view = View(side, PADDING)
    made = material.show(names, [view])
    lacking = {name: f"It cannot be shown: {why}." for name, why in made.faults.items()}
    found = {}
    for name, place in made.places.items():
        picture = Image.fromarray(made.pictures[view][place])
        found[name] = _encode(_without_padding(picture, made.sizes[place]))
    return found, lacking


def _without_padding(picture: Image.Image, size: Size | None) -> Image.Image:
    """Take off what filled a picture of `size` up to a square; None for what was one."""
    if size is None or size[0] == size[1]:
        return picture
    side = picture.width
    width, height = (max(1, round(side * length / max(size))) for length in size)
    left, top = (side - width) // 2, (side - height) // 2
    return picture.crop((left, top, left + width, top + height))


def _encode(picture: Image.Image) -> bytes:
    content = BytesIO()
    picture.save(content, format="WEBP", quality=QUALITY, method=4)
    return content.getvalue()
