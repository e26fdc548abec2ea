"""Rows that are longer than the context, and what training makes of them: cut, or left out.

Told by the encoder that training uses, so that it is the truth and no estimate. Sentences on the form of the
answer, which a mixture appends to questions, are not counted.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from cambrian.data.conversation import Conversation
from cambrian.data.examination import Collection, Row
from cambrian.data.llava import parse_row
from cambrian.data.templates import TEMPLATES
from cambrian.data.tokenization import ChatTokenizer
from cambrian.errors import BadExampleError, DataError, UserError

CONTEXT = 2048
"""Of the study, in tokens."""
IMAGE_TOKENS = 576
"""What an image takes of it in the study."""


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """How rows become tokens."""

    tokenizer: Path
    """Directory of an LLM, or its tokenizer.json."""
    template: str
    """Name of a row of `TEMPLATES`."""
    context: int = CONTEXT
    image_tokens: int = IMAGE_TOKENS


@dataclass(frozen=True, kw_only=True)
class TooLong:
    """A row that is longer than the context, or cannot be encoded at all."""

    row: int
    """Number, from 0."""
    line: int
    """Of the file, or number of the row; from 1."""
    tokens: int
    """Of the whole row, its image and the template included; 0 if it cannot be encoded."""
    left_out: str
    """Why training leaves it out; empty if it is cut and used."""


def find_too_long(collection: Collection, rows: Sequence[Row], tokens: Tokens) -> list[TooLong]:
    """Encode every row as training does.

    Raises:
        DataError: if there is no tokenizer.
        UserError: if it does not have the tokens of the template.
    """
    assert collection.rows is not None, "a directory of images has no rows"
    encoder = _encoder(tokens)
    found: dict[int, tuple[int, str]] = {}
    for row in rows:
        read = parse_row(collection.rows[row.number])
        said = Conversation(
            id=read.id, image=None if read.image is None else 0, turns=read.turns, shown=read.shown
        )
        try:
            length, reason = tokens.context + encoder.encode(said).cut, ""
        except BadExampleError as fault:
            length, reason = fault.tokens, fault.reason
        except UserError as fault:
            length, reason = 0, str(fault)
        if reason or length > tokens.context:
            found[row.number] = length, reason
    lines = collection.rows.lines(list(found))
    return [
        TooLong(row=row, line=line, tokens=length, left_out=reason)
        for (row, (length, reason)), line in zip(found.items(), lines, strict=True)
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Let a command line say how rows become tokens."""
    group = parser.add_argument_group("rows longer than the context")
    group.add_argument("--tokenizer", type=Path, help="an LLM's directory, or its tokenizer.json")
    group.add_argument("--template", choices=sorted(TEMPLATES), help="how that LLM writes conversations")
    group.add_argument("--context", type=int, default=CONTEXT, help=f"in tokens (default {CONTEXT})")
    group.add_argument(
        "--image-tokens", type=int, default=IMAGE_TOKENS, help=f"of an image (default {IMAGE_TOKENS})"
    )


def read_arguments(given: argparse.Namespace) -> Tokens | None:
    """Give what the command line says; None without a tokenizer.

    Raises:
        DataError: if a tokenizer is given without a template.
    """
    if given.tokenizer is None:
        return None
    if given.template is None:
        raise DataError(f"--tokenizer needs --template, one of {', '.join(sorted(TEMPLATES))}")
    return Tokens(
        tokenizer=given.tokenizer,
        template=given.template,
        context=given.context,
        image_tokens=given.image_tokens,
    )


def _encoder(tokens: Tokens) -> ChatTokenizer:
    path = tokens.tokenizer
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        raise DataError(f"there is no {file}; --tokenizer takes an LLM's directory or its tokenizer.json")
    return ChatTokenizer(
        Tokenizer.from_file(str(file)),
        template=tokens.template,
        image_positions=tokens.image_tokens,
        max_tokens=tokens.context,
    )
