"""Putting a multimodal LLM together from its parts on disk, and writing what was trained.

A trained model is a directory: model.json, connector.safetensors, `language/` if the LLM was trained, and
`encoder.<k>/` for each unfrozen encoder. What stayed frozen is not copied.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from cambrian.connectors.base import build_connector
from cambrian.connectors.table import visual_positions
from cambrian.data.tokenization import ChatTokenizer
from cambrian.encoders.base import VisionEncoder
from cambrian.encoders.table import load_encoder, save_encoder
from cambrian.errors import UserError
from cambrian.model.freezing import is_trained
from cambrian.model.language import Language, load_language, save_language
from cambrian.model.mllm import MultimodalLLM
from cambrian.model.placement import place

DESCRIPTION = "model.json"
CONNECTOR = "connector.safetensors"
LANGUAGE = "language"


def assemble(
    *,
    encoder_dirs: Sequence[Path],
    language_dir: Path,
    connector_recipe: Mapping[str, Any],
    template: str,
    seed: int,
    context: int | None = None,
) -> MultimodalLLM:
    """Join encoders and an LLM by a fresh connector, drawn from `seed` alone; on the CPU, nothing frozen yet.

    Encoders and LLM are in the type of their files, the connector in float32 (`cambrian.model.placement`).
    Examples are cut to `context` tokens, or to what the LLM was made for.

    Raises:
        UserError: if parts are missing or don't fit each other.
    """
    with torch.random.fork_rng(devices=[]):
        encoders = [load_encoder(directory) for directory in encoder_dirs]
        language = load_language(language_dir)
    return join(
        encoders,
        language,
        connector_recipe=connector_recipe,
        template=template,
        seed=seed,
        context=context,
    )


def join(
    encoders: Sequence[VisionEncoder],
    language: Language,
    *,
    connector_recipe: Mapping[str, Any],
    template: str,
    seed: int,
    context: int | None = None,
) -> MultimodalLLM:
    """Join parts in memory by a fresh connector, drawn from `seed` alone; `context` is as in `assemble`.

    Raises:
        UserError: if they don't fit each other.
    """
    config = language.llm.config
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        connector = build_connector(
            connector_recipe,
            [encoder.width for encoder in encoders],
            [encoder.grid for encoder in encoders],
            config.hidden_size,
            config.num_hidden_layers,
        )
    positions = language.grid_positions
    if positions is not None and positions.side % connector_recipe["side"]:
        raise UserError(
            f"the LLM has learned a grid of {positions.side}x{positions.side} visual tokens, "
            f"got connector.side={connector_recipe['side']}; choose one that divides it"
        )
    chat = ChatTokenizer(
        language.tokenizer,
        template=template,
        image_positions=visual_positions(connector_recipe),
        max_tokens=min(context or config.max_position_embeddings, config.max_position_embeddings),
    )
    return MultimodalLLM(
        encoders=encoders,
        connector=connector,
        connector_recipe=connector_recipe,
        language=language,
        chat=chat,
    )


def save_trained(model: MultimodalLLM, directory: Path) -> None:
    """Write the parts that `freeze` let train into `directory`, made if need be.

    The LLM is rounded to the type of the files that it came from, here and in `model`; all else is float32.
    """
    directory.mkdir(parents=True, exist_ok=True)
    description = {"connector": model.connector_recipe, "template": model.chat.template.name}
    (directory / DESCRIPTION).write_text(json.dumps(description, indent=1, sort_keys=True) + "\n")
    save_file(model.connector.state_dict(), directory / CONNECTOR)
    if is_trained(model.llm):
        for parameter in model.llm.parameters():
            parameter.data = parameter.data.to(model.language.dtype)
        save_language(model.language, directory / LANGUAGE)
    for index, encoder in enumerate(model.eyes):
        if is_trained(encoder):
            place = directory / f"encoder.{index}"
            place.mkdir()
            save_encoder(encoder, place)


def load_connector(model: MultimodalLLM, directory: Path) -> None:
    """Give `model` the connector of a trained model, such as an aligned one.

    Raises:
        UserError: if that is another kind of connector.
    """
    trained = _describe(directory)["connector"]
    if trained != model.connector_recipe:
        raise UserError(f"{directory} holds the connector {trained}, the model has {model.connector_recipe}")
    model.connector.load_state_dict(load_file(directory / CONNECTOR))


def load_trained(
    directory: Path, *, encoder_dirs: Sequence[Path], language_dir: Path | None = None, device: str = "cpu"
) -> MultimodalLLM:
    """Read a trained model, frozen and in evaluation mode, onto `device`, as `place` brings it there.

    `encoder_dirs` and `language_dir` say where the parts are that stayed frozen; a trained part comes from
    `directory`.

    Raises:
        UserError: if `directory` holds no trained model, or it needs a `language_dir`.
    """
    description = _describe(directory)
    own = directory / LANGUAGE
    language = own if own.is_dir() else language_dir
    if language is None:
        raise UserError(
            f"{directory} holds no LLM, because it was not trained there; name the one it was used with"
        )
    eyes = [
        trained if (trained := directory / f"encoder.{index}").is_dir() else given
        for index, given in enumerate(encoder_dirs)
    ]
    model = assemble(
        encoder_dirs=eyes,
        language_dir=language,
        connector_recipe=description["connector"],
        template=description["template"],
        seed=0,
    )
    load_connector(model, directory)
    model.requires_grad_(False)
    place(model, device)
    return model.eval()


def _describe(directory: Path) -> dict[str, Any]:
    path = directory / DESCRIPTION
    if not path.is_file():
        raise UserError(f"{directory} holds no trained model: {DESCRIPTION} is missing")
    return json.loads(path.read_text())
