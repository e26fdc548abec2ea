from __future__ import annotations

import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.checkpoints import Piece, Pieces, load_checkpoint, read_rows, save_checkpoint
from cambrian.shards import Rows


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


@settings(deadline=None)
@given(
    size=st.integers(1, 9),
    cuts=st.lists(st.integers(0, 9), max_size=3),
    asked=st.tuples(st.integers(0, 9), st.integers(0, 9)),
)
def test_rows_are_found_in_whatever_pieces_they_were_written(
    size: int, cuts: list[int], asked: tuple[int, int]
) -> None:
    tensor = torch.arange(2.0 * size).view(size, 2)
    edges = sorted({0, size, *(min(cut, size) for cut in cuts)})
    pieces = Pieces({start: tensor[start:stop] for start, stop in pairwise(edges)})
    start, stop = sorted(min(row, size) for row in asked)
    for saved in (pieces, tensor):
        assert torch.equal(read_rows(saved, None), tensor)
        assert torch.equal(read_rows(saved, Rows(start=start, stop=stop)), tensor[start:stop])


def test_a_piece_has_a_file_of_its_own_and_its_place_in_the_state(tmp_path: Path) -> None:
    value = torch.arange(6.0).view(3, 2)
    piece = Piece(rows=Rows(start=0, stop=3), value=value)
    folder = save_checkpoint(
        tmp_path, 1, {"step": 1, "modules": {"llm": {"weight": piece, "bias": value[0]}}}
    )
    assert sorted(path.name for path in folder.iterdir()) == ["part-00000.pt", "sha256", "state.pt"]
    subprocess.run(["sha256sum", "--check", "--quiet", "sha256"], cwd=folder, check=True)
    loaded = load_checkpoint(tmp_path)
    assert loaded is not None
    assert torch.equal(loaded["modules"]["llm"]["bias"], value[0])
    assert torch.equal(read_rows(loaded["modules"]["llm"]["weight"], Rows(start=1, stop=3)), value[1:])
    (folder / "part-00000.pt").unlink()
    assert load_checkpoint(tmp_path) is None
