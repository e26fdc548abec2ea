"""Whether a stage fits, and how it says so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published import LLMS, TOY, llava

from cambrian.hardware import GPUS
from cambrian.sweep.cost import price
from cambrian.sweep.memory import judge, peak_memory, smallest_fit


@settings(deadline=None)
@given(
    llm=st.sampled_from(sorted(LLMS)),
    gpu=st.sampled_from(sorted(GPUS)),
    tune=st.booleans(),
    text=st.integers(1, 60_000),
)
def test_the_smallest_fit_fits_and_one_less_does_not(llm: str, gpu: str, tune: bool, text: int) -> None:
    work = llava(LLMS[llm], tune=tune, text=text)
    least = smallest_fit(work, GPUS[gpu])
    if least is None:
        assert not judge(work, GPUS[gpu], work.batch_size)[0].fits
        return
    assert judge(work, GPUS[gpu], least)[0].fits
    if least > 1:
        verdict, _ = judge(work, GPUS[gpu], least - 1)
        assert not verdict.fits
        assert verdict.least_gpus == least


@pytest.mark.parametrize(
    ("llm", "tune", "gpu", "gpus", "verdict"),
    [
        ("vicuna_7b", False, "a100-80gb", 1, "fits"),
        ("vicuna_7b", True, "a100-40gb", 8, "fits, sharded"),
        ("vicuna_7b", True, "a100-80gb", 1, "does not fit, needs at least 2 GPUs, sharded"),
        ("vicuna_7b", True, "h200-141gb", 1, "fits"),
        ("vicuna_7b", True, "h200-141gb", 8, "fits"),
        ("yi_34b", False, "a100-80gb", 8, "fits, sharded"),
        ("vicuna_13b", True, "a100-40gb", 8, "fits with micro-batch 4, sharded"),
        ("vicuna_13b", True, "rtx4090-24gb", 8, "does not fit, needs at least 12 GPUs, sharded"),
        ("yi_34b", True, "a100-80gb", 4, "does not fit, needs at least 8 GPUs, sharded"),
    ],
)
def test_memory_verdicts(llm: str, tune: bool, gpu: str, gpus: int, verdict: str) -> None:
    bill = price(llava(LLMS[llm], tune=tune), GPUS[gpu], gpus)
    assert str(bill.verdict) == verdict
    assert bill.verdict.fits == (bill.memory_bytes <= 0.9 * GPUS[gpu].memory)


def test_no_number_of_gpus_helps_a_sample_that_is_too_long() -> None:
    work = llava(LLMS["yi_34b"], text=200_000)
    assert smallest_fit(work, GPUS["rtx4090-24gb"]) is None
    assert str(judge(work, GPUS["rtx4090-24gb"], 64)[0]).startswith("does not fit on any number")


def test_memory_of_a_toy_by_hand() -> None:
    frozen = replace(TOY, train_llm=False)
    memory = peak_memory(frozen, gpus=4, sharded=False, micro_batch=2)
    assert memory.states == 16 * 36 + 2 * (100 + 388)
    # Inputs of 2 layers and one whole layer, 5 tokens; the encoder's block; the connector's input and 2 x 4.
    values = 5 * (2 * 4 + 7 * 4 + 3 * 2 + 4 * 8) + 20 + 2 * (3 + 8)
    assert memory.activations == 2 * 2 * values
    assert memory.logits == 12 * 2 * 3 * 10
    sharded = peak_memory(TOY, gpus=4, sharded=True, micro_batch=2)
    assert sharded.states == 16 * 36 + 2 * 100 + 16 * 388 / 4
    unfrozen = peak_memory(replace(TOY, train_encoders=True), gpus=4, sharded=True, micro_batch=2)
    assert unfrozen.states == 16 * 36 + 16 * (388 + 100) / 4
    assert sharded.gathered == 3 * 2 * 144
    kept = peak_memory(replace(TOY, checkpointing=False), gpus=4, sharded=True, micro_batch=2)
    assert kept.activations - sharded.activations == 2 * 2 * 5 * (66 - 2 * 4)
