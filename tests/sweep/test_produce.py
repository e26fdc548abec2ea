"""Making a stage: once, with its inputs, resumable, and only if its numbers are numbers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import toy_stages
from toy_stages import NullTracker, lines, make, toy

from cambrian import source_code
from cambrian.runtime import Runtime
from cambrian.stages.base import KINDS, Stage
from cambrian.sweep.catalog import MissingArtifactError
from cambrian.sweep.produce import NonFiniteMetricsError, produce
from cambrian.sweep.store import Store

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def toy_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in toy_stages.TOYS:
        monkeypatch.setitem(KINDS, kind.name, kind)


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Run Python `code` in a process of its own, with the toy stages at hand."""
    prelude = f"import sys; sys.path.insert(0, {str(HERE)!r})\nimport toy_stages; toy_stages.register()\n"
    return subprocess.Popen(
        [sys.executable, "-c", prelude + code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


MAKE = """
import json
from pathlib import Path
from cambrian.stages.base import Stage
from cambrian.sweep.store import Store
root, specification = sys.argv[1:]
stage = Stage(**json.loads(specification), inputs={}, label="other process")
print(json.dumps(dict(toy_stages.make(stage, Store(Path(root))).metrics)))
"""


def start_making(store: Store, stage: Stage) -> subprocess.Popen[str]:
    specification = json.dumps({"kind": stage.kind, "recipe": dict(stage.recipe)})
    return start(MAKE, str(store.root), specification)


def wait_for(condition: object, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    assert callable(condition)
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_inputs_arrive_by_role_in_order(store: Store) -> None:
    a, b = toy("a"), toy("b")
    both = toy("c", inputs={"second": b.digest, "first": a.digest})
    make(a, store)
    make(b, store)
    assert (make(both, store).path / "text").read_text() == "b+a+c"


def test_the_second_time_nothing_runs(store: Store, tmp_path: Path) -> None:
    stage = toy("a", log=str(tmp_path / "log"))
    assert make(stage, store) == make(stage, store)
    assert len(lines(tmp_path / "log")) == 1


def test_a_missing_input_is_named(store: Store) -> None:
    absent = toy("absent")
    with pytest.raises(
        MissingArtifactError, match=rf"toy b needs the input 'eyes', but {absent.digest[:12]}"
    ):
        make(toy("b", inputs={"eyes": absent.digest}), store)


def test_a_damaged_input_is_not_served(store: Store) -> None:
    entry = make(toy("a"), store).path
    (entry / "text").write_text("b")
    with pytest.raises(MissingArtifactError, match="needs the input 'eyes'"):
        make(toy("b", inputs={"eyes": toy("a").digest}), store)


@pytest.mark.parametrize("score", ["nan", "inf", "-inf"])
def test_numbers_that_are_none_are_refused(store: Store, score: str) -> None:
    with pytest.raises(NonFiniteMetricsError, match="toy a: not a finite number: score, nested"):
        make(toy("a", score=score), store)
    assert store.find("toy", toy("a", score=score).digest) is None


def test_the_tracker_is_told_of_a_failure_and_closed(store: Store) -> None:
    tracker = NullTracker()
    with pytest.raises(RuntimeError, match="it fails"):
        produce(toy("a", fails=True), store, Runtime(store=store.root), lambda _: tracker)
    assert tracker.failures == ["RuntimeError: it fails"]
    assert tracker.closed


def test_progress_is_passed_on(store: Store) -> None:
    seen = []
    runtime = Runtime(store=store.root)
    produce(toy("a"), store, runtime, lambda _: NullTracker(), lambda done, total: seen.append((done, total)))
    assert seen == [(1, 1)]


def test_provenance_tells_how_it_came_about(store: Store) -> None:
    made = make(toy("a", seconds=0.2), store).manifest["provenance"]
    assert made["created"].endswith("+00:00")
    assert 0.2 <= made["seconds"] < 5
    assert made["packages"]["numpy"].count(".") >= 1
    assert 5e6 < made["peak_memory_bytes"] < 5e10
    assert set(made) >= {"host", "python", "git", "work"}


def test_two_processes_make_one_stage_once(store: Store, tmp_path: Path) -> None:
    stage = toy("a", log=str(tmp_path / "log"), seconds=1.0)
    processes = [start_making(store, stage) for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0] != ""
    assert len(lines(tmp_path / "log")) == 1
    assert "is being made by pid" in outputs[0][1] + outputs[1][1]


def test_kill_9_in_the_middle_of_a_stage_resumes_from_its_checkpoint(store: Store, tmp_path: Path) -> None:
    log = tmp_path / "log"
    slow = Stage(kind="steps", recipe={"steps": 8, "seconds": 0.2, "log": str(log)}, inputs={}, label="train")
    process = start_making(store, slow)
    wait_for(lambda: len(lines(log)) >= 3)
    process.kill()  # not waited for: a zombie is dead enough
    begun = time.monotonic()
    artifact = make(slow, store)
    process.communicate()
    assert time.monotonic() - begun < 10, "a dead owner on this machine must not be waited out"
    assert artifact.metrics["first"] >= 2
    assert sorted(set(map(int, lines(log)))) == list(range(8))
    assert len(lines(log)) <= 9, "at most the step that was cut off runs twice"
    assert list((store.root / "work").iterdir()) == []
    assert list((store.root / "staging").iterdir()) == []


PUBLISH_AND_STOP = """
import signal, os, pathlib
from cambrian.sweep import files
point = sys.argv.pop()
def stop(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if point == "before the manifest":
    files.write_durably = stop
elif point == "after the manifest":
    files.sync_directory = stop
else:
    rename = pathlib.Path.rename
    pathlib.Path.rename = lambda a, b: stop() if "toy/" in str(b) else rename(a, b)
"""


@pytest.mark.parametrize("point", ["before the manifest", "after the manifest", "before the rename"])
def test_kill_9_in_the_middle_of_a_publication_leaves_nothing_visible(
    store: Store, tmp_path: Path, point: str
) -> None:
    stage = toy("a", log=str(tmp_path / "log"))
    make(toy("other"), store)
    specification = json.dumps({"kind": "toy", "recipe": dict(stage.recipe)})
    process = start(PUBLISH_AND_STOP + MAKE, str(store.root), specification, point)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == -signal.SIGKILL, errors
    assert len(list((store.root / "staging").iterdir())) == 1, "it was stopped too early or too late"
    assert store.find("toy", stage.digest) is None
    assert [a.digest for a in store.artifacts("toy")] == [toy("other").digest]
    make(stage, store)
    assert store.load("toy", stage.digest).metrics["score"] == 1.5
    assert len(lines(tmp_path / "log")) == 2
    assert list((store.root / "staging").iterdir()) == []


def source_tree(folder: Path, text: str) -> str:
    """Write a module outside the package that reaches into it, and give its fingerprint."""
    (folder / "stage_in_test.py").write_text(text)
    source_code.digest_source.cache_clear()
    source_code.source_fingerprint.cache_clear()
    return source_code.source_fingerprint("stage_in_test")


def test_the_fingerprint_sees_code_and_not_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    base = source_tree(tmp_path, "from cambrian import errors\ndef run():\n    return 1\n")
    commented = '"""Doc."""\nfrom cambrian import errors\ndef run():\n    """Doc."""\n    return 1  # one\n'
    assert source_tree(tmp_path, commented) == base
    assert source_tree(tmp_path, "from cambrian import errors\ndef run():\n    return 2\n") != base
    assert source_tree(tmp_path, "def run():\n    return 1\n") != base


def test_the_fingerprint_follows_imports_and_tables_of_names(tmp_path: Path) -> None:
    names = source_code.digest_source(
        tmp_path_file(tmp_path, "import cambrian.errors\nROWS = ['cambrian.runtime:Runtime']\n"),
        is_table=False,
    )[1]
    assert set(names) == {"cambrian.errors", "cambrian.runtime"}


def tmp_path_file(folder: Path, text: str) -> Path:
    path = folder / "module.py"
    path.write_text(text)
    return path


def test_versions_come_without_imports() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from cambrian.sweep.provenance import package_versions;"
            "print(package_versions()['torch'], 'torch' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    version, imported = done.stdout.split()
    assert version[0].isdigit()
    assert imported == "False"
