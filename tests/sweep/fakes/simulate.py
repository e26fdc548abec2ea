"""A Ray cluster of several nodes on this machine: `python simulate.py`, which then answers commands.

    add CPUS      starts a node
    remove PID    removes the node on which the process PID runs, without a word to it
    clear         removes all nodes but the head, which has no CPUs
    left          actors and placement groups that there are

Each is a line, and so is its answer, in JSON. The end of the input ends the cluster.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.update(
    RAY_AUTH_MODE="disabled", RAY_USAGE_STATS_ENABLED="0", RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0"
)

import psutil
import ray
from ray._common.utils import get_default_ray_temp_dir
from ray._private import state
from ray.cluster_utils import Cluster

MEMORY = 80 << 20


def answer(cluster: Cluster, nodes: list[Any], word: str, *numbers: str) -> object:
    if word == "add":
        nodes.append(cluster.add_node(num_cpus=int(numbers[0]), object_store_memory=MEMORY))
    elif word == "remove":
        family = {int(numbers[0]), *(parent.pid for parent in psutil.Process(int(numbers[0])).parents())}
        (node,) = [node for node in nodes if node.all_processes["raylet"][0].process.pid in family]
        nodes.remove(node)
        cluster.remove_node(node, allow_graceful=False)
    elif word == "clear":
        while nodes:
            cluster.remove_node(nodes.pop())
    elif word == "left":
        groups = ray.util.placement_group_table().values()
        return {
            "actors": [actor for actor in state.actors().values() if actor["State"] != "DEAD"],
            "groups": [group for group in groups if group["state"] != "REMOVED"],
        }
    return None


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Ray prints what it thinks of a lost node
    # Ray notes the address of a cluster here whatever `temp_dir` is, and does not make the folder.
    Path(get_default_ray_temp_dir()).mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="cambrian-cluster-") as scratch:
        head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": MEMORY, "temp_dir": scratch}
        cluster, nodes = Cluster(initialize_head=True, head_node_args=head), []
        ray.init(address=cluster.address, log_to_driver=False, logging_level="CRITICAL")
        print(json.dumps(cluster.address), file=answers, flush=True)
        for line in sys.stdin:
            print(json.dumps(answer(cluster, nodes, *line.split())), file=answers, flush=True)
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    main()
