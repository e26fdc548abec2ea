"""`python -m cambrian.sweep why`: what a digest is made of, and why two differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from toy_stages import make, toy

from cambrian.errors import UserError
from cambrian.stages.base import KINDS, StageKind
from cambrian.sweep.__main__ import main
from cambrian.sweep.store import Store
from cambrian.sweep.why import compare, complete, describe


@pytest.fixture(autouse=True)
def toy_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "toy", StageKind(name="toy", version=1, function="toy_stages:run"))


def test_why_names_the_cause_in_the_inputs(store: Store) -> None:
    small, large = toy("a", size=1), toy("a", size=2)
    one, two = toy("b", inputs={"align": small.digest}), toy("b", inputs={"align": large.digest})
    for stage in (small, large, one, two):
        make(stage, store)

    def lookup(digest: str) -> Mapping[str, Any] | None:
        found = store.find("toy", digest)
        return None if found is None else found.manifest

    assert compare(one.digest, two.digest, lookup) == [
        f"inputs.align: {small.digest[:12]} -> {large.digest[:12]}",
        "align: recipe.size: 1 -> 2",
    ]
    assert compare(one.digest, one.digest, lookup) == ["the same stage"]
    assert "  recipe.size = 1" in describe(small.digest, lookup)
    assert f"  inputs.align = {small.digest}  toy a" in describe(one.digest, lookup)


def test_why_on_the_command_line(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = make(toy("a", size=1), store).digest, make(toy("a", width=2), store).digest
    assert main(["why", one[:20], two, "--store", str(store.root)]) == 0
    assert capsys.readouterr().out == "recipe.size: 1 -> (absent)\nrecipe.width: (absent) -> 2\n"
    assert main(["why", one, "--store", str(store.root)]) == 0
    assert "  recipe.size = 1\n" in capsys.readouterr().out
    with pytest.raises(UserError, match="stages in the store starts with 'nothing'"):
        main(["why", "nothing", "--store", str(store.root)])


def test_a_prefix_must_be_unique() -> None:
    assert complete("ab", ["abc", "b"], "stages") == "abc"
    with pytest.raises(UserError, match="short for 2 stages"):
        complete("a", ["ab", "ac"], "stages")
