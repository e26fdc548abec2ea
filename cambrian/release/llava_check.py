"""Whether what was exported answers as the model did: tokens, pixels, logits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image
from torch import Tensor
from transformers import AutoProcessor, LlavaForConditionalGeneration

from cambrian.data.batching import collate
from cambrian.data.pictures import View, prepare
from cambrian.data.tokenization import IGNORED, Example
from cambrian.errors import UserError
from cambrian.model.mllm import MultimodalLLM
from cambrian.quiet import quiet

PIXELS = 1e-5
"""Largest difference of two pixels; one of 255 levels is several hundred times as much."""
TOLERANCE = 1e-4
"""Largest difference of two logits, over the largest logit or 1, whichever is more."""
QUESTION = "What is in the picture?"


@torch.inference_mode()
def compare(model: MultimodalLLM, directory: Path) -> float:
    """Ask `model` and the one that transformers reads from `directory` the same about an image of noise.

    Returns:
        The largest difference of their logits for the same pixels, over all positions of the prompt.

    Raises:
        UserError: if token ids or pixels differ, or logits by more than the tolerance.
    """
    side = model.eyes[0].resolution
    noise = np.random.default_rng(0).integers(256, size=(2 * side, side + 1, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    ids, placeholder = model.chat.prompt(QUESTION, image=True)
    prepared = prepare(image, model.views).items()
    images = {view: torch.from_numpy(array.copy())[None] for view, array in prepared}
    pixels = model.eyes[0].normalize(images[model.views[0]])
    ours = _logits(model, images, ids, placeholder)
    with quiet():
        # torchvision's way of resizing, the default, rounds some pixels up that Pillow rounds down.
        processor = AutoProcessor.from_pretrained(
            directory, backend="pil", local_files_only=True, trust_remote_code=False
        )
        llava = LlavaForConditionalGeneration.from_pretrained(
            directory, dtype=model.llm.dtype, local_files_only=True, use_safetensors=True
        )
    content = [{"type": "image"}, {"type": "text", "text": QUESTION}]
    prompt = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    inputs = processor(images=image, text=prompt, return_tensors="pt")
    token = llava.config.image_token_index
    expected = [token if image else own for own, image in zip(ids, placeholder, strict=True)]
    given = inputs["input_ids"][0].tolist()
    if given != expected:
        raise UserError(f"transformers writes the prompt in other tokens: {given}, ours are {expected}")
    off = float((inputs["pixel_values"] - pixels).abs().max())
    if not off <= PIXELS:
        raise UserError(f"transformers prepares images in another way: pixels differ by {off:.1e}")
    logits = llava.eval()(**{**inputs, "pixel_values": pixels}).logits[0, :, : ours.shape[1]]
    difference = float((logits - ours).abs().max())
    allowed = TOLERANCE * max(1.0, float(ours.abs().max()))
    if not difference <= allowed:
        raise UserError(
            f"what transformers reads differs from the model by {difference:.1e} in its logits, allowed are "
            f"{allowed:.1e}; transformers {transformers.__version__} may be too far from 5.23"
        )
    return difference


def _logits(
    model: MultimodalLLM, images: dict[View, Tensor], ids: list[int], placeholder: list[bool]
) -> Tensor:
    """Give the scores of the next token at every position of a prompt, (T, V)."""
    example = Example(
        id="", input_ids=tuple(ids), labels=(IGNORED,) * len(ids), placeholder=tuple(placeholder)
    )
    batch = collate([example], images, pad_id=model.chat.pad_id, padding="left")
    states = model.states(batch, attention_mask=None, position_ids=None, cache=None)
    return model.logits(states)[0]
