"""Published training times, and a toy whose cost can be counted by hand."""

from __future__ import annotations

from cambrian.hardware import find_gpu
from cambrian.sweep.composition import axes, compose
from cambrian.sweep.connector_shapes import Concat
from cambrian.sweep.shapes import ENCODERS, Encoder, Llm, read_llm
from cambrian.sweep.work import TEXT, TrainingWork

A100 = find_gpu("a100-80gb")
LLMS = {
    name: read_llm(compose({"llm": (name,)})["llm"]["paper"]["architecture"])
    for name in axes()["llm"]
    if "paper" in compose({"llm": (name,)})["llm"]
}
"""The real LLMs of conf/llm, by name."""

TOY = TrainingWork(
    encoders=(
        Encoder(
            name="toy",
            parameters=100,
            flops=1000,
            width=3,
            grid=2,
            visual_tokens=2,
            block_inputs=10,
            saved_values=50,
            largest_block=20,
            blocks=(1, 1),
        ),
    ),
    connector=Concat(widths=(3,), llm_width=4, tokens=2),
    llm=Llm(layers=2, hidden=4, intermediate=8, heads=2, key_value_heads=1, vocabulary=10),
    samples=7,
    text_tokens=3,
    supervised_tokens=3,
    batch_size=8,
    micro_batch=2,
)


def llava(
    llm: Llm, encoder: str = "clip", *, tune: bool = True, text: int | None = None, unfrozen: bool = False
) -> TrainingWork:
    """LLaVA-1.5's stages as released: logits at every position, 32 or 16 samples per GPU."""
    eye = ENCODERS[encoder]
    length = TEXT["llava_665k" if tune else "llava_558k"].padded if text is None else text
    return TrainingWork(
        encoders=(eye,),
        connector=Concat(widths=(eye.width,), llm_width=llm.hidden, tokens=eye.visual_tokens),
        llm=llm,
        samples=665_298 if tune else 558_128,
        text_tokens=length,
        supervised_tokens=length + eye.visual_tokens,
        train_encoders=unfrozen,
        train_llm=tune,
        batch_size=128 if tune else 256,
        micro_batch=16 if tune else 32,
    )


# LLM, tuned or aligned, published hours on 8 A100.
ANCHORS = {
    "7B aligned": ("vicuna_7b", False, 3.5),
    "13B aligned": ("vicuna_13b", False, 5.5),
    "7B tuned": ("vicuna_7b", True, 10.0),
    "13B tuned": ("vicuna_13b", True, 20.0),
}

TINYLLAMA = Llm(layers=22, hidden=2048, intermediate=5632, heads=32, key_value_heads=4, vocabulary=32000)
STABLELM = Llm(layers=24, hidden=2048, intermediate=5632, heads=32, key_value_heads=32, vocabulary=100352)
PHI2 = Llm(  # its MLP has two matrices of 10,240; as many parameters as three of 6,827
    layers=32, hidden=2560, intermediate=6827, heads=32, key_value_heads=32, vocabulary=51200
)
# Hours on 4 A100, aligned and tuned: TinyLLaVA/TinyLLaVA_Factory#67.
HELD_OUT = {
    "TinyLlama, SigLIP": (TINYLLAMA, "siglip", 2.5, 6.5),
    "StableLM 2, SigLIP": (STABLELM, "siglip", 2.6, 7.5),
    "Phi-2, SigLIP": (PHI2, "siglip", 5.0, 14.0),
    "Phi-2, CLIP": (PHI2, "clip", 4.0, 13.0),
}
