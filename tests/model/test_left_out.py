"""Examples that cannot be used: left out, named, counted; the rest trains as if they had not been."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_multimodal import BROKEN, ENDLESS, Assemble, DamagedCorpus, NoiseCorpus

from cambrian.errors import DataError
from cambrian.model.freezing import freeze
from cambrian.model.mllm import MultimodalLLM
from cambrian.model.task import MultimodalTask
from cambrian.task import LeftOut
from cambrian.training import Conditions, FitResult, Schedule, fit

RATES = {"connector": 0.01, "sva": 0.003, "llm": 0.002, "vision": 0.001}
BATCHES = ((0, 1, 2, 3, 4), (5, 6, 7, 8, 9), (10, 11, 1, 3, 0), (1, 4))
GONE = {
    1: LeftOut(index=1, id="noise-1", reason="101.jpg is empty"),
    4: LeftOut(index=4, id="noise-4", reason="104.jpg is empty"),
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
    assert 0 <= facts["padding"] < 1
    for index in BROKEN:
        assert GONE[index] in result.left_out
    reason = next(one.reason for one in result.left_out if one.index == 8)
    assert reason.startswith("example 'noise-8' has no supervised token among its first")
    assert len(reason) <= 300
    said = [record.getMessage() for record in caplog.records if record.name == "cambrian.guards"]
    assert sorted(line[: len("left out example 'noise-1'")] for line in said) == [
        f"left out example 'noise-{index}'" for index in sorted(unusable)
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


def test_a_wrong_folder_stops_training(make_model: Assemble, tmp_path: Path) -> None:
    """Two of three examples have an image; at the 20th that is missing all is over, by its name."""
    corpus = DamagedCorpus(48, broken=range(48), endless=())
    batches = [range(start, start + 12) for start in range(0, 48, 12)]
    with pytest.raises(
        DataError,
        match=r"^24 of the first 36 examples cannot be used.*'noise-0': 100\.jpg is empty; 'noise-1': ",
    ):
        train(make_model(), corpus, tmp_path, batches)
