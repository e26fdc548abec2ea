"""The log of a stage: complete, in the store, and without a word more on the screen."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from cambrian.runtime import PROJECT, Runtime
from cambrian.stages.base import Stage
from cambrian.sweep.inline import run_task
from cambrian.sweep.stage_log import _File, log_path, stage_log
from cambrian.sweep.store import Store

pytestmark = pytest.mark.usefixtures("fake_kinds")


def fake(tmp_path: Path, act: str) -> Stage:
    recipe = {"name": "a", "log": str(tmp_path / "log"), "seconds": 0, "act": act}
    return Stage(kind="encoder", recipe=recipe, inputs={}, label="encoder a")


def test_it_holds_messages_warnings_and_the_end(store: Store, tmp_path: Path) -> None:
    stage = fake(tmp_path, "talk")
    with pytest.warns(UserWarning, match="mind the gap"):
        assert run_task([stage], store, Runtime(store=store.root)) == {}
    text = log_path(store, stage.digest).read_text()
    lines = text.splitlines()
    head = rf"=== \S+\+00:00 attempt 1 on host \S+, pid {os.getpid()}: encoder {stage.digest} \(encoder a\)"
    assert re.fullmatch(head, lines[0])
    assert [re.sub(r"^\S+Z ", "", line) for line in lines[1:3]] == [
        "INFO cambrian.model: frozen: all",
        "INFO cambrian.training: resumed at step 1 of 2",
    ]
    assert "UserWarning: mind the gap" in text
    assert "unheard" not in text
    assert re.search(r"INFO cambrian.sweep.produce: encoder a done in [\d.]+ s$", text.strip())


def test_each_attempt_appends_its_line_and_its_traceback(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cambrian.sweep.inline.sleep", lambda _: None)
    stage = fake(tmp_path, "stale 3")
    run_task([stage], store, Runtime(store=store.root))
    run_task([stage], store, Runtime(store=store.root))
    text = log_path(store, stage.digest).read_text()
    assert [line.split()[3] for line in text.splitlines() if line.startswith("===")] == list("1231")
    assert text.count("failed (infrastructure)\nTraceback (most recent call last):") == 3
    assert text.count("OSError: [Errno 116] Stale file handle; next attempt in 5 s") == 1
    assert text.splitlines()[-1].endswith("encoder a done in 0.0 s")


def test_a_stage_that_is_there_already_gets_no_line(store: Store, tmp_path: Path) -> None:
    stage = fake(tmp_path, "")
    for _ in range(2):
        run_task([stage], store, Runtime(store=store.root))
    assert log_path(store, stage.digest).read_text().count("===") == 1


def test_an_interruption_is_noted(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt), stage_log(store, "d" * 64):
        raise KeyboardInterrupt
    assert log_path(store, "d" * 64).read_text() == "interrupted by KeyboardInterrupt\n"


@pytest.mark.parametrize(
    ("setup", "shown"),
    [
        ("", ["warned"]),
        ("logging.basicConfig(format='%(message)s')", ["warned"]),
        (
            "logging.basicConfig(format='%(message)s'); "
            "logging.getLogger('cambrian.model').setLevel(logging.INFO)",
            ["frozen", "warned"],
        ),
        ("logging.basicConfig(format='%(message)s', level=logging.INFO)", ["frozen", "resumed", "warned"]),
    ],
    ids=["bare", "warnings", "single run", "info"],
)
def test_what_the_screen_shows_stays_as_it_was(tmp_path: Path, setup: str, shown: list[str]) -> None:
    code = f"""
import logging, sys
from pathlib import Path
from cambrian.sweep.stage_log import stage_log
from cambrian.sweep.store import Store
{setup}
def talk():
    logging.getLogger("cambrian.model").info("frozen")
    logging.getLogger("cambrian.training").info("resumed")
    logging.getLogger("cambrian.training").warning("warned")
with stage_log(Store(Path(sys.argv[1])), "d" * 64):
    talk()
print("after", file=sys.stderr)
talk()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        check=True,
    )
    assert done.stderr.splitlines() == [*shown, "after", *shown]
    log = (tmp_path / "tracking" / f"{'d' * 64}.log").read_text()
    assert [line.split()[-1] for line in log.splitlines()] == ["frozen", "resumed", "warned"]


def test_everything_is_put_back(store: Store) -> None:
    root = logging.getLogger()
    before = (warnings.showwarning, root.handlers[:], [handler.filters[:] for handler in root.handlers])
    with stage_log(store, "d" * 64):
        assert len(root.handlers) == len(before[1]) + 1
    assert (warnings.showwarning, root.handlers, [handler.filters for handler in root.handlers]) == before
    assert logging.getLogger("cambrian").level == logging.NOTSET


def test_a_full_disk_costs_the_log_not_the_stage(caplog: pytest.LogCaptureFixture) -> None:
    handler = _File(Path("/dev/full"))
    handler.write("lost")
    handler.write("lost")
    handler.close()
    assert [record.message for record in caplog.records] == [
        "nothing more is written to /dev/full: [Errno 28] No space left on device"
    ]


def test_a_log_that_cannot_be_opened_costs_a_warning(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    log_path(store, "d" * 64).mkdir(parents=True)
    with stage_log(store, "d" * 64) as record:
        record.write("lost")
    assert "no log is written" in caplog.text
