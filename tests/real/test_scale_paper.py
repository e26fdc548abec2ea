"""scale=paper from a command line to a chat, on tiny checkpoints in the hub's formats and image files."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hub_fixtures import write_benchmark
from parts import write_parts
from transformers import LlavaForConditionalGeneration

from cambrian.benchmarks.hub.benchmark import HubBenchmark
from cambrian.benchmarks.records import PREDICTIONS_FILE, read_predictions
from cambrian.benchmarks.suite import BENCHMARKS
from cambrian.config import read_study
from cambrian.model.assembly import load_trained
from cambrian.model.mllm import MultimodalLLM
from cambrian.release import load_model
from cambrian.release.__main__ import main as release
from cambrian.runtime import PROJECT
from cambrian.stages.base import Artifact
from cambrian.sweep.grid import expand
from cambrian.sweep.session import run
from cambrian.sweep.store import Store

ASKED = {"mmvp": 4, "gqa": 3, "chartqa": 4}
LABEL = "tune encoder concat captions frozen conversations"


def words(parts: Path, store: Path) -> list[str]:
    """The command line of a run on local parts."""
    return [
        "scale=paper",
        "encoder=timm",
        f"encoder.model={parts / 'encoder'}",
        "llm=hf",
        f"llm.model={parts / 'llm'}",
        "llm.template=qwen2_5",
        "adapter=files",
        "instruct=files",
        f"data={parts / 'data'}",
        f"benchmarks.paper.include=[{','.join(ASKED)}]",
        "scale.align.batch_size=4",
        "scale.tune.batch_size=4",
        "scale.tune.lr={connector: 1e-3, sva: 1e-3, llm: 1e-3}",
        "tracker=none",
        "cluster=inline",
        f"store={store}",
    ]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("parts")
    write_parts(root)
    for name in ASKED:
        row = BENCHMARKS[name]
        assert isinstance(row, HubBenchmark)
        write_benchmark(root / "data" / "benchmarks" / name, name, row.data.split)
    # A picture that only its decoding shows to be torn.
    torn = root / "data" / "pictures" / "3.jpg"
    torn.write_bytes(torn.read_bytes()[:-200])
    return root


@pytest.fixture(scope="module")
def store(parts: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """What one command leaves."""
    root = tmp_path_factory.mktemp("runs")
    assert run(read_study(expand(words(parts, root)))) == 0
    return Store(root)


def made(store: Store, kind: str) -> list[Artifact]:
    found = [store.load(kind, path.name) for path in (store.root / kind).iterdir() if path.is_dir()]
    return [artifact for artifact in found if artifact is not None]


def trained(store: Store) -> MultimodalLLM:
    """The finished model, as an evaluation loads it."""
    (tune,), (encoder,), (language,) = (made(store, kind) for kind in ("tune", "encoder", "language"))
    return load_trained(tune.path, encoder_dirs=[encoder.path], language_dir=language.path)


def test_both_stages_train_and_list_what_they_could_not_use(store: Store) -> None:
    (align,), (tune,) = made(store, "align"), made(store, "tune")
    assert align.metrics["examples"] == 24
    assert tune.metrics["examples"] == 32
    assert tune.metrics["loss"] < tune.metrics["loss_first"]
    for artifact, name in ((align, "c3"), (tune, "v3")):
        assert artifact.metrics["left_out"] == 1
        (line,) = (artifact.path / "left_out.jsonl").read_text().splitlines()
        assert json.loads(line)["id"] == name
        assert "3.jpg cannot be decoded" in json.loads(line)["reason"]


def test_every_benchmark_is_answered_with_and_without_the_image(store: Store) -> None:
    evaluations = {
        artifact.manifest["recipe"]["benchmark"]["id"]: artifact for artifact in made(store, "evaluate")
    }
    assert {
        name: len(read_predictions(one.path / PREDICTIONS_FILE)) for name, one in evaluations.items()
    } == {name: 2 * count for name, count in ASKED.items()}
    assert all(0 <= one.metrics["score"] <= 100 for one in evaluations.values())


def test_the_model_comes_back_bit_for_bit_alone_and_as_one_directory(store: Store, tmp_path: Path) -> None:
    one, again = trained(store), trained(store)
    assert release(["save", LABEL, str(tmp_path / "model"), "--store", str(store.root)]) == 0
    whole = load_model(tmp_path / "model")
    for name, value in one.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
        assert torch.equal(value, whole.state_dict()[name]), name


def test_transformers_runs_what_is_exported(store: Store, tmp_path: Path) -> None:
    assert release(["export", LABEL, str(tmp_path / "llava"), "--store", str(store.root)]) == 0
    model = LlavaForConditionalGeneration.from_pretrained(tmp_path / "llava")
    ours = trained(store).llm.state_dict()["model.embed_tokens.weight"]
    assert torch.equal(model.get_input_embeddings().weight[: len(ours)], ours)


def test_a_finished_model_chats(store: Store, parts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = str(parts / "data" / "pictures" / "0.png")
    arguments = ["chat", LABEL, image, "What colour is this?", "Is it large?", "--max-new-tokens", "4"]
    assert release([*arguments, "--store", str(store.root)]) == 0
    assert len(capsys.readouterr().out.splitlines()) >= 2


def curve(store: Path, kind: str) -> list[tuple[int, float]]:
    """Steps and losses that the stage of a kind has recorded."""
    (digest,) = (path.name for path in (store / kind).iterdir() if path.is_dir())
    lines = (store / "tracking" / f"{digest}.jsonl").read_text().splitlines()
    points = [record for record in map(json.loads, lines) if "loss" in record and "step" in record]
    return sorted({record["step"]: record["loss"] for record in points}.items())


@pytest.mark.slow
def test_the_same_losses_however_it_is_run(parts: Path, tmp_path: Path) -> None:
    """In one process or two, cut small or not, with kept features or not, killed and given again or not."""
    ways: dict[str, list[str]] = {
        "plain": [],
        "two processes": ["runtime.processes=2"],
        "divided": ["runtime.processes=2", "runtime.shard=true"],
        "cut by length": ["runtime.micro_batch=3"],
        "kept features": ["runtime.keep_features=true"],
        "killed": ["runtime.checkpoint_seconds=0"],
    }
    curves = {}
    for name, more in ways.items():
        store = tmp_path / name.replace(" ", "-")
        command = [sys.executable, "run.py", *words(parts, store), "preflight=false", *more]
        if name == "killed":
            kill_in_training(command, store)
        subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, timeout=1800)
        curves[name] = {kind: curve(store, kind) for kind in ("align", "tune")}
    for name in ways:
        for kind, points in curves["plain"].items():
            steps, losses = zip(*points, strict=True)
            own_steps, own = zip(*curves[name][kind], strict=True)
            assert own_steps == steps
            assert own == (losses if name == "killed" else pytest.approx(losses, rel=1e-5)), (name, kind)


def kill_in_training(command: list[str], store: Path) -> None:
    """Start the command, and kill it as soon as its first checkpoint is there."""
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 900
    while not any(store.glob("work/*/step-*")) and process.poll() is None:
        assert time.monotonic() < deadline, "no checkpoint"
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL, "it had ended before"
