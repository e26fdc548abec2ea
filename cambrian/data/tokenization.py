"""Conversations as token ids, with labels on what the model is to say.

Everything is put together from pieces that are encoded one by one, so that which tokens are supervised is
known by construction and never searched for in the encoded text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from cambrian.data.conversation import Conversation
from cambrian.errors import UserError, unknown_name

IGNORED = -100
"""Label of a position that is not supervised; the value PyTorch's cross-entropy skips."""


@dataclass(frozen=True, kw_only=True)
class Template:
    """How a family of LLMs expects a conversation to be written."""

    name: str
    opening: str
    """Before everything, such as the beginning token and a system prompt."""
    placeholder: str
    """A token that stands where a visual token goes; any one of the vocabulary, its embedding is not used."""
    after_image: str
    before_question: str
    before_answer: str
    end: str
    """Token that ends an answer; supervised, and where generation stops."""
    pad: str


TEMPLATES: dict[str, Template] = {
    template.name: template
    for template in (
        Template(
            name="lab",
            opening="<s>",
            placeholder="<image>",
            after_image="",
            before_question="<user>",
            before_answer="<assistant>",
            end="</s>",
            pad="<pad>",
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class Example:
    """One encoded conversation; the three tuples are of one length."""

    id: str
    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    """The token itself where it is supervised, else `IGNORED`."""
    placeholder: tuple[bool, ...]
    """True where a visual token, or the newline after a row of them, goes."""


class ChatTokenizer:
    """Encodes conversations and prompts for one LLM and one connector."""

    def __init__(self, tokenizer: Tokenizer, *, template: str, image_positions: int, max_tokens: int) -> None:
        """Prepare.

        Args:
            tokenizer: of the LLM.
            template: name of a row of `TEMPLATES`.
            image_positions: positions that one image takes.
            max_tokens: conversations are cut to this length.

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
        self.pad_id = self._single("pad", self.template.pad)
        self._placeholder_id = self._single("placeholder", self.template.placeholder)

    def encode(self, conversation: Conversation) -> Example:
        """Encode for training.

        Raises:
            UserError: with the decoded example, if no token of an answer is left to learn from.
        """
        ids, placeholder = self._beginning(conversation.image is not None)
        labels = [IGNORED] * len(ids)
        for turn in conversation.turns:
            question = self._question(turn.question)
            answer = self._ids(turn.answer)
            labels += [IGNORED] * len(question) + answer + [self.end_id]
            ids += [*question, *answer, self.end_id]
        if all(label in (IGNORED, self.end_id) for label in labels[: self.max_tokens]):
            raise UserError(
                f"example '{conversation.id}' has no supervised token among its first {self.max_tokens}; "
                f"it needs an answer that begins there. Decoded: {self.decode(ids)}"
            )
        placeholder += [False] * (len(ids) - len(placeholder))
        return Example(
            id=conversation.id,
            input_ids=tuple(ids[: self.max_tokens]),
            labels=tuple(labels[: self.max_tokens]),
            placeholder=tuple(placeholder[: self.max_tokens]),
        )

    def prompt(self, question: str, *, image: bool) -> tuple[list[int], list[bool]]:
        """Encode up to where the answer begins: token ids, and which of them are placeholders."""
        ids, placeholder = self._beginning(image)
        asked = self._question(question)
        return ids + asked, placeholder + [False] * len(asked)

    def decode(self, ids: Sequence[int]) -> str:
        """Write token ids as text, special tokens included."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=False)

    def _beginning(self, image: bool) -> tuple[list[int], list[bool]]:
        opening = self._ids(self.template.opening)
        if not image:
            return opening, [False] * len(opening)
        after = self._ids(self.template.after_image)
        ids = opening + [self._placeholder_id] * self.image_positions + after
        placeholder = [False] * len(opening) + [True] * self.image_positions + [False] * len(after)
        return ids, placeholder

    def _question(self, question: str) -> list[int]:
        """Encode a question and what leads to its answer; nothing for the empty question of a caption."""
        if not question:
            return []
        pieces = (self.template.before_question, question, self.template.before_answer)
        return [token for piece in pieces for token in self._ids(piece)]

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def _single(self, role: str, token: str) -> int:
        found = self.tokenizer.token_to_id(token)
        if found is None:
            raise UserError(
                f"the tokenizer lacks '{token}', the {role} token of template '{self.template.name}'; "
                f"choose the template of this LLM out of {', '.join(sorted(TEMPLATES))}"
            )
        return found


def load_tokenizer(directory: Path) -> Tokenizer:
    """Read the tokenizer of an LLM in Hugging Face's format."""
    return Tokenizer.from_file(str(directory / "tokenizer.json"))
