"""Tiny real parts for tests: encoder and LLM in the hub's formats, image files, rows in LLaVA's format."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from tiny_checkpoints import hugging_face, save_hugging_face
from tiny_llms import write_llm

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 60, 220), "white": (245, 245, 245)}
SIZES = ((64, 48), (40, 80), (50, 50), (96, 24))


def write_parts(root: Path, *, images: int = 24) -> None:
    """Write `encoder`, `llm` and `data` with captions.jsonl and conversations.json below `root`."""
    save_hugging_face(hugging_face("siglip"), root / "encoder")
    write_llm(root / "llm", "qwen2")
    write_data(root / "data", images)


def write_data(folder: Path, images: int) -> None:
    """Write images of one colour, a caption of each, and conversations about them, some without an image."""
    (folder / "pictures").mkdir(parents=True)
    rng = np.random.default_rng(0)
    names = list(COLOURS)
    captions, conversations = [], []
    for index in range(images):
        colour, size = names[index % len(names)], SIZES[index % len(SIZES)]
        pixels = np.clip(np.array(COLOURS[colour]) + rng.integers(-20, 20, (size[1], size[0], 3)), 0, 255)
        name = f"pictures/{index}.{'jpg' if index % 2 else 'png'}"
        Image.fromarray(pixels.astype(np.uint8)).save(folder / name)
        captions.append(_row(f"c{index}", name, ("", f"a {colour} picture")))
        turns = (("What colour is this?", colour), ("Is it large?", "yes" if size[0] > 50 else "no"))
        conversations.append(_row(f"v{index}", name, *turns[: 1 + index % 2]))
        if index % 3 == 0:
            conversations.append(_row(f"t{index}", None, (f"What is {index} plus one?", str(index + 1))))
    (folder / "captions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in captions))
    (folder / "conversations.json").write_text(json.dumps(conversations))


def _row(name: str, image: str | None, *turns: tuple[str, str]) -> dict[str, object]:
    said = []
    for number, (question, answer) in enumerate(turns):
        mark = "<image>\n" if image and not number else ""
        said += [{"from": "human", "value": f"{mark}{question}"}, {"from": "gpt", "value": answer}]
    return {"id": name, **({"image": image} if image else {}), "conversations": said}
