from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from tiny_multimodal import CONCAT, SVA, WORDS, Assemble, ask, noise

from cambrian.data.batching import collate, load_images
from cambrian.data.pictures import View
from cambrian.data.tokenization import Example
from cambrian.model.generation import Request, answer
from cambrian.model.mllm import MultimodalLLM

MAX_NEW_TOKENS = 8
RNG = np.random.default_rng(0)
REQUESTS = [
    Request(
        id=f"q{index}",
        question=" ".join(RNG.choice(WORDS, size=index % 5)),
        image=None if index % 7 == 3 else index // 2,
    )
    for index in range(20)
]


def answers(model: MultimodalLLM, *, batch_size: int = 20, vision: bool = True) -> list[str]:
    return ask(model, REQUESTS, vision=vision, batch_size=batch_size, max_new_tokens=MAX_NEW_TOKENS)


@torch.no_grad()
def plain_answer(model: MultimodalLLM, request: Request) -> str:
    """Greedy decoding written out: one prompt, no cache, the whole sequence again for every token."""
    ids, placeholder = model.chat.prompt(request.question, image=request.image is not None)
    images = load_images(noise, [request.image], model.views)
    said: list[int] = []
    while len(said) < MAX_NEW_TOKENS:
        sequence = ids + said
        example = Example(
            id="",
            input_ids=tuple(sequence),
            labels=tuple(sequence),
            placeholder=tuple(placeholder) + (False,) * len(said),
        )
        batch = collate([example], images, pad_id=model.chat.pad_id, padding="right")
        states = model.states(batch, attention_mask=None, position_ids=None, cache=None)
        token = int(model.logits(states[0, -1]).argmax())
        if token == model.chat.end_id:
            break
        said.append(token)
    return model.chat.decode(said)


@pytest.mark.parametrize("recipe", [CONCAT, SVA], ids=["concat", "sva"])
def test_answers_are_those_of_decoding_written_out(make_model: Assemble, recipe: dict[str, Any]) -> None:
    model = make_model(recipe)
    # Random weights seldom say </s>: a word that they do say ends the answers here.
    model.chat.end_id = model.chat.tokenizer.encode(plain_answer(model, REQUESTS[0])).ids[4]
    expected = [plain_answer(model, request) for request in REQUESTS]
    assert answers(model) == expected
    assert len(set(expected)) > 10
    lengths = {len(text.split()) for text in expected}
    assert max(lengths) == MAX_NEW_TOKENS
    assert min(lengths) < MAX_NEW_TOKENS, "no answer ended by itself"


def test_answers_do_not_depend_on_the_batch_size(make_model: Assemble) -> None:
    model = make_model()
    one = answers(model, batch_size=1)
    assert answers(model, batch_size=4) == one
    assert answers(model, batch_size=16) == one


def test_blind_answers_know_nothing_of_the_image(make_model: Assemble) -> None:
    model = make_model()

    def no_images(indices: Sequence[int], views: Sequence[View]) -> dict[View, np.ndarray]:
        raise AssertionError("a blind model looked")

    without = [Request(id=request.id, question=request.question, image=None) for request in REQUESTS]
    blind = answer(
        model,
        REQUESTS,
        no_images,
        vision=False,
        batch_size=6,
        max_new_tokens=MAX_NEW_TOKENS,
        progress=lambda done, total: None,
    )
    assert blind == [plain_answer(model, request) for request in without]
    sighted = answers(model)
    differ = [one != other for one, other in zip(blind, sighted, strict=True)]
    assert any(differ)
    assert not any(mark for mark, request in zip(differ, REQUESTS, strict=True) if request.image is None)


def test_progress_counts_answers(make_model: Assemble) -> None:
    seen: list[tuple[int, int]] = []
    answer(
        make_model(),
        REQUESTS[:5],
        noise,
        vision=True,
        batch_size=2,
        max_new_tokens=1,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(2, 5), (4, 5), (5, 5)]
