"""Bring a multimodal LLM to its device: whole into every worker, or divided over them (FSDP2).

A model on the CPU is read from its files as it is used, so bringing it over layer by layer needs little
memory beside what stays. Divided are the LLM's decoder layers, its embeddings and head, and the blocks of an
encoder that trains and has many; each worker holds some rows of each weight, and all gather a layer's weights
for as long as they compute with it. Everything else is small, and whole in every worker.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method

from cambrian import precision
from cambrian.data.batching import Batch, collate
from cambrian.data.tokenization import IGNORED, Example
from cambrian.encoders.base import VisionEncoder
from cambrian.memory import fits_whole
from cambrian.model.freezing import is_trained
from cambrian.model.language import decoder_layers
from cambrian.model.mllm import MultimodalLLM
from cambrian.shards import is_divided, whole
from cambrian.training import Conditions
from cambrian.workers import Workers, current_workers

MANY = 8
"""Like blocks in a row, from which on those of an encoder that trains are divided."""

log = logging.getLogger(__name__)


def bring(model: MultimodalLLM, conditions: Conditions, *, shard: bool | None) -> Conditions:
    """Bring `model`, frozen as wanted, to the device: whole, or divided over the workers of this stage.

    `shard` says which; with None a model is divided that is too large for one GPU. Gives the conditions to
    train under; after training the first worker has what was trained on its CPU.
    """
    workers = current_workers(conditions.device)
    if not is_to_divide(model, shard, conditions.device, workers):
        place(model, conditions.device)
        return replace(conditions, finish=lambda: model.cpu() if workers.is_first else None)
    divide(model, conditions.device, workers)
    finish = partial(undivide, model, keep=workers.is_first)
    return replace(conditions, idle=partial(idle_loss, model), finish=finish)


def place(model: MultimodalLLM, device: str) -> None:
    """Bring all of `model` to `device`, which computes in the type that `compute_type` says.

    What trains has its weights in float32; what is frozen too, unless the device computes in less: then it
    stays in the type of its files.
    """
    for part in model.children():
        _settle(part, device, trained=is_trained(part))


def is_to_divide(model: MultimodalLLM, wish: bool | None, device: str, workers: Workers) -> bool:
    """Whether to divide `model`, frozen as wanted: as wished, else where a GPU is too small for all of it."""
    if wish is not None or workers.count == 1 or torch.device(device).type != "cuda":
        return bool(wish)
    counts = {True: 0, False: 0}
    for parameter in model.parameters():
        counts[parameter.requires_grad] += parameter.numel()
    memory = torch.cuda.get_device_properties(device).total_memory
    fits = fits_whole(trained=counts[True], frozen=counts[False], memory=memory)
    if not fits:
        log.info("the model is divided over %d processes: one GPU is too small for it", workers.count)
    return not fits


def divide(model: MultimodalLLM, device: str, workers: Workers) -> None:
    """Bring to `device` this worker's share of `model`, frozen as wanted; all workers call it.

    From then on all of them make the same passes through `model.loss`, forward and backward, with or without
    images. Gradients of what is divided are sums over the workers.
    """
    workers.sum_numbers([0])  # the mesh takes the devices on which all are at work by now
    compute = precision.compute_type(device)
    lowered = None if compute is torch.float32 else compute
    policy = MixedPrecisionPolicy(param_dtype=lowered, reduce_dtype=torch.float32 if lowered else None)
    settings = {"mesh": init_device_mesh(torch.device(device).type, (workers.count,)), "mp_policy": policy}
    eyes = [eye for eye in model.eyes if is_trained(eye) and any(_blocks(eye))]
    for eye in eyes:
        for block in filter(is_trained, _blocks(eye)):  # frozen ones are kept whole
            _settle(block, device, trained=True)
            fully_shard(block, **settings)
    for group in [*([layer] for layer in decoder_layers(model.llm)), *_tables(model)]:
        for module in group:
            _settle(module, device, trained=is_trained(model.llm))
        fully_shard(group, **settings)
    place(model, device)
    kept = {value for part in model.children() if part is not model.llm for value in part.parameters()}
    fully_shard(model, **settings, ignored_params={value for value in kept if not is_divided(value)})
    register_fsdp_forward_method(model, "loss")
    for module in model.modules():
        if isinstance(module, FSDPModule):  # sums, not means; Gloo cannot do the latter either
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)
    model.in_step = partial(_keep_step, eyes, workers)


def idle_loss(model: MultimodalLLM) -> Tensor:
    """Take the way of any batch through a divided model, to no effect: for a worker without work left."""
    chat = model.chat
    nothing = Example(
        id="", input_ids=(chat.pad_id,) * 2, labels=(IGNORED, chat.pad_id), placeholder=(False, False)
    )
    batch = collate([nothing], {}, pad_id=chat.pad_id, padding="right")
    loss, _ = model.loss(batch.to(model.device))
    return 0.0 * loss


def undivide(model: MultimodalLLM, *, keep: bool) -> None:
    """Put what has trained together on the CPU, weight by weight; where not `keep`, only help the others.

    All workers call it when training is over. The LLM's weights take the type of its files on the way.
    """
    llm = set(model.llm.parameters())
    done: dict[nn.Parameter, nn.Parameter] = {}
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is None or not parameter.requires_grad:
                continue
            if parameter not in done:
                dtype = model.language.dtype if parameter in llm else None
                value = whole(parameter.detach())
                done[parameter] = nn.Parameter(value.to("cpu", dtype)) if keep else parameter
            module._parameters[name] = done[parameter]


def _settle(module: nn.Module, device: str, *, trained: bool) -> None:
    """Bring over weight by weight what is not divided yet."""
    raised = trained or precision.compute_type(device) is torch.float32
    for tensor in (*module.parameters(), *module.buffers()):
        if not is_divided(tensor):
            dtype = torch.float32 if raised and tensor.is_floating_point() else tensor.dtype
            tensor.data = tensor.data.to(device, dtype)


def _blocks(encoder: VisionEncoder) -> Iterator[nn.Module]:
    """Blocks of a long row of like ones; each runs in every pass."""
    for row in encoder.modules():
        blocks = list(row.children()) if isinstance(row, nn.ModuleList | nn.Sequential) else []
        if len(blocks) >= MANY and len({type(block) for block in blocks}) == 1:
            yield from blocks


def _tables(model: MultimodalLLM) -> list[list[nn.Module]]:
    """Embeddings and head of the LLM, together if they share their weights."""
    embeddings, head = model.llm.get_input_embeddings(), model.llm.get_output_embeddings()
    assert head is not None, "a causal LM has a head"
    return [[embeddings, head]] if head.weight is embeddings.weight else [[embeddings], [head]]


def _keep_step(eyes: Sequence[VisionEncoder], workers: Workers, batch: Batch, embeddings: Tensor) -> Tensor:
    """Let text alone take the way of images as far as layers are divided; `eyes` are such encoders.

    What it adds is zero. An encoder through which nobody has an image to send in this pass is left alone, so
    that it has no gradient if there is no image in the whole batch, as in one process.
    """
    seen = bool(eyes) and workers.largest(batch.shows) > 0
    if batch.shows:
        return embeddings
    for eye in eyes if seen else ():
        blank = torch.zeros(1, eye.resolution, eye.resolution, 3, dtype=torch.uint8, device=embeddings.device)
        embeddings = embeddings + 0.0 * eye(blank).sum().to(embeddings.dtype)
    if not embeddings.requires_grad:  # with a frozen LLM; those that have images go back through its layers
        embeddings.requires_grad_()
    return embeddings
