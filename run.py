"""Train and evaluate multimodal LLMs that differ in their vision design.

python run.py                                                    one run
python run.py -m encoder=siglip,dinov2 connector=sva             a grid of runs, sharing what can be shared
python run.py -m encoder=siglip,dinov2 adapter=0M,1.2M plan=true what would run, and what it would cost
"""

from __future__ import annotations

import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from cambrian.errors import ConfigError, leaving_on_user_error
from cambrian.sweep.grid import check_overrides, spell_out


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(config: DictConfig) -> None:
    """Execute one point in this process, composed from its words as every point of a sweep is."""
    from cambrian.sweep.session import run_single  # late: --help and --cfg need none of it

    with leaving_on_user_error():
        sys.exit(run_single(HydraConfig.get().overrides.task))


def check_command_line(words: list[str]) -> None:
    """Report every unknown name and wrong type on the command line at once, before Hydra stops at the first.

    Raises:
        ConfigError: with one line per fault.
    """
    faults = check_overrides([word for word in words if "=" in word and not word.startswith("-")])
    if faults:
        raise ConfigError(faults)


if __name__ == "__main__":
    sys.argv[1:] = spell_out(sys.argv[1:])
    with leaving_on_user_error():
        check_command_line(sys.argv[1:])
    main()
