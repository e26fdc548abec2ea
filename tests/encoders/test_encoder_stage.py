"""Stage `encoder` with pretrained weights: imported into the store once, with where they came from."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from own_encoders import COMMIT, stage_of, study_of
from tiny_checkpoints import (
    COLOURS,
    hugging_face,
    images,
    make_timm,
    save_hugging_face,
    save_timm,
    save_weights,
)

from cambrian import encoder_choice
from cambrian.config import read_study
from cambrian.encoders.table import build_encoder, load_encoder
from cambrian.errors import ConfigError, UserError
from cambrian.recipe import PRETRAINED
from cambrian.runtime import Runtime, SilentTracker
from cambrian.stages.base import Artifact, Stage
from cambrian.sweep.grid import expand
from cambrian.sweep.produce import produce
from cambrian.sweep.session import make_study_plan
from cambrian.sweep.store import Store

pytestmark = pytest.mark.usefixtures("caches", "in_this_process")


def publish(folder: Path, hub: Path, name: str) -> None:
    """Put a folder into the hub's local cache, as a download of `main` leaves it."""
    place = hub / f"models--{name.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(COMMIT)
    (place / "snapshots").mkdir()
    folder.rename(place / "snapshots" / COMMIT)


def make(stage: Stage, root: Path, **settings: Any) -> Artifact:
    runtime = Runtime(store=root / "store", **settings)
    return produce(stage, Store(root / "store"), runtime, lambda stage: SilentTracker())


def pretrained(objective: dict[str, Any], **architecture: Any) -> Stage:
    recipe = {
        "name": "mine",
        "architecture": {"kind": "timm", "model": "test_vit", "resolution": 160, "grid": 10, **architecture},
        "objective": {"kind": PRETRAINED, **objective},
        "optimization": {},
        "seed": 0,
    }
    return Stage(kind="encoder", recipe=recipe, inputs={}, label="encoder mine")


def features(folder: Path) -> torch.Tensor:
    encoder = load_encoder(folder)
    with torch.no_grad():
        return encoder(images(2, encoder.resolution))


def expected(network: Any, artifact: Artifact) -> torch.Tensor:
    encoder: Any = load_encoder(artifact.path)
    with torch.no_grad():
        tokens = network.forward_features(encoder.normalize(images(2, encoder.resolution)))
    return tokens[:, network.num_prefix_tokens :].unflatten(1, (encoder.grid, encoder.grid))


def test_weights_of_the_hub_come_from_its_local_cache_with_commit_and_checksums(tmp_path: Path) -> None:
    network = make_timm("test_vit")
    folder = save_timm(network, tmp_path / "published")
    content = (folder / "model.safetensors").read_bytes()
    publish(folder, tmp_path / "hub", "timm/test_vit.mine")
    artifact = make(pretrained({"hub": "timm/test_vit.mine", "revision": "main"}), tmp_path)
    assert torch.equal(features(artifact.path), expected(network, artifact))
    weights = artifact.manifest["provenance"]["weights"]
    assert (weights["source"], weights["revision"]) == ("timm/test_vit.mine", COMMIT)
    assert weights["files"]["model.safetensors"] == hashlib.sha256(content).hexdigest()
    assert artifact.metrics["grid"] == 10 and artifact.metrics["width"] == 64
    files = {path.name for path in artifact.path.iterdir()}
    assert {"config.json", "model.safetensors"} <= files


def test_what_is_not_here_is_not_fetched_unless_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def refuse(name: str, *, local_files_only: bool, **settings: Any) -> str:
        asked.append(local_files_only)
        from huggingface_hub.errors import LocalEntryNotFoundError

        raise LocalEntryNotFoundError("not here")

    monkeypatch.setattr("cambrian.encoders.sources.snapshot_download", refuse)
    stage = pretrained({"hub": "timm/test_vit.mine"})
    with pytest.raises(UserError, match=r"runtime\.download=true fetches it"):
        make(stage, tmp_path)
    with pytest.raises(UserError, match="not on this machine"):
        make(stage, tmp_path, download=True)
    assert asked == [True, False]
    with pytest.raises(UserError, match=r"https://example\.org/a\.pth is not on this machine"):
        make(pretrained({"url": "https://example.org/a.pth"}), tmp_path)
    with pytest.raises(UserError, match="https only"):
        make(pretrained({"url": "http://example.org/a.pth"}), tmp_path, download=True)
    with pytest.raises(UserError, match="no address of these weights is known"):
        make(pretrained({}), tmp_path)


def test_weights_of_an_address_come_from_torchs_cache(tmp_path: Path) -> None:
    network = make_timm("test_vit")
    place = tmp_path / "torch" / "hub" / "checkpoints"
    place.mkdir(parents=True)
    save_weights(network, place / "a.pth")
    artifact = make(pretrained({"url": "https://example.org/models/a.pth"}), tmp_path)
    assert torch.equal(features(artifact.path), expected(network, artifact))
    assert artifact.manifest["provenance"]["weights"]["source"] == "https://example.org/models/a.pth"


def test_a_copy_counts_by_its_content(tmp_path: Path) -> None:
    network = make_timm("test_vit")
    (tmp_path / "elsewhere").mkdir()
    one = save_weights(network, tmp_path / "one.safetensors")
    two = save_weights(network, tmp_path / "elsewhere" / "two.safetensors")
    words = ["encoder.model=test_vit", "encoder.name=mine"]
    first, runtime = stage_of(*words, f"encoder.checkpoint={one}")
    second, _ = stage_of(*words, f"encoder.checkpoint={two}")
    assert first.digest == second.digest
    assert str(tmp_path) not in json.dumps(first.recipe)
    artifact = make(first, tmp_path, copies=runtime.copies)
    assert torch.equal(features(artifact.path), expected(network, artifact))
    other = save_weights(make_timm("test_vit", num_classes=0), tmp_path / "other.safetensors")
    third, _ = stage_of(*words, f"encoder.checkpoint={other}")
    assert third.digest != first.digest


def test_a_copy_that_changed_after_planning_is_refused(tmp_path: Path) -> None:
    path = save_weights(make_timm("test_vit"), tmp_path / "a.safetensors")
    stage, runtime = stage_of("encoder.model=test_vit", f"encoder.checkpoint={path}")
    path.write_bytes(path.read_bytes() + b" ")
    os.utime(path, ns=(1, 1))
    with pytest.raises(UserError, match="has changed since the sweep was planned"):
        make(stage, tmp_path, copies=runtime.copies)
    with pytest.raises(UserError, match="no copy of the weights"):
        make(stage, tmp_path)


def test_a_folder_of_timm_says_all_by_itself(tmp_path: Path) -> None:
    network = make_timm("test_vit", num_classes=5, global_pool="avg")
    network.pretrained_cfg.update(mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    folder = save_timm(network, tmp_path / "my-encoder")
    stage, runtime = stage_of(f"encoder.model={folder}", "encoder.supervision=self")
    assert stage.label == "encoder my-encoder"
    architecture = stage.recipe["architecture"]
    assert (architecture["model"], architecture["grid"], architecture["resolution"]) == ("test_vit", 10, 160)
    assert architecture["mean"] == [0.1, 0.2, 0.3] and architecture["std"] == [0.4, 0.5, 0.6]
    artifact = make(stage, tmp_path, copies=runtime.copies)
    assert torch.equal(features(artifact.path), expected(network, artifact))


def test_a_folder_of_transformers_says_all_by_itself(tmp_path: Path) -> None:
    model: Any = hugging_face("dinov2")
    folder = save_hugging_face(model, tmp_path / "dino")
    stage, runtime = stage_of(f"encoder.model={folder}", "encoder.layer=-2")
    assert stage.recipe["architecture"]["mean"] == COLOURS["image_mean"]
    artifact = make(stage, tmp_path, copies=runtime.copies)
    encoder: Any = load_encoder(artifact.path)
    with torch.no_grad():
        states = model(encoder.normalize(images(2, 32)), output_hidden_states=True).hidden_states[-2]
    assert torch.equal(features(artifact.path).flatten(1, 2), states[:, 1:])


def test_an_own_encoder_is_planned_priced_and_called_by_its_name(tmp_path: Path) -> None:
    study = study_of(
        "encoder.model=test_vit,test_convnext",
        "encoder.resolution=128",
        "encoder.supervision=self",
        "seed=0,1",
    )
    assert [recipe.axes["encoder"] for recipe in study.recipes] == [
        *2 * [["test_vit-128px"]],
        *2 * [["test_convnext-128px"]],
    ]
    vit, convnext = study.recipes[0].encoders[0], study.recipes[2].encoders[0]
    assert (vit.grid, convnext.grid, vit.supervision) == (8, 4, "self")
    plan, bill = make_study_plan(study, Store(tmp_path / "store"))
    assert bill is not None and bill.total[0] > 0
    assert sorted(stage.label for stage in plan.stages.values() if stage.kind == "encoder") == [
        "encoder test_convnext-128px",
        "encoder test_vit-128px",
    ]


def test_measuring_happens_once_in_a_process_of_its_own(
    own_process: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (recipe,) = study_of("encoder.model=test_vit").recipes
    (kept,) = (tmp_path / "cache" / "cambrian-sweeps" / "encoders").iterdir()
    assert json.loads(kept.read_text())["grid"] == recipe.encoders[0].grid == 10
    encoder_choice._measure.cache_clear()
    monkeypatch.setattr(encoder_choice, "ask", pytest.fail)
    assert study_of("encoder.model=test_vit").recipes[0].encoders == recipe.encoders


@pytest.mark.slow
def test_what_the_process_says_is_the_fault(own_process: None) -> None:
    with pytest.raises(
        ConfigError, match=r"encoder 'timm': timm .* has no network 'test_vt'; near it: test_vit"
    ):
        study_of("encoder.model=test_vt")


def test_what_is_measured_is_what_is_built() -> None:
    (recipe,) = study_of("encoder.model=test_vit", "encoder.layer=-3").recipes
    encoder = recipe.encoders[0]
    assert encoder.name == "test_vit-layer-3"
    built = build_encoder({**encoder.architecture, "grid": encoder.grid})
    assert encoder.measured is not None
    assert encoder.measured["parameters"] == sum(weight.numel() for weight in built.parameters())
    # Four blocks of width 64 and MLP 192 on 101 tokens of 16 x 16 pixels.
    dense = 4 * 101 * (4 * 64 * 64 + 2 * 64 * 192) + 100 * 768 * 64
    assert encoder.measured["flops"] == 2 * (dense + 4 * 2 * 101 * 101 * 64)
    assert encoder.measured["block_inputs"] == 4 * 101 * 64
    assert encoder.measured["largest_block"] < encoder.measured["saved_values"]


def test_it_stands_beside_the_studys_encoders_and_in_ensembles() -> None:
    words = ["scale=paper", "encoder=siglip,timm,[timm,dinov2]", "encoder.model=test_vit", "encoder.grid=24"]
    names = [
        recipe.axes["encoder"] for recipe in read_study(expand([*words, "connector.paper.side=24"])).recipes
    ]
    assert names == [["siglip"], ["test_vit-24x24"], ["test_vit-24x24", "dinov2"]]
