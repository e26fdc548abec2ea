"""The count of FLOPs behind the model FLOPs utilisation, against what torch counts of a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pytest
from tiny_multimodal import CONCAT, SVA, Assemble, NoiseCorpus
from torch.utils.flop_counter import FlopCounterMode

from cambrian.data.batching import collate, load_images
from cambrian.data.tokenization import IGNORED
from cambrian.hardware import GPUS, peak_flops
from cambrian.model.flops import count_flops
from cambrian.model.freezing import freeze

CORPUS = NoiseCorpus(12)


@pytest.mark.parametrize("recipe", [CONCAT, SVA], ids=["concat", "sva"])
@pytest.mark.parametrize(("stage", "vision"), [("align", "frozen"), ("tune", "frozen"), ("tune", "unfrozen")])
def test_the_count_is_that_of_a_step_in_which_attention_is_causal(
    make_model: Assemble,
    recipe: Mapping[str, Any],
    stage: Literal["align", "tune"],
    vision: Literal["frozen", "unfrozen"],
) -> None:
    # Of a convolution by channels torch counts the backward pass as if it were a full one.
    model = make_model(recipe, encoders=("vit",))
    freeze(model, stage=stage, vision=vision)
    modes = {name: module.training for name, module in model.named_modules()}
    count = count_flops(model)
    assert modes == {name: module.training for name, module in model.named_modules()}
    conversations = [CORPUS.conversation(index) for index in (0, 1, 3)]
    # One length, so that nothing is padded.
    length = min(len(model.chat.encode(each).input_ids) for each in conversations)
    model.chat.max_tokens = length
    examples = [model.chat.encode(each) for each in conversations]
    images = load_images(CORPUS.pictures, [each.image for each in conversations], model.views)
    batch = collate(examples, images, pad_id=model.chat.pad_id, padding="right")
    with FlopCounterMode(display=False) as counter:
        loss, _ = model.loss(batch)
        loss.backward()
    labels = int((batch.labels[:, 1:] != IGNORED).sum())
    expected = count.of([length] * 3, looked=3, images=3, labels=labels)
    # Torch counts all pairs of attention, forward and backward, of which a causal one needs half.
    spare = 3 * count.pair * length**2
    assert expected == pytest.approx(counter.get_total_flops() - spare, rel=0.05)


def test_lengths_images_and_labels_add_up(make_model: Assemble) -> None:
    model = make_model(CONCAT)
    freeze(model, stage="tune", vision="frozen")
    count = count_flops(model)
    each = [count.of([20], looked=1, images=1, labels=3), count.of([30], looked=0, images=0, labels=9)]
    assert count.of([20, 30], looked=1, images=1, labels=12) == sum(each)
    assert count.token == 6 * 3 * (32 * 32 + 2 * 32 * 16 + 32 * 32 + 3 * 32 * 48)
    assert count.pair == 6 * 3 * 32
    assert count.label == 6 * 32 * model.llm.config.vocab_size
    assert count.image > 0


def test_the_peak_is_known_of_devices_by_their_exact_name() -> None:
    assert peak_flops("NVIDIA H100 80GB HBM3") == GPUS["h100-80gb"].flops
    assert peak_flops("NVIDIA A100-SXM4-80GB") == 312e12
    assert peak_flops("NVIDIA H100 PCIe") is None
    names = [name for gpu in GPUS.values() for name in gpu.cuda_names]
    assert len(names) == len(set(names))
