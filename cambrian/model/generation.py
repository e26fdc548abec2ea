"""Batched answers, with the image or blind: what prompts have in common is read once.

Shapes: B prefixes of a block, P positions of the longest, S questions of a part, R positions of the longest
rest of a prompt, T positions in the cache, H width of the LLM, V vocabulary.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from cambrian.data.batching import Batch
from cambrian.data.conversation import Pictures
from cambrian.feed import Ahead
from cambrian.model.blocks import Part, Request, cut_into_blocks
from cambrian.model.mllm import MultimodalLLM
from cambrian.model.roomy_cache import RoomyLayer
from cambrian.precision import lowered

DEPTH = 1
"""Blocks that wait ready while one is answered."""


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
    """Answer `requests` as `answer_in_parts` does; raw texts in their order.

    `progress` is called with answers given and answers in all.
    """
    said: dict[int, str] = {}
    for part in answer_in_parts(
        model, requests, pictures, vision=vision, batch_size=batch_size, max_new_tokens=max_new_tokens
    ):
        said |= part
        progress(len(said), len(requests))
    return [said[place] for place in range(len(requests))]


@torch.inference_mode()
def answer_in_parts(
    model: MultimodalLLM,
    requests: Sequence[Request],
    pictures: Pictures,
    *,
    vision: bool,
    batch_size: int,
    max_new_tokens: int,
    share: bool = True,
) -> Generator[dict[int, str]]:
    """Answer `requests` greedily, or by the likeliest candidate; gives raw texts by place as they come.

    Answers depend neither on `batch_size` nor on `share` nor on what else is asked. In memory are keys and
    values of at most `batch_size` prefixes, and of as many prompts with their answers.

    Args:
        model: in evaluation mode.
        requests: questions.
        pictures: gives the images by the index in a request; called in a thread, ahead of the model.
        vision: False leaves every image out: the same prompts without any visual token.
        batch_size: prompts answered at the same time.
        max_new_tokens: where an answer is cut that has not ended by itself.
        share: whether what the prompts about an image have in common is read once for all of them.

    Raises:
        UserError: if candidates of a request cannot be told apart by one token.
    """
    assert not model.training, "answers come from a model in evaluation mode"
    share = share and _keeps_all(DynamicCache(config=model.llm.config))
    blocks = cut_into_blocks(model, requests, pictures, vision=vision, batch_size=batch_size, share=share)
    with closing(Ahead(blocks, DEPTH)) as ready:
        for block in ready:
            with lowered(model.device):
                prefixes = _read_prefixes(model, block.prefixes.to(model.device))
            for part in block.parts:
                here = part.to(model.device)
                with lowered(model.device):
                    own = prefixes if block.used_once else prefixes.select(here.prefixes)
                    texts = _say(model, _read_rests(model, own, here), here, max_new_tokens)
                yield dict(zip(part.requests, texts, strict=True))


@dataclass(frozen=True, kw_only=True)
class _Read:
    """Sequences that the LLM has read."""

    cache: Cache
    """Keys and values of all positions, T."""
    mask: Tensor
    """(S, T) bool, False on padding, all of which is on the left."""
    last: Tensor
    """(S, H), the state of the last token of each."""

    def select(self, rows: Tensor) -> _Read:
        """Copy some of the sequences, each as often as it is in `rows` (S,)."""
        cache = copy.copy(self.cache)
        cache.layers = [copy.copy(layer) for layer in self.cache.layers]
        _keep_rows(cache, rows)
        return _Read(cache=cache, mask=self.mask[rows], last=self.last[rows])


def _new_cache(model: MultimodalLLM) -> Cache:
    """Make an empty cache that forgets nothing: what a window leaves behind may be padding alone.

    Layers that keep a state instead of keys and values are as transformers makes them.
    """
    usual = DynamicCache(config=model.llm.config)
    return Cache(layer_class_to_replicate=RoomyLayer) if _keeps_all(usual) else usual


def _keep_rows(cache: Cache, rows: Tensor) -> None:
    """Give the layers of `cache` new tensors, of these rows (S,)."""
    for layer in cache.layers:
        layer.reorder_cache(cast("torch.LongTensor", rows))


def _keeps_all(cache: Cache) -> bool:
    """Whether all that is kept are keys and values, so that a sequence can go on in several ways."""
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in cache.layers)


def _read_prefixes(model: MultimodalLLM, batch: Batch) -> _Read:
    cache, mask = _new_cache(model), batch.attention_mask
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)  # (B, P)
    # Aggregation inside the LLM belongs to the visual tokens: behind them its hooks are gone.
    states = model.states(batch, attention_mask=_needed(mask), position_ids=positions, cache=cache)
    return _Read(cache=cache, mask=mask, last=states[:, -1])


def _read_rests(model: MultimodalLLM, prefixes: _Read, part: Part) -> _Read:
    """Read what stands behind the prefixes.

    The rests are padded on the right, so that each follows its prefix immediately, as the windows of some
    families want it. Afterwards all padding is brought to the left, where answers go on.
    """
    count, width = part.input_ids.shape
    if not width:
        return prefixes
    behind = torch.arange(width, device=part.lengths.device)  # (R,)
    # Nothing real looks at padding on the right, so there is nothing to hide.
    mask = torch.cat([prefixes.mask, prefixes.mask.new_ones(count, width)], dim=1)  # (S, P + R)
    before = prefixes.mask.sum(dim=1)  # (S,)
    ends = (part.lengths - 1).clamp(min=0)
    states = model.decode(
        model.llm.get_input_embeddings()(part.input_ids),
        attention_mask=_needed(mask),
        position_ids=before[:, None] + torch.minimum(behind, ends[:, None]),
        past_key_values=prefixes.cache,
    )  # (S, R, H)
    own = states[torch.arange(count, device=ends.device), ends]
    last = torch.where(part.lengths[:, None] > 0, own, prefixes.last)
    lengths = before + part.lengths
    total = int(lengths.max())
    places = torch.arange(total, device=lengths.device)  # (T,)
    if bool((part.lengths < width).any()):
        # What is at column t of T comes from as many columns before the row's own end.
        ends = prefixes.mask.shape[1] + part.lengths
        columns = (places + (ends[:, None] - total)).clamp(min=0)  # (S, T)
        for layer in cast("list[RoomyLayer]", prefixes.cache.layers):
            layer.take_columns(columns)
        mask = places >= total - lengths[:, None]
    return _Read(cache=prefixes.cache, mask=mask, last=last)


def _say(model: MultimodalLLM, prompts: _Read, part: Part, max_new_tokens: int) -> list[str]:
    """Choose among each prompt's candidates, or continue it up to the end token."""
    scores = _scores(model, prompts.last)
    for row, candidates in enumerate(part.candidates):
        if candidates:
            offered = torch.tensor(list(candidates), device=scores.device)
            scores[row] = torch.full_like(scores[row], -torch.inf).index_copy(
                0, offered, scores[row, offered]
            )
    first = scores.argmax(dim=-1).tolist()
    said = [[token] for token in first]
    open_rows = [
        row for row, token in enumerate(first) if not part.candidates[row] and token != model.chat.end_id
    ]
    if open_rows and max_new_tokens > 1:
        _generate(model, prompts, said, open_rows, max_new_tokens)
    return [
        candidates[ids[0]] if candidates else model.chat.decode(_before(ids, model.chat.end_id))
        for candidates, ids in zip(part.candidates, said, strict=True)
    ]


def _generate(
    model: MultimodalLLM, prompts: _Read, said: list[list[int]], rows: list[int], max_new_tokens: int
) -> None:
    """Go on in `rows` of `said`, token after token; rows that have ended are dropped from the batch."""
    device = prompts.mask.device
    if len(rows) < len(said):
        prompts = prompts.select(torch.tensor(rows, device=device))
    cache, mask = prompts.cache, prompts.mask
    position = mask.sum(dim=1, keepdim=True)  # (S, 1)
    while rows:
        tokens = torch.tensor([said[row][-1:] for row in rows], device=device)  # (S, 1)
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)  # (S, T + 1)
        states = model.decode(
            model.llm.get_input_embeddings()(tokens),
            attention_mask=_needed(mask),
            position_ids=position,
            past_key_values=cache,
        )
        chosen = _scores(model, states[:, -1]).argmax(dim=-1).tolist()
        for row, token in zip(rows, chosen, strict=True):
            said[row].append(token)
        if len(said[rows[0]]) == max_new_tokens:
            return
        kept = [at for at, token in enumerate(chosen) if token != model.chat.end_id]
        position = position + 1
        if len(kept) < len(rows):
            rows = [rows[at] for at in kept]
            still = torch.tensor(kept, dtype=torch.long, device=device)
            _keep_rows(cache, still)
            mask, position = mask[still], position[still]


def _scores(model: MultimodalLLM, states: Tensor) -> Tensor:
    """Scores of the next token (S, V); rows beyond the tokenizer only pad the LLM's vocabulary."""
    return model.logits(states)[:, : model.chat.vocabulary]


def _needed(mask: Tensor) -> Tensor | None:
    """Leave out a mask (S, T) that hides nothing: attention is faster without."""
    return None if bool(mask.all()) else mask


def _before(ids: list[int], end_id: int) -> list[int]:
    return ids[: ids.index(end_id)] if end_id in ids else ids
