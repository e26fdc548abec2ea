"""A finished model behind lmms-eval's interface says what it says in a chat, in any batch."""

from __future__ import annotations

import importlib
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from small_models import make_llava, write_image
from test_directory import BARE

from cambrian.directories import new_directory
from cambrian.errors import UserError
from cambrian.release import load_model
from cambrian.release.chat import answer_questions
from cambrian.release.directory import save_model

torch.set_num_threads(1)
QUESTIONS = ("word1 word2", "word3", "word1 word2 word3 word4")


class Base:
    """What `lmms_eval.api.model.lmms` gives its subclasses."""

    def __init__(self) -> None:
        self.task_dict: dict[str, Any] = {}
        self.kept: list[tuple[Any, ...]] = []
        self.cache_hook = SimpleNamespace(add_partial=lambda *what: self.kept.append(what))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    model = make_llava(folder, "qwen2", "siglip")
    with new_directory(folder / "saved") as place:
        save_model(model, place, BARE)
    return folder / "saved"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Our module, with a stand-in for the package that it is a plug-in of."""
    names = (
        "lmms_eval",
        "lmms_eval.api",
        "lmms_eval.api.model",
        "lmms_eval.models",
        "lmms_eval.models.registry_v2",
    )
    for name in names:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["lmms_eval.api.model"].lmms = Base  # type: ignore[attr-defined]
    sys.modules["lmms_eval.models.registry_v2"].ModelManifest = SimpleNamespace  # type: ignore[attr-defined]
    yield importlib.import_module("cambrian.interop.lmms_model")
    sys.modules.pop("cambrian.interop.lmms_model")


def request(question: str, document: int = 0, **settings: Any) -> SimpleNamespace:
    kwargs = {"max_new_tokens": 6, **settings}
    return SimpleNamespace(args=(question, kwargs, lambda doc: doc["shown"], document, "task", "test"))


def wrapped(module: ModuleType, saved: Path, shown: list[Any], **more: Any) -> Any:
    model = module.CambrianSweeps(pretrained=str(saved), max_batch_size=None, **more)
    model.task_dict = {"task": {"test": [{"shown": one} for one in shown]}}
    return model


def test_answers_are_those_of_a_chat_in_any_batch(module: ModuleType, saved: Path, tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.png")
    expected = list(answer_questions(load_model(saved), path, QUESTIONS, 6))
    requests = [request(question) for question in QUESTIONS]
    with Image.open(path) as image:
        for batch_size in (1, 2, "3"):
            model = wrapped(module, saved, [[image]], batch_size=batch_size)
            assert model.generate_until(requests) == expected
    assert [what[2] for what in model.kept] == expected
    short = model.generate_until([request(QUESTIONS[0], max_new_tokens=1), *requests[1:]])
    assert expected[0].startswith(short[0])
    assert short[1:] == expected[1:], "limits differ within a call"


def test_blind_and_without_a_picture_are_the_same(module: ModuleType, saved: Path, tmp_path: Path) -> None:
    with Image.open(write_image(tmp_path / "a.png")) as image:
        blind = wrapped(module, saved, [[image]], blind=True).generate_until([request("word1")])
        seeing = wrapped(module, saved, [[image]]).generate_until([request("word1")])
    assert wrapped(module, saved, [[]]).generate_until([request("word1")]) == blind != seeing


def test_an_answer_ends_at_a_stop_text(module: ModuleType, saved: Path) -> None:
    model = wrapped(module, saved, [[]])
    (whole,) = model.generate_until([request("word1")])
    stop = whole[2:4]
    assert model.generate_until([request("word1", until=[stop])]) == [whole.partition(stop)[0]]


def test_what_is_refused(module: ModuleType, saved: Path) -> None:
    picture = Image.new("RGB", (8, 8))
    model = wrapped(module, saved, [[picture, picture]])
    with pytest.raises(UserError, match="is asked about one picture, not about 2"):
        model.generate_until([request("word1")])
    with pytest.raises(UserError, match="set do_sample=False"):
        model.generate_until([request("word1", do_sample=True)])
    with pytest.raises(UserError, match="output_type is generate_until"):
        model.loglikelihood([])
    with pytest.raises(UserError, match="there are no rounds"):
        model.generate_until_multi_round([])
    with pytest.raises(UserError, match="from 1 on, got 'auto'"):
        module.CambrianSweeps(pretrained=str(saved), batch_size="auto")


def test_the_entry_point_names_the_class(module: ModuleType) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    place, _, name = project["entry-points"]["lmms_eval.models"]["cambrian_sweeps"].partition(":")
    manifest = getattr(importlib.import_module(place), name)()
    assert manifest.model_id == "cambrian_sweeps"
    assert manifest.simple_class_path == f"{module.__name__}.{module.CambrianSweeps.__name__}"
