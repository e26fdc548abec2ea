"""Check a tiny LLM with its connector and the aggregation inside it, up to logits, loss and gradients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from cambrian.connectors.base import Connector
from cambrian.connectors.sva import SvaConnector
from cambrian.connectors.windows import make_windows
from cambrian.model.aggregation import aggregate_inside
from cambrian.reference.connector import mask_of, reference_connector, reference_features
from cambrian.reference.names import connector_names, gradients, load_reference
from cambrian.reference.text import IGNORED, PLACEHOLDER, Text, spliced_text
from cambrian.reference.vectors import Vectors, VectorsError

TOLERANCE = 5e-5
"""RMSNorm, RoPE and logits are float32 inside transformers."""


def check_language(vectors: Vectors) -> None:
    """Run both sets of image sizes, and compare with the release's inference and training paths."""
    tags = sorted(vectors.below("in.image_sizes_wh."))
    if not tags:
        raise VectorsError("the file has no tensor 'in.image_sizes_wh.<tag>'")
    for tag in tags:
        connector = reference_connector(vectors, "param.model.", int(vectors.setting("layers")))
        llm = _llama(vectors)
        _load(vectors, connector, llm)
        compare_answers(vectors, tag, connector, llm)


def compare_answers(vectors: Vectors, tag: str, connector: Connector, llm: LlamaForCausalLM) -> None:
    """Compare a model with what is recorded for the image sizes of `tag`: states, logits, loss, gradients."""
    sizes = vectors[f"in.image_sizes_wh.{tag}"]
    features = reference_features(vectors, torch.float32)
    visual = connector(features, sizes)
    text, spliced = spliced_text(vectors, connector, visual, llm.model.embed_tokens.weight)
    states: list[Tensor] = []
    inside = aggregate_inside(connector.aggregation, llm.model.layers, visual.aggregation, spliced.visual)
    with inside, _recorded(llm, states):
        output = llm(inputs_embeds=spliced.embeddings, attention_mask=text.attention, use_cache=False)
    logits = output.logits
    assert isinstance(logits, Tensor)
    loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), text.labels[:, 1:].flatten(), ignore_index=IGNORED)
    infer, attended = f"infer.{tag}.", text.attention
    vectors.compare(infer + "inputs_embeds", spliced.embeddings, TOLERANCE)
    vectors.compare(infer + "attention_mask", attended, 0.0)
    vectors.compare(infer + "labels", text.labels, 0.0)
    vectors.compare(infer + "loss", loss[None], TOLERANCE)
    # What the release computes at padding positions has no meaning, so only attended ones are compared.
    for number, state in enumerate(states):
        _compare_at(vectors, f"{infer}hidden.{number}", state, attended, attended)
    _compare_at(vectors, infer + "logits", logits, attended, attended)
    _check_training(vectors, tag, text, logits)
    vectors.compare(f"train.{tag}.loss", loss[None], TOLERANCE)
    if isinstance(connector, SvaConnector):
        for k, grid in enumerate(connector.project(features)):
            windows = make_windows(grid, connector.side, sizes)
            vectors.compare(f"train.{tag}.aux_mask.{k}", mask_of(windows), 0.0)
    if vectors.below(f"train.{tag}.gradparam."):
        loss.backward()
        names = {name: f"model.{theirs}" for name, theirs in connector_names(connector).items()}
        ours = {name: parameter.grad for name, parameter in llm.named_parameters()}
        ours |= gradients(connector, names)
        vectors.compare_gradients(f"train.{tag}.gradparam.", ours, TOLERANCE)


def _check_training(vectors: Vectors, tag: str, text: Text, logits: Tensor) -> None:
    """Compare with the training path, whose grid is static: its attended positions are our sequence."""
    train = f"train.{tag}."
    if train + "attention_mask" not in vectors:
        return
    theirs = vectors[train + "attention_mask"].bool()
    ours = text.attention
    vectors.compare(train + "attention_mask", theirs if _same_lengths(theirs, ours) else ours, 0.0)
    if not _same_lengths(theirs, ours):
        return
    _compare_at(vectors, train + "logits", logits, ours, theirs)
    _compare_at(vectors, train + "labels", text.labels, ours, theirs)
    positions = torch.arange(ours.shape[1]).expand_as(ours)
    _compare_at(vectors, train + "position_ids", positions, ours, theirs)
    if train + "input_ids" in vectors:
        # The release fills an image's positions with one placeholder and zeros.
        recorded = vectors[train + "input_ids"].clone()
        written = text.ids[ours]
        image = text.placeholder[ours]
        written[image] = recorded[theirs][image].clamp(max=0, min=PLACEHOLDER)
        recorded[theirs] = written
        vectors.compare(train + "input_ids", recorded, 0.0)


def _compare_at(vectors: Vectors, name: str, ours: Tensor, at: Tensor, theirs_at: Tensor) -> None:
    """Compare our values at positions `at` with those recorded at `theirs_at`, other positions left out."""
    if name not in vectors:
        return
    recorded = vectors[name]
    filled = recorded.clone()
    if recorded.shape[:2] != theirs_at.shape or recorded.shape[2:] != ours.shape[2:]:
        filled = ours
    else:
        filled[theirs_at] = ours.detach()[at].to(recorded.dtype)
    vectors.compare(name, filled, TOLERANCE if recorded.is_floating_point() else 0.0)


def _same_lengths(first: Tensor, second: Tensor) -> bool:
    return torch.equal(first.sum(dim=1), second.sum(dim=1))


def _llama(vectors: Vectors) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=int(vectors.setting("vocab")),
        hidden_size=int(vectors.setting("H")),
        intermediate_size=int(vectors.setting("intermediate")),
        num_hidden_layers=int(vectors.setting("layers")),
        num_attention_heads=int(vectors.setting("heads")),
        num_key_value_heads=int(vectors.setting("kv_heads")),
        rms_norm_eps=float(vectors.setting("rms_norm_eps")),
        rope_parameters={"rope_type": "default", "rope_theta": float(vectors.setting("rope_theta"))},
        max_position_embeddings=int(vectors.setting("max_length")),
        tie_word_embeddings=False,
    )
    return LlamaForCausalLM(config).eval()


def _load(vectors: Vectors, connector: Connector, llm: LlamaForCausalLM) -> None:
    """Fill connector and LLM; together they have a place for every weight of the file."""
    weights = vectors.below("param.")
    names = {name: f"model.{theirs}" for name, theirs in connector_names(connector).items()}
    known = set(names.values())
    load_reference(connector, names, {name: weights[name] for name in weights if name in known})
    language = {name: weights[name] for name in weights if name not in known}
    load_reference(llm, {name: name for name, _ in llm.named_parameters()}, language)


@contextmanager
def _recorded(llm: LlamaForCausalLM, states: list[Tensor]) -> Iterator[None]:
    """Append every decoder layer's input, and the final norm's output, to `states`."""

    def before(_module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        states.append(arguments[0])

    def after(_module: nn.Module, _arguments: tuple[Tensor, ...], output: Tensor) -> None:
        states.append(output)

    handles = [layer.register_forward_pre_hook(before) for layer in llm.model.layers]
    handles.append(llm.model.norm.register_forward_hook(after))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
