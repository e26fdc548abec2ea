"""Looking for a cluster before Ray does, which would try for minutes."""

from __future__ import annotations

import socket
import sys

import pytest

from cambrian.errors import UserError
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
