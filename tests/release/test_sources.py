"""Finding a finished model in a store, and what its card tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from small_models import BARE, fill, logits, publish_score
from tiny_multimodal import CONCAT

from cambrian.directories import new_directory
from cambrian.errors import UserError
from cambrian.release.directory import save_model
from cambrian.release.facts import public
from cambrian.release.sources import find_encoder, find_model
from cambrian.sweep.store import Store

torch.set_num_threads(1)


def test_a_model_is_found_by_label_digest_or_directory(tmp_path: Path, parts: Path) -> None:
    store = Store(tmp_path / "store")
    tuned, model = fill(store, parts)
    with new_directory(tmp_path / "saved") as place:
        save_model(model, place, BARE)
    for name in ("tune two eyes", "two eyes s0", tuned.digest, tuned.digest[:8], str(tmp_path / "saved")):
        assert torch.equal(logits(find_model(name, store).load("cpu")), logits(model)), name
    assert find_model(str(tmp_path / "saved"), store).facts() == BARE


def test_what_cannot_be_found_is_said_with_what_there_is(tmp_path: Path, parts: Path) -> None:
    store = Store(tmp_path / "store")
    with pytest.raises(UserError, match="it has none; choose another with --store"):
        find_model("tune two eyes", store)
    one, _ = fill(store, parts, seed=0)
    with pytest.raises(
        UserError, match=f"no directory or finished tune stage is called 'x'(?s:.*){one.digest[:12]}"
    ):
        find_model("x", store)
    with pytest.raises(UserError, match="none of the 1 finished tune stages starts with"):
        find_model("f" * 64, store)
    other, _ = fill(store, parts, seed=1)
    with pytest.raises(UserError, match="2 finished tune stages are called") as caught:
        find_model("tune two eyes", store)
    for stage, name in ((one, "two eyes s0"), (other, "two eyes s1")):
        assert f"{stage.digest[:12]}  {name}" in str(caught.value)
        assert torch.equal(
            logits(find_model(name, store).load("cpu")), logits(find_model(stage.digest, store).load("cpu"))
        )
    with pytest.raises(UserError, match="is a directory, but not a model"):
        find_model(str(parts), store)


def test_a_part_that_is_gone_is_named(tmp_path: Path, parts: Path) -> None:
    store = Store(tmp_path / "store")
    tuned, _ = fill(store, parts, vision="frozen")
    encoder = tuned.manifest["inputs"]["encoder.1"]
    (store.root / "encoder" / encoder).rename(tmp_path / "gone")
    found = find_model(tuned.digest, store)
    with pytest.raises(UserError, match=f"encoder {encoder[:12]} is not in the store"):
        found.load("cpu")
    with pytest.raises(UserError, match=f"encoder {encoder[:12]} is not in the store"):
        found.facts()


def test_encoders_are_found_alike(tmp_path: Path, parts: Path) -> None:
    store = Store(tmp_path / "store")
    tuned, _ = fill(store, parts)
    digest = tuned.manifest["inputs"]["encoder.0"]
    for name in ("encoder vit", digest[:10], str(parts / "vit")):
        encoder, known = find_encoder(name, store)
        assert encoder.architecture["kind"] == "vit"
        assert known["digest"] in (digest, "")


def test_the_card_tells_recipe_data_scores_and_origin(tmp_path: Path, parts: Path) -> None:
    store = Store(tmp_path / "store")
    tuned, model = fill(store, parts, recipe=CONCAT)
    publish_score(store, tuned, "lab_count", "vision_centric", 62.5)
    publish_score(store, tuned, "lab_text", "ocr_chart", 31.25)
    other, _ = fill(store, parts, recipe=CONCAT, seed=1)
    publish_score(store, other, "lab_facts", "knowledge", 99.0)
    with new_directory(tmp_path / "saved") as place:
        save_model(model, place, find_model(tuned.digest, store).facts())
    card = (tmp_path / "saved" / "README.md").read_text()
    _, head, body = card.split("---\n", 2)
    results = yaml.safe_load(head)["model-index"][0]["results"]
    assert [(each["dataset"]["name"], each["metrics"][0]["value"]) for each in results] == [
        ("lab_text (lab result)", 31.25),
        ("lab_count (lab result)", 62.5),
    ]
    assert "# two eyes s0" in body
    assert "**A model of the lab.**" in body
    assert (
        "| lab_count (lab) | Vision-Centric | 240 | 62.5 | 57.5 to 67.5 | 12.5 | +50.0 | 11.2 | 10.0 | 0.5 |"
        in body
    )
    assert "| data | kind: instruct, examples: 3685, folder: set.jsonl |" in body
    assert "| loss | 0.25 |" in body
    assert tuned.digest in body and tuned.manifest["inputs"]["language"] in body
    assert "https://example.org/w.pth" in body and "ORG/NAME" in body
    assert "lab_facts" not in body
    for path in (tmp_path / "saved").iterdir():
        assert "secret" not in path.read_text(errors="ignore"), path.name
    facts = json.loads((tmp_path / "saved" / "release.json").read_text())
    assert [stage["role"] for stage in facts["stages"]] == ["encoder.0", "encoder.1", "language", "tune"]


def test_a_model_without_scores_says_so(tmp_path: Path, parts: Path) -> None:
    _, model = fill(Store(tmp_path / "store"), parts)
    with new_directory(tmp_path / "saved") as place:
        save_model(model, place, BARE)
    assert "None of this model's evaluations is finished." in (tmp_path / "saved" / "README.md").read_text()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("/home/me/models/a.pth", "a.pth"),
        ("~/models", "models"),
        ("../x/data.jsonl", "data.jsonl"),
        ("file:///home/me/a", "a"),
        ("https://me:word@example.org/a?key=1#part", "https://example.org/a"),
        ("s3://bucket/a", "s3://bucket/a"),
        ("timm/vit_large", "timm/vit_large"),
        ({"a": ["/x/y", 3, None, True]}, {"a": ["y", 3, None, True]}),
    ],
)
def test_what_is_private_stays_at_home(given: object, told: object) -> None:
    assert public(given) == told
