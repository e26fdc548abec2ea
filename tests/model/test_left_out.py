"""Examples that cannot be used: left out, named, counted; the rest trains as if they had not been."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_multimodal import BROKEN, ENDLESS, Assemble, DamagedCorpus, NoiseCorpus

from cambrian.data.conversation import Conversation, Turn
from cambrian.errors import DataError
from cambrian.model.freezing import freeze
from cambrian.model.mllm import MultimodalLLM
from cambrian.model.task import MultimodalTask
from cambrian.task import LeftOut
from cambrian.training import Conditions, FitResult, Schedule, fit

RATES = {"connector": 0.01, "sva": 0.003, "llm": 0.002, "vision": 0.001}
BATCHES = ((0, 1, 2, 3, 4), (5, 6, 7, 8, 9), (10, 11, 1, 3, 0), (1, 4))
GONE = {
    index: LeftOut(
        index=index,
        id=f"noise-{index}",
        reason=f"{100 + index}.jpg is empty",
        place=f"noise.jsonl, line {index + 1}",
        kind="its image is empty",
    )
    for index in BROKEN
}


class Batches:
    """Batches as they are listed."""

    def __init__(self, batches: Sequence[Sequence[int]], size: int) -> None:
        self._batches = batches
        self.size = size

    def indices(self, step: int) -> list[int]:
        return list(self._batches[step])


def train(
    model: MultimodalLLM,
    corpus: NoiseCorpus,
    workdir: Path,
    batches: Sequence[Sequence[int]] = BATCHES,
    micro_batch: int = 0,
    progress: Callable[[int, int], None] = lambda done, steps: None,
    note: Callable[[Any], None] = lambda facts: None,
) -> FitResult:
    freeze(model, stage="tune", vision="unfrozen")
    task = MultimodalTask(
        model,
        corpus,
        Batches(batches, len(corpus)),  # type: ignore[arg-type]
        rates=RATES,
        weight_decay=0.0,
    )
    size = len(batches[0])
    return fit(
        task,
        Schedule(
            steps=len(batches), batch_size=size, warmup_fraction=0.0, clip=1.0, betas=(0.9, 0.98), seed=0
        ),
        Conditions(
            workdir=workdir, micro_batch=micro_batch, checkpoint_seconds=0.0, progress=progress, note=note
        ),
    )


@pytest.mark.parametrize("micro_batch", [0, 2])
def test_what_is_left_trains_as_if_the_rest_had_not_been(
    make_model: Assemble, tmp_path: Path, caplog: pytest.LogCaptureFixture, micro_batch: int
) -> None:
    """The last batch holds nothing else."""
    damaged, whole = make_model(), make_model()
    facts: dict[str, Any] = {}
    result = train(
        damaged, DamagedCorpus(12), tmp_path / "damaged", micro_batch=micro_batch, note=facts.update
    )
    unusable = {*BROKEN, *ENDLESS}
    usable = [[index for index in batch if index not in unusable] for batch in BATCHES[:3]] + [[0]]
    expected = train(whole, NoiseCorpus(12), tmp_path / "whole", usable, micro_batch)
    assert result.losses[:3] == pytest.approx(expected.losses[:3], rel=1e-5)
    assert {one.index for one in result.left_out} == unusable
    assert facts["left_out"] == 3
    assert facts["left_out_kinds"] == {
        "its image is empty": 2,
        "has no supervised token among its first 96": 1,
    }
    assert 0 <= facts["padding"] < 1
    for index in BROKEN:
        assert GONE[index] in result.left_out
    reason = next(one.reason for one in result.left_out if one.index == 8)
    assert reason.startswith("example 'noise-8' has no supervised token among its first 96. Decoded: <s>")
    assert len(reason) <= 300
    said = [record.getMessage() for record in caplog.records if record.name == "cambrian.guards"]
    assert sorted(line.partition(": ")[0] for line in said) == [
        f"left out example 'noise-{index}' (noise.jsonl, line {index + 1})" for index in sorted(unusable)
    ]


def test_nothing_is_forgotten_by_an_interruption(make_model: Assemble, tmp_path: Path) -> None:
    def interrupt(step: int, steps: int) -> None:
        if step == 2:
            raise KeyboardInterrupt

    whole, first, second = make_model(), make_model(), make_model()
    expected = train(whole, DamagedCorpus(12), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(first, DamagedCorpus(12), tmp_path / "parts", progress=interrupt)
    result = train(second, DamagedCorpus(12), tmp_path / "parts")
    assert result.resumed_step == 2
    assert result.left_out == expected.left_out
    assert result.losses == expected.losses
    state = whole.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in second.state_dict().items())


LENGTHS = {2: (30, 80), 5: (30, 10), 8: (200, 1)}
"""Examples that are text alone -> words of the question and of the answer."""


class TalkativeCorpus(NoiseCorpus):
    """Example 2 has an answer that goes beyond the context, 8 has nothing but a question in it."""

    def conversation(self, index: int) -> Conversation:
        found = super().conversation(index)
        if index not in LENGTHS:
            return found
        question, answer = (" ".join(["word1"] * count) for count in LENGTHS[index])
        return replace(found, turns=(Turn(question=question, answer=answer),))


@pytest.mark.parametrize("micro_batch", [0, 2])
def test_what_is_cut_at_the_context_is_counted(
    make_model: Assemble, tmp_path: Path, micro_batch: int
) -> None:
    """<s> <user> 30 <assistant> 80 </s> are 114 tokens, 18 more than the context of 96; 44 fit."""

    def interrupt(step: int, steps: int) -> None:
        if step == 1:
            raise KeyboardInterrupt

    facts: dict[str, Any] = {}
    corpus, batches = TalkativeCorpus(12), BATCHES[:3]
    with pytest.raises(KeyboardInterrupt):
        train(make_model(), corpus, tmp_path, batches, micro_batch, progress=interrupt)
    result = train(make_model(), corpus, tmp_path, batches, micro_batch, note=facts.update)
    assert result.resumed_step == 1, "the long one was met before"
    assert (result.amount.cut_examples, result.amount.cut_tokens) == (1, 18)
    assert (facts["cut_examples"], facts["cut_tokens"]) == (1, 18)
    assert result.amount.examples == 15 - 1
    assert facts["left_out_kinds"] == {"has no supervised token among its first 96": 1}


def test_a_wrong_folder_stops_training(make_model: Assemble, tmp_path: Path) -> None:
    """Two of three examples have an image; at the 20th that is missing all is over, by its name."""
    corpus = DamagedCorpus(48, broken=range(48), endless=())
    batches = [range(start, start + 12) for start in range(0, 48, 12)]
    with pytest.raises(
        DataError,
        match=r"^24 of the first 36 examples cannot be used.*'noise-0' \(noise.jsonl, line 1\): "
        r"100\.jpg is empty; 'noise-1' ",
    ):
        train(make_model(), corpus, tmp_path, batches)
