"""FLOPs of training a multimodal LLM, counted as the plan counts them (`cambrian.sweep.work`).

Of a forward and a backward pass, as the mathematics needs them: nothing that is computed twice to save
memory, no padding, causal attention over half of the pairs. A frozen LLM between the loss and the connector
passes gradients on and forms none of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from cambrian.model.freezing import is_trained
from cambrian.model.language import decoder_layers
from cambrian.model.mllm import MultimodalLLM


@dataclass(frozen=True, kw_only=True)
class FlopCount:
    """FLOPs of a forward and backward pass, by what they are proportional to."""

    look: float
    """Per image that the encoders look at."""
    image: float
    """Per image: connector, aggregation inside the LLM."""
    token: float
    """Per position: the matrices of the decoder layers."""
    pair: float
    """Per square of a sample's length: attention."""
    label: float
    """Per supervised token: the head."""

    def of(self, lengths: Sequence[int], *, looked: int, images: int, labels: int) -> float:
        """FLOPs of samples with `lengths` positions, `images` and `labels` in all.

        Of the images, encoders look at `looked`; features of the others are known.
        """
        text = self.token * sum(lengths) + self.pair * sum(length**2 for length in lengths)
        return self.look * looked + self.image * images + text + self.label * labels


def count_flops(model: MultimodalLLM) -> FlopCount:
    """Count for a model that is frozen as wanted; its encoders and its connector see a blank image."""
    config = model.llm.config.get_text_config()
    layers = decoder_layers(model.llm)
    matrices = sum(weight.numel() for weight in layers.parameters() if weight.ndim == 2)
    head_width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    head = model.llm.get_output_embeddings()
    assert head is not None, "a causal LM has a head"
    passes = 3 if is_trained(model.llm) else 2
    look, image = _image_flops(model)
    return FlopCount(
        look=look,
        image=image,
        token=passes * 2 * matrices,
        pair=3 * 2 * len(layers) * config.num_attention_heads * head_width,
        label=passes * 2 * head.weight.numel(),
    )


def _image_flops(model: MultimodalLLM) -> tuple[float, float]:
    """Of the encoders and of what follows them; measured, for encoders and connectors are of many kinds."""
    blank = {
        view: torch.zeros(1, view.resolution, view.resolution, 3, dtype=torch.uint8, device=model.device)
        for view in model.views
    }
    seeing, encoding = FlopCounterMode(display=False), FlopCounterMode(display=False)
    learning = [module for module in model.modules() if module.training]
    model.eval()  # nothing is to be drawn, and no mean of a batch to move
    with seeing:
        visual = model.see(blank, None)
        aggregation, inputs = model.connector.aggregation, visual.aggregation
        if aggregation is not None and inputs is not None:
            states = visual.tokens.flatten(1, 2).to(inputs.context.dtype)  # (1, P, H)
            for sampler in aggregation.samplers:
                sampler(states, inputs.context, inputs.windows, inputs.image)
    with encoding:
        for encoder in model.eyes:
            encoder(blank[encoder.view])
    for module in learning:
        module.training = True
    encoders, all_together = encoding.get_total_flops(), seeing.get_total_flops()
    return (3 if is_trained(model.encoders) else 1) * encoders, 3 * (all_together - encoders)
