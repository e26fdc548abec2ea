"""Every published hard answer is read as a careful reader reads it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from cambrian.benchmarks import torture
from cambrian.benchmarks.matchers import MATCHERS

CASES = torture.load_cases()


@pytest.mark.parametrize("matcher", sorted({case.matcher for case in CASES}))
def test_every_case_passes(matcher: str) -> None:
    failing = [
        f"{case.id} ({case.origin}): {case.raw!r} says {case.answer!r}, read {case.read()!r}"
        for case in CASES
        if case.matcher == matcher and not case.passes()
    ]
    assert not failing, "\n".join(failing)


def test_the_set_is_large_and_has_no_case_twice() -> None:
    assert len(CASES) >= 300
    assert len({case.id for case in CASES}) == len(CASES)
    assert len({(case.matcher, case.options, case.raw) for case in CASES}) == len(CASES)
    assert sum(case.answer is None for case in CASES) >= 100
    assert all(case.origin for case in CASES)


def test_no_matcher_is_left_out() -> None:
    counted = Counter(case.matcher for case in CASES)
    assert set(counted) == set(MATCHERS) - {"number_5_percent"}
    assert min(counted.values()) >= 40


def test_the_command_shows_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert torture.main([]) == 0
    out = capsys.readouterr().out
    assert f"{len(CASES)} of {len(CASES)} pass" in out
    assert all(name in out for name in MATCHERS if name != "number_5_percent")


def test_a_failing_case_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case = {
        "id": "x-1",
        "origin": "a test",
        "matcher": "choice",
        "options": ["a", "b"],
        "raw": "B",
        "answer": "A",
    }
    monkeypatch.setattr(torture, "CASES", tmp_path / "cases.jsonl")
    torture.CASES.write_text(json.dumps(case))
    assert torture.main([]) == 1
    out = capsys.readouterr().out
    assert "x-1  'B'" in out
    assert "0 of 1 pass" in out
