"""Checkpoints in the published formats give the features that their own library computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tiny_checkpoints import (
    hugging_face,
    images,
    make_timm,
    save_hugging_face,
    save_moco,
    save_timm,
    save_weights,
    shake,
    tiny_sam,
)
from torch import Tensor, nn
from trunks import HALF, adopt, build

from cambrian.encoders.table import load_encoder, save_encoder
from cambrian.encoders.trunk import TrunkEncoder
from cambrian.errors import UserError

SAM: dict[str, Any] = {
    "depth": 2,
    "embed_dim": 32,
    "num_heads": 2,
    "window_size": 2,
    "global_attn_indexes": [1],
}


def check(encoder: TrunkEncoder, expected: Tensor, folder: Path) -> None:
    """The features are `expected` (B, N, C), and still after saving and loading."""
    seen = images(len(expected), encoder.resolution)
    with torch.no_grad():
        torch.testing.assert_close(encoder(seen).flatten(1, 2), expected)
        save_encoder(encoder, folder)
        again = load_encoder(folder)
        assert torch.equal(again(seen), encoder(seen))
    assert again.grid == encoder.grid and again.width == encoder.width and again.padding == encoder.padding


def seen_by(encoder: TrunkEncoder) -> Tensor:
    return encoder.normalize(images(2, encoder.resolution))


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".bin"])
def test_timm_vit_last_layer_is_what_timm_calls_features(tmp_path: Path, suffix: str) -> None:
    network = make_timm("test_vit")
    source = save_weights(network, tmp_path / f"weights{suffix}")
    encoder = adopt(source, kind="timm", model="test_vit", resolution=160, grid=10)
    with torch.no_grad():
        tokens = network.forward_features(seen_by(encoder))[:, network.num_prefix_tokens :]
    check(encoder, tokens, tmp_path)


def test_registers_and_class_token_are_dropped_and_an_inner_layer_is_raw(tmp_path: Path) -> None:
    network = make_timm("test_vit", reg_tokens=2)
    source = save_weights(network, tmp_path / "weights.pth")
    arguments = {"reg_tokens": 2}
    encoder = adopt(
        source, kind="timm", model="test_vit", arguments=arguments, resolution=160, grid=10, layer=-2
    )
    found: list[Tensor] = []
    network.blocks[-2].register_forward_hook(lambda block, inputs, output: found.append(output))
    with torch.no_grad():
        network(seen_by(encoder))
    assert network.num_prefix_tokens == 3
    check(encoder, found[0][:, 3:], tmp_path)
    names = {name for name, _ in encoder.named_parameters()}
    assert not any("head" in name or name.startswith(("trunk.norm.", "trunk.blocks.5")) for name in names)


def test_positions_of_another_resolution_are_resampled_as_timm_does(tmp_path: Path) -> None:
    source = save_weights(make_timm("test_vit"), tmp_path / "weights.safetensors")
    encoder = adopt(source, kind="timm", model="test_vit", resolution=96, grid=6)
    network = make_timm("test_vit", img_size=96)
    small = make_timm("test_vit").state_dict()
    from timm.models.vision_transformer import checkpoint_filter_fn

    network.load_state_dict(checkpoint_filter_fn(small, network))
    with torch.no_grad():
        tokens = network.forward_features(seen_by(encoder))[:, network.num_prefix_tokens :]
    check(encoder, tokens, tmp_path)


def test_convnext_joins_all_stages_at_the_grid(tmp_path: Path) -> None:
    network = make_timm("test_convnext")
    source = save_weights(network, tmp_path / "weights.pth")
    encoder = adopt(source, kind="timm", model="test_convnext", resolution=160, grid=6, multi_stage=True)
    with torch.no_grad():
        stages = network.forward_intermediates(seen_by(encoder), intermediates_only=True)
    joined = torch.cat(
        [F.interpolate(stage, size=(6, 6), mode="bilinear", align_corners=False) for stage in stages], dim=1
    )
    assert [stage.shape[-1] for stage in stages] == [40, 20, 10, 5]
    check(encoder, joined.flatten(2).transpose(1, 2), tmp_path)


def test_average_pooling_takes_means_of_cells(tmp_path: Path) -> None:
    network = make_timm("test_convnext")
    source = save_weights(network, tmp_path / "weights.pth")
    common: dict[str, Any] = {"kind": "timm", "model": "test_convnext", "resolution": 128, "layer": -2}
    fine = adopt(source, **common, grid=8)
    coarse = adopt(source, **common, grid=4, pooling="average")
    seen = images(2, 128)
    with torch.no_grad():
        cells = fine(seen).unflatten(2, (4, 2)).unflatten(1, (4, 2)).mean(dim=(2, 4))
        torch.testing.assert_close(coarse(seen), cells)


@pytest.mark.parametrize("published", ["timm", "meta"])
def test_sam_loads_its_weights_and_skips_its_neck(tmp_path: Path, published: str) -> None:
    network = tiny_sam()
    if published == "timm":
        source = save_weights(network, tmp_path / "weights.safetensors")
    else:  # the whole of SAM, as Meta publishes it
        state = {
            f"image_encoder.{name.replace('mlp.fc', 'mlp.lin')}": tensor
            for name, tensor in network.state_dict().items()
        }
        source = tmp_path / "sam.pth"
        torch.save({**state, "prompt_encoder.x": torch.ones(1), "mask_decoder.y": torch.ones(1)}, source)
    encoder = adopt(
        source,
        kind="timm",
        model="samvit_base_patch16",
        arguments={**SAM, "num_classes": 0},
        resolution=64,
        grid=2,
        norm=False,
    )
    found: list[Tensor] = []
    network.blocks.register_forward_hook(lambda blocks, inputs, output: found.append(output))
    with torch.no_grad():
        network.forward_features(seen_by(encoder))
    expected = F.interpolate(found[0].permute(0, 3, 1, 2), size=(2, 2), mode="bilinear", align_corners=False)
    assert encoder.width == 32 and found[0].shape == (2, 4, 4, 32)
    check(encoder, expected.flatten(2).transpose(1, 2), tmp_path)


def test_a_folder_that_timm_saved_is_read_as_timm_reads_it(tmp_path: Path) -> None:
    network = make_timm("test_vit", num_classes=7)
    folder = save_timm(network, tmp_path / "mine")
    encoder = adopt(
        folder, kind="timm", model="test_vit", arguments={"num_classes": 7}, resolution=160, grid=10
    )
    with torch.no_grad():
        tokens = network.forward_features(seen_by(encoder))[:, network.num_prefix_tokens :]
    check(encoder, tokens, tmp_path)


def test_moco_v3_gives_its_trained_encoder_without_projection(tmp_path: Path) -> None:
    network = make_timm("test_vit", num_classes=0)
    source = save_moco(network, tmp_path / "vit-b-300ep.pth.tar")
    encoder = adopt(source, kind="timm", model="test_vit", resolution=160, grid=10, format="moco_v3")
    with torch.no_grad():
        tokens = network.forward_features(seen_by(encoder))[:, network.num_prefix_tokens :]
    check(encoder, tokens, tmp_path)


def test_moco_v3_with_foreign_weights_is_refused(tmp_path: Path) -> None:
    source = save_moco(make_timm("test_vit", num_classes=0), tmp_path / "a.pth")
    state = torch.load(source, weights_only=True)
    state["state_dict"]["module.queue"] = torch.ones(1)
    torch.save(state, source)
    with pytest.raises(UserError, match=r"not those of format moco_v3: 1 unexpected: queue"):
        adopt(source, kind="timm", model="test_vit", resolution=160, grid=10, format="moco_v3")


@pytest.mark.parametrize("layer", [-1, -2])
@pytest.mark.parametrize("kind", ["clip", "siglip", "dinov2", "dpt", "beit"])
def test_transformers_give_their_own_hidden_states(tmp_path: Path, kind: str, layer: int) -> None:
    model = hugging_face(kind)
    folder = save_hugging_face(model, tmp_path / "model")
    encoder = adopt(
        folder,
        kind="transformers",
        config=model.config.to_dict(),
        resolution=32,
        grid=4,
        layer=layer,
        norm=False,
        **HALF,
    )
    whole: Any = model
    vision = whole.vision_model if kind in ("clip", "siglip") else whole
    with torch.no_grad():
        states = vision(seen_by(encoder), output_hidden_states=True).hidden_states[layer]
    check(encoder, states[:, 0 if kind == "siglip" else 1 :], tmp_path)


@pytest.mark.parametrize(
    ("kind", "norm"),
    [
        ("clip", "post_layernorm"),
        ("siglip", "post_layernorm"),
        ("dinov2", "layernorm"),
        ("dpt", "dpt.layernorm"),
    ],
)
def test_the_last_layer_of_transformers_is_normed(tmp_path: Path, kind: str, norm: str) -> None:
    model: Any = hugging_face(kind)
    folder = save_hugging_face(model, tmp_path / "model")
    config = model.config.to_dict()
    encoder = adopt(folder, kind="transformers", config=config, resolution=32, grid=4, **HALF)
    vision = model.vision_model if kind in ("clip", "siglip") else model
    with torch.no_grad():
        states = vision(seen_by(encoder), output_hidden_states=True).hidden_states[-1]
        normed = vision.get_submodule(norm)(states)
    check(encoder, normed[:, 0 if kind == "siglip" else 1 :], tmp_path)


@pytest.mark.parametrize("kind", ["clip", "siglip", "dinov2", "dpt", "beit"])
def test_transformers_take_other_resolutions(tmp_path: Path, kind: str) -> None:
    model = hugging_face(kind)
    folder = save_hugging_face(model, tmp_path / "model")
    encoder = adopt(folder, kind="transformers", config=model.config.to_dict(), resolution=48, grid=6, **HALF)
    assert encoder(images(1, 48)).shape == (1, 6, 6, 32)


def test_normalisation_is_the_encoders_own_in_its_own_type() -> None:
    mean, std = [0.2, 0.4, 0.6], [0.1, 0.2, 0.5]
    encoder = build(kind="timm", model="test_vit", resolution=160, grid=10, mean=mean, std=std)
    seen = images(1, 160)
    exact = (seen.double() / 255 - torch.tensor(mean, dtype=torch.float64)) / torch.tensor(std).double()
    pixels = encoder.normalize(seen)
    torch.testing.assert_close(pixels.double(), exact.permute(0, 3, 1, 2), atol=2e-6, rtol=1e-6)
    assert encoder.to(torch.bfloat16).normalize(seen).dtype == torch.bfloat16
    assert encoder(seen).dtype == torch.bfloat16
    assert encoder.padding == (51, 102, 153)


def _with_randomness() -> TrunkEncoder:
    arguments = {"drop_path_rate": 0.5, "drop_rate": 0.5}
    return build(kind="timm", model="test_convnext", arguments=arguments, resolution=64, grid=2)


def test_a_frozen_encoder_is_deterministic_whatever_the_model_around_it_does() -> None:
    encoder = _with_randomness().requires_grad_(False)
    around = nn.ModuleDict({"encoder": encoder, "rest": nn.Dropout()}).train()
    seen = images(4, 64)
    assert around["rest"].training and not any(module.training for module in encoder.modules())
    assert torch.equal(encoder(seen), encoder(seen))
    shake(encoder).requires_grad_(True)
    around.train()
    assert not torch.equal(encoder(seen), encoder(seen))
    around.eval()
    assert torch.equal(encoder(seen), encoder(seen))


def test_every_weight_of_an_unfrozen_encoder_gets_a_gradient(tmp_path: Path) -> None:
    config = hugging_face("clip").config.to_dict()
    common: dict[str, Any] = {"kind": "timm", "resolution": 64}
    for encoder in (
        build(**common, model="test_vit", grid=4),
        build(**common, model="test_vit", grid=4, layer=-3),
        build(**common, model="test_convnext", grid=3, multi_stage=True),
        build(kind="transformers", config=config, resolution=32, grid=4, layer=-2, **HALF),
    ):
        encoder.train()(images(2, encoder.resolution)).square().mean().backward()
        without = [name for name, weight in encoder.named_parameters() if weight.grad is None]
        assert without == []
