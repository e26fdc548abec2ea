"""Small annotations in exactly the formats of COCO, ADE20K and Omni3D, with pictures of the right size."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 320, 240
CATEGORIES = {"person": 1, "car": 3, "dog": 18, "chair": 62, "couch": 63, "tv": 72}

Objects = Sequence[tuple[str, Sequence[float]]]
"""Category and box (left, top, right, bottom) of each object."""


def paint(path: Path, number: int = 0, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    """A picture of one grey, its own for each number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (number % 200 + 20,) * 3).save(path)


class Coco:
    """An instances file under construction."""

    def __init__(self, folder: Path) -> None:
        self.file, self.pictures = folder / "instances_val2017.json", folder / "val2017"
        self.images: list[Any] = []
        self.annotations: list[Any] = []
        self.categories: list[Any] = [
            {"supercategory": "thing", "id": number, "name": name} for name, number in CATEGORIES.items()
        ]

    def add(self, number: int, objects: Objects, crowds: Iterable[str] = ()) -> Coco:
        """Add a picture."""
        name = f"{number:012d}.jpg"
        paint(self.pictures / name, number)
        self.images.append(
            {
                "license": 4,
                "file_name": name,
                "coco_url": f"http://images.cocodataset.org/val2017/{name}",
                "height": HEIGHT,
                "width": WIDTH,
                "date_captured": "2013-11-14 17:02:52",
                "flickr_url": "http://farm7.staticflickr.com/6116/1.jpg",
                "id": number,
            }
        )
        boxed = [*((*one, 0) for one in objects), *((name, (0, 0, 99, 99), 1) for name in crowds)]
        for category, (left, top, right, bottom), crowd in boxed:
            self.annotations.append(
                {
                    "segmentation": [[left, top, right, top, right, bottom]],
                    "area": (right - left) * (bottom - top) / 2,
                    "iscrowd": crowd,
                    "image_id": number,
                    "bbox": [left, top, right - left, bottom - top],
                    "category_id": CATEGORIES[category],
                    "id": len(self.annotations) + 1,
                }
            )
        return self

    def write(self) -> tuple[Path, Path]:
        """Write the file; gives it and the folder of pictures."""
        content = {
            "info": {"description": "COCO 2017 Dataset", "version": "1.0", "year": 2017},
            "licenses": [{"url": "http://x", "id": 4, "name": "Attribution License"}],
            "images": self.images,
            "annotations": self.annotations,
            "categories": self.categories,
        }
        self.file.write_text(json.dumps(content))
        return self.file, self.pictures


def ade_object(
    number: int, name: str, box: Sequence[float], hypernyms: Sequence[str] = (), part_level: int = 0
) -> dict[str, Any]:
    """One object of an ADE20K file; the polygon is a box without its corners."""
    left, top, right, bottom = box
    middle = ((left + right) / 2, (top + bottom) / 2)
    return {
        "id": number,
        "name": name,
        "name_ndx": 401,
        "hypernym": [name, *hypernyms],
        "raw_name": name.split(",")[0],
        "attributes": [],
        "depth_ordering_rank": number + 1,
        "occluded": "no",
        "crop": "0",
        "parts": {"hasparts": [], "ispartof": [] if part_level == 0 else 0, "part_level": part_level},
        "instance_mask": f"x/instance_{number:03d}_x.png",
        "polygon": {"x": [left, middle[0], right, middle[0]], "y": [middle[1], top, middle[1], bottom]},
        "saved_date": "25-Oct-2005 03:13:57",
    }


def write_ade(folder: Path, number: int, objects: object) -> Path:
    """Write a picture and its JSON file; gives the latter."""
    name = f"ADE_val_{number:08d}"
    place = folder / "images" / "ADE" / "validation" / "home" / "kitchen"
    paint(place / f"{name}.jpg", number)
    note = {
        "filename": f"{name}.jpg",
        "folder": "ADE20K_2021_17_01/images/ADE/validation/home/kitchen",
        "imsize": [HEIGHT, WIDTH, 3],
        "source": {"folder": "static_sun_database/k/kitchen", "filename": "x.jpg", "origin": "x"},
        "scene": ["home", "kitchen"],
        "object": objects,
    }
    (place / f"{name}.json").write_text(json.dumps({"annotation": note}))
    return place / f"{name}.json"


def corners(centre: Sequence[float], size: Sequence[float], turn: float = 0.0) -> list[list[float]]:
    """Corners of a box in Omni3D's order, from centre, extent along x, y and z, and a turn about y."""
    unit = np.array(
        [(-1, -1, -1), (1, -1, -1), (1, 1, -1), (-1, 1, -1), (-1, -1, 1), (1, -1, 1), (1, 1, 1), (-1, 1, 1)]
    )
    cos, sin = np.cos(turn), np.sin(turn)
    rotation = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    return ((unit * np.array(size) / 2) @ rotation.T + np.array(centre)).tolist()


class Omni3d:
    """An Omni3D file under construction; an object is (category, box in the plane, centre, size)."""

    def __init__(self, folder: Path, name: str = "Hypersim") -> None:
        self.file, self.pictures = folder / f"{name}_test.json", folder / "datasets"
        self.images: list[Any] = []
        self.annotations: list[Any] = []

    def add(
        self,
        number: int,
        objects: Iterable[tuple[str, Sequence[float], Sequence[float], Sequence[float]]],
        **more: object,
    ) -> Omni3d:
        """Add a picture; `more` replaces fields of all its objects."""
        name = f"hypersim/ai_{number:03d}/images/frame.0000.tonemap.jpg"
        paint(self.pictures / name, number)
        self.images.append(
            {
                "id": number,
                "dataset_id": 5,
                "width": WIDTH,
                "height": HEIGHT,
                "file_path": name,
                "K": [[300.0, 0.0, WIDTH / 2], [0.0, 300.0, HEIGHT / 2], [0.0, 0.0, 1.0]],
                "src_90_rotate": 0,
                "src_flagged": False,
            }
        )
        for category, box, centre, size in objects:
            self.annotations.append(
                omni_object(len(self.annotations), number, category, box, centre, size, more)
            )
        return self

    def write(self) -> Path:
        """Write the file."""
        content = {
            "info": {"id": 1, "source": 5, "name": "Hypersim", "split": "Test", "version": "0.1", "url": "x"},
            "images": self.images,
            "categories": [{"id": 1, "name": "chair", "supercategory": "furniture"}],
            "annotations": self.annotations,
        }
        self.file.write_text(json.dumps(content))
        return self.file


def omni_object(
    number: int,
    image: int,
    category: str,
    box: Sequence[float],
    centre: Sequence[float],
    size: Sequence[float],
    more: Mapping[str, object],
) -> dict[str, Any]:
    """One object of an Omni3D file."""
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "category_name": category,
        "valid3D": True,
        "bbox2D_tight": list(box),
        "bbox2D_proj": [value - 1 for value in box],
        "bbox2D_trunc": [-1, -1, -1, -1],
        "bbox3D_cam": corners(centre, size),
        "center_cam": list(centre),
        "dimensions": [size[2], size[1], size[0]],
        "R_cam": np.eye(3).tolist(),
        "behind_camera": False,
        "visibility": 0.9,
        "truncation": 0.0,
        "segmentation_pts": -1,
        "lidar_pts": -1,
        "depth_error": -1,
        **more,
    }
