"""The study with these connectors: planned from the command line, trained and evaluated for a few steps."""

import json
import os
import subprocess
import sys
from pathlib import Path

from cambrian.sweep.session import run_sweep

PROJECT = Path(__file__).resolve().parents[2]
CONNECTORS = "connector=resampler,c_abstractor,ldpv2"


def test_they_are_planned_without_importing_them(tmp_path):
    words = ["-m", CONNECTORS, "encoder=pixels", "adapter=0M", "instruct=665k", "plan=json"]
    result = subprocess.run(
        [sys.executable, "-X", "importtime", str(PROJECT / "run.py"), *words],
        cwd=tmp_path,
        env={**os.environ, "CAMBRIAN_STORE": str(tmp_path / "store")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "cambrian.connectors.table" in imported and not imported & {"torch", "timm"}
    plan = json.loads(result.stdout)
    tuned = {stage["digest"] for stage in plan["stages"] if stage["kind"] == "tune"}
    assert len(plan["runs"]) == len(tuned) == 3
    assert not [stage for stage in plan["stages"] if stage["kind"] == "align"]


def test_they_are_aligned_tuned_and_evaluated(tmp_path):
    words = [CONNECTORS, "encoder=[pixels,random]", "adapter=0.5M", "vision=frozen", "cluster=inline"]
    words += ["tracker=none", f"store={tmp_path}", "adapter.examples.lab=32", "instruct.examples.lab=32"]
    words += ["benchmarks.lab.include=[lab_count]", "benchmarks.lab.questions=4"]
    assert run_sweep(words) == 0
    manifests = [json.loads(path.read_text()) for path in tmp_path.glob("*/*/manifest.json")]
    found = sorted((manifest["kind"], manifest["axes"]["connector"]) for manifest in manifests)
    connectors = ("c_abstractor", "ldpv2", "resampler")
    assert found == [(kind, name) for kind in ("align", "evaluate", "tune") for name in connectors]
    for manifest in manifests:
        assert manifest["kind"] != "evaluate" or manifest["metrics"]["n"] == 4
