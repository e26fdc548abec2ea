"""A model of LLaVA's form as transformers' own `LlavaForConditionalGeneration`."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from PIL import Image
from tokenizers import AddedToken, Tokenizer
from tokenizers.processors import TemplateProcessing
from torch import Tensor, nn
from transformers import (
    AutoModel,
    GenerationConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

from cambrian.connectors.concat import ConcatConnector
from cambrian.data.tokenization import ChatTokenizer
from cambrian.directories import new_directory
from cambrian.encoders.trunk import TrunkEncoder
from cambrian.errors import UserError
from cambrian.model.mllm import MultimodalLLM
from cambrian.quiet import quiet
from cambrian.release.card import CARD, make_card
from cambrian.release.chat_form import chat_form
from cambrian.release.directory import FACTS, SHARD, image_settings
from cambrian.release.files import write_json
from cambrian.release.llava_check import compare
from cambrian.release.towers import Tower, find_tower

IMAGE = "<image>"
"""Token that stands for an image in a prompt."""
USE = """\
```python
from transformers import AutoProcessor, LlavaForConditionalGeneration

processor = AutoProcessor.from_pretrained("DIRECTORY", backend="pil")
model = LlavaForConditionalGeneration.from_pretrained("DIRECTORY")
question = {"type": "text", "text": "What is in the picture?"}
prompt = processor.apply_chat_template(
    [{"role": "user", "content": [{"type": "image"}, question]}], add_generation_prompt=True
)
inputs = processor(images=image, text=prompt, return_tensors="pt")  # image: a PIL image in RGB
ids = model.generate(**inputs, max_new_tokens=32)[0, inputs.input_ids.shape[1] :]
print(processor.decode(ids, skip_special_tokens=True))
```"""


def export(model: MultimodalLLM, directory: Path, facts: Mapping[str, Any]) -> float:
    """Write `model` for transformers into a new `directory`, and compare what comes back.

    Returns:
        The largest difference between logits of the two, on one prompt with an image of noise.

    Raises:
        UserError: naming all that keeps the model from being one of LLaVA, or if what was written answers
            differently.
    """
    tower = find_tower(model.eyes[0])
    reasons = obstacles(model, tower)
    if reasons:
        listed = "\n".join(f"  - {reason}" for reason in reasons)
        raise UserError(
            f"this model cannot be a LlavaForConditionalGeneration of transformers:\n{listed}\n"
            "`python -m cambrian.release save` writes any model, in a form of this project"
        )
    tokenizer = _tokenizer(model.chat)
    with new_directory(directory) as place:
        with quiet():
            _write_model(model, tower, tokenizer.get_vocab()[IMAGE], place)
            _processor(model, tower, tokenizer).save_pretrained(place)
        difference = compare(model, place)
        _write_card(model, place, facts, difference)
    return difference


def obstacles(model: MultimodalLLM, tower: Tower) -> list[str]:
    """Say all that LLaVA in transformers does not have, one sentence each; empty if there is nothing."""
    reasons = [] if len(model.eyes) == 1 else [f"it has {len(model.eyes)} encoders, LLaVA has one"]
    reasons += tower.reasons
    connector = model.connector
    if not isinstance(connector, ConcatConnector):
        reasons.append(
            f"its connector is '{model.connector_recipe['kind']}', LLaVA's is 'concat' with 2 layers"
        )
    else:
        layers = model.connector_recipe["layers"]
        if layers != 2:
            reasons.append(f"its connector has {layers} layers, LLaVA's has 2")
        if connector.side != connector.grids[0]:
            reasons.append(
                f"its connector resizes the encoder's grid of {connector.grids[0]}x{connector.grids[0]} to "
                f"{connector.side}x{connector.side}, which LLaVA does not do"
            )
    if connector.newline is not None:
        reasons.append("its connector ends every row of visual tokens with a newline, LLaVA's does not")
    if model.grid_positions is not None:
        reasons.append("its LLM has learned positions for visual tokens (the lab's does), which LLaVA lacks")
    return reasons + _llm_obstacles(model)


def _llm_obstacles(model: MultimodalLLM) -> list[str]:
    llm, head = model.llm, model.llm.get_output_embeddings()
    with torch.device("meta"):
        decoder = type(AutoModel.from_config(llm.config))
    reasons = []
    if decoder is not type(llm.get_decoder()):
        reasons.append(
            f"transformers' LLaVA builds a {decoder.__name__} around its LLM, {type(llm).__name__}"
        )
    if not isinstance(head, nn.Linear) or head.bias is not None:
        reasons.append(f"the head of its LLM, {type(llm).__name__}, is no matrix alone")
    return reasons


def _tokenizer(chat: ChatTokenizer) -> Tokenizer:
    """Copy the tokenizer, with a token for the image; the chat template alone writes beginnings."""
    tokenizer = Tokenizer.from_str(chat.tokenizer.to_str())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.add_special_tokens([AddedToken(IMAGE, special=True, normalized=False)])
    tokenizer.post_processor = TemplateProcessing(single="$A", pair="$A $B", special_tokens=[])  # type: ignore[assignment]
    return tokenizer


def _write_model(model: MultimodalLLM, tower: Tower, token: int, place: Path) -> None:
    """Write config.json, weights and generation_config.json."""
    llm, connector = model.llm, model.connector
    assert isinstance(connector, ConcatConnector) and tower.config is not None
    text = copy.deepcopy(llm.config)
    table = llm.get_input_embeddings()
    assert isinstance(table, nn.Embedding)
    rows = max(text.vocab_size, token + 1)
    text.vocab_size = rows
    config = LlavaConfig(
        vision_config=tower.config,
        text_config=text,
        image_token_index=token,
        image_seq_length=connector.side**2,
        projector_hidden_act="gelu",
        vision_feature_select_strategy="default" if tower.class_token else "full",
        vision_feature_layer=-1,
        tie_word_embeddings=bool(text.tie_word_embeddings),
    )
    config.dtype = llm.dtype
    decoder = llm.get_decoder().state_dict()
    head = llm.get_output_embeddings()
    assert isinstance(head, nn.Linear)
    first, second = connector.projector[0], connector.projector[2]
    embedded = _lengthened(table.weight.detach(), rows)
    weights = {
        **{f"model.language_model.{name}": value for name, value in decoder.items()},
        "model.language_model.embed_tokens.weight": embedded,
        "lm_head.weight": embedded if config.tie_word_embeddings else _lengthened(head.weight.detach(), rows),
        **{f"model.vision_tower.{name}": value for name, value in tower.weights.items()},
        **{f"model.multi_modal_projector.linear_1.{n}": value for n, value in first.state_dict().items()},
        **{f"model.multi_modal_projector.linear_2.{n}": value for n, value in second.state_dict().items()},
    }
    with torch.device("meta"):
        llava = LlavaForConditionalGeneration(config)
    llava.load_state_dict(weights, assign=True)
    llava.tie_weights()
    chat = model.chat
    meaningless = sorted({token, *range(chat.vocabulary, rows)})
    llava.generation_config = GenerationConfig(
        do_sample=False,
        eos_token_id=chat.end_id,
        pad_token_id=chat.pad_id,
        suppress_tokens=meaningless,
    )
    llava.save_pretrained(place, max_shard_size=SHARD)


def _lengthened(table: Tensor, rows: int) -> Tensor:
    """Add rows of zeros at the end, if need be: their tokens mean nothing and are never said."""
    missing = rows - len(table)
    return torch.cat([table, table.new_zeros(missing, table.shape[1])]) if missing else table


def _processor(model: MultimodalLLM, tower: Tower, tokenizer: Tokenizer) -> LlavaProcessor:
    encoder = model.eyes[0]
    assert isinstance(encoder, TrunkEncoder) and tower.config is not None
    side = {"height": encoder.resolution, "width": encoder.resolution}
    images = LlavaImageProcessorPil(
        do_pad=True,  # to a square, in the colour of the mean
        size=side,
        crop_size=side,
        do_center_crop=False,
        resample=Image.Resampling.BICUBIC,
        image_mean=list(encoder.mean),
        image_std=list(encoder.std),
    )
    names = {key: value for key, value in model.language.tokens.items() if key != "chat_template"}
    special = {**names, "pad_token": model.chat.template.pad or model.chat.template.end}
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **special, extra_special_tokens={"image_token": IMAGE}
    )
    return LlavaProcessor(
        image_processor=images,
        tokenizer=wrapped,
        patch_size=tower.config.patch_size,
        vision_feature_select_strategy="default" if tower.class_token else "full",
        num_additional_image_tokens=int(tower.class_token),
        image_token=IMAGE,
        chat_template=chat_form(model.chat.template, IMAGE),
    )


def _write_card(model: MultimodalLLM, place: Path, facts: Mapping[str, Any], difference: float) -> None:
    encoder = model.eyes[0]
    config = {
        "encoders": [encoder.architecture],
        "connector": model.connector_recipe,
        "text_config": model.llm.config.to_dict(),
        "template": model.chat.template.name,
    }
    notes = (
        f"Written for transformers {transformers.__version__}; other versions are not tried. On one prompt "
        f"with an image, its logits differ by at most {difference:.1e} from those of the model as trained.",
        "With backend='pil', the processor pads images to a square and resizes them as in training; without, "
        "some pixels differ by one of 255 levels. It does not turn images upright by their EXIF data, and "
        "does not show transparent ones on white: give it upright RGB images.",
        "The chat template holds the system prompt of the training. Special tokens that are spelt out in a "
        "question are taken for such; in training they were text.",
    )
    card = make_card(facts, config, [image_settings(encoder)], use=USE, library="transformers", notes=notes)
    (place / CARD).write_text(card)
    write_json(place / FACTS, facts)
