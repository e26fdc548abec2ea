"""What the fuzzer feeds: texts, rows and files, drawn by hypothesis or made of good ones by changes."""

from __future__ import annotations

import io
import json
import random
import tarfile
from typing import Any

from hypothesis import strategies as st

from cambrian.benchmarks.records import Question
from cambrian.benchmarks.suite import BENCHMARKS
from cambrian.benchmarks.torture import load_cases

CASES = load_cases()
SPLICES = (
    *("(A)", "answer is ", "answer: ", "B.", "not ", "</think>", "<answer>", "\\boxed{", "}", "1,000"),
    *("1e999", "-", "yes", "no", "%", "$", "无法", "```", "[", "nan", "inf", "1/0", "10^99", "  ", "½"),
    *('{"answer":', "\u0663", "\uff19", "\u202e", "\u0130", "\ufdfa", "\ud800", "\0", "\r", "\u2028"),
    *("or ", "and ", "wait, ", "No,"),
)
LONG = ("A" * 500, "(" * 200, "9" * 400, " and " * 100, "1 ; " * 90, "the " * 100, "not " * 100)
BYTES = b'|\x00|\xff|\n|\r|"|{|[|]|}|,|\\|\\ud800|\xef\xbb\xbf'.split(b"|")


def mutate(text: str, chance: random.Random) -> str:
    """Change a text here and there: cut, double, turn round, splice in."""
    for _ in range(chance.randint(1, 4)):
        start = chance.randint(0, len(text))
        end = min(len(text), start + chance.randint(0, 12))
        pieces = (
            "",
            text[start:end] * 2,
            text[start:end][::-1],
            text[start:end].swapcase(),
            chance.choice((*SPLICES, *LONG)),
        )
        text = text[:start] + chance.choice(pieces) + text[chance.choice((start, end)) :]
    return text


def mutate_bytes(content: bytes, chance: random.Random) -> bytes:
    """Change a file here and there."""
    for _ in range(chance.randint(0, 4)):
        start = chance.randint(0, len(content))
        end = min(len(content), start + chance.choice((0, 1, 1, 7, 512)))
        pieces = (content[start:end] * 2, bytes([chance.randint(0, 255)]), *BYTES, b"9" * 5000)
        content = content[:start] + chance.choice(pieces) + content[end:]
    return content[: chance.randint(0, len(content))] if chance.random() < 0.1 else content


CHANCE = st.integers(0, 2**32).map(random.Random)
TEXTS = st.text(st.characters(), max_size=60) | st.builds(
    mutate, st.sampled_from([case.raw for case in CASES]), CHANCE
)
OPTIONS = st.lists(st.sampled_from([o for case in CASES for o in case.options]) | TEXTS, max_size=6).map(
    tuple
)
ANSWERS = st.sampled_from([case.answer for case in CASES if case.answer]) | TEXTS


@st.composite
def questions(draw: st.DrawFn, name: str) -> Question:
    """A question as the adapters of the benchmark make them: with options, the answer is a letter."""
    choice = BENCHMARKS[name].matcher == "choice"
    options = draw(OPTIONS) if choice else ()
    answer = draw(st.sampled_from("ABCDEF"[: len(options)])) if options else draw(ANSWERS)
    answers = tuple(draw(st.lists(ANSWERS, max_size=11)))
    return Question(
        id="1",
        image="1",
        prompt="",
        answer=answer,
        options=options,
        answers=answers,
        part=draw(TEXTS),
        group="1",
    )


def values() -> st.SearchStrategy[Any]:
    """Give any JSON value."""
    plain = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
    return st.recursive(
        plain,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
        max_leaves=8,
    )


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Give objects with some of these fields, one of them perhaps anything."""

    def spoil(record: dict[str, Any], key: str, value: object, is_spoilt: bool) -> dict[str, Any]:
        return {**record, key: value} if is_spoilt else record

    whole = st.fixed_dictionaries({}, optional=fields)
    return st.builds(spoil, whole, st.sampled_from(sorted(fields)) | TEXTS, values(), st.booleans())


PREDICTION = objects(
    id=TEXTS | st.integers(0, 3),
    benchmark=st.sampled_from(sorted(BENCHMARKS)),
    prediction=TEXTS,
    answer=ANSWERS,
    options=OPTIONS.map(list),
    answers=st.lists(ANSWERS, max_size=3),
    vision=st.booleans(),
    image=TEXTS,
    group=TEXTS,
    part=TEXTS,
)
SAID = st.lists(
    st.fixed_dictionaries({"from": st.sampled_from(["human", "gpt"]), "value": TEXTS}), max_size=4
)
ROW = objects(id=TEXTS | st.integers(), image=TEXTS, images=st.lists(TEXTS, max_size=2), conversations=SAID)
GOOD_ROW = {
    "id": "1",
    "image": "a/b.jpg",
    "conversations": [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A cup."}],
}
GOOD_PREDICTION = {"id": "1", "benchmark": "ai2d", "prediction": "A", "answer": "A", "options": ["x", "y"]}
STORED = {"id": "1", "vision": True, "prompt": "?", "raw": "A"}
ASKED = {"id": "1", "image": "1", "prompt": "?", "answer": "A", "options": ["x"]}


def files(one: st.SearchStrategy[Any], good: object) -> st.SearchStrategy[bytes]:
    """Give files of rows: JSONL or an array, mutated or not."""
    row = one | st.just(good)
    lines = st.lists(row, max_size=4).map(lambda rows: "\n".join(map(json.dumps, rows)).encode())
    array = st.lists(row, max_size=4).map(lambda rows: json.dumps(rows, indent=1).encode())
    return st.builds(mutate_bytes, lines | array | st.binary(max_size=60), CHANCE)


def archive(rows: list[Any]) -> bytes:
    """A shard of rows with a picture each."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for number, row in enumerate(rows):
            for ending, content in (("json", json.dumps(row).encode()), ("jpg", b"\xff\xd8")):
                member = tarfile.TarInfo(f"{number}.{ending}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
