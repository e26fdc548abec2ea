"""Initial weights from which a tiny LLM learns to look things up in minutes instead of hours.

Answering "what colour is the star" takes two steps of attention: a token must find the cell with the same
word in it, and the next token must read what the one before it found. From the usual random weights both
appear late and suddenly (induction heads: Olsson et al., 2022, arXiv:2209.11895). Here every head starts out
attending to what is like itself and copying it, and two heads of the first layer to the token before.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM

from cambrian.model.grid_positions import GridPositions

EMBEDDING_DEVIATION = 0.3
"""Of words and of grid positions: large enough for words to be told apart from the first step."""
LIKENESS_DEVIATION = 0.1
"""Of query and key weights, which start equal."""
COPY_DEVIATION = 0.05
"""Of value weights, which start as the transpose of the output's."""
PREVIOUS_HEADS = 2
PREVIOUS_STRENGTH = 4.0
"""Of the biases by which a head attends to the token before."""
PREVIOUS_COPY_DEVIATION = 0.1
PREVIOUS_LIKENESS = 0.2
"""Factor on the query and key weights of those heads."""


@torch.no_grad()
def start_with_lookups(llm: LlamaForCausalLM, positions: GridPositions) -> None:
    """Overwrite the attention weights of `llm`, its embeddings and the grid `positions`.

    `llm` has attention biases and as many key as query heads.
    """
    for table in (llm.get_input_embeddings(), positions.rows, positions.columns):
        assert isinstance(table, nn.Embedding)
        table.weight.normal_(std=EMBEDDING_DEVIATION)
    weights = dict(llm.named_parameters())
    for layer in range(llm.config.num_hidden_layers):
        attention = f"model.layers.{layer}.self_attn"
        weights[f"{attention}.q_proj.weight"].normal_(std=LIKENESS_DEVIATION)
        weights[f"{attention}.k_proj.weight"].copy_(weights[f"{attention}.q_proj.weight"])
        weights[f"{attention}.v_proj.weight"].normal_(std=COPY_DEVIATION)
        weights[f"{attention}.o_proj.weight"].copy_(weights[f"{attention}.v_proj.weight"].T)
    angles = llm.model.rotary_emb.inv_freq  # (head size / 2,)
    assert isinstance(angles, Tensor)
    first = {
        name.rpartition("self_attn.")[2]: weight for name, weight in weights.items() if ".0.self" in name
    }
    for head in range(PREVIOUS_HEADS):
        _attend_to_previous(first, head, angles)


def _attend_to_previous(attention: Mapping[str, Tensor], head: int, angles: Tensor) -> None:
    """Let a head of the first layer attend one position back.

    Rotary positions turn a key by its position's angles. A constant query, turned by one position's angles
    backwards, fits a constant key best exactly one position before.
    """
    size = 2 * len(angles)
    rows = slice(head * size, (head + 1) * size)
    ones, zeros = torch.ones_like(angles), torch.zeros_like(angles)
    attention["q_proj.weight"][rows] *= PREVIOUS_LIKENESS
    attention["k_proj.weight"][rows] *= PREVIOUS_LIKENESS
    attention["k_proj.bias"][rows] = PREVIOUS_STRENGTH * torch.cat([ones, zeros])
    attention["q_proj.bias"][rows] = PREVIOUS_STRENGTH * torch.cat([angles.cos(), -angles.sin()])
    attention["v_proj.weight"][rows].normal_(std=PREVIOUS_COPY_DEVIATION)
    attention["o_proj.weight"][:, rows] = attention["v_proj.weight"][rows].T
