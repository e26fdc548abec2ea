from __future__ import annotations

from dataclasses import replace

import pytest
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from cambrian.data.conversation import Conversation, Turn
from cambrian.data.tokenization import IGNORED, ChatTokenizer
from cambrian.errors import UserError

SPECIAL = ("<pad>", "<s>", "</s>", "<image>", "<user>", "<assistant>", "<unk>")


def word_tokenizer(words: str) -> Tokenizer:
    vocabulary = {word: index for index, word in enumerate([*SPECIAL, *words.split()])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    return tokenizer


def chat(*, image_positions: int = 3, max_tokens: int = 100) -> ChatTokenizer:
    tokenizer = word_tokenizer("what is here a red cube circle two")
    return ChatTokenizer(tokenizer, template="lab", image_positions=image_positions, max_tokens=max_tokens)


def conversation(*turns: tuple[str, str], image: int | None = 0) -> Conversation:
    return Conversation(
        id="x-1", image=image, turns=tuple(Turn(question=asked, answer=said) for asked, said in turns)
    )


def supervised(chat: ChatTokenizer, labels: tuple[int, ...]) -> str:
    return chat.decode([label for label in labels if label != IGNORED])


def test_two_turns_about_an_image() -> None:
    example = chat().encode(conversation(("what is here", "a red cube"), ("what", "two")))
    text = (
        "<s> <image> <image> <image> <user> what is here <assistant> a red cube </s>"
        " <user> what <assistant> two </s>"
    )
    assert chat().decode(example.input_ids) == text
    assert supervised(chat(), example.labels) == "a red cube </s> two </s>"
    assert all(
        label in (IGNORED, token) for label, token in zip(example.labels, example.input_ids, strict=True)
    )
    assert example.placeholder == (False, True, True, True) + (False,) * 14


def test_a_caption_follows_the_image_at_once() -> None:
    example = chat().encode(conversation(("", "a red cube")))
    assert chat().decode(example.input_ids) == "<s> <image> <image> <image> a red cube </s>"
    assert example.labels == (IGNORED,) * 4 + example.input_ids[4:]


def test_text_alone_has_no_placeholder() -> None:
    example = chat().encode(conversation(("what", "two"), image=None))
    assert chat().decode(example.input_ids) == "<s> <user> what <assistant> two </s>"
    assert not any(example.placeholder)


def test_a_word_of_the_text_that_looks_like_an_image_is_no_placeholder() -> None:
    example = chat().encode(conversation(("what <image> is", "two")))
    assert sum(example.placeholder) == 3
    assert example.placeholder[1:4] == (True, True, True)


def test_the_prompt_is_the_example_up_to_the_answer() -> None:
    for image in (0, None):
        example = chat().encode(conversation(("what is", "two"), image=image))
        ids, placeholder = chat().prompt("what is", image=image is not None)
        assert tuple(ids) == example.input_ids[:-2]
        assert tuple(placeholder) == example.placeholder[:-2]
    assert chat().prompt("", image=True)[0] == list(chat().encode(conversation(("", "two"))).input_ids[:4])


def test_a_long_example_is_cut() -> None:
    whole = chat().encode(conversation(("what", "a red cube"), ("what", "two")))
    cut = chat(max_tokens=9).encode(conversation(("what", "a red cube"), ("what", "two")))
    assert (cut.input_ids, cut.labels) == (whole.input_ids[:9], whole.labels[:9])
    assert len(cut.placeholder) == 9
    assert cut.cut == len(whole.input_ids) - 9
    assert whole.cut == 0


@pytest.mark.parametrize(
    ("turns", "max_tokens"),
    [((), 100), ((("what is", ""),), 100), ((("what is here", "two"),), 8)],
    ids=["no turns", "empty answer", "answer cut off"],
)
def test_an_example_without_a_supervised_token_is_shown(
    turns: tuple[tuple[str, str], ...], max_tokens: int
) -> None:
    with pytest.raises(UserError, match=r"'x-1' has no supervised token.*Decoded: <s> <image>") as caught:
        chat(max_tokens=max_tokens).encode(conversation(*turns))
    assert all(question in str(caught.value) for question, _ in turns)


def test_an_image_takes_the_positions_that_are_said() -> None:
    example = chat().encode(conversation(("what is here", "two")), 1)
    assert chat().decode(example.input_ids) == "<s> <image> <user> what is here <assistant> two </s>"
    assert chat().prompt("what", image=True, image_positions=2)[1].count(True) == 2


def test_an_image_that_is_cut_off_is_no_example() -> None:
    late = replace(conversation(("what is here", "a red cube"), ("what", "two")), shown=1)
    with pytest.raises(UserError, match=r"'x-1' has its image behind the first 11 tokens"):
        chat(max_tokens=11).encode(late)


def test_an_unknown_template_is_named() -> None:
    with pytest.raises(UserError, match="unknown template 'lap'; did you mean 'lab'"):
        ChatTokenizer(word_tokenizer(""), template="lap", image_positions=3, max_tokens=9)


def test_a_tokenizer_of_another_family_is_refused() -> None:
    foreign = Tokenizer(WordLevel({"<unk>": 0, "</s>": 1}, unk_token="<unk>"))
    with pytest.raises(UserError, match="lacks '<pad>', the pad token of template 'lab'"):
        ChatTokenizer(foreign, template="lab", image_positions=3, max_tokens=9)
