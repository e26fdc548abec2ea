"""Batched greedy answers, with the image or blind.

Shapes: S prompts of a batch, T positions, H width of the LLM, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from cambrian.data.batching import Batch, collate, load_images
from cambrian.data.conversation import Pictures
from cambrian.data.pictures import Size
from cambrian.data.tokenization import IGNORED, Example
from cambrian.model.mllm import MultimodalLLM
from cambrian.precision import lowered


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


@torch.inference_mode()
def answer(
    model: MultimodalLLM,
    requests: Sequence[Request],
    pictures: Pictures,
    *,
    vision: bool,
    batch_size: int,
    max_new_tokens: int,
    progress: Callable[[int, int], None],
) -> list[str]:
    """Answer `requests` greedily; raw texts in their order, which do not depend on `batch_size`.

    Args:
        model: in evaluation mode.
        requests: questions.
        pictures: gives the images by the index in a request.
        vision: False leaves every image out: the same prompts without any visual token.
        batch_size: prompts answered at the same time.
        max_new_tokens: where an answer is cut that has not ended by itself.
        progress: called with answers given and answers in all.
    """
    assert not model.training, "answers come from a model in evaluation mode"
    examples = [_prompt(model, request, vision=vision) for request in requests]
    # Neighbours of one length need no padding.
    order = sorted(range(len(requests)), key=lambda index: len(examples[index].input_ids))
    answers = [""] * len(requests)
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        asked = [requests[index] for index in chosen if vision and requests[index].image is not None]
        batch = collate(
            [examples[index] for index in chosen],
            load_images(pictures, [request.image for request in asked], model.views),
            pad_id=model.chat.pad_id,
            padding="left",
            sizes=[request.size for request in asked],
        ).to(model.device)
        for index, ids in zip(chosen, _generate(model, batch, max_new_tokens), strict=True):
            answers[index] = model.chat.decode(ids)
        progress(start + len(chosen), len(order))
    return answers


def _prompt(model: MultimodalLLM, request: Request, *, vision: bool) -> Example:
    ids, placeholder = model.chat.prompt(
        request.question,
        image=vision and request.image is not None,
        image_positions=model.image_positions(request.size),
    )
    labels = (IGNORED,) * len(ids)
    return Example(id=request.id, input_ids=tuple(ids), labels=labels, placeholder=tuple(placeholder))


def _generate(model: MultimodalLLM, batch: Batch, max_new_tokens: int) -> list[list[int]]:
    """Continue each prompt of a left-padded batch; the ids before the end token."""
    cache = DynamicCache(config=model.llm.config)
    mask = batch.attention_mask  # (S, T)
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    with lowered(model.device):
        states = model.states(batch, attention_mask=_needed(mask), position_ids=positions, cache=cache)
        tokens = _choose(model, states)
        said = [tokens]
        ended = tokens == model.chat.end_id
        position = positions[:, -1:]
        while len(said) < max_new_tokens and not ended.all():
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)  # (S, T + 1)
            position = position + 1
            # Aggregation inside the LLM belongs to the prompt: here its hooks are gone.
            states = model.decode(
                model.llm.get_input_embeddings()(tokens[:, None]),
                attention_mask=_needed(mask),
                position_ids=position,
                past_key_values=cache,
            )
            tokens = _choose(model, states)
            said.append(tokens)
            ended |= tokens == model.chat.end_id
    return [_before(ids, model.chat.end_id) for ids in torch.stack(said, dim=1).tolist()]


def _choose(model: MultimodalLLM, states: Tensor) -> Tensor:
    """Give the likeliest next tokens (S,); rows beyond the tokenizer only pad the LLM's vocabulary."""
    return model.logits(states[:, -1])[:, : model.chat.vocabulary].argmax(dim=-1)


def _needed(mask: Tensor) -> Tensor | None:
    """Leave out a mask (S, T) that hides nothing: attention is faster without."""
    return None if bool(mask.all()) else mask


def _before(ids: list[int], end_id: int) -> list[int]:
    return ids[: ids.index(end_id)] if end_id in ids else ids
