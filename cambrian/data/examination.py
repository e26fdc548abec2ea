"""Looking through a whole data set: every row, every image, and what it shares with another one."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from cambrian.data.image_hashes import WORDS, are_copies, candidates, hash_image
from cambrian.data.images import Folder, Images
from cambrian.data.llava import LlavaRow, parse_row
from cambrian.data.llava_corpus import DECODERS, Fault, Table, inspect
from cambrian.data.pictures import read_picture
from cambrian.data.survey import open_place
from cambrian.errors import BadImageError, DataError

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
"""Files of a directory of images."""
TYPES: Mapping[str, str] = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".gif": "GIF",
    ".bmp": "BMP",
}
"""Ending of a name -> what Pillow calls a file that is what its name says."""
BATCH = 256
"""Images that are read before the next are asked for."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A right row, as much of it as statistics need."""

    number: int
    id: str
    image: str | None
    turns: int
    question_words: int
    answer_words: int
    """Of all turns, as `split` counts them."""
    short_answers: int
    """Answers of at most three words."""
    key: int
    """Hash of the image's file name and what is learnt about it."""


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """The distinct images of a data set."""

    names: tuple[str, ...]
    """Of those that can be read."""
    hashes: np.ndarray = field(repr=False)
    """(len(names), 2) uint64."""
    unreadable: Mapping[str, str]
    """Name -> reason."""
    misnamed: Mapping[str, str]
    """Name -> type of file that it is; such files are read all the same."""


@dataclass(frozen=True, kw_only=True)
class Leak:
    """An image that is a copy of one that was looked for."""

    image: str
    wanted: str
    bits: int
    """In which their hashes differ, of 128."""


@dataclass(frozen=True)
class Collection:
    """Rows and images of a data set, or images of a directory alone."""

    place: Path
    rows: Table | None = field(repr=False)
    images: Images = field(repr=False)

    def load(self, name: str) -> Image.Image:
        """Decode an image.

        Raises:
            BadImageError: with its name and the reason.
        """
        return read_picture(self.read(name), name)

    def read(self, name: str) -> bytes:
        """Give the content of an image."""
        source = self.images.get(name)
        return source.read_bytes() if isinstance(source, Path) else source


def open_collection(place: Path) -> Collection:
    """Open a data set, or a directory of images.

    Raises:
        DataError: if it is neither.
    """
    if place.is_dir() and not (list(place.glob("*.tar")) or list(place.rglob("*.arrow"))):
        return Collection(place, None, Folder(place))
    return Collection(place, *open_place(place))


def list_pictures(collection: Collection) -> list[str]:
    """Names of all images of a directory, in order.

    Raises:
        DataError: if there is none.
    """
    root = collection.place
    found = sorted(
        path.relative_to(root).as_posix() for path in root.rglob("*") if path.suffix.lower() in PICTURES
    )
    if not found:
        raise DataError(f"{root} holds no image: no file that ends with {', '.join(PICTURES)}")
    return found


def read_rows(collection: Collection) -> tuple[list[Row], tuple[Fault, ...]]:
    """Judge every row; give the right ones and the faults of the others."""
    assert collection.rows is not None, "a directory of images has no rows"
    found = inspect(collection.rows, collection.images)
    rows = [_read(number, parse_row(collection.rows[number])) for number in found.kept.tolist()]
    return rows, found.faults


def read_pictures(collection: Collection, names: Iterable[str]) -> Pictures:
    """Decode and hash distinct images."""
    wanted = list(dict.fromkeys(names))
    unreadable: dict[str, str] = {}
    misnamed: dict[str, str] = {}
    right: list[str] = []
    hashes: list[np.ndarray] = []
    with ThreadPoolExecutor(DECODERS) as pool:
        for start in range(0, len(wanted), BATCH):
            batch = wanted[start : start + BATCH]
            for name, (found, said) in zip(
                batch, pool.map(lambda one: _hash(collection, one), batch), strict=True
            ):
                if found is None:
                    unreadable[name] = said
                    continue
                right.append(name)
                hashes.append(found)
                if said:
                    misnamed[name] = said
    table = np.stack(hashes) if hashes else np.zeros((0, WORDS), np.uint64)
    return Pictures(names=tuple(right), hashes=table, unreadable=unreadable, misnamed=misnamed)


def find_copies(
    first: Collection, seen: Pictures, second: Collection, wanted: Pictures
) -> tuple[list[Leak], int]:
    """Find the images of `first` that are copies of some of `second`.

    Returns:
        The copies, each once with the nearest that was confirmed; and how many candidates were no copies.
    """
    leaks: dict[str, Leak] = {}
    rejected = 0
    for pair in candidates(seen.hashes, wanted.hashes):
        image, other = seen.names[pair.first], wanted.names[pair.second]
        if image in leaks and leaks[image].bits <= pair.bits:
            continue
        # The same bytes are the same image, even if it shows nothing.
        same = pair.bits == 0 and first.read(image) == second.read(other)
        if same or are_copies(first.load(image), second.load(other)):
            leaks[image] = Leak(image=image, wanted=other, bits=pair.bits)
        else:
            rejected += 1
    return [leaks[name] for name in seen.names if name in leaks], rejected


def find_shared(rows: Sequence[Row], others: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Rows that teach what a row of another data set teaches, each with the first such."""
    known = {row.key: row for row in reversed(others)}
    return [(row, known[row.key]) for row in rows if row.key in known]


def repeated_ids(rows: Sequence[Row]) -> dict[str, list[int]]:
    """Ids that several right rows have, which is usual in LLaVA's own files -> their numbers."""
    counts = Counter(row.id for row in rows)
    found: dict[str, list[int]] = {}
    for row in rows:
        if counts[row.id] > 1:
            found.setdefault(row.id, []).append(row.number)
    return found


def _read(number: int, row: LlavaRow) -> Row:
    questions = [turn.question.split() for turn in row.turns]
    answers = [turn.answer.split() for turn in row.turns]
    learnt = (Path(row.image).name, answers) if row.image else (questions, answers)
    return Row(
        number=number,
        id=row.id,
        image=row.image,
        turns=len(row.turns),
        question_words=sum(map(len, questions)),
        answer_words=sum(map(len, answers)),
        short_answers=sum(len(words) <= 3 for words in answers),
        key=int.from_bytes(hashlib.blake2b(repr(learnt).encode(), digest_size=8).digest(), "big"),
    )


def _hash(collection: Collection, name: str) -> tuple[np.ndarray | None, str]:
    """Hash of an image and its type if that is not what its name says; or None and what is wrong with it."""
    try:
        content = collection.read(name)
        image = read_picture(content, name)
    except BadImageError as error:
        return None, error.reason
    except OSError as error:
        return None, f"cannot be read: {error.strerror}"
    with Image.open(BytesIO(content)) as opened:
        kind = opened.format or ""
    expected = TYPES.get(Path(name).suffix.lower(), kind)
    # A photograph of some phones is several JPEGs in one file.
    return hash_image(image), "" if kind in (expected, "MPO") else kind
