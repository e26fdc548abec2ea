from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tiny_multimodal import CONCAT, SVA, WORDS, Assemble, noise

from cambrian.data.batching import collate, load_images
from cambrian.data.pictures import View
from cambrian.data.tokenization import Example
from cambrian.errors import BadImageError, UserError
from cambrian.model.blocks import cut_into_blocks
from cambrian.model.generation import Request, answer, answer_in_parts
from cambrian.model.mllm import MultimodalLLM

MAX_NEW_TOKENS = 8
RESAMPLER = {"kind": "resampler", "side": 4, "width": 16, "heads": 2, "depth": 2, "newline": False}
CONNECTORS = pytest.mark.parametrize(
    "recipe", [CONCAT, RESAMPLER, SVA], ids=["concat", "resampler", "sva inside the llm"]
)
SIZES = (None, (90, 30), (20, 100), (64, 64), (1, 400))
"""Of the images, for connectors that cut off the border; of the last no visual token is left."""
RNG = np.random.default_rng(0)


def make_requests(count: int, per_image: int) -> list[Request]:
    """Ask `per_image` questions about each image, in an order that has nothing to do with images.

    Some are about none, and some are empty: captions.
    """
    order = RNG.permutation(count)
    return [
        Request(
            id=f"q{index}",
            question=" ".join(RNG.choice(WORDS, size=index % 6)),
            image=None if index % 7 == 3 else int(index) // per_image,
            size=SIZES[(index // per_image) % len(SIZES)],
        )
        for index in order
    ]


REQUESTS = make_requests(20, 4)


def answers(
    model: MultimodalLLM,
    requests: Sequence[Request] = REQUESTS,
    *,
    batch_size: int = 20,
    vision: bool = True,
    share: bool = True,
) -> list[str]:
    settings: dict[str, Any] = {"batch_size": batch_size, "max_new_tokens": MAX_NEW_TOKENS}
    said: dict[int, str] = {}
    for part in answer_in_parts(model, requests, noise, vision=vision, share=share, **settings):
        assert 0 < len(part) <= batch_size
        assert not part.keys() & said.keys()
        said |= part
    return [said[place] for place in range(len(requests))]


@torch.no_grad()
def plain_answer(model: MultimodalLLM, request: Request) -> str:
    """Greedy decoding written out: one prompt, no cache, the whole sequence again for every token."""
    ids, placeholder = model.chat.prompt(
        request.question,
        image=request.image is not None,
        image_positions=model.image_positions(request.size),
    )
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
        batch = collate(
            [example],
            images,
            pad_id=model.chat.pad_id,
            padding="right",
            sizes=[request.size] if images else [],
        )
        states = model.states(batch, attention_mask=None, position_ids=None, cache=None)
        token = int(model.logits(states[0, -1]).argmax())
        if token == model.chat.end_id:
            break
        said.append(token)
    return model.chat.decode(said)


def make_ending(make_model: Assemble, recipe: dict[str, Any]) -> MultimodalLLM:
    """Random weights seldom say </s>: a word that they do say ends the answers here."""
    model = make_model(recipe)
    model.chat.end_id = model.chat.tokenizer.encode(plain_answer(model, REQUESTS[0])).ids[4]
    return model


@CONNECTORS
def test_answers_are_those_of_decoding_written_out(make_model: Assemble, recipe: dict[str, Any]) -> None:
    model = make_ending(make_model, recipe)
    expected = [plain_answer(model, request) for request in REQUESTS]
    for batch_size in (1, 4, 16):
        assert answers(model, batch_size=batch_size) == expected
        assert answers(model, batch_size=batch_size, share=False) == expected
    assert len(set(expected)) > 10
    lengths = {len(text.split()) for text in expected}
    assert max(lengths) == MAX_NEW_TOKENS
    assert min(lengths) < MAX_NEW_TOKENS, "no answer ended by itself"


@pytest.mark.parametrize("per_image", [1, 2, 8])
def test_answers_depend_neither_on_order_nor_on_what_else_is_asked(
    make_model: Assemble, per_image: int
) -> None:
    model = make_ending(make_model, SVA)
    requests = make_requests(16, per_image)
    expected = dict(zip((one.id for one in requests), answers(model, requests), strict=True))
    for chosen in (requests[::-1], requests[:5], requests[5:6]):
        assert answers(model, chosen, batch_size=3) == [expected[one.id] for one in chosen]


def count_positions(model: MultimodalLLM, requests: Sequence[Request], *, share: bool) -> tuple[int, int]:
    """Images looked at, and positions that the LLM reads before it answers."""
    blocks = list(cut_into_blocks(model, requests, noise, vision=True, batch_size=4, share=share))
    looked = sum(len(next(iter(block.prefixes.images.values()))) for block in blocks)
    read = sum(int(block.prefixes.attention_mask.sum()) for block in blocks)
    return looked, read + sum(int(part.lengths.sum()) for block in blocks for part in block.parts)


def test_an_image_is_read_once_for_all_its_questions(make_model: Assemble) -> None:
    model = make_model()
    requests = [
        Request(id=f"{image} {word}", question=f"word1 {word}", image=image)
        for word in WORDS[:6]
        for image in range(3)
    ]
    # <s>, 4 rows of 4 visual tokens and a newline, <user> and the first word are read once.
    assert count_positions(model, requests, share=True) == (3, 3 * (1 + 20 + 2) + 18 * 2)
    assert count_positions(model, requests, share=False) == (18, 18 * (1 + 20 + 2 + 2))


def test_a_block_holds_few_prefixes_and_little_padding(make_model: Assemble) -> None:
    model = make_model()
    requests = make_requests(60, 3)
    blocks = list(cut_into_blocks(model, requests, noise, vision=True, batch_size=4, share=True))
    assert sorted(place for block in blocks for part in block.parts for place in part.requests) == list(
        range(60)
    )
    for block in blocks:
        assert len(block.prefixes.input_ids) <= 4
        assert all(1 <= len(part.requests) <= 4 for part in block.parts)
        lengths = [length for part in block.parts for length in part.lengths.tolist()]
        assert lengths == sorted(lengths) or block.used_once


def test_blind_answers_know_nothing_of_the_image(make_model: Assemble) -> None:
    model = make_model()

    def no_images(indices: Sequence[int], views: Sequence[View]) -> dict[View, np.ndarray]:
        raise AssertionError("a blind model looked")

    without = [replace(request, image=None, size=None) for request in REQUESTS]
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
    said = answer(
        make_model(),
        [Request(id=word, question=word, image=0) for word in WORDS[:5]],
        noise,
        vision=True,
        batch_size=2,
        max_new_tokens=1,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(2, 5), (4, 5), (5, 5)]
    assert all(len(text.split()) == 1 for text in said)


def test_a_fault_in_a_picture_is_raised_and_ends_the_thread(make_model: Assemble) -> None:
    def broken(indices: Sequence[int], views: Sequence[View]) -> dict[View, np.ndarray]:
        raise BadImageError("3.png", "is empty")

    with pytest.raises(BadImageError, match=r"3\.png"):
        next(answer_in_parts(make_model(), REQUESTS, broken, vision=True, batch_size=2, max_new_tokens=1))
    assert not [thread for thread in threading.enumerate() if thread.name == "feed"]


@torch.no_grad()
def likeliest(model: MultimodalLLM, request: Request) -> str:
    """Score every candidate by a pass over prompt and candidate."""
    images = load_images(noise, [request.image], model.views)
    ids, placeholder = model.chat.prompt(request.question, image=request.image is not None)
    scores = {}
    for text in request.candidates:
        (token,) = model.chat.tokenizer.encode(text).ids
        example = Example(
            id="",
            input_ids=(*ids, token),
            labels=(*ids, token),
            placeholder=(*placeholder, False),
        )
        batch = collate([example], images, pad_id=model.chat.pad_id, padding="right")
        states = model.states(batch, attention_mask=None, position_ids=None, cache=None)
        scores[text] = float(model.logits(states[0, -2]).log_softmax(dim=-1)[token])
    return max(scores, key=lambda text: scores[text])


@pytest.mark.parametrize("recipe", [CONCAT, SVA], ids=["concat", "sva"])
@pytest.mark.parametrize("vision", [True, False], ids=["sighted", "blind"])
def test_the_likeliest_candidate_is_that_of_scoring_each(
    make_model: Assemble, recipe: dict[str, Any], vision: bool
) -> None:
    model = make_model(recipe)
    requests = [
        replace(
            request, size=None, image=request.image if vision else None, candidates=WORDS[4 * k : 4 * k + 4]
        )
        for k, request in enumerate(REQUESTS[:10])
    ]
    expected = [likeliest(model, request) for request in requests]
    assert len(set(expected)) > 5
    for batch_size in (1, 5):
        for share in (True, False):
            assert answers(model, requests, batch_size=batch_size, share=share) == expected


def test_candidates_and_free_answers_in_one_batch(make_model: Assemble) -> None:
    model = make_model(CONCAT)
    free = [replace(request, size=None) for request in REQUESTS[:6]]
    given = [replace(request, candidates=("word1", "word2")) for request in free]
    mixed = [one for pair in zip(free, given, strict=True) for one in pair]
    assert answers(model, mixed)[::2] == answers(model, free)
    assert answers(model, mixed)[1::2] == answers(model, given)


@pytest.mark.parametrize(
    "candidates", [("word1", "word2 word3"), ("word1 word2", "word1 word2"), ("no", "yes")]
)
def test_candidates_that_one_token_does_not_tell_apart_are_refused(
    make_model: Assemble, candidates: tuple[str, ...]
) -> None:
    request = Request(id="q7", question="word1", image=None, candidates=candidates)
    with pytest.raises(UserError, match=r"'q7'.*each of one token"):
        answers(make_model(CONCAT), [request])


def test_what_candidates_begin_with_is_read_with_the_prompt(make_model: Assemble) -> None:
    """As with tokenizers that write a space of its own before a letter."""
    model = make_model(CONCAT)
    common = Request(id="", question="word1", image=0, candidates=("word7 word2", "word7 word3"))
    (said,) = answers(model, [common])
    ids, placeholder = model.chat.prompt("word1", image=True)
    ids += model.chat.tokenizer.encode("word7").ids
    batch = collate(
        [
            Example(
                id="",
                input_ids=tuple(ids),
                labels=tuple(ids),
                placeholder=(*placeholder, False),
            )
        ],
        load_images(noise, [0], model.views),
        pad_id=model.chat.pad_id,
        padding="right",
    )
    with torch.no_grad():
        states = model.states(batch, attention_mask=None, position_ids=None, cache=None)
        scores = model.logits(states[0, -1])
    two, three = model.chat.tokenizer.encode("word2 word3").ids
    assert said == ("word7 word2" if scores[two] > scores[three] else "word7 word3")
