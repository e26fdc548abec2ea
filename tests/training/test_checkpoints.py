from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cambrian.checkpoints import load_checkpoint, save_checkpoint


def test_two_checkpoints_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, step, {"step": step})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000002", "step-00000003"]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "no checksum", "no state"])
def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, damage: str) -> None:
    for step in (1, 2):
        save_checkpoint(tmp_path, step, {"step": step, "weight": torch.full((100,), float(step))})
    state = tmp_path / "step-00000002" / "state.pt"
    content = state.read_bytes()
    if damage == "truncated":
        state.write_bytes(content[:-1])
    elif damage == "flipped":
        state.write_bytes(content[:500] + bytes([content[500] ^ 1]) + content[501:])
    elif damage == "no checksum":
        (state.parent / "sha256").unlink()
    else:
        state.unlink()
    loaded = load_checkpoint(tmp_path)
    assert loaded is not None
    assert loaded["step"] == 1
    save_checkpoint(tmp_path, 2, {"step": 22})
    rewritten = load_checkpoint(tmp_path)
    assert rewritten == {"step": 22}


def test_a_checkpoint_cut_short_by_a_crash_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path, 1, {"step": 1})
    original = torch.save

    def crash(state: dict[str, Any], path: Path) -> None:
        original(state, path)
        path.write_bytes(path.read_bytes()[:40])
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", crash)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path, 2, {"step": 2})
    assert load_checkpoint(tmp_path) == {"step": 1}
    monkeypatch.undo()
    save_checkpoint(tmp_path, 3, {"step": 3})
    assert not list(tmp_path.glob("writing-*"))


def test_a_checkpoint_that_does_not_fit_gives_its_room_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path, 1, {"step": 1})

    def full(state: dict[str, Any], path: Path) -> None:
        path.write_bytes(bytes(1234))
        raise RuntimeError("[enforce fail at inline_container.cc:671] . unexpected pos 64 vs 0")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(RuntimeError, match="unexpected pos") as caught:
        save_checkpoint(tmp_path, 2, {"step": 2})
    assert caught.value.__notes__ == ["the checkpoint needs more than 1,234 bytes"]
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_there_is_no_checkpoint_at_first(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path) is None
    assert load_checkpoint(tmp_path / "absent") is None
