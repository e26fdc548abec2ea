"""The nothing as a Hydra application, for `hydra -m` with its own launchers."""

from __future__ import annotations

import hydra
from noop import work
from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path=None, config_name=None)
def main(config: DictConfig) -> None:
    """Do nothing once."""
    work()


if __name__ == "__main__":
    main()
