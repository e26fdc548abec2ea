"""`python -m cambrian.release VERB`, as a person calls it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small_models import fill, logits, write_image
from tiny_multimodal import CONCAT

from cambrian.data.pictures import prepare, read_picture
from cambrian.errors import UserError
from cambrian.model.generation import Request, answer
from cambrian.model.mllm import MultimodalLLM
from cambrian.release import load_model
from cambrian.release.__main__ import main
from cambrian.runtime import PROJECT
from cambrian.sweep.store import Store

torch.set_num_threads(1)
QUESTIONS = ("word1 word2", "word30", "word4 word5 word6")


def expected(model: MultimodalLLM, image: Path) -> list[str]:
    picture = read_picture(image)
    requests = [Request(id=question, question=question, image=0, size=picture.size) for question in QUESTIONS]
    pixels = prepare(picture, model.views)
    return [
        answer(
            model,
            [request],
            lambda indices, views: {view: pixels[view][None] for view in views},
            vision=True,
            batch_size=1,
            max_new_tokens=5,
            progress=lambda done, total: None,
        )[0].strip()
        for request in requests
    ]


@pytest.fixture
def model(tmp_path: Path, parts: Path, monkeypatch: pytest.MonkeyPatch) -> MultimodalLLM:
    monkeypatch.setenv("CAMBRIAN_STORE", str(tmp_path / "store"))
    return fill(Store(tmp_path / "store"), parts)[1]


def test_save_and_chat(model: MultimodalLLM, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image, place = write_image(tmp_path / "image.png"), str(tmp_path / "saved")
    assert main(["save", "tune two eyes", place]) == 0
    assert capsys.readouterr().out == f"saved: {place}\n"
    assert torch.equal(logits(load_model(place)), logits(model))
    for name in ("tune two eyes", place):
        assert main(["chat", name, str(image), *QUESTIONS, "--max-new-tokens", "5"]) == 0
        assert capsys.readouterr().out.splitlines() == expected(model, image)


def test_questions_come_from_the_standard_input_without_any(
    model: MultimodalLLM, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = write_image(tmp_path / "image.png", 24, 60)
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n\n".join(QUESTIONS)))
    assert main(["chat", "tune two eyes", str(image), "--max-new-tokens", "5"]) == 0
    assert capsys.readouterr().out.splitlines() == expected(model, image)


def test_what_is_wrong_is_said_before_anything_is_written(
    model: MultimodalLLM, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(UserError, match=r"notes\.txt is no image"):
        main(["chat", "tune two eyes", str(tmp_path / "notes.txt"), "word1"])
    with pytest.raises(UserError, match="cannot be a LlavaForConditionalGeneration"):
        main(["export", "tune two eyes", str(tmp_path / "out")])
    with pytest.raises(UserError, match="holds no checkpoint"):
        main(["import", str(tmp_path), str(tmp_path / "out"), "encoder vit", "--template", "lab"])
    with pytest.raises(SystemExit):
        main(["chat", "tune two eyes", str(tmp_path / "image.png"), "--max-new-tokens", "0"])
    assert "at least 1, got 0" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_process_of_its_own(tmp_path: Path, parts: Path) -> None:
    model = fill(Store(tmp_path / "store"), parts, recipe=CONCAT, vision="frozen")[1]
    environment = {
        **os.environ,
        "PYTHONPATH": str(PROJECT),
        "CAMBRIAN_STORE": str(tmp_path / "store"),
        "HF_HUB_OFFLINE": "1",
    }

    image = write_image(tmp_path / "image.png")
    words = ["chat", "tune two eyes", image.name, "--max-new-tokens", "5"]
    done = subprocess.run(
        [sys.executable, "-m", "cambrian.release", *words],
        env=environment,
        cwd=tmp_path,
        input="\n".join(QUESTIONS),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == expected(model, image)


def test_help_needs_no_torch() -> None:
    code = (
        "import sys; from cambrian.release.__main__ import make_parser; make_parser(); "
        "assert not {'torch', 'transformers', 'timm'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(PROJECT)}, check=True)
