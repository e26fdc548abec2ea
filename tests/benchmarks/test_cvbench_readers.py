"""Annotations of the three sources are read as they are published; what is wrong is named, never guessed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cvbench_sources import Coco, Omni3d, ade_object, write_ade

from cambrian.benchmarks.cvbench.ade20k import read_ade20k
from cambrian.benchmarks.cvbench.coco import read_coco
from cambrian.benchmarks.cvbench.omni3d import read_omni3d
from cambrian.benchmarks.cvbench.rules import Rules
from cambrian.benchmarks.cvbench.scenes import Collection
from cambrian.errors import DataError

CHAIR = ("chair", (10, 120, 70, 220))
DOG = ("dog", (200, 20, 260, 80))


def told(collection: Collection) -> list[str]:
    return [f"{fault.record}: {fault.reason}" for fault in collection.faults]


def test_coco(tmp_path: Path) -> None:
    found = read_coco(*Coco(tmp_path).add(7, [DOG, CHAIR, CHAIR], crowds=["person"]).write())
    (scene,) = found.scenes
    assert (scene.source, scene.dataset, scene.name) == ("COCO", "COCO instances_val2017", "000000000007.jpg")
    assert (scene.width, scene.height, scene.picture) == (320, 240, tmp_path / "val2017" / scene.name)
    assert [(one.category, one.box) for one in scene.instances] == [CHAIR, CHAIR, DOG]
    assert scene.unclear == {"person"} and found.faults == ()


def spoil_coco(coco: Coco) -> None:
    """A fault of each kind; picture 1 stays as it is."""
    coco.annotations[1]["bbox"] = [5, 5, 0, 40]
    coco.annotations[3]["category_id"] = 99
    coco.annotations[5]["bbox"][2] = float("nan")
    coco.annotations[7]["iscrowd"] = "no"
    coco.annotations[9]["id"] = coco.annotations[8]["id"]
    coco.annotations += [{**coco.annotations[0], "id": 90, "image_id": 55}, ["no object"]]
    coco.images += [{**coco.images[0], "id": 91, "file_name": "../x.jpg"}, {**coco.images[0], "width": 1}]
    coco.images.append({"id": 92, "file_name": "y.jpg", "width": 0, "height": 2})
    coco.categories.append({"id": 1, "name": "people"})


def test_what_is_wrong_in_coco_is_named_and_its_picture_left_out(tmp_path: Path) -> None:
    coco = Coco(tmp_path)
    coco.add(2, [CHAIR, DOG]).add(3, [CHAIR, DOG]).add(4, [CHAIR, DOG]).add(5, [CHAIR, DOG])
    coco.add(6, [CHAIR, DOG]).add(1, [CHAIR, DOG])
    spoil_coco(coco)
    found = read_coco(*coco.write())
    assert [scene.name for scene in found.scenes] == ["000000000001.jpg"]
    assert told(found) == [
        "category 6: a second category of this id: 1",
        "image 6: 'file_name' leads out of the folder of pictures: '../x.jpg'",
        "image 7: a second image of this id: 2",
        "image 8: 'width' is no whole number from 1: 0",
        "annotation 1: a box without area: 5, 5, 5, 45",
        "annotation 3: of a category that is not in the file: 99",
        "annotation 5: 'bbox' holds no finite number: nan",
        "annotation 7: 'iscrowd' is neither 0 nor 1: 'no'",
        "annotation 9: a second annotation of this id: 9",
        "annotation 12: of an image that is not in the file: 55",
        "annotation 13: not a JSON object: ['no object']",
    ]
    assert {fault.file for fault in found.faults} == {str(coco.file)}
    assert found.faults[4].kind == "a box without area"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "must be an object with the lists images, annotations, categories"),
        ('{"images": [], "annotations": 3}', "not so: annotations, categories"),
    ],
)
def test_a_file_that_is_not_in_cocos_format(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(DataError, match=message):
        read_coco(tmp_path / "x.json", tmp_path)


CAR = "car, auto, automobile, machine, motorcar"
TRUCK = "truck, motortruck"


def test_ade20k(tmp_path: Path) -> None:
    objects = [
        ade_object(0, CAR, (20, 30, 90, 80), ["motor vehicle, automotive vehicle", "entity"]),
        ade_object(1, "van", (100, 30, 190, 400), [TRUCK, "motor vehicle, automotive vehicle"]),
        ade_object(2, "window", (30, 35, 40, 45), part_level=1),
    ]
    write_ade(tmp_path, 3, objects)
    found = read_ade20k(tmp_path)
    (scene,) = found.scenes
    assert (scene.source, scene.dataset, scene.name) == (
        "ADE20K",
        "ADE20K validation",
        "ADE_val_00000003.jpg",
    )
    assert (scene.width, scene.height) == (320, 240) and scene.picture.is_file()
    assert [(one.category, one.box) for one in scene.instances] == [
        ("car", (20, 30, 90, 80)),
        ("van", (100, 30, 190, 240)),
    ], "the first synonym, and what is inside the picture"
    assert scene.unclear == {"window", "truck", "motor vehicle", "entity"}
    assert found.faults == ()


def test_an_only_object_and_another_encoding(tmp_path: Path) -> None:
    file = write_ade(tmp_path, 1, ade_object(0, CAR, (20, 30, 90, 80)))
    text = file.read_text().replace("static_sun_database/k", "caf\\u00e9")
    file.write_bytes(json.dumps(json.loads(text), ensure_ascii=False).encode("cp1252"))
    (scene,) = read_ade20k(tmp_path).scenes
    assert [one.category for one in scene.instances] == ["car"]


def _polygon(x: object, y: object) -> Callable[[dict[str, Any]], object]:
    return lambda one: one.update(polygon={"x": x, "y": y})


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_polygon(3, 4), "object 1: a polygon needs three corners or more: 1 x, 1 y"),
        (_polygon([1, 2, 3], [1, 2]), "object 1: a polygon needs three corners or more: 3 x, 2 y"),
        (_polygon([400, 420, 430], [1, 2, 3]), "object 1: a polygon outside the picture: from 400, 1"),
        (_polygon([5, 5, 5], [1, 2, 3]), "object 1: a box without area: 5, 1, 5, 3"),
        (_polygon(["a", 2, 3], [1, 2, 3]), "object 1: 'x' holds no finite number: 'a'"),
        (lambda one: one.pop("name"), "object 1: no field 'name'"),
        (lambda one: one.update(parts=3), "object 1: not a JSON object: 3"),
    ],
)
def test_what_is_wrong_in_ade20k_is_named(tmp_path: Path, spoil: Callable[..., object], reason: str) -> None:
    objects = [ade_object(number, CAR, (20, 30, 90, 80)) for number in range(2)]
    spoil(objects[1])
    file = write_ade(tmp_path, 1, objects)
    write_ade(tmp_path, 2, [ade_object(0, CAR, (20, 30, 90, 80))])
    found = read_ade20k(tmp_path)
    assert [scene.name for scene in found.scenes] == ["ADE_val_00000002.jpg"]
    assert told(found) == [reason]
    assert found.faults[0].file == str(file)


def test_files_of_ade20k_that_are_no_annotations(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text('{"annotation": {"imsize": [3]}}')
    found = read_ade20k(tmp_path)
    assert [line.partition(": Exp")[0] for line in told(found)] == [
        "the file: not JSON",
        "the file: 'imsize' is not height, width and channels: [3]",
    ]
    (tmp_path / "masks").mkdir()
    with pytest.raises(DataError, match="masks alone do not tell one object from the next"):
        read_ade20k(tmp_path / "masks")


BOX = (10.0, 20.0, 110.0, 120.0)


def test_omni3d(tmp_path: Path) -> None:
    omni = Omni3d(tmp_path).add(1, [("chair", BOX, (0.5, 0, 3), (1, 2, 1))])
    found = read_omni3d([omni.write()], omni.pictures, Rules())
    (scene,) = found.scenes
    assert (scene.source, scene.dataset) == ("Omni3D", "Omni3D_Hypersim")
    assert scene.name == "hypersim/ai_001/images/frame.0000.tonemap.jpg" and scene.picture.is_file()
    (chair,) = scene.instances
    assert (chair.category, chair.box) == ("chair", BOX)
    assert chair.cuboid is not None and chair.cuboid.centre.tolist() == [0.5, 0, 3]
    assert found.faults == ()


MISSING = [-1, -1, -1, -1]


@pytest.mark.parametrize(
    ("fields", "box"),
    [
        ({"bbox2D_tight": MISSING, "bbox2D_trunc": [1, 2, 30, 40]}, (1, 2, 30, 40)),
        ({"bbox2D_tight": MISSING, "bbox2D_proj": [-50, 2, 30, 999]}, (0, 2, 30, 240)),
        ({"bbox2D_tight": MISSING, "bbox2D_proj": MISSING}, None),
        ({"visibility": 0.5, "truncation": 0.5, "depth_error": 0.5}, BOX),
        ({"visibility": 0.49}, None),
        ({"truncation": 0.51}, None),
        ({"depth_error": 0.51}, None),
        ({"lidar_pts": 0}, None),
        ({"segmentation_pts": 0}, None),
        ({"valid3D": False, "bbox3D_cam": [[-1] * 3] * 8}, None),
        ({"behind_camera": True}, None),
        ({"dimensions": [-1, -1, -1]}, None),
    ],
)
def test_which_objects_of_omni3d_are_used(tmp_path: Path, fields: dict[str, Any], box: object) -> None:
    omni = Omni3d(tmp_path).add(1, [("chair", BOX, (0.5, 0, 3), (1, 2, 1))], **fields)
    found = read_omni3d([omni.write()], omni.pictures, Rules())
    assert [one.box for one in found.scenes[0].instances] == ([] if box is None else [box])
    assert found.faults == ()


def test_what_is_wrong_in_omni3d_is_named_and_left_out_alone(tmp_path: Path) -> None:
    omni = Omni3d(tmp_path).add(1, [("chair", BOX, (0, 0, 3), (1, 1, 1))] * 7)
    omni.annotations[1]["center_cam"] = [0, 0, 4]
    omni.annotations[2]["bbox3D_cam"] = [[0, 0, 0]] * 7
    omni.annotations[3]["bbox3D_cam"][6] = [9, 9, 9]
    omni.annotations[4]["valid3D"] = None
    omni.annotations[5]["image_id"] = 2
    omni.annotations[6]["id"] = 0
    found = read_omni3d([omni.write()], omni.pictures, Rules())
    assert len(found.scenes[0].instances) == 1
    assert [line.partition(": [")[0] for line in told(found)] == [
        "annotation 1: 'center_cam' is not the middle of 'bbox3D_cam'",
        "annotation 2: 'bbox3D_cam' is no list of 8 points",
        "annotation 3: the corners are not those of a box",
        "annotation 4: 'valid3D' or 'behind_camera' is no flag",
        "annotation 5: of an image that is not in the file: 2",
        "annotation 6: a second annotation of this id: 0",
    ]
