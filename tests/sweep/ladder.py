"""Studies of real recipes on the stages of fake_ladder, run in this process."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from cambrian.config import Study, read_study
from cambrian.runtime import SHIPPED
from cambrian.stages.base import KINDS
from cambrian.sweep import session
from cambrian.sweep.grid import expand
from cambrian.sweep.plan import Plan
from cambrian.sweep.session import make_study_plan
from cambrian.sweep.store import Store

FAKES = Path(__file__).parent / "fakes"


class Ladder:
    """A store, a script for the fake stages, and a log of what they did."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        patch.syspath_prepend(str(FAKES))
        import fake_ladder

        for name, kind in fake_ladder.FAKES.items():
            patch.setitem(KINDS, name, kind)
        self.store = Store(folder / "store", shipped=(SHIPPED,))
        self._log = folder / "log"
        self._patch = patch
        self.script()

    def script(self, **acts: object) -> None:
        """Say what the stages do from now on, and forget what they did."""
        self._log.write_text("")
        self._patch.setenv("LADDER", json.dumps({"log": str(self._log), **acts}))

    def study(self, *words: str) -> Study:
        """The study that the words of a command line span, in the fakes' store and in this process."""
        fixed = ["cluster=inline", "tracker=none", f"store={self.store.root}"]
        return read_study(expand([*fixed, *words]))

    def plan(self, study: Study) -> Plan:
        return make_study_plan(study, self.store)[0]

    def run(self, *words: str) -> int:
        return session.run(self.study(*words))

    def counts(self) -> Counter[str]:
        """Line of the log -> how often; the words are: what, encoder, connector, part, examples."""
        return Counter(self._log.read_text().splitlines())

    def trained(self) -> list[str]:
        """Encoder and part of each instruction tuning, in order."""
        lines = [line.split() for line in self._log.read_text().splitlines()]
        return [f"{words[1]} {words[3]}" for words in lines if words[0] == "instruct"]


@pytest.fixture
def ladder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ladder:
    """Fake stages in an empty store."""
    return Ladder(tmp_path, monkeypatch)
