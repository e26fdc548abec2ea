"""`python -m cambrian.benchmarks.check_batch`: whether answers depend on the batch."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_models import fill
from tiny_multimodal import noise_of

from cambrian.benchmarks import material
from cambrian.benchmarks.check_batch import main
from cambrian.errors import UserError
from cambrian.model import generation
from cambrian.sweep.store import Store

MORE = ("--benchmark", "lab_depth", "lab_existence", "--questions", "6", "--check-batch", "1,5")


@pytest.fixture
def model(tmp_path: Path, parts: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a finished model."""
    monkeypatch.setenv("CAMBRIAN_STORE", str(tmp_path / "store"))
    fill(Store(tmp_path / "store"), parts)
    # The lab draws larger pictures than the tiny encoders see.
    monkeypatch.setattr(
        material, "images", lambda row, n, seed, resolution, chosen: noise_of(chosen, resolution)
    )
    return "tune two eyes"


def test_no_answer_flips(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([model, *MORE]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[::2]] == [
        [name, "batch", "1"] for name in ("lab_existence", "lab_depth") for _ in range(2)
    ]
    assert [line.split("batch ")[1].split()[0] for line in lines] == ["1", "5"] * 4
    assert all(line.endswith("0 of 12 answers flip") for line in lines)
    assert sum("shared prefixes" in line for line in lines) == 4


def test_flips_are_counted(
    model: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "_needed", lambda mask: None)  # padding is seen
    assert main([model, *MORE]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert all(line.endswith(" 0 of 12 answers flip") for line in lines if "batch 1 " in line)
    assert not all(line.endswith(" 0 of 12 answers flip") for line in lines)


def test_what_is_not_there_is_named(model: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'lab_depth'"):
        main([model, "--benchmark", "lab_dept"])
    with pytest.raises(UserError, match="is no directory"):
        main([model, "--benchmark", "lab_depth", "--data", str(tmp_path / "none")])
    with pytest.raises(UserError, match="called 'tune three eyes'"):
        main(["tune three eyes", "--benchmark", "lab_depth"])
