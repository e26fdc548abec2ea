"""Whole tiny models, in memory and in a store, and their logits."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from tiny_checkpoints import SIZES, shake
from tiny_llms import FAMILIES, write_llm
from tiny_multimodal import SVA, noise
from torch import Tensor

from cambrian.data.batching import collate, load_images
from cambrian.data.tokenization import IGNORED, Example
from cambrian.encoders.table import build_encoder
from cambrian.model.assembly import assemble, join, save_trained
from cambrian.model.freezing import freeze
from cambrian.model.mllm import MultimodalLLM
from cambrian.model.pretrained import read_pretrained
from cambrian.stages.base import Artifact, Stage
from cambrian.sweep.store import Store

EYES: Mapping[str, dict[str, Any]] = {
    "clip": {
        "kind": "transformers",
        "resolution": 64,  # its positions are those of 32 pixels
        "grid": 8,
        "layer": -2,
        "mean": [0.1, 0.2, 0.3],
        "std": [0.4, 0.5, 0.6],
        "config": {**SIZES, "model_type": "clip_vision_model"},
    },
    "siglip": {
        "kind": "transformers",
        "resolution": 32,
        "grid": 4,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "config": {**SIZES, "model_type": "siglip_vision_model"},
    },
    "timm_clip": {
        "kind": "timm",
        "model": "vit_base_patch16_clip_quickgelu_224.openai",
        "resolution": 64,
        "grid": 4,
        "layer": -2,
        "arguments": {"depth": 3, "embed_dim": 32, "num_heads": 2},
    },
    "timm_siglip": {
        "kind": "timm",
        "model": "vit_so400m_patch14_siglip_384.webli",
        "resolution": 62,  # not a multiple of the patch: 4 x 4 patches and a rest
        "grid": 4,
        "arguments": {"depth": 2, "embed_dim": 32, "num_heads": 2},
    },
    "timm_mae": {
        "kind": "timm",
        "model": "vit_base_patch16_224.mae",
        "resolution": 64,
        "grid": 4,
        "arguments": {"depth": 2, "embed_dim": 32, "num_heads": 2},
    },
}
BARE: dict[str, Any] = {
    "name": "bare",
    "axes": {},
    "lab": False,
    "notes": [],
    "origin": {},
    "stages": [],
    "evaluations": [],
}


def make_llava(folder: Path, family: str, eye: str, **changes: Any) -> MultimodalLLM:
    """A model of LLaVA's form with random weights; `changes` are of the connector."""
    language = read_pretrained(write_llm(folder / "llm", family), "float32")
    torch.manual_seed(3)
    encoder = shake(build_encoder(EYES[eye]))
    recipe = {"kind": "concat", "side": encoder.grid, "layers": 2, "newline": False, **changes}
    model = join([encoder], language, connector_recipe=recipe, template=FAMILIES[family].template, seed=1)
    return model.eval()


@torch.inference_mode()
def logits(model: MultimodalLLM, question: str = "word1 word2", image: int = 0) -> Tensor:
    """Scores at every position of a prompt with a square image of noise."""
    ids, placeholder = model.chat.prompt(question, image=True)
    example = Example(
        id="", input_ids=tuple(ids), labels=(IGNORED,) * len(ids), placeholder=tuple(placeholder)
    )
    images = load_images(noise, [image], model.views)
    batch = collate([example], images, pad_id=model.chat.pad_id, padding="left")
    return model.logits(model.states(batch, attention_mask=None, position_ids=None, cache=None))[0]


def write_image(path: Path, width: int = 40, height: int = 24) -> Path:
    pixels = torch.randint(0, 256, (height, width, 3), generator=torch.Generator().manual_seed(7))
    Image.fromarray(pixels.to(torch.uint8).numpy()).save(path)
    return path


def publish(
    store: Store, stage: Stage, write: Callable[[Path], Any], metrics: Mapping[str, Any] | None = None
) -> Artifact:
    """Put a finished stage into the store, made on a machine and from places that are nobody's business."""
    provenance = {
        "created": "2026-11-22T20:00:00+00:00",
        "host": "secret-host",
        "weights": {
            "source": "https://user:secret-word@example.org/w.pth?token=secret-word",
            "revision": None,
        },
        "source": {"directory": "/secret-home/models/llm", "model": "ORG/NAME"},
    }
    with store.lease(stage.digest, stage.label) as lease:
        payload = store.payload(lease)
        write(payload)
        return store.publish(
            stage, payload, metrics=metrics or {}, code={}, provenance=provenance, lease=lease
        )


def fill(
    store: Store, parts: Path, *, vision: Any = "unfrozen", recipe: Mapping[str, Any] = SVA, seed: int = 0
) -> tuple[Artifact, MultimodalLLM]:
    """Publish a tuned model and all that it was made from; give its stage and the model itself."""

    def copy(name: str) -> Callable[[Path], Any]:
        return lambda payload: shutil.copytree(parts / name, payload, dirs_exist_ok=True)

    eyes = ("vit", "convnet")
    inputs = {}
    for number, name in enumerate(eyes):
        stage = Stage(kind="encoder", recipe={"name": name}, inputs={}, label=f"encoder {name}")
        inputs[f"encoder.{number}"] = stage.digest
        if store.find("encoder", stage.digest) is None:
            publish(store, stage, copy(name), {"loss": 0.5})
    stage = Stage(kind="language", recipe={"model": "tiny", "seed": 0}, inputs={}, label="language tiny")
    inputs["language"] = stage.digest
    if store.find("language", stage.digest) is None:
        publish(store, stage, copy("language"))
    model = assemble(
        encoder_dirs=[parts / name for name in eyes],
        language_dir=parts / "language",
        connector_recipe=recipe,
        template="lab",
        seed=seed,
    )
    freeze(model, stage="tune", vision=vision)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.01)
    data = {"kind": "instruct", "examples": 3685, "folder": "/secret-home/data/set.jsonl"}
    settings = {
        "connector": dict(recipe),
        "data": data,
        "vision": vision,
        "seed": seed,
        "optimization": {"clip": 1.0},
    }
    axes = {"scale": "lab", "encoder": list(eyes), "seed": seed}
    tuned = Stage(kind="tune", recipe=settings, inputs=inputs, label="tune two eyes", axes=axes)
    artifact = publish(store, tuned, lambda payload: save_trained(model, payload), {"loss": 0.25, "steps": 7})
    return artifact, model.eval()


def publish_score(store: Store, tuned: Artifact, benchmark: str, category: str, score: float) -> Artifact:
    """Put a finished evaluation of a model into the store."""
    eyes: Sequence[str] = [role for role in tuned.manifest["inputs"] if role.startswith("encoder.")]
    stage = Stage(
        kind="evaluate",
        recipe={"benchmark": {"id": benchmark, "metric": "accuracy", "source": "lab"}, "seed": 0},
        inputs={**{role: tuned.manifest["inputs"][role] for role in eyes}, "model": tuned.digest},
        label=f"evaluate {benchmark}",
        axes={"scale": "lab", "benchmark": benchmark, "category": category},
    )
    numbers = {"n": 240, "score": score, "low": score - 5, "high": score + 5, "blind": 12.5}
    rest = {"chance": 11.25, "majority": 10.0, "unparsed": 0.5}
    return publish(store, stage, lambda payload: None, {**numbers, **rest})
