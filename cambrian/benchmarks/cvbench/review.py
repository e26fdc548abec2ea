"""The page on which a person accepts, modifies or rejects questions: one file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from cambrian.benchmarks.cvbench.dataset import Row, picture_of
from cambrian.benchmarks.cvbench.pictures import as_jpeg
from cambrian.data.pictures import read_picture
from cambrian.errors import DataError

TEMPLATE = Path(__file__).with_name("review.html")
PAGE = "review.html"
SIDE = 448
"""Longer side of a picture on the page, in pixels."""
QUALITY = 60
"""Of its JPEG: some 25 kB a picture, so that all of CV-Bench is a file of less than 100 MB."""
_JUDGED = ("filename", "question", "choices", "answer")
_SHOWN = ("type", "task", "source", "question", "choices", "answer", "source_dataset", "source_filename")


@dataclass(frozen=True, kw_only=True)
class Item:
    """A question under review."""

    key: str
    """Hash of all that a person judges: the question, its options, its answer, its picture and their name."""
    row: Row
    picture: Path


def list_items(folder: Path, rows: Iterable[Row]) -> list[Item]:
    """Give every question of a folder its key.

    Raises:
        DataError: if a picture is not there.
    """
    found = []
    for row in rows:
        picture = picture_of(folder, row)
        judged = [*(row[name] for name in _JUDGED), _hash(_content(picture))]
        found.append(Item(key=_hash(json.dumps(judged).encode())[:16], row=row, picture=picture))
    return found


def name_data(items: Iterable[Item]) -> str:
    """Name the questions under review, whatever their order: decisions are about these."""
    return _hash("".join(sorted(item.key for item in items)).encode())[:16]


def write_page(items: Sequence[Item], out: Path) -> None:
    """Write the page.

    Texts are in it as data, which its script shows as text and never as markup; pictures are decoded when
    they come into view.

    Raises:
        BadImageError: if a picture cannot be read.
    """
    pictures: dict[str, str] = {}
    shown = []
    for item in items:
        name = _hash(_content(item.picture))[:16]
        if name not in pictures:
            pictures[name] = base64.b64encode(_thumbnail(item.picture)).decode()
        shown.append(
            {"key": item.key, "idx": item.row["idx"], "picture": name}
            | {column: item.row[column] for column in _SHOWN}
        )
    before, middle, after = _split(TEMPLATE.read_text(encoding="utf-8"), ("@DATA@", "@PICTURES@"))
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", encoding="utf-8") as file:
        file.write(before)
        file.write(_as_data({"data": name_data(items), "items": shown}))
        file.write(middle)
        for name, content in pictures.items():
            file.write(f'<script type="text/plain" id="picture-{name}">{content}</script>\n')
        file.write(after)


def _content(picture: Path) -> bytes:
    try:
        return picture.read_bytes()
    except OSError as error:
        raise DataError(f"{picture} cannot be read: {error.strerror}; build the data again") from error


def _thumbnail(picture: Path) -> bytes:
    small = read_picture(picture)
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return as_jpeg(small, QUALITY)


def _as_data(content: Mapping[str, object]) -> str:
    """JSON that no parser of HTML takes for the end of its element, or for markup."""
    text = json.dumps(content)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _split(text: str, marks: Sequence[str]) -> list[str]:
    parts = []
    for mark in marks:
        before, found, text = text.partition(mark)
        assert found, f"{TEMPLATE} has no {mark}"
        parts.append(before)
    return [*parts, text]


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
