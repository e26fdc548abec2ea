"""What training data cost to read: rows of a JSONL file at random, and images for several encoders.

python perf/data.py [--lines 10000 200000 1000000] [--images 64]

Rows: through the byte offsets, against reading the file from its beginning for every row, as the authors'
released code does. Images: JPEG files of 640 x 480 prepared for the four encoders of Cambrian-1, each decoded
once against once per encoder; then with one and with two decoders at the same time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from cambrian.data.pictures import View, prepare, read_picture
from cambrian.data.rows import index_rows

RANDOM_ROWS = 20_000
ROWS_FROM_THE_START = 20
VIEWS = (
    View(384, (127, 127, 127)),  # SigLIP
    View(336, (122, 116, 104)),  # CLIP
    View(378, (123, 116, 103)),  # DINOv2
    View(1024, (122, 116, 104)),  # ConvNeXt
)


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def write_rows(path: Path, count: int) -> None:
    """Write conversations of the length that LLaVA's have, about 700 bytes each."""
    words = " ".join(["word"] * 55)
    with path.open("w") as file:
        for number in range(count):
            said = [{"from": "human", "value": f"<image>\n{words}"}, {"from": "gpt", "value": words}]
            row = {"id": str(number), "image": f"{number}.jpg", "conversations": said}
            file.write(json.dumps(row) + "\n")


def from_the_start(path: Path, number: int) -> object:
    """Read row `number` by passing over all rows before it."""
    with path.open() as file:
        return json.loads(next(islice(file, number, None)))


def time_rows(folder: Path, counts: Sequence[int]) -> None:
    """Print, for files of so many lines, the time to index one and to read a row by either way."""
    print(f"{'lines':>10}{'index':>12}{'a row':>12}{'from the start':>17}{'ratio':>10}")
    chance = np.random.default_rng(0)
    for count in counts:
        path = folder / f"{count}.jsonl"
        write_rows(path, count)
        index = seconds(lambda path=path: index_rows(path))
        rows = index_rows(path)
        asked = chance.integers(0, count, RANDOM_ROWS).tolist()
        ours = seconds(lambda rows=rows, asked=asked: [rows[number] for number in asked]) / len(asked)
        few = asked[:ROWS_FROM_THE_START]
        theirs = seconds(lambda path=path, few=few: [from_the_start(path, n) for n in few]) / len(few)
        ratio = f"{theirs / ours:,.0f}x"
        print(f"{count:>10,}{index:>10.2f} s{1e6 * ours:>9.1f} us{1e3 * theirs:>14.1f} ms{ratio:>10}")
        path.unlink()


def write_images(folder: Path, count: int) -> list[Path]:
    """Write JPEG files of smooth noise, which are about as large as photographs."""
    chance = np.random.default_rng(0)
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for path in paths:
        coarse = Image.fromarray(chance.integers(0, 256, (60, 80, 3), dtype=np.uint8))
        coarse.resize((640, 480), Image.Resampling.BICUBIC).save(path, quality=90)
    return paths


def time_images(paths: Sequence[Path]) -> None:
    """Print images per second by the ways to prepare them."""

    def once(path: Path) -> None:
        prepare(read_picture(path), VIEWS)

    def per_encoder(path: Path) -> None:
        for view in VIEWS:
            prepare(read_picture(path), [view])

    def with_threads(count: int) -> None:
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(once, paths))

    base = len(paths) / seconds(lambda: [per_encoder(path) for path in paths])
    ways = {
        "decoded for every encoder": base,
        "decoded once": len(paths) / seconds(lambda: [once(path) for path in paths]),
        "decoded once, two at the same time": len(paths) / seconds(lambda: with_threads(2)),
    }
    print(f"\n{'images for four encoders':40}{'images/s':>10}{'ratio':>8}")
    for way, rate in ways.items():
        print(f"{way:40}{rate:>10.1f}{rate / base:>7.2f}x")


def main() -> None:
    """Time both in one run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lines", type=int, nargs="+", default=[10_000, 200_000, 1_000_000])
    parser.add_argument("--images", type=int, default=64)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="perf-data-") as name:
        time_rows(Path(name), given.lines)
        time_images(write_images(Path(name), given.images))


if __name__ == "__main__":
    main()
