"""Questions cut into blocks whose prompts share what they begin with: system prompt, image and all.

Shapes: B prefixes of a block, P positions of the longest, S questions of a part, R positions of the longest
rest of a prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from cambrian.data.batching import Batch, collate, load_images
from cambrian.data.conversation import Pictures
from cambrian.data.pictures import Size
from cambrian.data.tokenization import IGNORED, ChatTokenizer, Example
from cambrian.errors import UserError
from cambrian.model.mllm import MultimodalLLM


@dataclass(frozen=True, kw_only=True)
class Request:
    """A question to answer."""

    id: str
    question: str
    """May be empty, which asks for a caption."""
    image: int | None
    """Index of the image; None for a question about none."""
    size: Size | None = None
    """Width and height of the image in pixels, before it is padded; None for a square one."""
    candidates: tuple[str, ...] = ()
    """The answer is the likeliest of these; empty to let the model say what it will."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Questions of a block that are answered at the same time."""

    requests: tuple[int, ...]
    """(S,) places among all requests."""
    prefixes: Tensor
    """(S,) long, what each prompt begins with: a row of the block."""
    input_ids: Tensor
    """(S, R) long, the rest of each prompt, padded on the right; R is 0 if no prompt has any."""
    lengths: Tensor
    """(S,) long, tokens of each rest."""
    candidates: tuple[Mapping[int, str], ...]
    """(S,) first token -> answer, of those that are to be chosen from; empty where none are given."""

    def to(self, device: torch.device) -> Part:
        """Move to `device`."""
        return replace(
            self,
            prefixes=self.prefixes.to(device, non_blocking=True),
            input_ids=self.input_ids.to(device, non_blocking=True),
            lengths=self.lengths.to(device, non_blocking=True),
        )


@dataclass(frozen=True, kw_only=True)
class Block:
    """Prefixes that are read at the same time, and all questions that begin with them."""

    prefixes: Batch
    """B samples, padded on the left to P."""
    parts: tuple[Part, ...]
    used_once: bool
    """Whether there is one part, which takes every prefix in its order: nothing has to be copied."""


@dataclass(frozen=True, kw_only=True)
class _Prompt:
    """One encoded prompt."""

    ids: tuple[int, ...]
    placeholder: tuple[bool, ...]
    candidates: Mapping[int, str]


@dataclass(kw_only=True)
class _Shared:
    """What the prompts of some requests begin with."""

    ids: tuple[int, ...]
    placeholder: tuple[bool, ...]
    image: int | None
    size: Size | None
    members: list[int] = field(default_factory=list)

    @property
    def example(self) -> Example:
        return Example(
            id="", input_ids=self.ids, labels=(IGNORED,) * len(self.ids), placeholder=self.placeholder
        )


def cut_into_blocks(
    model: MultimodalLLM,
    requests: Sequence[Request],
    pictures: Pictures,
    *,
    vision: bool,
    batch_size: int,
    share: bool,
) -> Iterator[Block]:
    """Give blocks of at most `batch_size` prefixes, and their questions by length in parts of as many.

    Prompts about one image share all they have in common, at least up to the last visual token; prompts about
    none share what all of them begin with. Without `share`, every prompt is a prefix of its own.

    Raises:
        UserError: if a candidate takes more than one token, or two of them begin with the same.
    """
    prompts = [_prompt(model, request, vision=vision) for request in requests]
    shared = _find_shared(requests, prompts, share=share)
    shared.sort(key=lambda one: (len(one.ids), max(len(prompts[place].ids) for place in one.members)))
    for start in range(0, len(shared), batch_size):
        yield _block(model, shared[start : start + batch_size], prompts, pictures, batch_size)


def _block(
    model: MultimodalLLM,
    chosen: Sequence[_Shared],
    prompts: Sequence[_Prompt],
    pictures: Pictures,
    batch_size: int,
) -> Block:
    seen = [one for one in chosen if one.image is not None]
    prefixes = collate(
        [one.example for one in chosen],
        load_images(pictures, [one.image for one in seen], model.views),
        pad_id=model.chat.pad_id,
        padding="left",
        sizes=[one.size for one in seen],
    )
    asked = [
        (row, place, prompts[place].ids[len(one.ids) :])
        for row, one in enumerate(chosen)
        for place in one.members
    ]
    used_once = len(asked) == len(chosen)
    if not used_once:
        asked.sort(key=lambda each: len(each[2]))  # neighbours of one length need no padding
    parts = []
    for start in range(0, len(asked), batch_size):
        rows, places, rests = zip(*asked[start : start + batch_size], strict=True)
        parts.append(
            Part(
                requests=places,
                prefixes=torch.tensor(rows, dtype=torch.long),
                input_ids=_padded(rests, model.chat.pad_id),
                lengths=torch.tensor([len(rest) for rest in rests], dtype=torch.long),
                candidates=tuple(prompts[place].candidates for place in places),
            )
        )
    return Block(prefixes=prefixes, parts=tuple(parts), used_once=used_once)


def _prompt(model: MultimodalLLM, request: Request, *, vision: bool) -> _Prompt:
    """Encode one prompt, up to where candidates differ."""
    image = vision and request.image is not None
    ids, placeholder = model.chat.prompt(
        request.question, image=image, image_positions=model.image_positions(request.size)
    )
    lead, candidates = _tell_apart(model.chat, request, image=image)
    return _Prompt(
        ids=(*ids, *lead),
        placeholder=(*placeholder, *([False] * len(lead))),
        candidates=candidates,
    )


def _tell_apart(chat: ChatTokenizer, request: Request, *, image: bool) -> tuple[list[int], dict[int, str]]:
    """Give the tokens that all candidates begin with, and the token after them -> candidate."""
    if not request.candidates:
        return [], {}
    encoded = {text: chat.continuation(request.question, text, image=image) for text in request.candidates}
    # Of each, a token has to be left.
    common = _common([ids[:-1] for ids in encoded.values()])
    tokens = {ids[common]: text for text, ids in encoded.items() if len(ids) == common + 1}
    if len(tokens) < len(request.candidates):
        shown = ", ".join(f"{text!r} is {ids}" for text, ids in encoded.items())
        raise UserError(
            f"question '{request.id}': the likeliest answer can only be chosen among different answers, each "
            f"of one token, but here {shown}; let this model generate its answers"
        )
    return next(iter(encoded.values()))[:common], tokens


def _find_shared(requests: Sequence[Request], prompts: Sequence[_Prompt], *, share: bool) -> list[_Shared]:
    """Put together the prompts that have an image, or at least their first token, in common."""
    found: dict[object, _Shared] = {}
    for place, (request, prompt) in enumerate(zip(requests, prompts, strict=True)):
        sees = any(prompt.placeholder)  # of a very long image, all rows may be cut off
        end = len(prompt.ids) - prompt.placeholder[::-1].index(True) if sees else 1
        key = (request.image if sees else None, prompt.ids[:end]) if share else place
        known = found.setdefault(
            key,
            _Shared(
                ids=prompt.ids,
                placeholder=prompt.placeholder,
                image=request.image if sees else None,
                size=request.size if sees else None,
            ),
        )
        known.members.append(place)
        common = _common([known.ids, prompt.ids])
        known.ids, known.placeholder = known.ids[:common], known.placeholder[:common]
    return list(found.values())


def _padded(rests: Sequence[Sequence[int]], pad_id: int) -> Tensor:
    """Pad on the right: (S, R) long."""
    width = max(map(len, rests))
    rows = [[*rest, *([pad_id] * (width - len(rest)))] for rest in rests]
    return torch.tensor(rows, dtype=torch.long).view(len(rests), width)


def _common(sequences: Sequence[Sequence[int]]) -> int:
    """Count the tokens that all sequences begin with."""
    differ = (at for at, tokens in enumerate(zip(*sequences, strict=False)) if len(set(tokens)) > 1)
    return next(differ, min(map(len, sequences)))
