"""The pictures of the questions: checked against their annotations, and framed where a question needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw

from cambrian.benchmarks.cvbench.scenes import Box, Fault, Scene
from cambrian.benchmarks.cvbench.wording import BLUE, COLOURS, GREEN, RED
from cambrian.data.pictures import read_picture
from cambrian.errors import BadImageError

INK: Mapping[str, tuple[int, int, int]] = {RED: (255, 0, 0), BLUE: (0, 0, 255), GREEN: (0, 255, 0)}
LINE_SHARE = 0.006
"""Width of a frame's line by the longer side: 2 pixels where an encoder sees the picture with 336."""
QUALITY = 95
"""Of the JPEG of a framed picture; colours are not subsampled, so that thin lines keep theirs."""


class Gallery:
    """Looks at pictures once, and keeps what is wrong with them."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._seen: dict[Path, bool] = {}

    def has(self, scene: Scene) -> bool:
        """Whether the picture of a scene can be shown and is the one that was annotated."""
        if scene.picture not in self._seen:
            reason = _fault_of(scene)
            if reason:
                self.faults.append(Fault(file=str(scene.picture), record="the picture", reason=reason))
            self._seen[scene.picture] = not reason
        return self._seen[scene.picture]


def _fault_of(scene: Scene) -> str:
    try:
        size = read_picture(scene.picture).size
    except BadImageError as fault:
        return fault.reason
    if size == (scene.width, scene.height):
        return ""
    return (
        f"not the size that was annotated: {size[0]} x {size[1]}, not {scene.width} x {scene.height} pixels"
    )


def draw_frames(picture: Image.Image, frames: Sequence[Box]) -> Image.Image:
    """Draw boxes around objects, red, blue and green in this order; where there is room, outside of them."""
    framed = picture.copy()
    pen = ImageDraw.Draw(framed)
    width = max(2, round(LINE_SHARE * max(picture.size)))
    for (left, top, right, bottom), colour in zip(frames, COLOURS, strict=False):
        sides = (
            max(0, round(left) - width),
            max(0, round(top) - width),
            min(picture.width - 1, round(right) - 1 + width),
            min(picture.height - 1, round(bottom) - 1 + width),
        )
        pen.rectangle(sides, outline=INK[colour], width=width)
    return framed


def show(source: Path, frames: Sequence[Box]) -> tuple[bytes, str]:
    """Give the picture's file as a question shows it, and its suffix: as it is, or a JPEG with frames.

    Raises:
        BadImageError: if it cannot be read.
    """
    if not frames:
        return source.read_bytes(), source.suffix.lower()
    return as_jpeg(draw_frames(read_picture(source), frames), QUALITY), ".jpg"


def as_jpeg(picture: Image.Image, quality: int) -> bytes:
    """Encode an RGB picture."""
    file = BytesIO()
    picture.save(file, "jpeg", quality=quality, subsampling=0)
    return file.getvalue()
