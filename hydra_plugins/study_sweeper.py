"""The door through which `python run.py -m ...` reaches cambrian.sweep; Hydra finds it beside run.py."""

# No `from __future__ import annotations` here: Hydra executes plugin modules before they are registered,
# and dataclasses with postponed annotations fail then (Python 3.11).
import sys
from dataclasses import dataclass
from typing import Optional

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class StudySweeperConfig:
    """Configuration of the sweeper: it has none of its own."""

    _target_: str = "hydra_plugins.study_sweeper.StudySweeper"


class StudySweeper(Sweeper):
    """Executes all points of a grid as one plan instead of one job after the other."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Nothing to keep: the words of the command line say it all."""

    def sweep(self, arguments: list[str]) -> Optional[int]:  # noqa: UP045 - see above
        """Plan and execute the grid, then leave with its exit code."""
        from cambrian.errors import leaving_on_user_error  # late: Hydra loads this module at every start
        from cambrian.sweep.session import run_sweep

        with leaving_on_user_error():
            sys.exit(run_sweep(arguments))


ConfigStore.instance().store(
    group="hydra/sweeper", name="study", node=StudySweeperConfig, provider="cambrian"
)
