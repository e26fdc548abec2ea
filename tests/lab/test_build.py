"""What is shipped is what the code makes."""

import pytest

from cambrian.lab.build import build, ship, shipped_stages
from cambrian.runtime import SHIPPED
from cambrian.sweep.store import Store

STAGES = shipped_stages()


@pytest.mark.parametrize("name", STAGES)
def test_every_default_part_is_shipped_whole(name):
    stage = STAGES[name]
    artifact = Store(SHIPPED).load(stage.kind, stage.digest)
    assert artifact.metrics


def test_nothing_else_is_shipped():
    store = Store(SHIPPED)
    shipped = store.digests("encoder") | store.digests("language")
    assert shipped == {stage.digest for stage in STAGES.values()}
    assert {path.name for path in SHIPPED.iterdir()} == {"encoder", "language"}


def test_an_untrained_part_is_built_again_byte_for_byte(tmp_path):
    stage = STAGES["random"]
    built = build(stage, tmp_path)
    shipped = Store(SHIPPED).load(stage.kind, stage.digest)
    assert built.manifest["files"] == shipped.manifest["files"]


def test_shipping_replaces_the_entry_of_the_same_name(tmp_path):
    built = build(STAGES["pixels"], tmp_path / "scratch")
    older = tmp_path / "weights" / "encoder" / "older"
    older.mkdir(parents=True)
    (older / "manifest.json").write_text('{"label": "encoder pixels"}')
    place = ship(built, tmp_path / "weights")
    assert [path.name for path in (tmp_path / "weights" / "encoder").iterdir()] == [place.name]


@pytest.mark.slow
def test_a_trained_part_is_built_again(tmp_path):
    stage = STAGES["sam"]  # the quickest of those that learn
    built = build(stage, tmp_path)
    shipped = Store(SHIPPED).load(stage.kind, stage.digest)
    # Another processor rounds differently, and thousands of steps make that visible in the weights.
    probes = [name for name in shipped.metrics if name.startswith("probe/")]
    assert len(probes) == 5
    for name in ("loss", "mean_iou", *probes):
        assert built.metrics[name] == pytest.approx(shipped.metrics[name], abs=0.06), name
