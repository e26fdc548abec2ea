"""What the training loop is told in order to align or tune a multimodal LLM."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cambrian.data.batching import ConversationBatches, collate, load_images
from cambrian.data.conversation import Corpus
from cambrian.model.freezing import is_trained, parameter_groups
from cambrian.model.language import recompute_activations
from cambrian.model.mllm import MultimodalLLM
from cambrian.optimizer import ParameterGroup


class MultimodalTask:
    """Learn to say the answers of a corpus. The model is frozen as wanted, and on its device, before."""

    def __init__(
        self,
        model: MultimodalLLM,
        corpus: Corpus,
        batches: ConversationBatches,
        *,
        rates: Mapping[str, float],
        weight_decay: float,
    ) -> None:
        assert batches.size == len(corpus), (batches.size, len(corpus))
        self._model = model
        self._corpus = corpus
        self._batches = batches
        self._rates = rates
        self._weight_decay = weight_decay

    def parameter_groups(self) -> list[ParameterGroup]:
        """Connector, SVA, LLM and vision, as far as they train."""
        return parameter_groups(self._model, self._rates, self._weight_decay)

    def state(self) -> dict[str, nn.Module]:
        """The trained parts."""
        return {name: part for name, part in self._model.named_children() if is_trained(part)}

    def batch(self, step: int) -> list[int]:
        """Places in the corpus of the examples of `step`."""
        return self._batches.indices(step)

    def split(self, batch: list[int], micro_batch: int) -> list[list[int]]:
        """Cut into parts of at most `micro_batch` examples."""
        return [batch[start : start + micro_batch] for start in range(0, len(batch), micro_batch)]

    def loss(self, micro_batch: list[int]) -> tuple[Tensor, Tensor]:
        """Summed cross-entropy of the supervised tokens, and their number."""
        model = self._model
        conversations = [self._corpus.conversation(index) for index in micro_batch]
        places = [conversation.image for conversation in conversations]
        images = load_images(self._corpus.pictures, places, model.views)
        sizes = [None if place is None else self._corpus.image_size(place) for place in places]
        examples = [
            model.chat.encode(conversation, model.image_positions(size))
            for conversation, size in zip(conversations, sizes, strict=True)
        ]
        shown = [size for size, place in zip(sizes, places, strict=True) if place is not None]
        batch = collate(examples, images, pad_id=model.chat.pad_id, padding="right", sizes=shown)
        batch = batch.to(model.device)
        loss, count = model.loss(batch)
        return loss, count.to(torch.float32)

    def ids(self, batch: list[int]) -> list[str]:
        """Ids of the conversations."""
        return [self._corpus.conversation(index).id for index in batch]

    def after_step(self, step: int) -> None:
        """Nothing follows an update."""

    def recompute_activations(self) -> bool:
        """Those of the LLM's decoder layers, which need most."""
        recompute_activations(self._model.llm)
        return True
