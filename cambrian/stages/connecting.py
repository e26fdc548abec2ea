"""What the stages `align` and `tune` share: train a multimodal LLM on a corpus, from its recipe."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from cambrian.data.batching import ConversationBatches
from cambrian.data.conversation import Corpus
from cambrian.data.pictures import View
from cambrian.data.survey import open_mixture, open_part
from cambrian.errors import UserError
from cambrian.lab.corpus import LabCorpus
from cambrian.model.assembly import assemble, load_connector, save_trained
from cambrian.model.features import KeptFeatures
from cambrian.model.freezing import freeze, is_trained
from cambrian.model.mllm import MultimodalLLM
from cambrian.model.placement import bring
from cambrian.model.task import MultimodalTask
from cambrian.precision import compute_type
from cambrian.stages.base import Artifact, Recipe, StageContext
from cambrian.stages.device import training_conditions
from cambrian.stages.features import features_folder, features_key
from cambrian.task import LeftOut
from cambrian.training import fit, read_schedule

log = logging.getLogger(__name__)

LAB = "lab"
"""Template of the lab's LLM, which needs not name it."""
LEFT_OUT = "left_out.jsonl"
"""Examples that could not be used, one per line: number in the data, id, reason, file and line, kind."""
SPARE_BYTES = 256 << 20
"""Room that pictures leave on a disk: without them training is as right, without a checkpoint it fails."""


def train_connected(
    recipe: Recipe,
    inputs: Mapping[str, Artifact],
    context: StageContext,
    *,
    stage: Literal["align", "tune"],
    vision: Literal["frozen", "unfrozen"],
    blocks: int | None = None,
) -> dict[str, Any]:
    """Train what `stage` trains and publish it; metrics hold the loss of the first and last steps.

    Examples that could not be used are listed beside it, and counted, as are those cut at the context.

    Inputs are `encoder.0`, `encoder.1`, ..., `language`, and `align` where a connector was trained before.
    `blocks` are those of an unfrozen encoder that train, the last ones; None for all of it.

    Raises:
        UserError: if the parts do not fit each other.
        NonFiniteLoss, OutOfMemory, Preempted: as in `cambrian.training.fit`.
    """
    conditions = training_conditions(context)
    model = assemble(
        encoder_dirs=[inputs[role].path for role in encoder_roles(inputs)],
        language_dir=inputs["language"].path,
        connector_recipe=recipe["connector"],
        template=inputs["language"].manifest["recipe"].get("template", LAB),
        seed=recipe["seed"],
        context=recipe["data"].get("context"),
    )
    if "align" in inputs:
        load_connector(model, inputs["align"].path)
    freeze(model, stage=stage, vision=vision, blocks=blocks)
    conditions = bring(model, conditions, shard=context.runtime.shard)
    data, optimization = recipe["data"], recipe["optimization"]
    corpus = _open(data, context, model.views)
    batches = ConversationBatches(
        size=len(corpus), epochs=1.0, batch_size=optimization["batch_size"], seed=recipe["seed"]
    )
    task = MultimodalTask(
        model,
        corpus,
        batches,
        rates=optimization["lr"],
        weight_decay=optimization["weight_decay"],
        kept=_kept_features(model, inputs, data, context),
    )
    schedule = read_schedule(optimization, steps=batches.steps, seed=recipe["seed"])
    result = fit(task, schedule, conditions)
    save_trained(model, context.payload)
    _write_left_out(context.payload / LEFT_OUT, result.left_out)
    cut = result.amount
    if cut.cut_examples:
        lost = f"{cut.cut_tokens:,} tokens of {cut.cut_examples:,} of {cut.examples:,} examples"
        log.warning("cut at the context of %d: %s", model.chat.max_tokens, lost)
    edge = max(1, len(result.losses) // 20)
    return {
        "steps": schedule.steps,
        "examples": len(corpus),
        "left_out": len(result.left_out),
        "cut_examples": cut.cut_examples,
        "cut_tokens": cut.cut_tokens,
        "spikes": result.spikes,
        "loss_first": fmean(result.losses[:edge]),
        "loss": fmean(result.losses[-edge:]),
    }


def _write_left_out(path: Path, examples: Sequence[LeftOut]) -> None:
    """List the examples that could not be used, if there are any."""
    if examples:
        lines = (json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in examples)
        path.write_text("".join(lines))


def _open(data: Mapping[str, Any], context: StageContext, views: Sequence[View]) -> Corpus:
    """Give the training data that a recipe means: of the lab's world, or of a file on this machine."""
    if "world" in data:
        cache = _cache(context, examples=data["examples"], views=views)
        return LabCorpus(data["kind"], data["examples"], data["world"]["seed"], cache)
    parts = data.get("mixture", [data])
    files = [context.runtime.copies.get(part.get("content", "")) for part in parts]
    places = [Path(file) for file in files if file is not None]
    if len(places) < len(parts):
        raise UserError(f"the data set {data.get('source', '')} is not on this machine; set data=DIRECTORY")
    if "mixture" in data:
        return open_mixture(places, parts, data["examples"])
    return open_part(places[0], content=data["content"], left_out=data["left_out"], examples=data["examples"])


def _kept_features(
    model: MultimodalLLM, inputs: Mapping[str, Artifact], data: Mapping[str, Any], context: StageContext
) -> KeptFeatures | None:
    """Where features are read and written; None unless all encoders are frozen, and theirs are to be kept."""
    keys = [features_key(inputs[role].digest, data) for role in encoder_roles(inputs)]
    folders = [folder for key in keys if (folder := features_folder(key, context.runtime)) is not None]
    if len(folders) < len(keys) or any(is_trained(encoder) for encoder in model.eyes):
        return None
    return KeptFeatures(model.eyes, folders, count=data["examples"], dtype=compute_type(model.device))


def _cache(context: StageContext, *, examples: int, views: Sequence[View]) -> Path | None:
    """Where to keep pictures for later stages; None if the disk should keep its room for results."""
    pictures = examples * sum(3 * side**2 for side in {view.resolution for view in views})
    if shutil.disk_usage(context.workdir).free >= pictures + SPARE_BYTES:
        return context.runtime.cache
    log.warning("the disk is nearly full: pictures are drawn anew where they are needed, and not kept")
    return None


def encoder_roles(inputs: Iterable[str]) -> list[str]:
    """Roles of the encoders, in the order in which the connector was built for them."""
    roles = [role for role in inputs if role.startswith("encoder.")]
    return sorted(roles, key=lambda role: int(role.removeprefix("encoder.")))
