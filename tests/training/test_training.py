from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from regression import STEPS, Regression, schedule, weights
from torch import Tensor, nn

from cambrian.checkpoints import load_checkpoint
from cambrian.errors import UserError
from cambrian.optimizer import cosine_factor, make_optimizer, split_decay
from cambrian.training import Conditions, FitResult, NonFiniteLoss, fit


class Memory:
    """A tracker that remembers."""

    def __init__(self) -> None:
        self.logged: dict[int, Mapping[str, float]] = {}

    def log(self, metrics: Mapping[str, float], *, step: int) -> None:
        self.logged[step] = metrics

    def summarize(self, metrics: Mapping[str, object]) -> None:
        raise AssertionError

    def close(self) -> None:
        raise AssertionError


class Stopped(Exception):  # noqa: N818
    pass


def train(
    task: Regression,
    workdir: Path,
    *,
    micro_batch: int = 0,
    steps: int = STEPS,
    clip: float = 1.0,
    tracker: Memory | None = None,
    progress: Callable[[int, int], None] = lambda step, steps: None,
    stopping: Callable[[], bool] = lambda: False,
    note: Callable[[Mapping[str, Any]], None] = lambda facts: None,
) -> FitResult:
    conditions = Conditions(
        workdir=workdir,
        micro_batch=micro_batch,
        checkpoint_seconds=0.0,
        tracker=tracker or Memory(),
        progress=progress,
        stopping=stopping,
        note=note,
    )
    return fit(task, schedule(steps, clip), conditions)


def assert_same_bits(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("stops", [(5,), (1, 2, 11), (12,)], ids=str)
def test_an_interrupted_run_ends_as_an_uninterrupted_one(tmp_path: Path, stops: tuple[int, ...]) -> None:
    whole = Regression()
    expected = train(whole, tmp_path / "whole")
    start = weights(Regression())

    for stop in stops:

        def interrupt(step: int, steps: int, stop: int = stop) -> None:
            if step == stop:
                raise Stopped

        torch.rand(7)  # the session's own random state must not matter
        with pytest.raises(Stopped):
            train(Regression(), tmp_path / "parts", progress=interrupt)
    resumed = Regression()
    result = train(resumed, tmp_path / "parts")

    assert result.resumed_step == stops[-1]
    assert result.losses == expected.losses
    assert len(result.losses) == 12
    assert_same_bits(weights(resumed), weights(whole))
    assert not torch.equal(start["net.0.weight"], weights(whole)["net.0.weight"])


def test_training_leaves_the_random_state_of_the_caller_alone(tmp_path: Path) -> None:
    task = Regression()
    before = torch.get_rng_state()
    train(task, tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("micro_batch", [1, 3, 5, 8])
def test_accumulation_does_not_change_the_result(tmp_path: Path, micro_batch: int) -> None:
    whole, parts = Regression(dropout=0.0), Regression(dropout=0.0)
    expected = train(whole, tmp_path / "whole").losses
    losses = train(parts, tmp_path / "parts", micro_batch=micro_batch).losses
    assert losses == pytest.approx(expected, rel=1e-5)
    for key, value in weights(parts).items():
        torch.testing.assert_close(value, weights(whole)[key], rtol=1e-4, atol=1e-5)


def test_the_loss_is_the_mean_over_the_weight_of_the_global_batch(tmp_path: Path) -> None:
    task = Regression(dropout=0.0)
    total, weight = task.loss(task.batch(0))
    expected = (total / weight).item()
    assert train(task, tmp_path, micro_batch=3).losses[0] == pytest.approx(expected, rel=1e-6)


def test_cosine_with_warm_up_has_exact_values() -> None:
    factors = [cosine_factor(step, steps=8, warmup_fraction=0.25) for step in range(8)]
    decay = [0.5 * (1 + math.cos(math.pi * index / 6)) for index in range(6)]
    assert factors == [1 / 3, 2 / 3, *decay]
    assert decay[0] == 1.0
    assert cosine_factor(0, steps=1, warmup_fraction=0.0) == 1.0
    assert cosine_factor(0, steps=1, warmup_fraction=0.03) == 0.5


def test_every_group_follows_the_schedule_from_its_own_rate(tmp_path: Path) -> None:
    tracker = Memory()
    train(Regression(), tmp_path, tracker=tracker)
    for step in range(12):
        factor = cosine_factor(step, steps=12, warmup_fraction=0.25)
        assert tracker.logged[step + 1]["lr/first"] == 0.01 * factor
        assert tracker.logged[step + 1]["lr/second"] == 0.003 * factor
    assert all(type(value) is float for value in tracker.logged[12].values())


def test_the_update_is_that_of_torch_with_clipping(tmp_path: Path) -> None:
    ours, theirs = Regression(dropout=0.0), Regression(dropout=0.0)
    groups = theirs.parameter_groups()
    reference = torch.optim.AdamW(
        [{"params": g.parameters, "lr": g.lr, "weight_decay": g.weight_decay} for g in groups],
        betas=(0.9, 0.95),
        eps=1e-8,
    )
    members = [parameter for group in groups for parameter in group.parameters]
    clipped = []
    for step in range(6):
        factor = cosine_factor(step, steps=6, warmup_fraction=0.25)
        for group, rate in zip(reference.param_groups, groups, strict=True):
            group["lr"] = rate.lr * factor
        total, weight = theirs.loss(theirs.batch(step))
        reference.zero_grad()
        (total / weight).backward()
        clipped.append(torch.nn.utils.clip_grad_norm_(members, 0.5).item() > 0.5)
        reference.step()
        theirs.after_step(step)
    train(ours, tmp_path, steps=6, clip=0.5)
    assert any(clipped)
    for key, value in weights(ours).items():
        torch.testing.assert_close(value, weights(theirs)[key], rtol=1e-5, atol=1e-6)


def test_a_non_finite_loss_stops_with_step_and_ids_and_keeps_the_weights_before(tmp_path: Path) -> None:
    task = Regression(poison_step=4)
    with pytest.raises(NonFiniteLoss, match=r"loss is nan at step 4.* row-32, row-33") as caught:
        train(task, tmp_path, micro_batch=2)
    assert caught.value.step == 4
    assert caught.value.ids == tuple(f"row-{row}" for row in range(32, 40))
    state = load_checkpoint(tmp_path)
    assert state is not None
    assert state["step"] == 4
    assert all(torch.isfinite(value).all() for value in weights(task).values())


def test_a_non_finite_weight_is_never_written(tmp_path: Path) -> None:
    class Spoiled(Regression):
        def after_step(self, step: int) -> None:
            if step == 2:
                self.average.weight.data[0, 0] = torch.inf

    with pytest.raises(NonFiniteLoss, match=r"average\.weight is not finite at step 2"):
        train(Spoiled(), tmp_path)
    state = load_checkpoint(tmp_path)
    assert state is not None
    assert state["step"] == 2


def test_checkpoints_of_another_schedule_are_refused(tmp_path: Path) -> None:
    train(Regression(), tmp_path, steps=3)
    with pytest.raises(UserError, match=r"another training run.*delete"):
        train(Regression(), tmp_path, steps=4)


def test_a_parameter_in_two_groups_is_refused() -> None:
    shared = nn.Parameter(torch.ones(2, 2))
    groups = split_decay("a", [shared], lr=1.0, weight_decay=0.1) * 2
    with pytest.raises(ValueError, match="more than one parameter group"):
        make_optimizer(groups, (0.9, 0.99))


def test_vectors_and_frozen_parameters_are_not_decayed() -> None:
    matrix, vector = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))
    frozen = nn.Parameter(torch.ones(3, 3), requires_grad=False)
    groups = split_decay("a", [vector, frozen, matrix], lr=1.0, weight_decay=0.1)
    assert [(group.weight_decay, group.parameters) for group in groups] == [(0.1, [matrix]), (0.0, [vector])]
