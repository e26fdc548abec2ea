"""What orchestration costs: 100 stages that do nothing, by five ways, all in one run.

python perf/orchestration.py [--stages 100]

Every way runs two stages at a time, except plain Hydra, which runs one after the other. Ways without a memory
repeat everything after a crash, so their second and third columns would be the first again. Ray's own start
and end take most of the time and vary most: Tune alone and ours take turns, and medians of three count.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
NOOP = HERE / "noop"
WORKERS = 2
ROUNDS = 3


def environment() -> dict[str, str]:
    """Where the programs find the stage that does nothing."""
    path = os.pathsep.join([str(NOOP), str(HERE.parent)])
    return {**os.environ, "PYTHONPATH": path}


def timed(command: Sequence[str], folder: Path) -> float:
    """Seconds of a command, which must succeed."""
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment(), check=True, capture_output=True)
    return time.perf_counter() - began


def plain_processes(count: int, folder: Path) -> float:
    """Start one Python per stage."""
    command = [sys.executable, str(NOOP / "noop.py"), "work", "1"]
    began = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(lambda _: timed(command, folder), range(count)))
    return time.perf_counter() - began


def hydra_multirun(count: int, folder: Path, *launcher: str) -> float:
    """Let Hydra launch one job per stage."""
    jobs = f"+number={','.join(map(str, range(count)))}"
    return timed([sys.executable, str(NOOP / "hydra_app.py"), "-m", jobs, *launcher], folder)


def tune_alone(count: int, folder: Path) -> float:
    """Run the stages as trials of Ray Tune, without plan, store, leases or resuming."""
    return timed([sys.executable, str(NOOP / "noop.py"), "tune", str(count)], folder)


def ours(count: int, store: Path) -> list[str]:
    """The command that executes the stages as a plan."""
    return [sys.executable, str(NOOP / "noop.py"), "ours", str(count), str(store)]


def take_turns(count: int, folder: Path, number: int) -> tuple[float, float]:
    """Seconds of Ray Tune alone, then of ours with an empty store of this `number`."""
    return tune_alone(count, folder), timed(ours(count, folder / f"store {number}"), folder)


def after_a_kill(count: int, folder: Path) -> float:
    """Seconds to finish a plan whose driver was killed half way."""
    store = folder / "killed"
    command = ours(count, store)
    driver = subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while len(list((store / "encoder").glob("*"))) < count // 2:
        assert driver.poll() is None, "the driver ended before it could be killed"
        time.sleep(0.02)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    return timed(command, folder)


def main() -> None:
    """Time all ways and print seconds and ratios to Ray Tune alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stages", type=int, default=100)
    count = parser.parse_args().stages
    with tempfile.TemporaryDirectory(prefix="orchestration-") as name:
        folder = Path(name)
        rows: list[tuple[str, float, float | None, float | None]] = [
            ("plain subprocesses", plain_processes(count, folder), None, None),
            ("hydra -m, basic launcher", hydra_multirun(count, folder), None, None),
        ]
        if importlib.util.find_spec("hydra_plugins.hydra_joblib_launcher") is not None:
            joblib = ("hydra/launcher=joblib", f"hydra.launcher.n_jobs={WORKERS}")
            rows.append(("hydra -m, joblib launcher", hydra_multirun(count, folder, *joblib), None, None))
        else:
            print("hydra-joblib-launcher is not installed: pip install -e '.[perf]'")
        tunes, firsts = zip(*(take_turns(count, folder, number) for number in range(ROUNDS)), strict=True)
        baseline, first = statistics.median(tunes), statistics.median(firsts)
        rows.append(("Ray Tune alone, warm workers", baseline, None, None))
        cached = timed(ours(count, folder / "store 0"), folder)
        rows.append(("ours", first, cached, after_a_kill(count, folder)))
    print(f"{count} stages of nothing     first run   of Tune's   all cached   after a kill at 50 %")
    for name, seconds, again, rest in rows:
        more = "".join(f"{value:11.1f} s" if value is not None else "    as first" for value in (again, rest))
        print(f"{name:28}{seconds:8.1f} s{seconds / baseline:10.2f} x{more}")
    turns = ", ".join(f"{tune:.1f} s and {own:.1f} s" for tune, own in zip(tunes, firsts, strict=True))
    print(f"Tune alone and ours, turn by turn: {turns}")


if __name__ == "__main__":
    main()
