"""Being told to leave: the work is saved, the exit code says so, the next start goes on from there."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from cambrian import preemption
from cambrian.checkpoints import load_checkpoint
from cambrian.preemption import Preempted, Preemption
from cambrian.runtime import Runtime
from cambrian.stages.base import KINDS, Stage
from cambrian.sweep.execute import Outcome, execute
from cambrian.sweep.plan import Run, make_plan
from cambrian.sweep.store import Store


def train(store: Store) -> Outcome:
    """Train the regression in this process, as the one run of a plan."""
    stage = Stage(kind="tune", recipe={"name": "regression"}, inputs={}, label="regression")
    plan = make_plan([Run(name="it", axes={}, finals=(stage.digest,))], {stage.digest: stage}, store)
    runtime = Runtime(store=store.root, cluster="inline", checkpoint_seconds=1000.0)
    return execute(plan, store, runtime)


def test_training_goes_on_where_it_was_preempted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "training"))
    import regression

    monkeypatch.setitem(KINDS, "tune", regression.KIND)
    whole = Store(tmp_path / "whole")
    assert train(whole).exit_code == 0
    store = Store(tmp_path / "store")
    monkeypatch.setattr(regression, "SIGNAL_AFTER", 5)
    outcome = train(store)
    assert (outcome.exit_code, outcome.done, outcome.failed) == (75, (), {})
    (digest,) = outcome.not_run
    state = load_checkpoint(store.root / "work" / digest)
    assert state is not None
    assert state["step"] == 6, "the step after the signal is the last"
    monkeypatch.setattr(regression, "SIGNAL_AFTER", None)
    assert train(store).exit_code == 0
    made, expected = store.load("tune", digest), whole.load("tune", digest)
    assert made.metrics["resumed_step"] == 6
    assert made.metrics["losses"] == expected.metrics["losses"]
    assert (made.path / "weights.pt").read_bytes() == (expected.path / "weights.pt").read_bytes()
    assert made.manifest["provenance"]["workers"] == 1


@pytest.mark.parametrize("number", preemption.SIGNALS)
def test_what_does_not_look_is_cut_short(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preemption, "GRACE_SECONDS", 0.05)
    with pytest.raises(Preempted, match="not left in order"), Preemption() as asked:
        os.kill(os.getpid(), number)
        assert asked()
        time.sleep(20)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_workers_elsewhere_are_told_by_a_file(tmp_path: Path) -> None:
    notice = tmp_path / "stop"
    with Preemption() as driver:
        driver.tell(notice)
        assert not Preemption(notice)()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert driver()
        assert Preemption(notice)()
        driver.tell(tmp_path / "later")
        assert (tmp_path / "later").exists()


def test_a_thread_can_be_told_too(tmp_path: Path) -> None:
    seen = []

    def look() -> None:
        with Preemption(tmp_path) as asked:
            seen.append(asked())

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [True]
