"""A data set with planted faults, whose numbers are known: what the doctor has to find, and nothing else."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

CONTEXT = 700
"""In tokens: an image, which takes 576, and what a usual row says."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many rows there are, and how many of them have which fault; the others are clean."""

    rows: int
    missing: int
    truncated: int
    gifs: int
    """GIF files with the name of a JPEG."""
    texts: int
    repeated: int
    """Rows of the first stage's file as well."""
    copies: int
    """Test images in the training data, re-encoded and resized."""
    broken: int
    """Rows out of format, of six kinds in turn."""
    twice: int
    """Rows that say what an earlier one says."""
    long: int
    """Rows with an answer that goes beyond the context."""
    silent: int
    """Rows whose question leaves no room for an answer."""


@dataclass(frozen=True, kw_only=True)
class Planted:
    """Where the files are, and the numbers of the rows with each fault."""

    file: Path
    first_stage: Path
    tests: Path
    rows: Mapping[str, set[int]]


def plant(folder: Path, plan: Plan) -> Planted:
    """Write the data set, the file of the first stage, and the test images."""
    (folder / "images").mkdir(parents=True)
    (folder / "tests").mkdir()
    rng = np.random.default_rng(7)
    kinds = (
        "missing",
        "truncated",
        "gifs",
        "texts",
        "repeated",
        "copies",
        "broken",
        "twice",
        "long",
        "silent",
    )
    wanted = [kind for kind in kinds for _ in range(getattr(plan, kind))]
    places = 1 + rng.choice(plan.rows - 2, len(wanted), replace=False)
    kind_of = {int(place): kind for place, kind in zip(places, wanted, strict=True)}
    lines, first_stage = [], []
    for number in range(plan.rows):
        kind = kind_of.get(number, "clean")
        line = row(number, text=kind == "texts")
        if kind != "texts":
            write_image(folder, number, kind, rng)
        if kind == "broken":
            line = damage(line, number)
        if kind in ("long", "silent"):
            lengthen(line, "gpt" if kind == "long" else "human")
        if kind == "twice":
            earlier = max(n for n in range(number) if kind_of.get(n, "clean") == "clean")
            line = row(earlier)
        lines.append(json.dumps(line))
        if kind == "repeated":
            first_stage.append(json.dumps({**line, "id": f"caption {number}"}))
    first_stage.append(json.dumps(row(plan.rows + 1, text=True)))
    (folder / "data.jsonl").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode()[:-7])
    (folder / "first.jsonl").write_text("\n".join(first_stage))
    for index in range(30):
        paint(rng, (120, 90)).save(folder / "tests" / f"other{index}.png")
    found = {kind: {number for number, of in kind_of.items() if of == kind} for kind in kinds}
    return Planted(
        file=folder / "data.jsonl",
        first_stage=folder / "first.jsonl",
        tests=folder / "tests",
        rows={**found, "cut": {plan.rows - 1}},
    )


def row(number: int, *, text: bool = False) -> dict[str, Any]:
    """A clean row."""
    mark = "" if text else "<image>\n"
    said = [
        {"from": "human", "value": f"{mark}What is number {number}?"},
        {"from": "gpt", "value": f"It is {number}, seen at {number * 7919 % 10007}."},
    ]
    return {"id": str(number), **({} if text else {"image": f"images/{number}.jpg"}), "conversations": said}


def lengthen(line: dict[str, Any], speaker: str) -> None:
    """Let `speaker` say more than the context holds."""
    for said in line["conversations"]:
        if said["from"] == speaker:
            said["value"] += " on and on" * CONTEXT


def write_tokenizer(folder: Path) -> Path:
    """Write a tokenizer whose tokens are words, with those of the template `lab`."""
    special = ("<pad>", "<s>", "</s>", "<image>", "<user>", "<assistant>", "<unk>")
    tokenizer = Tokenizer(WordLevel({word: place for place, word in enumerate(special)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def damage(line: dict[str, Any], number: int) -> Any:
    """Break a row in one of six ways."""
    return [
        {**line, "conversations": "What?"},
        {**line, "image": 7},
        {**line, "conversations": []},
        {key: value for key, value in line.items() if key != "image"},
        [line],
        {**{key: value for key, value in line.items() if key != "image"}, "images": [line["image"]] * 2},
    ][number % 6]


def write_image(folder: Path, number: int, kind: str, rng: np.random.Generator) -> None:
    """Write the image of a row, with its fault."""
    if kind in ("missing", "twice"):
        return
    image = paint(rng, (int(rng.integers(64, 128)), int(rng.integers(64, 128))))
    path = folder / "images" / f"{number}.jpg"
    content = io.BytesIO()
    image.save(content, "gif" if kind == "gifs" else "jpeg", **({} if kind == "gifs" else {"quality": 92}))
    whole = content.getvalue()
    path.write_bytes(whole[: len(whole) * 2 // 3] if kind == "truncated" else whole)
    if kind == "copies":
        factor = (1.0, 0.6, 1.7)[number % 3]
        size = (round(image.width * factor), round(image.height * factor))
        image.resize(size, Image.Resampling.BICUBIC).save(folder / "tests" / f"copy{number}.jpg", quality=80)


def paint(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Something like a photograph, or every third time a page: black lines of words on white."""
    if rng.integers(3):
        coarse = rng.integers(0, 256, (7, 7, 3), dtype=np.uint8)
        return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    page = Image.new("RGB", size, (255, 255, 255))
    pen = ImageDraw.Draw(page)
    for top in range(6, size[1] - 6, 8):
        left = 6
        while left < size[0] - 10:
            width = int(rng.integers(4, 16))
            if rng.integers(5):
                pen.rectangle((left, top, min(left + width, size[0] - 6), top + 3), fill=(20, 20, 20))
            left += width + 4
    return page
