"""Where the data of a benchmark may lie, what they are known by, and what is said when they are not there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import huggingface_hub
import pytest
from hub_fixtures import TABLES, write_benchmark
from hub_table import write_repository

from cambrian.benchmarks.hub import places
from cambrian.benchmarks.hub.material import open_hub_material
from cambrian.benchmarks.hub.places import contents_of, file_patterns, find_cached, find_data, fingerprint
from cambrian.benchmarks.hub.rows import HUB
from cambrian.benchmarks.hub.source import Source
from cambrian.config import read_study
from cambrian.errors import ConfigError, DataError, UserError
from cambrian.runtime import Runtime
from cambrian.sweep.grid import expand
from cambrian.sweep.lineage import Lineage
from cambrian.sweep.session import run

COMMIT = "0123456789012345678901234567890123456789"
AI2D, GQA = HUB["ai2d"], HUB["gqa"]


def copy_of(data: Path, name: str) -> Path:
    folder = data / "benchmarks" / name
    write_benchmark(folder, name, HUB[name].data.split)
    return folder


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hugging Face's cache, empty."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def cached(hub_cache: Path, name: str) -> Path:
    """Put a benchmark into the cache, as a download does."""
    source = HUB[name].data
    root = hub_cache / f"datasets--{source.hub.replace('/', '--')}"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(COMMIT)
    folder = root / "snapshots" / COMMIT
    write_benchmark(folder, name, source.split)
    return folder


def test_a_copy_is_known_by_what_it_holds(tmp_path: Path) -> None:
    first = contents_of(["ai2d", "gqa"], _with_copy(tmp_path / "one"))
    assert first.keys() == {"ai2d"}
    assert contents_of(["ai2d"], _with_copy(tmp_path / "two")) == first
    card = tmp_path / "two" / "benchmarks" / "ai2d" / "README.md"
    (card.parent / ".cache").mkdir()
    (card.parent / ".cache" / "notes").write_text("when it was fetched")
    assert fingerprint(card.parent) == first["ai2d"]
    card.write_text(card.read_text() + "\n")
    assert fingerprint(card.parent) != first["ai2d"]


def _with_copy(data: Path) -> Path:
    copy_of(data, "ai2d")
    return data


def test_an_empty_copy_is_refused(tmp_path: Path) -> None:
    (tmp_path / "benchmarks" / "ai2d").mkdir(parents=True)
    with pytest.raises(UserError, match=r"ai2d is empty; put a copy"):
        contents_of(["ai2d"], tmp_path)


def test_a_copy_that_has_changed_is_not_read(tmp_path: Path) -> None:
    folder = copy_of(tmp_path, "ai2d")
    content = fingerprint(folder)
    (folder / "README.md").write_text("another")
    with pytest.raises(DataError, match="has changed since this evaluation was planned"):
        find_data(AI2D, tmp_path, content)


def test_the_cache_is_a_place_if_all_is_there(hub_cache: Path, tmp_path: Path) -> None:
    assert find_cached(AI2D.data) is None
    folder = cached(hub_cache, "ai2d")
    assert find_cached(AI2D.data) == folder
    material = open_hub_material(AI2D, Runtime(store=tmp_path / "s"), content="", n=0, seed=0)
    assert len(material.questions) == 4
    assert COMMIT in material.facts["questions_from"]
    (one,) = folder.glob("default/*.parquet")
    one.rename(one.with_name("test-00000-of-00002.parquet"))
    assert find_cached(AI2D.data) is None, "one of two files has not arrived"


def test_pictures_in_a_configuration_of_their_own_count(hub_cache: Path) -> None:
    folder = cached(hub_cache, "gqa")
    assert find_data(GQA, None, "") == folder
    shutil.rmtree(folder / GQA.pictures.config)
    assert find_data(GQA, None, "") is None


def test_only_what_is_needed_is_fetched(hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = hub_cache / "there"
    write_repository(folder, TABLES["gqa"](), "testdev")
    asked = []

    def snapshot_download(hub: str, **settings: object) -> str:
        asked.append((hub, settings["revision"], settings["allow_patterns"]))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert places.fetch(GQA.data, GQA.pictures.config) == folder
    parts = [f"testdev_balanced_{kind}/testdev-*" for kind in ("instructions", "images")]
    assert asked == [
        ("lmms-lab/GQA", "main", ["README.md"]),
        ("lmms-lab/GQA", "main", ["README.md", *parts]),
    ]


def test_cards(tmp_path: Path) -> None:
    folder = copy_of(tmp_path, "gqa")
    assert file_patterns(folder, "testdev", "testdev_balanced_images") == [
        "testdev_balanced_images/testdev-*"
    ]
    with pytest.raises(
        DataError, match=r"has the configurations testdev_balanced_instructions, .*not 'other'"
    ):
        file_patterns(folder, "testdev", "other")
    with pytest.raises(DataError, match="has the splits testdev, not 'test'"):
        file_patterns(folder, "test", "testdev_balanced_images")
    (folder / "README.md").write_text("---\nconfigs: [}\n---\n")
    with pytest.raises(DataError, match="its head is no YAML"):
        file_patterns(folder, "testdev", "")
    (folder / "README.md").write_text("no head")
    assert file_patterns(folder, "testdev", "") == []


def words(tmp_path: Path, *more: str) -> list[str]:
    include = "benchmarks.paper.include=[mme_p,ai2d,gqa]"
    return ["scale=paper", f"store={tmp_path / 'runs'}", include, "preflight=false", *more]


def evaluations(config: list[str]) -> dict[str, tuple[str, dict[str, object]]]:
    lineage = Lineage()
    lineage.run(read_study(expand(config)).recipes[0])
    stages = [stage for stage in lineage.stages.values() if stage.kind == "evaluate"]
    return {stage.recipe["benchmark"]["id"]: (stage.digest, stage.recipe["benchmark"]) for stage in stages}


def test_content_and_revision_are_the_identity_and_the_place_is_not(tmp_path: Path) -> None:
    for place in ("one", "two"):
        copy_of(tmp_path / place, "ai2d")
    plain = evaluations(words(tmp_path))
    first = evaluations(words(tmp_path, f"data={tmp_path / 'one'}"))
    assert first == evaluations(words(tmp_path, f"data={tmp_path / 'two'}"))
    assert plain["gqa"] == first["gqa"]
    assert plain["ai2d"][0] != first["ai2d"][0]
    assert plain["ai2d"][1]["data"] == {
        "hub": "lmms-lab/ai2d",
        "revision": "main",
        "configs": [],
        "split": "test",
    }
    assert str(tmp_path) not in json.dumps(first)


def test_all_that_is_missing_is_said_before_anything_is_started(tmp_path: Path, hub_cache: Path) -> None:
    copy_of(tmp_path / "data", "ai2d")
    with pytest.raises(ConfigError) as raised:
        run(read_study(expand(words(tmp_path, f"data={tmp_path / 'data'}"))))
    said = str(raised.value)
    assert "hf download lmms-lab/MME --repo-type dataset" in said
    assert "hf download lmms-lab/GQA --repo-type dataset" in said
    assert f"{tmp_path / 'data'}/benchmarks/gqa" in said
    assert "benchmark 'ai2d'" not in said
    assert not list((tmp_path / "runs").glob("evaluate/*"))


def test_the_stage_says_it_too(tmp_path: Path, hub_cache: Path) -> None:
    with pytest.raises(
        UserError, match=r"'gqa' is not on this machine: fetch it with 'hf download lmms-lab/GQA"
    ):
        open_hub_material(GQA, Runtime(store=tmp_path), content="", n=0, seed=0)


def test_a_file_that_the_row_names_makes_a_cache_whole(hub_cache: Path) -> None:
    folder = cached(hub_cache, "mmvp")
    assert find_cached(HUB["mmvp"].data) == folder
    (folder / "Questions.csv").unlink()
    assert find_cached(HUB["mmvp"].data) is None
    assert find_cached(Source(hub="nobody/nothing", split="test")) is None
