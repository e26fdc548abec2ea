"""Every template on tokenizers in the families' own formats: what is supervised, and the ids themselves."""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_llms import FAMILIES, family_tokenizer, sentencepiece, write_llm
from tokenizers import Tokenizer

from cambrian.data.conversation import Conversation, Turn
from cambrian.data.templates import TEMPLATES
from cambrian.data.tokenization import IGNORED, ChatTokenizer, Example
from cambrian.errors import UserError
from cambrian.model.pretrained import read_pretrained

POSITIONS = 3
SYSTEM = {
    "vicuna_v1": "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions.",
    "qwen2_5": "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
    "smollm2": "You are a helpful AI assistant named SmolLM, trained by Hugging Face",
    "phi3": "You are a helpful AI assistant.",
}
EVERY = pytest.mark.parametrize("name", sorted(FAMILIES))
PLAIN = st.text(
    st.characters(codec="utf-8", exclude_characters="▁<", exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"]),
    max_size=12,
)
SNIPPETS = st.sampled_from(
    [
        "</s>",
        "<|im_end|>",
        "<|eot_id|>",
        "<|end|>",
        "<image>",
        "<s>",
        " ",
        "  ",
        "\n",
        "\n\n",
        "\t",
        "a",
        "The cat",
    ]
)
MIXED = st.lists(PLAIN | SNIPPETS, max_size=6).map("".join)
WORDS = st.lists(PLAIN | st.sampled_from(["the cat", "two", "\n", "What is this?"]), min_size=1, max_size=5)
FITTING = WORDS.map(lambda words: " ".join(words).strip()).filter(bool)


@cache
def loaded(name: str, root: str) -> Tokenizer:
    """The tokenizer of a family, as it is read from a directory of the hub."""
    return read_pretrained(write_llm(Path(root) / name, name)).tokenizer


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("llms"))


@cache
def chat_of(name: str, root: str, max_tokens: int = 100_000) -> ChatTokenizer:
    return ChatTokenizer(
        loaded(name, root),
        template=FAMILIES[name].template,
        image_positions=POSITIONS,
        max_tokens=max_tokens,
    )


def conversation(turns: list[tuple[str, str]], image: int | None = None, shown: int = 0) -> Conversation:
    written = tuple(Turn(question=question, answer=answer) for question, answer in turns)
    return Conversation(id="x", image=image, turns=written, shown=shown)


def taught(example: Example) -> list[list[int]]:
    """Supervised ids, those without a gap together."""
    groups: list[list[int]] = []
    before = IGNORED
    for token, label in zip(example.input_ids, example.labels, strict=True):
        assert label in (IGNORED, token)
        if label != IGNORED:
            if before == IGNORED:
                groups.append([])
            groups[-1].append(label)
        before = label
    return groups


def family_text(name: str, turns: list[tuple[str, str]], *, prompt: bool = False) -> str:
    """What transformers makes of a conversation by the family's own chat template."""
    messages = [
        {"role": role, "content": text}
        for question, answer in turns
        for role, text in (("user", question), ("assistant", answer))
    ]
    if prompt:
        messages.pop()
    if (system := SYSTEM.get(FAMILIES[name].template)) is not None:
        messages.insert(0, {"role": "system", "content": system})
    text = family_tokenizer(name).apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt)
    assert isinstance(text, str)
    return text


def whole(name: str, root: str, text: str) -> list[int]:
    """Encode a text at once, special tokens of the text included and none added."""
    return unbounded(name, root).encode(text, add_special_tokens=False).ids


@cache
def unbounded(name: str, root: str) -> Tokenizer:
    tokenizer = Tokenizer.from_str(loaded(name, root).to_str())
    tokenizer.no_truncation()
    return tokenizer


@EVERY
@settings(max_examples=30, deadline=None)
@given(turns=st.lists(st.tuples(MIXED, MIXED.filter(bool)), min_size=1, max_size=3), image=st.booleans())
def test_exactly_the_answers_and_their_ends_are_supervised(
    name: str, root: str, turns: list[tuple[str, str]], image: bool
) -> None:
    chat = chat_of(name, root)
    turns = [(turns[0][0] or "?", turns[0][1]), *turns[1:]]  # alone, no question would mean a caption
    example = chat.encode(conversation(turns, 7 if image else None))
    groups = taught(example)
    assert [ids[-1] for ids in groups] == [chat.end_id] * len(turns)
    said = [chat.decode(ids[:-1]) for ids in groups]
    assert said == [unicodedata.normalize("NFC", answer) if nfc(chat) else answer for _, answer in turns]
    assert sum(example.placeholder) == (POSITIONS if image else 0)
    assert not any(
        place and label != IGNORED for place, label in zip(example.placeholder, example.labels, strict=True)
    )
    ids, placeholder = chat.prompt(turns[0][0], image=image)
    asked = next(index for index, label in enumerate(example.labels) if label != IGNORED)
    assert (tuple(ids), tuple(placeholder)) == (example.input_ids[:asked], example.placeholder[:asked])


def nfc(chat: ChatTokenizer) -> bool:
    return chat.tokenizer.normalizer is not None and "NFC" in str(chat.tokenizer.normalizer)


@EVERY
@settings(max_examples=30, deadline=None)
@given(turns=st.lists(st.tuples(FITTING, FITTING), min_size=1, max_size=3))
def test_a_conversation_is_encoded_as_the_familys_own_text(
    name: str, root: str, turns: list[tuple[str, str]]
) -> None:
    chat = chat_of(name, root)
    text = family_text(name, turns)
    end = chat.template.end
    text = text[: text.rindex(end) + len(end)]  # what follows the last end teaches nothing
    assert list(chat.encode(conversation(turns)).input_ids) == whole(name, root, text)
    if "ASSISTANT" not in text:
        asked = family_text(name, turns[:1], prompt=True)
        assert chat.prompt(turns[0][0], image=False)[0] == whole(name, root, asked)


@EVERY
@pytest.mark.parametrize("shown", [0, 1])
def test_an_image_stands_in_front_of_its_question(name: str, root: str, shown: int) -> None:
    chat = chat_of(name, root)
    turns = [("What is this?", "the cat"), ("How many?", "two")]
    example = chat.encode(conversation(turns, 7, shown))
    # The family's own text, with a special token in place of the image.
    mark = FAMILIES[name].tokens.get("bos_token", chat.template.end)
    marked = [(f"{mark}\n{q}" if index == shown else q, a) for index, (q, a) in enumerate(turns)]
    text = family_text(name, marked)
    expected = whole(name, root, text[: text.rindex(chat.template.end) + len(chat.template.end)])
    first = example.placeholder.index(True)
    assert example.placeholder == tuple(
        first <= index < first + POSITIONS for index in range(len(example.input_ids))
    )
    ids = list(example.input_ids)
    ids[first : first + POSITIONS] = [chat.tokenizer.token_to_id(mark)]
    assert ids == expected


@pytest.mark.parametrize("name", ["vicuna", "vicuna_legacy", "llama3", "yi"])
def test_a_tokenizer_that_adds_its_own_beginning_shifts_nothing(name: str, root: str) -> None:
    chat = chat_of(name, root)
    begin = FAMILIES[name].tokens["bos_token"]
    assert loaded(name, root).encode("x").tokens[0] == begin  # so it does
    example = chat.encode(conversation([("What?", "two"), ("How?", "red")], 0))
    places = [i for i, token in enumerate(example.input_ids) if token == chat.tokenizer.token_to_id(begin)]
    assert places == ([0] if chat.template.begin else [])


@EVERY
def test_a_caption_follows_the_image_at_once(name: str, root: str) -> None:
    chat = chat_of(name, root)
    example = chat.encode(conversation([("", "the red cat")], 3))
    begin = 1 if chat.template.begin else 0
    assert example.placeholder[begin : begin + POSITIONS] == (True,) * POSITIONS
    (said,) = taught(example)
    assert len(example.input_ids) == begin + POSITIONS + len(said)
    assert chat.decode(said[:-1]) == "the red cat"
    assert len(chat.prompt("", image=True)[0]) == begin + POSITIONS
    assert len(chat.prompt("", image=False)[0]) >= 1


@pytest.mark.parametrize("name", ["vicuna", "phi3", "qwen2"])
def test_a_long_conversation_is_cut_where_it_is(name: str, root: str) -> None:
    turns = [("What is this?", "the cat"), ("How many?", "two cats")]
    full = chat_of(name, root).encode(conversation(turns, 1))
    for length in range(full.labels.index(full.input_ids[-1]), len(full.input_ids)):
        cut = chat_of(name, root, length).encode(conversation(turns, 1))
        assert (cut.input_ids, cut.labels) == (full.input_ids[:length], full.labels[:length])


def test_the_released_forms_are_those_of_the_release(root: str) -> None:
    turns = [("What is this?", "the cat"), ("How many?", "two")]
    llama = ChatTokenizer(
        loaded("llama3", root), template="llama_3_cambrian", image_positions=1, max_tokens=999
    )
    system = TEMPLATES["llama_3_cambrian"].system
    header = "<|start_header_id|>{}<|end_header_id|>{}<|eot_id|>"
    said = "".join(header.format("user", q) + header.format("assistant", a) for q, a in turns)
    expected = whole("llama3", root, "<|begin_of_text|>" + system + said)
    assert list(llama.encode(conversation(turns)).input_ids) == expected
    assert "trained by NYU Vision X. \n    As a multimodal AI" in system
    assert system.endswith("open-ended questions. <|eot_id|>")
    yi = ChatTokenizer(loaded("yi", root), template="chatml_cambrian", image_positions=1, max_tokens=999)
    message = "<|im_start|>{}\n{}<|im_end|>"
    said = "".join(message.format("user", q) + message.format("assistant", a) for q, a in turns)
    expected = whole("yi", root, TEMPLATES["chatml_cambrian"].system + said)
    assert list(yi.encode(conversation(turns)).input_ids) == expected


def test_a_template_of_another_family_is_refused(root: str) -> None:
    with pytest.raises(UserError, match=r"lacks '<\|eot_id\|>', the end token of template 'llama_3'"):
        ChatTokenizer(loaded("vicuna", root), template="llama_3", image_positions=1, max_tokens=9)
    with pytest.raises(UserError, match=r"lacks '<\|im_start\|>', the special token of template 'chatml'"):
        half = sentencepiece("always", ("<|im_end|>",))
        ChatTokenizer(half, template="chatml", image_positions=1, max_tokens=9)
