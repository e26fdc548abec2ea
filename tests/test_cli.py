import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent

BROKEN = {
    "misspelt encoder": (["encoder=siglp"], "did you mean 'siglip'"),
    "misspelt encoder in a list": (["-m", "encoder=siglip,dinov3"], "did you mean 'dinov2'"),
    "unknown axis": (["adaptor=1.2M"], "did you mean 'adapter'"),
    "unknown adapter size": (["adapter=3M"], "unknown adapter '3M'"),
    "adapter beyond the data": (["adapter=2.5M", "scale.captions=9000"], "has 9000"),
    "word for a number": (["seed=abc"], "seed expects a whole number"),
    "misspelt nested key": (["scale.tune.batchsize=8"], "did you mean 'batch_size'"),
    "grid that does not divide": (["connector=sva", "connector.lab.side=3", "connector.lab.groups=[3]"], "3"),
    "unfrozen pixels": (["encoder=pixels", "vision=unfrozen"], "'pixels' has no weights to train"),
    "unfrozen pixels in a sweep": (
        ["-m", "encoder=siglip,pixels", "vision=unfrozen"],
        "'pixels' has no weights",
    ),
    "more blocks than there are": (
        ["encoder=siglip", "vision=unfrozen", "vision.blocks=4"],
        "vision.blocks=4: encoder 'siglip' has 3 blocks",
    ),
    "learning rate of zero": (["scale.tune.lr.llm=0.0"], "must be positive"),
    "sweep without -m": (["sweep=fig6"], "add -m"),
    "unknown sweep": (["-m", "sweep=figure6"], "did you mean 'fig6'"),
    "an experiment beside another encoder": (
        ["encoder=clip", "experiment=cambrian_8b", "scale=paper"],
        "encoders.siglip has settings, but encoder 'siglip' is not chosen",
    ),
    "aggregation beyond the LLM": (["connector=sva", "connector.lab.aggregation.start=9"], "layer"),
    "words that do not parse": (["encoder=[siglip"], "cannot read"),
    "no threads": (["runtime.threads=0"], "runtime.threads must be at least 1"),
    "no process": (["runtime.processes=0"], "runtime.processes must be at least 1"),
    "a model divided over one process": (
        ["runtime.shard=true"],
        "set runtime.processes to the number of GPUs",
    ),
    "no way to divide": (["runtime.shard=ture"], "value of runtime.shard 'ture'"),
    "no way to keep features": (["runtime.keep_features=ture"], "value of runtime.keep_features 'ture'"),
    "two processes on one GPU": (["runtime.processes=2", "runtime.device=cuda:1"], "set runtime.device=cuda"),
    "more than a GPU": (["runtime.gpu_fraction=1.5"], "above 0 and at most 1, got 1.5"),
}


def call(words: list[str], store: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CAMBRIAN_STORE": str(store)}
    command = [sys.executable, str(PROJECT / "run.py"), *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(("words", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_command_lines_say_what_is_wrong_and_leave_no_trace(words, said, tmp_path):
    store, cwd = tmp_path / "store", tmp_path / "cwd"
    cwd.mkdir()
    result = call(words, store, cwd)
    assert result.returncode == 2, result.stderr
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert not store.exists() and not list(cwd.iterdir())


def test_all_faults_are_reported_together(tmp_path):
    words = ["-m", "encoder=siglip,pixels", "vision=unfrozen", "adapter=2.5M", "scale.captions=100"]
    result = call(words, tmp_path / "store", tmp_path)
    assert "2 faults" in result.stderr
    assert "'pixels' has no weights" in result.stderr and "has 100" in result.stderr


@pytest.mark.parametrize("words", [["--help"], ["--cfg", "job"]], ids=["help", "cfg"])
def test_help_and_config_import_nothing_heavy(words, tmp_path):
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['run.py', *{words!r}]\n"
        f"sys.path.insert(0, {str(PROJECT)!r})\n"
        "try:\n"
        f"    runpy.run_path({str(PROJECT / 'run.py')!r}, run_name='__main__')\n"
        "except SystemExit as stop:\n"
        "    assert not stop.code, stop.code\n"
        "heavy = {'torch', 'transformers', 'timm', 'ray', 'wandb'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert "encoder" in result.stdout
    assert not list(tmp_path.iterdir())


def test_plan_prints_and_runs_nothing(tmp_path):
    import json

    words = ["-m", "vision=frozen,unfrozen", "adapter=0M,0.5M,1.2M", "plan=json"]
    result = call(words, tmp_path / "store", tmp_path)
    assert result.returncode == 0, result.stderr
    plan = json.loads(result.stdout)
    kinds = [stage["kind"] for stage in plan["stages"]]
    assert len(plan["runs"]) == 6
    assert kinds.count("align") == 2 and kinds.count("tune") == 6
    assert not list((tmp_path / "store").rglob("manifest.json"))
