"""What is found out before work begins: whether there is a cluster, and whether a machine has the store."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from cambrian.errors import UserError
from cambrian.runtime import Runtime
from cambrian.stages.job import Job
from cambrian.sweep.ray_cluster import LOOPBACK_ALONE, reach


def test_an_address_at_which_nobody_listens_is_refused_at_once() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(UserError, match=rf"^no Ray cluster at {address}: .* `ray start --head --port="):
            reach(address)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Ray has loopback alone anyway")
def test_a_cluster_that_is_bound_to_loopback_is_told_from_one_that_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert reach(f"127.0.0.1:{port}") == reach(f"localhost:{port}") == LOOPBACK_ALONE
    with socket.create_server(("", 0)) as server:
        assert reach(f"127.0.0.1:{server.getsockname()[1]}") == {}


def test_what_ray_finds_by_itself_is_left_to_it() -> None:
    assert reach("auto") == {}


def test_a_machine_that_does_not_see_the_store_is_named(tmp_path: Path) -> None:
    from cambrian.stages.spread import Outpost  # Ray

    job = Job(
        function="regression:run",
        recipe={},
        inputs={},
        payload=tmp_path / "payload",
        workdir=tmp_path / "work",
        runtime=Runtime(store=tmp_path, processes=2, spread=True),
        rank=1,
        count=2,
        rendezvous="tcp://10.0.0.5:29500",
    )
    with pytest.raises(UserError, match=r"the store is not on machine .*, where worker 1 of 2 is to run: "):
        Outpost().start(job)
