"""What the training loop is told in order to align or tune a multimodal LLM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from textwrap import shorten

import torch
from torch import Tensor, nn

from cambrian.data.batching import Batch, ConversationBatches, collate, cut_by_length, load_images
from cambrian.data.conversation import Corpus
from cambrian.data.pictures import Size, View
from cambrian.data.tokenization import IGNORED, Example
from cambrian.errors import BadExampleError, BadImageError, UserError
from cambrian.model.features import KeptFeatures
from cambrian.model.flops import count_flops
from cambrian.model.freezing import is_trained, parameter_groups
from cambrian.model.language import recompute_activations
from cambrian.model.mllm import MultimodalLLM
from cambrian.optimizer import ParameterGroup
from cambrian.task import Amount, LeftOut, Prepared

LONGEST_REASON = 300
"""Characters; an example that cannot be encoded is shown in the message about it, however long it is."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A conversation of the corpus, ready but for its image."""

    index: int
    """Place in the corpus."""
    id: str
    image: int | None
    size: Size | None
    """Of the image, where the border is cut off."""
    example: Example | None
    """None if it cannot be encoded."""
    fault: UserError | None = None
    """Why not."""

    @property
    def length(self) -> int:
        """Positions; 0 if it is left out."""
        return 0 if self.example is None else len(self.example.input_ids)


class MultimodalTask:
    """Learn to say the answers of a corpus. The model is frozen as wanted, and on its device, before.

    What cannot be encoded, or has an image that cannot be decoded, is left out of its batch. Nothing takes
    its place, and the loss is the mean over what is left.
    """

    def __init__(
        self,
        model: MultimodalLLM,
        corpus: Corpus,
        batches: ConversationBatches,
        *,
        rates: Mapping[str, float],
        weight_decay: float,
        kept: KeptFeatures | None = None,
    ) -> None:
        assert batches.size == len(corpus), (batches.size, len(corpus))
        self._model = model
        self._corpus = corpus
        self._batches = batches
        self._rates = rates
        self._weight_decay = weight_decay
        self._kept = kept
        # Only where there may be a peak to compare with.
        self._flops = count_flops(model) if model.device.type == "cuda" else None

    def parameter_groups(self) -> list[ParameterGroup]:
        """Connector, SVA, LLM and vision, as far as they train."""
        return parameter_groups(self._model, self._rates, self._weight_decay)

    def state(self) -> dict[str, nn.Module]:
        """The trained parts."""
        return {name: part for name, part in self._model.named_children() if is_trained(part)}

    def batch(self, step: int) -> list[Sample]:
        """Read and encode the examples of `step`: how long they are decides who works on which."""
        return [self._sample(index) for index in self._batches.indices(step)]

    def split(self, batch: list[Sample], micro_batch: int) -> list[list[Sample]]:
        """Cut into parts of at most `micro_batch` examples of like length."""
        cut = cut_by_length([sample.length for sample in batch], micro_batch)
        return [[batch[place] for place in part] for part in cut]

    def prepare(self, part: list[Sample], /) -> Prepared:
        """Load the images, or what the encoders have made of them before, and collate."""
        features = self._read_features(part)
        images, broken = ({}, {}) if features else self._load_images(part)
        left_out: list[LeftOut] = []
        kept: list[tuple[Sample, Example]] = []
        for sample in part:
            fault = broken.get(sample.index, sample.fault)
            if sample.example is None or fault is not None:
                left_out.append(self._left_out(sample, fault))
            else:
                kept.append((sample, sample.example))
        if not kept:
            return Prepared(left_out=tuple(left_out))
        shown = [(sample.image, sample.size) for sample, _ in kept if sample.image is not None]
        examples, sizes = [example for _, example in kept], [size for _, size in shown]
        batch = collate(examples, images, pad_id=self._model.chat.pad_id, padding="right", sizes=sizes)
        batch = replace(batch, features=features, places=tuple(image for image, _ in shown))
        return Prepared(
            content=batch.pinned() if self._model.device.type == "cuda" else batch,
            amount=self._amount(examples, batch, len(shown), looked=0 if features else len(shown)),
            left_out=tuple(left_out),
        )

    def loss(self, content: Batch, /) -> tuple[Tensor, Tensor]:
        """Summed cross-entropy of the supervised tokens, and their number."""
        batch = content.to(self._model.device)
        if self._kept is not None and batch.images:
            features = self._kept.keep(batch.places, self._model.look(batch.images))
            batch = replace(batch, features=features)
        loss, count = self._model.loss(batch)
        return loss, count.to(torch.float32)

    def ids(self, batch: list[Sample]) -> list[str]:
        """Ids of the conversations."""
        return [sample.id for sample in batch]

    def after_step(self, step: int) -> None:
        """Nothing follows an update."""

    def recompute_activations(self) -> bool:
        """Those of the LLM's decoder layers, which need most."""
        recompute_activations(self._model.llm)
        return True

    def _sample(self, index: int) -> Sample:
        model = self._model
        conversation = self._corpus.conversation(index)
        image = conversation.image
        size, example, fault = None, None, None
        try:
            if image is not None and model.cuts_border:
                size = self._corpus.image_size(image)
            example = model.chat.encode(conversation, model.image_positions(size))
        except UserError as error:
            fault = error
        return Sample(index=index, id=conversation.id, image=image, size=size, example=example, fault=fault)

    def _left_out(self, sample: Sample, fault: UserError | None) -> LeftOut:
        match fault:
            case BadImageError():
                kind = f"its image {fault.reason.partition(': ')[0]}"
            case BadExampleError():
                kind = fault.reason
            case _:
                kind = "it cannot be encoded"
        return LeftOut(
            index=sample.index,
            id=sample.id,
            reason=shorten(str(fault), LONGEST_REASON, placeholder=" ..."),
            place=self._corpus.place(sample.index),
            kind=kind,
        )

    def _read_features(self, part: Sequence[Sample]) -> tuple[Tensor, ...]:
        """Features of all images, in their order; none if one is not kept."""
        places = [sample.image for sample in part if sample.example is not None and sample.image is not None]
        return (self._kept.read(places) or ()) if self._kept is not None and places else ()

    def _load_images(self, part: Sequence[Sample]) -> tuple[dict[View, Tensor], dict[int, BadImageError]]:
        """Images of the samples, and of which places in the corpus they cannot be used, with the reason."""
        seen = [sample for sample in part if sample.example is not None and sample.image is not None]
        try:
            return self._images(seen), {}
        except BadImageError:
            return self._load_one_by_one(seen)

    def _load_one_by_one(self, seen: Sequence[Sample]) -> tuple[dict[View, Tensor], dict[int, BadImageError]]:
        each: list[dict[View, Tensor]] = []
        broken: dict[int, BadImageError] = {}
        for sample in seen:
            try:
                each.append(self._images([sample]))
            except BadImageError as error:
                broken[sample.index] = error
        views = dict.fromkeys(self._model.views) if each else ()
        return {view: torch.cat([images[view] for images in each]) for view in views}, broken

    def _images(self, samples: Sequence[Sample]) -> dict[View, Tensor]:
        return load_images(self._corpus.pictures, [sample.image for sample in samples], self._model.views)

    def _amount(self, examples: Sequence[Example], batch: Batch, images: int, *, looked: int) -> Amount:
        lengths = [len(example.input_ids) for example in examples]
        labels = int((batch.labels[:, 1:] != IGNORED).sum())
        count = self._flops
        return Amount(
            examples=len(lengths),
            tokens=sum(lengths),
            positions=batch.input_ids.numel(),
            cut_examples=sum(example.cut > 0 for example in examples),
            cut_tokens=sum(example.cut for example in examples),
            flops=count.of(lengths, looked=looked, images=images, labels=labels) if count else 0.0,
        )
