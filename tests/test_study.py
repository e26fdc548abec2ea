"""The study as a user runs it: real encoders, a real LLM, real training, only shorter."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from commands import PROJECT, call, executions, manifests, scores

from analysis.results import open_store as results_store

SHORT = [
    "adapter.examples.lab=96",
    "instruct.examples.lab=64",
    "benchmarks.lab.include=[lab_count,lab_text,lab_existence]",
    "benchmarks.lab.questions=10",
    "tracker=none",
]


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A store after a small grid, and the plan that was shown before."""
    store = tmp_path_factory.mktemp("study") / "store"
    words = ["-m", "encoder=siglip,pixels", "connector=concat,sva", "cluster=inline", *SHORT]
    plan = json.loads(call([*words, "plan=json"], store).stdout)
    call(words, store)
    return store, plan, words


def test_what_was_planned_is_what_was_run(swept):
    store, plan, _ = swept
    pending = {stage["digest"]: stage["kind"] for stage in plan["stages"] if stage["state"] == "pending"}
    assert sorted(pending.values()) == ["align"] * 4 + ["evaluate"] * 12 + ["tune"] * 4
    assert {digest: manifest["kind"] for digest, manifest in manifests(store).items()} == pending
    assert executions(store) == dict.fromkeys(pending, 1)


def test_results_hold_score_interval_and_baselines(swept):
    store, _, _ = swept
    for metrics in scores(store).values():
        assert 0 <= metrics["low"] <= metrics["score"] <= metrics["high"] <= 100
        assert metrics["n"] == 10 and 0 < metrics["chance"] < 100
        assert {"blind", "majority", "unparsed"} <= set(metrics)


def test_the_same_command_again_runs_nothing(swept):
    store, _, words = swept
    before = executions(store)
    call(words, store)
    assert executions(store) == before


def test_a_single_run_finds_the_result_of_the_sweep(swept):
    store, _, _ = swept
    before = executions(store)
    result = call(["encoder=siglip", "connector=sva", *SHORT], store)
    assert "siglip sva 1.2M frozen 737k s0" in result.stdout
    assert executions(store) == before


def test_a_new_seed_trains_only_its_own_stages(swept):
    store, _, _ = swept
    before = set(manifests(store))
    call(["-m", "encoder=pixels", "connector=concat", "seed=0,1", "cluster=inline", *SHORT], store)
    new = {digest: m["kind"] for digest, m in manifests(store).items() if digest not in before}
    assert sorted(new.values()) == ["align", "evaluate", "evaluate", "evaluate", "tune"]


@pytest.mark.parametrize("batch", [1, 4])
def test_answers_do_not_depend_on_the_batch_size(swept, tmp_path, batch):
    store, _, _ = swept
    other = tmp_path / "store"
    shutil.copytree(store, other, ignore=shutil.ignore_patterns("evaluate", "tracking"))
    call(["encoder=siglip", "connector=sva", f"runtime.micro_batch={batch}", *SHORT], other)
    ours = {path.parent.name: path.read_bytes() for path in other.glob("evaluate/*/predictions.jsonl")}
    assert len(ours) == 3
    for digest, predictions in ours.items():
        assert predictions == (store / "evaluate" / digest / "predictions.jsonl").read_bytes()


def test_stored_answers_score_the_same_again(swept):
    store, _, _ = swept
    command = [sys.executable, "-m", "cambrian.benchmarks.rescore", str(store)]
    result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 different" in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["driver", "worker"])
def test_a_killed_sweep_is_finished_by_the_same_command(swept, tmp_path, victim):
    reference, _, _ = swept
    store = tmp_path / "store"
    words = ["-m", "encoder=siglip,pixels", "connector=concat,sva", *SHORT]
    environment = {**os.environ, "CAMBRIAN_STORE": str(store)}
    command = [sys.executable, str(PROJECT / "run.py"), *words]
    driver = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not manifests(store, "tune"):
        assert time.monotonic() < deadline and driver.poll() is None
        time.sleep(0.05)
    if victim == "driver":
        driver.kill()
        driver.wait()
    else:
        leases = [json.loads(path.read_text()) for path in (store / "locks").glob("*.lease")]
        workers = [lease["pid"] for lease in leases if lease["pid"] != driver.pid]  # the sweep has one, too
        for worker in workers[:1]:
            os.kill(worker, signal.SIGKILL)
        assert driver.wait(timeout=400) == 0
    call(words, store)
    finished = scores(store)
    assert len(finished) == 12
    assert finished == {digest: scores(reference)[digest] for digest in finished}
    # A stage whose worker is killed right after it was published has no summary.
    counts = sorted(executions(store).values())
    assert counts[1:] == [1] * (len(counts) - 1) and counts[0] in (0, 1)


@pytest.mark.slow
def test_a_sweep_on_ray_with_its_store_in_object_storage(swept, bucket, tmp_path):
    reference, _, _ = swept
    words = ["-m", "encoder=siglip,pixels", "connector=concat,sva", f"store={bucket.url}", *SHORT]
    first, second = tmp_path / "first", tmp_path / "second"
    call([*words, f"store_copy={first}"], tmp_path / "unused")
    with results_store(bucket.url) as place:
        assert scores(place) == scores(reference)
    (copy,) = first.iterdir()
    assert set(executions(copy).values()) == {1}
    again = call([*words, f"store_copy={second}"], tmp_path / "unused")
    assert "siglip sva 1.2M frozen 737k s0" in again.stdout
    assert not list(second.glob("*/tune")), "another machine needs no model to know that all is done"
    drawn = [sys.executable, str(PROJECT / "analysis" / "plot_fig6.py"), "--store", bucket.url]
    result = subprocess.run(drawn, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
