"""The multimodal LLM: encoders, connector, LLM, and the way of an image through them.

Shapes: S samples, T positions, B images, L side of the grid of visual tokens, H width of the LLM,
M supervised positions, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Cache

from cambrian.connectors.base import Connector, VisualTokens
from cambrian.connectors.table import visual_positions
from cambrian.data.batching import Batch
from cambrian.data.pictures import Size, View
from cambrian.data.tokenization import IGNORED, ChatTokenizer
from cambrian.encoders.base import VisionEncoder
from cambrian.model.aggregation import aggregate_inside
from cambrian.model.language import Language, decoder_layers
from cambrian.model.splice import splice, visual_rows


class MultimodalLLM(nn.Module):
    """An LLM that sees. Which parts train is decided by `cambrian.model.freezing.freeze`."""

    def __init__(
        self,
        *,
        encoders: Sequence[VisionEncoder],
        connector: Connector,
        connector_recipe: Mapping[str, Any],
        language: Language,
        chat: ChatTokenizer,
    ) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(encoders)
        self.connector = connector
        self.connector_recipe = dict(connector_recipe)
        self.llm = language.llm
        self.grid_positions = language.grid_positions
        self.chat = chat
        self._language = language
        self.in_step: Callable[[Batch, Tensor], Tensor] | None = None
        """If layers are divided over workers: what a pass does besides, that all of them make the same."""

    @property
    def eyes(self) -> tuple[VisionEncoder, ...]:
        """The encoders, in the order the connector was built for."""
        return tuple(encoder for encoder in self.encoders if isinstance(encoder, VisionEncoder))

    @property
    def views(self) -> tuple[View, ...]:
        """How the encoders want an image, one per encoder."""
        return tuple(encoder.view for encoder in self.eyes)

    @property
    def cuts_border(self) -> bool:
        """Whether visual tokens of the border that made an image square are left out.

        The Cambrian-1 release ends rows with a newline and cuts the border off; the study's connectors do
        neither, as LLaVA-1.5.
        """
        return self.connector.newline is not None

    def image_positions(self, size: Size | None) -> int:
        """Count the positions that an image of this width and height takes; None stands for a square."""
        return visual_positions(self.connector_recipe, size if self.cuts_border else None)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.llm.device

    @property
    def language(self) -> Language:
        """The LLM with its tokenizer and grid positions."""
        return self._language

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Cross-entropy of the supervised tokens of a right-padded batch: its sum, and their number.

        The head is applied where there is a label and nowhere else.
        """
        # Padding on the right is behind everything a real position may look at: no mask is needed.
        states = self.states(batch, attention_mask=None, position_ids=None, cache=None)  # (S, T, H)
        targets = batch.labels[:, 1:]
        supervised = targets != IGNORED
        logits = self.logits(states[:, :-1][supervised])  # (M, V)
        loss = F.cross_entropy(logits.float(), targets[supervised], reduction="sum")
        return loss, supervised.sum()

    def states(
        self, batch: Batch, *, attention_mask: Tensor | None, position_ids: Tensor | None, cache: Cache | None
    ) -> Tensor:
        """Run the LLM over text and images: last hidden states (S, T, H), keys and values into `cache`."""
        embeddings = self.llm.get_input_embeddings()(batch.input_ids)  # (S, T, H)
        if self.in_step is not None:
            embeddings = self.in_step(batch, embeddings)
        inputs = {"attention_mask": attention_mask, "position_ids": position_ids, "past_key_values": cache}
        if not batch.shows:
            assert not batch.placeholder.any(), "places for visual tokens, but no image"
            return self.decode(embeddings, **inputs)
        visual = self.connect(batch.features or self.look(batch.images), batch.sizes)
        tokens = visual.tokens.to(embeddings.dtype)
        rows = visual_rows(tokens, visual.keep, visual.keep_rows, self.connector.newline)
        spliced = splice(embeddings, batch.placeholder, rows)
        layers = decoder_layers(self.llm)
        with aggregate_inside(self.connector.aggregation, layers, visual.aggregation, spliced.visual):
            return self.decode(spliced.embeddings, **inputs)

    def look(self, images: Mapping[View, Tensor]) -> tuple[Tensor, ...]:
        """Turn images, uint8 (B, R, R, 3) for each view, into features (B, g, g, C) of every encoder."""
        return tuple(_encode(encoder, images[encoder.view]) for encoder in self.eyes)

    def see(self, images: Mapping[View, Tensor], sizes: Tensor | None) -> VisualTokens:
        """Look at images and connect what is seen."""
        return self.connect(self.look(images), sizes)

    def connect(self, features: Sequence[Tensor], sizes: Tensor | None) -> VisualTokens:
        """Turn features into visual tokens (B, L, L, H).

        `sizes` (B, 2) are widths and heights before padding, of use only if the border is cut off.
        """
        visual = self.connector(features, sizes if self.cuts_border else None)
        if self.grid_positions is None:
            return visual
        return replace(visual, tokens=self.grid_positions(visual.tokens))

    def decode(
        self,
        embeddings: Tensor,
        *,
        attention_mask: Tensor | None,
        position_ids: Tensor | None,
        past_key_values: Cache | None,
    ) -> Tensor:
        """Run the decoder layers over embeddings (S, T, H)."""
        output = self.llm.get_decoder()(
            inputs_embeds=embeddings,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            use_cache=past_key_values is not None,
        )
        return output.last_hidden_state

    def logits(self, states: Tensor) -> Tensor:
        """Scores of the next token, (..., V) from (..., H)."""
        head = self.llm.get_output_embeddings()
        assert head is not None, "a causal LM has a head"
        return head(states)


def _encode(encoder: VisionEncoder, images: Tensor) -> Tensor:
    """Features (B, g, g, C); a frozen encoder keeps nothing for a backward pass."""
    trained = any(parameter.requires_grad for parameter in encoder.parameters())
    with torch.set_grad_enabled(trained and torch.is_grad_enabled()):
        return encoder(images)
