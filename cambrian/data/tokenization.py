"""Conversations as token ids, with labels on what the model is to say.

A conversation is a chain of special tokens, images and runs of text. A run is encoded as a whole, because
tokenizers join words and spaces across the borders of a template's strings; but every answer begins with a
token of its own. So which tokens are supervised is known by construction and never searched for in the
encoded text, and a prompt is always the beginning of what the model was trained on. The beginning token is
part of the template: what a tokenizer would add by itself is left out. Where a family's text is split at
answers by its own tokenizer, the ids are those of that text encoded at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tokenizers import Tokenizer

from cambrian.data.conversation import Conversation, Turn
from cambrian.data.templates import TEMPLATES
from cambrian.errors import BadExampleError, UserError, unknown_name

IGNORED = -100
"""Label of a position that is not supervised; the value PyTorch's cross-entropy skips."""

_BEFORE = ("\n", "a", "1", ".", "~")
"""What is put before a run of text so that it is encoded as in the middle of a text."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One encoded conversation; the three tuples are of one length."""

    id: str
    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    """The token itself where it is supervised, else `IGNORED`."""
    placeholder: tuple[bool, ...]
    """True where a visual token, or the newline after a row of them, goes."""
    cut: int = 0
    """Tokens behind the context, which are not in it."""


@dataclass(frozen=True, kw_only=True)
class _Run:
    """Tokens that are alike."""

    ids: list[int]
    image: bool = False
    supervised: bool = False


_Piece = tuple[Literal["form", "text", "image", "answer"], str]
"""A string of the template, a question, the place of an image, or an answer."""


class ChatTokenizer:
    """Encodes conversations and prompts for one LLM and one connector."""

    def __init__(self, tokenizer: Tokenizer, *, template: str, image_positions: int, max_tokens: int) -> None:
        """Prepare.

        Args:
            tokenizer: of the LLM.
            template: name of a row of `TEMPLATES`.
            image_positions: positions that a square image takes.
            max_tokens: the context; conversations are cut to this length.

        Raises:
            UserError: for an unknown template, or one whose special tokens the tokenizer does not have.
        """
        if template not in TEMPLATES:
            raise UserError(unknown_name("template", template, TEMPLATES))
        self.template = TEMPLATES[template]
        self.tokenizer = tokenizer
        self.image_positions = image_positions
        self.max_tokens = max_tokens
        self.end_id = self._single("end", self.template.end)
        self.pad_id = self._single("pad", self.template.pad or self.template.end)
        self._placeholder_id = self._single("placeholder", self.template.placeholder or self.template.end)
        self._special = {token: self._single("special", token) for token in self.template.special}
        self._cuts = re.compile(f"({'|'.join(map(re.escape, self.template.special))})")
        added = tokenizer.get_added_tokens_decoder().values()
        self._swallowing = {token.content for token in added if token.rstrip}
        self._text = TextEncoder(tokenizer, self.template.end)
        self.vocabulary = 1 + max(tokenizer.get_vocab(with_added_tokens=True).values())
        """Ids below this have a token; an LLM may have more, which mean nothing."""

    def encode(self, conversation: Conversation, image_positions: int | None = None) -> Example:
        """Encode for training; its image takes `image_positions`, None for those of a square one.

        What is longer than the context is cut at it.

        Raises:
            BadExampleError: if no token of an answer is left to learn from, or a part of its image lies
                behind the last token that fits.
            UserError: if text has no border where one is needed.
        """
        ids: list[int] = []
        labels: list[int] = []
        placeholder: list[bool] = []
        shown = None if conversation.image is None else conversation.shown
        for run in self._runs(conversation.turns, shown, image_positions):
            ids += run.ids
            labels += run.ids if run.supervised else [IGNORED] * len(run.ids)
            placeholder += [run.image] * len(run.ids)
        if all(label in (IGNORED, self.end_id) for label in labels[: self.max_tokens]):
            reason = f"has no supervised token among its first {self.max_tokens:,}"
            raise BadExampleError(conversation.id, reason, self.decode(ids), len(ids))
        if any(placeholder[self.max_tokens :]):
            reason = f"has its image behind the first {self.max_tokens:,} tokens"
            raise BadExampleError(conversation.id, reason, self.decode(ids), len(ids))
        return Example(
            id=conversation.id,
            input_ids=tuple(ids[: self.max_tokens]),
            labels=tuple(labels[: self.max_tokens]),
            placeholder=tuple(placeholder[: self.max_tokens]),
            cut=max(0, len(ids) - self.max_tokens),
        )

    def prompt(
        self, question: str, *, image: bool, image_positions: int | None = None
    ) -> tuple[list[int], list[bool]]:
        """Encode up to where the answer begins: token ids, and which of them are placeholders.

        `image_positions` is as in `encode`.
        """
        ids: list[int] = []
        placeholder: list[bool] = []
        turns = (Turn(question=question, answer=""),)
        for run in self._runs(turns, 0 if image else None, image_positions):
            if run.supervised:
                break
            ids += run.ids
            placeholder += [run.image] * len(run.ids)
        return ids, placeholder

    def continuation(self, question: str, answer: str, *, image: bool) -> list[int]:
        """Encode `answer` as it stands behind the prompt of `question`, without the end token."""
        turns = (Turn(question=question, answer=answer),)
        runs = self._runs(turns, 0 if image else None, 0)
        return [token for run in runs if run.supervised for token in run.ids][:-1]

    def decode(self, ids: Sequence[int]) -> str:
        """Write token ids as text, special tokens included."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=False)

    def _pieces(self, turns: Sequence[Turn], shown: int | None) -> Iterator[_Piece]:
        """Write `turns` in the template's form, the image in front of turn `shown`."""
        form = self.template
        yield "form", form.begin
        # Without an image and a beginning, the prompt for a caption would have no token at all.
        if not any(turn.question for turn in turns) and len(turns) < 2 and (shown == 0 or form.begin):
            if shown == 0:
                yield "image", ""
            for turn in turns:
                yield "answer", turn.answer
            return
        yield "form", form.system
        for number, turn in enumerate(turns):
            yield "form", (form.between if number else "") + form.before_turn
            if number == shown:
                yield "image", ""
                yield "form", form.after_image
            yield "form", form.before_question
            yield "text", turn.question
            yield "form", form.before_answer
            yield "answer", form.lead + turn.answer if turn.answer else ""

    def _runs(self, turns: Sequence[Turn], shown: int | None, positions: int | None) -> Iterator[_Run]:
        """Encode `turns`: text that meets text becomes one run, which a special token or an answer ends."""
        text, fresh, swallowed = "", True, False
        for kind, piece in self._cut(self._pieces(turns, shown)):
            if kind == "text":
                text += piece
                continue
            if swallowed:
                text = text.lstrip()
            if text:
                yield _Run(ids=self._text.encode(text, fresh=fresh))
                fresh = False
            if kind == "answer":
                if piece:
                    yield _Run(ids=self._text.encode(piece, fresh=fresh), supervised=True)
                piece = self.template.end
            if kind == "image":
                count = self.image_positions if positions is None else positions
                yield _Run(ids=[self._placeholder_id] * count, image=True)
            else:
                yield _Run(ids=[self._special[piece]], supervised=kind == "answer")
            text, fresh, swallowed = "", True, piece in self._swallowing

    def _cut(self, pieces: Iterator[_Piece]) -> Iterator[_Piece]:
        """Cut the template's strings at special tokens; what is left of them is text like any other."""
        for kind, piece in pieces:
            if kind != "form":
                yield kind, piece
                continue
            for part in self._cuts.split(piece):
                yield "form" if part in self._special else "text", part

    def _single(self, role: str, token: str) -> int:
        found = self.tokenizer.token_to_id(token)
        if found is None:
            raise UserError(
                f"the tokenizer lacks '{token}', the {role} token of template '{self.template.name}'; "
                f"choose the template of this LLM out of {', '.join(sorted(TEMPLATES))}"
            )
        return found


class TextEncoder:
    """Encodes text at its place in a longer one; nothing in it is taken for a special token."""

    def __init__(self, tokenizer: Tokenizer, special: str) -> None:
        """Take a copy of `tokenizer`, which has the token `special`, and try what it does after one."""
        self._tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        whole = self._ids(f"{special}x")
        self._tokenizer.encode_special_tokens = True
        self._starts_anew = whole[1:] == self._ids("x")
        self._before = [
            (text, ids)
            for text in _BEFORE
            if (ids := self._ids(text)) and tokenizer.decode(ids, skip_special_tokens=False) == text
        ]

    def encode(self, text: str, *, fresh: bool) -> list[int]:
        """Encode `text`, which follows a special token or an image if `fresh`, else other text.

        Some tokenizers of the SentencePiece kind put a space before text that follows a special token, as
        they do at the beginning, others do not. Where it follows text, a token begins with it all the same.

        Raises:
            UserError: if the tokenizer joins it with whatever stands before.
        """
        if fresh and self._starts_anew:
            return self._ids(text)
        for before, own in self._before:
            ids = self._ids(before + text)
            # The same tokens for what stands before mean that none of them reaches into the text.
            if ids[: len(own)] == own:
                return ids[len(own) :]
        raise UserError(f"the tokenizer sets no border before {text[:40]!r}; leave this example out")

    def _ids(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids
