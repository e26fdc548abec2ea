"""A tiny checkpoint in the released form, out of recorded weights, answers as the authors' code did."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from torch import Tensor
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from cambrian.encoders.base import VisionEncoder
from cambrian.errors import UserError
from cambrian.reference.language import TOLERANCE, compare_answers
from cambrian.reference.vectors import Vectors, read_vectors
from cambrian.release import load_model
from cambrian.release.released import connector_recipe, import_checkpoint

torch.set_num_threads(1)

FILE = Path(__file__).parent.parent / "reference_vectors" / "llm_inllm_start1_stride2.safetensors"
NAMES = ["siglip/CLIP-ViT-SO400M-14-384", "clip-convnext-XXL-multi-stage"]
KNOWN = {"kind": "encoder", "digest": "", "label": "x", "recipe": {}, "metrics": {}, "provenance": {}}


class Eye(VisionEncoder):
    """An encoder of a given grid and width; its features are not asked for."""

    def __init__(self, grid: int, width: int) -> None:
        patch = {"kind": "pixels", "resolution": 4 * grid, "patch": 4}
        super().__init__(architecture=patch, resolution=4 * grid, grid=grid, width=width)


def settings(vectors: Vectors) -> dict[str, Any]:
    """A config.json with the names of the release."""
    ours = vectors.setting
    return {
        "architectures": ["CambrianLlamaForCausalLM"],
        "model_type": "cambrian_llama",
        "vocab_size": ours("vocab"),
        "hidden_size": ours("H"),
        "intermediate_size": ours("intermediate"),
        "num_hidden_layers": ours("layers"),
        "num_attention_heads": ours("heads"),
        "num_key_value_heads": ours("kv_heads"),
        "rms_norm_eps": ours("rms_norm_eps"),
        "rope_theta": ours("rope_theta"),
        "rope_scaling": None,
        "max_position_embeddings": ours("max_length"),
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "hidden_act": "silu",
        "mm_projector_type": "sva",
        "mm_vision_tower_aux_list": NAMES,
        "mm_vision_tower_aux_token_len_list": ours("token_lens"),
        "image_token_len": ours("L") ** 2,
        "image_position": ours("image_position"),
        "vision_hidden_size": ours("C"),
        "num_query_group": len(ours("q")),
        "query_num_list": ours("q"),
        "connector_depth": ours("D"),
        "connector_only": False,
        "start_of_vision_sampler_layers": ours("start"),
        "stride_of_vision_sampler_layers": ours("stride"),
        "num_of_vision_sampler_layers": ours("n"),
        "unfreeze_mm_vision_tower": False,
        "tokenizer_model_max_length": 2048,
    }


def write_checkpoint(folder: Path, vectors: Vectors, change: Callable[[dict[str, Tensor]], Any]) -> Path:
    """config.json, two shards with their index, a tokenizer."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(settings(vectors)))
    weights = {name: tensor.contiguous() for name, tensor in vectors.below("param.").items()}
    change(weights)
    shards = {f"model-0000{part + 1}-of-00002.safetensors": sorted(weights)[part::2] for part in (0, 1)}
    for shard, names in shards.items():
        save_file({name: weights[name] for name in names}, folder / shard, {"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: shard for shard in shards for name in shards[shard]}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    words = {word: number for number, word in enumerate(["<unk>", "<s>", "</s>", "USER:", "ASSISTANT:"])}
    tokenizer = Tokenizer(WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.add_special_tokens(["<s>", "</s>"])
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>").save_pretrained(
        folder
    )
    return folder


def eyes(vectors: Vectors) -> list[tuple[VisionEncoder, dict[str, Any]]]:
    sides = [int(count**0.5) for count in vectors.setting("token_lens")]
    return [(Eye(*each), KNOWN) for each in zip(sides, vectors.setting("dims"), strict=True)]


@pytest.fixture
def vectors() -> Vectors:
    return read_vectors(FILE)


def test_logits_agree_with_the_recorded_ones(
    vectors: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unused = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(6)}
    checkpoint = write_checkpoint(tmp_path / "cambrian-tiny", vectors, lambda weights: weights.update(unused))
    import_checkpoint(checkpoint, tmp_path / "out", eyes(vectors), "vicuna_v1")
    built = iter(encoder for encoder, _ in eyes(vectors))
    monkeypatch.setattr("cambrian.release.directory.build_encoder", lambda architecture: next(built))
    model = load_model(tmp_path / "out").requires_grad_(True)
    assert isinstance(model.llm, LlamaForCausalLM)
    for tag in ("padded", "square"):
        compare_answers(vectors, tag, model.connector, model.llm)
        model.zero_grad()
    compared = {finding.name: finding.error for finding in vectors.findings}
    assert {"infer.square.logits", "infer.padded.logits", "train.square.loss"} <= compared.keys()
    assert max(compared.values()) <= TOLERANCE == 5e-5
    card = (tmp_path / "out" / "README.md").read_text()
    assert "# cambrian-tiny" in card and NAMES[1] in card and "Imported from a released checkpoint" in card
    assert str(tmp_path) not in card + (tmp_path / "out" / "release.json").read_text()


def test_half_precision_stays_in_the_files(vectors: Vectors, tmp_path: Path) -> None:
    def halve(weights: dict[str, Tensor]) -> None:
        weights |= {name: tensor.bfloat16() for name, tensor in weights.items()}

    checkpoint = write_checkpoint(tmp_path / "c", vectors, halve)
    import_checkpoint(checkpoint, tmp_path / "out", eyes(vectors), "vicuna_v1")
    written = load_file(tmp_path / "out" / "model.safetensors")
    assert {tensor.dtype for tensor in written.values()} == {torch.bfloat16}
    query = vectors["param.model.vision_query"]
    assert torch.equal(written["connector.query"], query.bfloat16())


def drop(weights: dict[str, Tensor]) -> None:
    del weights["model.vision_query"]


def add(weights: dict[str, Tensor]) -> None:
    weights["model.vision_tower_aux_list.0.weight"] = torch.ones(2)


def widen(weights: dict[str, Tensor]) -> None:
    weights["model.mm_projector_aux_0.0.weight"] = torch.ones(32, 25)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop, r"lacks 1 weights, such as model\.vision_query"),
        (add, r"1 weights without a place, such as model\.vision_tower_aux_list\.0\.weight"),
        (widen, r"aux_0\.0\.weight as \(32, 25\), expected \(32, 24\); its encoders are others"),
    ],
)
def test_weights_that_do_not_fit_are_named(
    vectors: Vectors, tmp_path: Path, change: Callable[[dict[str, Tensor]], Any], message: str
) -> None:
    checkpoint = write_checkpoint(tmp_path / "c", vectors, change)
    with pytest.raises(UserError, match=message):
        import_checkpoint(checkpoint, tmp_path / "out", eyes(vectors), "vicuna_v1")
    assert not (tmp_path / "out").exists()


def test_encoders_templates_and_other_checkpoints_are_checked(vectors: Vectors, tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "c", vectors, lambda weights: None)
    both, out = eyes(vectors), tmp_path / "out"
    with pytest.raises(
        UserError, match=r"has 2 encoders, got 1; give, in this order: siglip/.*grid 4x4; clip-"
    ):
        import_checkpoint(checkpoint, out, both[:1], "vicuna_v1")
    with pytest.raises(UserError, match=r"encoder 1 \(clip-convnext.* grid of 8x8, got 4x4"):
        import_checkpoint(checkpoint, out, [both[0], both[0]], "vicuna_v1")
    with pytest.raises(UserError, match="the tokenizer lacks"):
        import_checkpoint(checkpoint, out, both, "llama_3_cambrian")
    (checkpoint / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(UserError, match=r"lacks weights: model-00002-of-00002\.safetensors"):
        import_checkpoint(checkpoint, out, both, "vicuna_v1")
    path = checkpoint / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in config.items() if key != "query_num_list"}))
    with pytest.raises(UserError, match="lacks query_num_list"):
        import_checkpoint(checkpoint, out, both, "vicuna_v1")
    path.write_text(json.dumps({**config, "model_type": "llava"}))
    with pytest.raises(UserError, match="is of type 'llava', not 'cambrian_llama'"):
        import_checkpoint(checkpoint, out, both, "vicuna_v1")
    with pytest.raises(UserError, match=r"config\.json is missing"):
        import_checkpoint(tmp_path, out, both, "vicuna_v1")


def test_connectors_of_the_release() -> None:
    """Those of the three launch scripts, and LLaVA's."""
    eight = {
        "mm_projector_type": "sva",
        "image_token_len": 576,
        "vision_hidden_size": 1024,
        "query_num_list": "[576]",
        "connector_depth": 3,
        "connector_only": False,
        "start_of_vision_sampler_layers": 0,
        "stride_of_vision_sampler_layers": 3,
        "num_of_vision_sampler_layers": 10,
    }
    assert connector_recipe(eight) == {
        "kind": "sva",
        "side": 24,
        "width": 1024,
        "heads": 16,
        "depth": 3,
        "groups": [24],
        "newline": True,
        "aggregation": {"start": 0, "stride": 3, "layers": 10},
    }
    assert connector_recipe({**eight, "connector_only": True})["aggregation"] is None
    llava = {"mm_projector_type": "mlp2x_gelu", "image_token_len": 576}
    assert connector_recipe(llava) == {"kind": "concat", "side": 24, "layers": 2, "newline": True}
    with pytest.raises(UserError, match="mm_projector_type is 'se_mlp', known are sva, linear"):
        connector_recipe({**llava, "mm_projector_type": "se_mlp"})
