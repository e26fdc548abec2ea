"""What the analysis costs on a store as large as the whole study: 138 runs x 26 benchmarks x 1,000 questions.

python perf/analysis.py [STORE]

Without STORE the store is made first, in a temporary folder (some minutes, 1.3 GB). Each command runs in a
process of its own, one after the other, twice: the first time Python may have to compile the libraries, which
it keeps. Printed are seconds, CPU seconds and peak memory of the second time.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = "OUT"
"""Stands for a temporary folder in the commands."""
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
DESIGN = ["--only", "adapter=1.2M", "vision=frozen"]
COMMANDS = {
    "table": ["-m", "analysis.table"],
    **{
        f"Figure {number}": [f"analysis/plot_fig{number}.py", "--out", OUT] for number in (3, 5, 6, 7, 15, 17)
    },
    "compare": ["-m", "analysis.compare", "encoder=siglip", "encoder=dinov2", *DESIGN],
    "effects": ["-m", "analysis.effects"],
    "stability": ["-m", "analysis.stability"],
    "power": ["-m", "analysis.power"],
    "findings": ["-m", "analysis.findings"],
    "report": ["-m", "analysis.report", "--out", f"{OUT}/report.html"],
}


def measure(arguments: list[str]) -> tuple[float, float, float]:
    """Run Python with `arguments`: wall seconds, CPU seconds, peak memory in MB.

    Raises:
        SystemExit: if it fails; shows what it said.
    """
    with tempfile.TemporaryFile() as said:
        begin = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, env=ENVIRONMENT, stdout=said, stderr=said
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{' '.join(arguments)} failed:\n{said.read().decode()}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    """Print a line per command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store", type=Path, nargs="?")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cambrian-perf-") as folder:
        store = given.store or Path(folder) / "store"
        if given.store is None:
            subprocess.run([sys.executable, str(ROOT / "perf/large_store.py"), str(store)], check=True)
        print(f"{'':12s}{'seconds':>9s}{'CPU s':>9s}{'MB':>9s}")
        for name, command in COMMANDS.items():
            words = [word.replace(OUT, folder) for word in command]
            measure([*words, "--store", str(store)])
            seconds, cpu, memory = measure([*words, "--store", str(store)])
            print(f"{name:12s}{seconds:9.1f}{cpu:9.1f}{memory:9.0f}", flush=True)


if __name__ == "__main__":
    main()
