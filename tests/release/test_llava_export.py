"""What is exported is read by transformers' own classes and answers as the model does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file, save_file
from small_models import BARE, EYES, fill, make_llava, write_image
from tiny_llms import FAMILIES
from transformers import AutoProcessor, LlavaForConditionalGeneration

from cambrian.data.pictures import View, prepare
from cambrian.encoders.base import VisionEncoder
from cambrian.encoders.table import build_encoder
from cambrian.errors import UserError
from cambrian.model.generation import Request, answer
from cambrian.model.mllm import MultimodalLLM
from cambrian.release.llava import export
from cambrian.release.llava_check import compare
from cambrian.release.towers import find_tower
from cambrian.runtime import PROJECT
from cambrian.sweep.store import Store

torch.set_num_threads(1)

QUESTION = "How many red cubes\nare there?"
SEVERAL = [("vicuna", "timm_clip"), ("llama3", "timm_siglip"), ("yi", "clip"), ("qwen2", "siglip")]
ONE_EYE = [(family, "siglip") for family in FAMILIES if family not in ("vicuna", "llama3", "yi", "qwen2")]


def read(directory: Path) -> tuple[LlavaForConditionalGeneration, Any]:
    processor = AutoProcessor.from_pretrained(directory, backend="pil", local_files_only=True)
    return LlavaForConditionalGeneration.from_pretrained(directory, local_files_only=True).eval(), processor


def ask(processor: Any, image: Image.Image, question: str = QUESTION) -> Any:
    content = [{"type": "image"}, {"type": "text", "text": question}]
    prompt = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    return processor(images=image, text=prompt, return_tensors="pt")


def say(model: MultimodalLLM, image: Image.Image, count: int) -> str:
    def show(indices: Sequence[int], views: Sequence[View]) -> Mapping[View, np.ndarray]:
        return {view: array[None] for view, array in prepare(image, views).items()}

    request = Request(id="", question=QUESTION, image=0, size=image.size)
    settings = {"vision": True, "batch_size": 1, "max_new_tokens": count}
    return answer(model, [request], show, progress=lambda done, total: None, **settings)[0]


@pytest.mark.parametrize(("family", "eye"), SEVERAL + ONE_EYE)
def test_transformers_gives_the_same_pixels_logits_and_answers(tmp_path: Path, family: str, eye: str) -> None:
    model = make_llava(tmp_path, family, eye)
    assert export(model, tmp_path / "out", BARE) <= 1e-4
    llava, processor = read(tmp_path / "out")
    for width, height in ((40, 24), (24, 41), (32, 32)):
        image = Image.open(write_image(tmp_path / "image.png", width, height))
        inputs = ask(processor, image)
        encoder = model.eyes[0]
        pixels = torch.from_numpy(prepare(image, [encoder.view])[encoder.view].copy())[None]
        torch.testing.assert_close(inputs["pixel_values"], encoder.normalize(pixels), rtol=0, atol=2e-6)
        said = llava.generate(**inputs, max_new_tokens=12)[0, inputs["input_ids"].shape[1] :]
        kept = [token for token in said.tolist() if token != model.chat.end_id]
        assert model.chat.decode(kept) == say(model, image, 12)


@torch.inference_mode()
def test_the_comparison_sees_image_encoder_projector_and_llm(tmp_path: Path) -> None:
    model = make_llava(tmp_path, "vicuna", "timm_clip")
    export(model, tmp_path / "out", BARE)
    llava, processor = read(tmp_path / "out")
    one, other = (
        llava(**ask(processor, Image.open(write_image(tmp_path / "i.png", *size)))).logits
        for size in ((40, 24), (24, 40))
    )
    assert float((one - other).abs().max()) > 1e-2
    path = tmp_path / "out" / "model.safetensors"
    weights = load_file(path)
    disturbed = ("vision_tower", "projector", "language_model", "lm_head")
    for part in disturbed:
        name = next(name for name in sorted(weights) if part in name and name.endswith("weight"))
        save_file({**weights, name: weights[name] * 1.5}, path, {"format": "pt"})
        with pytest.raises(UserError, match="differs from the model by"):
            compare(model, tmp_path / "out")


def test_text_alone_and_further_turns_are_written_as_in_training(tmp_path: Path) -> None:
    model = make_llava(tmp_path, "qwen2", "siglip")
    export(model, tmp_path / "out", BARE)
    _, processor = read(tmp_path / "out")
    system = (
        "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
    )
    turns = [
        {"role": "user", "content": [{"type": "text", "text": "Why?"}, {"type": "image"}]},
        {"role": "assistant", "content": "So."},
        {"role": "user", "content": "And?"},
    ]
    first = "<|im_start|>user\n<image>\nWhy?<|im_end|>\n<|im_start|>assistant\nSo.<|im_end|>"
    last = "\n<|im_start|>user\nAnd?"
    assert processor.apply_chat_template(turns) == system + first + last
    asked = processor.apply_chat_template(turns, add_generation_prompt=True)
    assert asked == system + first + last + "<|im_end|>\n<|im_start|>assistant\n"
    ids, _ = model.chat.prompt("And?", image=False)
    alone = processor.apply_chat_template(turns[2:], add_generation_prompt=True)
    assert processor(text=alone)["input_ids"][0] == ids
    with pytest.raises(Exception, match="the system prompt is part of this template"):
        processor.apply_chat_template([{"role": "system", "content": "Be brief."}])


def test_all_that_keeps_a_model_from_being_one_of_llava_is_said(tmp_path: Path, parts: Path) -> None:
    _, model = fill(Store(tmp_path / "store"), parts)
    with pytest.raises(UserError) as caught:
        export(model, tmp_path / "out", BARE)
    for reason in (
        "it has 2 encoders",
        "its encoder is a 'vit', not a CLIP or SigLIP",
        "its connector is 'sva', LLaVA's is 'concat' with 2 layers",
        "ends every row of visual tokens with a newline",
        "learned positions for visual tokens",
        "release save` writes any model",
    ):
        assert reason in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"layers": 3}, "has 3 layers, LLaVA's has 2"),
        ({"side": 2}, "resizes the encoder's grid of 4x4 to 2x2"),
        ({"newline": True}, "with a newline"),
    ],
)
def test_one_difference_is_enough(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    model = make_llava(tmp_path, "vicuna", "siglip", **changes)
    with pytest.raises(UserError, match=reason) as caught:
        export(model, tmp_path / "out", BARE)
    assert str(caught.value).count("\n  - ") == 1


@pytest.mark.parametrize(
    ("eye", "changes", "reason"),
    [
        ("clip", {"layer": -1}, "final norm is applied to the features"),
        ("timm_clip", {"layer": -1}, "final norm is applied to the features"),
        ("clip", {"grid": 4}, "own grid of 8x8 is resized to 4x4"),
        ("timm_mae", {}, "transformers' clip also needs 2 weights of its encoder, such as pre_layrnorm"),
        ("timm_siglip", {"model": "vit_medium_patch16_reg4_gap_256.sbb_in1k"}, "has no place for"),
        ("timm_siglip", {"model": "resnet18", "arguments": {}}, "timm's resnet18, no vision transformer"),
    ],
)
def test_encoders_that_are_no_towers_say_why(eye: str, changes: dict[str, Any], reason: str) -> None:
    encoder = build_encoder({**EYES[eye], **changes})
    assert reason in "; ".join(find_tower(encoder).reasons)


def study_encoder(name: str) -> VisionEncoder:
    """An encoder of the study at full size, without memory."""
    row = yaml.safe_load((PROJECT / "conf" / "encoder" / f"{name}.yaml").read_text())["paper"]
    with torch.device("meta"):
        return build_encoder({**row["architecture"], "grid": row["grid"]})


def test_which_encoders_of_the_study_are_towers() -> None:
    for name, width, tokens in (("clip", 1024, 577), ("siglip", 1152, 729), ("siglip_l", 1024, 576)):
        tower = find_tower(study_encoder(name))
        assert tower.reasons == (), name
        assert tower.weights["embeddings.position_embedding.weight"].shape == (tokens, width)
        assert tower.class_token == (name == "clip")
    for name in ("dfn_clip_l", "eva_clip", "convnext_l", "dinov2"):
        assert find_tower(study_encoder(name)).reasons, name


@pytest.mark.parametrize(("eye", "layer"), [("siglip", -2), ("timm_siglip", -2), ("clip", -3)])
def test_towers_of_deeper_layers(tmp_path: Path, eye: str, layer: int) -> None:
    model = make_llava(tmp_path, "vicuna", eye)
    torch.manual_seed(0)
    deeper = build_encoder({**EYES[eye], "layer": layer}).eval()
    tower = find_tower(deeper)
    assert tower.reasons == ()
    model.encoders[0] = deeper
    export(model, tmp_path / "out", BARE)
