"""Read by every Python that has this folder on its PYTHONPATH: driver and workers know the fake stages."""

import os

import fake_ladder
import fake_stages

from cambrian.stages.base import KINDS

KINDS.update(fake_ladder.FAKES if "LADDER" in os.environ else fake_stages.FAKES)
