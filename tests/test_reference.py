"""Our modules reproduce the recorded vectors, and the command says so or says what differs."""

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from cambrian.connectors.grids import to_windows
from cambrian.reference.__main__ import check_file, main
from cambrian.reference.vectors import relative_error

torch.set_num_threads(1)

VECTORS = Path(__file__).parent / "reference_vectors"
FILES = sorted(VECTORS.glob("*.safetensors"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_recorded_vectors_are_reproduced(path):
    verdict = check_file(path)
    assert verdict.word == "pass", str(verdict)


def tampered(source, target, name, change):
    with safe_open(source, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    tensors[name] = change(tensors[name])
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, target, metadata)


@pytest.mark.parametrize(
    ("stem", "name", "change"),
    [
        ("sva_core_e2_m12_d1", "out.float64", lambda value: value * (1 + 1e-8)),
        ("sva_core_e2_m12_d1", "grad.kv.1", lambda value: value * (1 + 1e-7)),
        ("sva_core_e2_m12_d1", "out.float64", lambda value: value * math.nan),
        ("sva_core_e2_m12_d1", "param.layers.0.pos_embed_1", lambda value: value + 1e-3),
        ("sva_core_e2_m12_d1", "param.layers.0.norm.weight", lambda value: value[:-1]),
        ("concat_mlp2x_gelu_e1", "out.attention_mask", lambda value: ~value),
        ("concat_mlp2x_gelu_e1", "out.labels", lambda value: value + 1),
        ("concat_mlp2x_gelu_e1", "in.image_sizes_wh", lambda value: value.flip(0)),
    ],
)
def test_a_tampered_file_fails_and_is_named(tmp_path, capsys, stem, name, change):
    tampered(VECTORS / f"{stem}.safetensors", tmp_path / f"{stem}.safetensors", name, change)
    assert main([str(tmp_path)]) == 1
    line = capsys.readouterr().out.splitlines()[1]
    assert stem in line
    assert "FAIL" in line


def test_the_command_passes_and_tells_unknown_files_apart(tmp_path, capsys):
    good = VECTORS / "concat_mlp2x_gelu_e1.safetensors"
    (tmp_path / good.name).write_bytes(good.read_bytes())
    for name in ("sva_core_sep_e2.safetensors", "resampler_e1.safetensors"):
        save_file({"in.x": torch.zeros(1)}, tmp_path / name, {"config": "{}"})
    (tmp_path / "notes.txt").write_text("hello")
    assert main([str(tmp_path)]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()[1:]}
    assert " pass " in lines[good.name]
    assert "not supported" in lines["sva_core_sep_e2.safetensors"]
    assert "unknown kind" in lines["resampler_e1.safetensors"]
    assert "not a vectors file" in lines["notes.txt"]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [("concat_broken.safetensors", b"not safetensors", 1), ("other.bin", b"", 1)],
    ids=["corrupt", "nothing to check"],
)
def test_files_that_cannot_be_checked(tmp_path, capsys, name, content, code):
    (tmp_path / name).write_bytes(content)
    assert main([str(tmp_path)]) == code
    assert name in capsys.readouterr().out


def test_a_missing_folder_is_an_error(tmp_path, capsys):
    assert main([str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_windows_and_interpolation_files(tmp_path):
    tokens = torch.arange(2 * 64 * 3).reshape(2, 64, 3)
    cut = to_windows(tokens.unflatten(1, (8, 8)), 4).flatten(0, 1)
    metadata = {"config": json.dumps({})}
    path = tmp_path / "sva_windows.safetensors"
    save_file({"in.feat.0": tokens, "out.kv.0": cut.contiguous()}, path, metadata)
    assert check_file(path).word == "pass"
    save_file({"in.feat.0": tokens, "out.kv.0": cut.flip(1).contiguous()}, path, metadata)
    assert check_file(path).word == "FAIL"
    path = tmp_path / "interpolate_tokens.safetensors"
    halved = tokens.float().reshape(2, 4, 2, 4, 2, 3).mean(dim=(2, 4)).flatten(1, 2)
    save_file({"in.8_to_4": tokens.float(), "out.8_to_4": halved}, path, metadata)
    assert check_file(path).word == "pass"


def test_relative_error():
    assert relative_error(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.5])) == pytest.approx(0.2)
    assert relative_error(torch.ones(2), torch.ones(3)) == math.inf
    assert relative_error(torch.tensor([True]), torch.tensor([False])) == math.inf
    assert relative_error(torch.tensor([1e-9]), torch.tensor([0.0]), floor=1.0) == pytest.approx(1e-9)
