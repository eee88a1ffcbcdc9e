"""A Redis Cluster: three masters, which share the slots."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import pytest

from tests.redis_server import HOST, RedisProcess, redis_process
from tests.serving import ask_until

SLOTS = 16_384


class Nodes(NamedTuple):
    """The Cluster, and its servers."""

    url: str
    nodes: list[RedisProcess]


@contextmanager
def cluster() -> Iterator[Nodes]:
    """Three nodes that answer for all slots; some seconds."""
    with ExitStack() as stack:
        words = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
        nodes = [stack.enter_context(redis_process(*words)) for _ in range(3)]
        for index, node in enumerate(nodes):
            first, last = SLOTS * index // 3, SLOTS * (index + 1) // 3
            node.ask("CLUSTER", "ADDSLOTS", *range(first, last))
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
            node.ask("CLUSTER", "MEET", HOST, nodes[0].port)
        ask_until(lambda: all(_whole(node) for node in nodes), 30)
        yield Nodes(f"redis+cluster://{HOST}:{nodes[0].port},{HOST}:{nodes[1].port}", nodes)


def _whole(node: RedisProcess) -> bool:
    told = node.ask("CLUSTER", "INFO")
    return b"cluster_state:ok" in told and b"cluster_known_nodes:3" in told


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[Nodes]:
    """One Cluster for the whole run. Use names of your own, and delete nothing that is not yours."""
    with cluster() as nodes:
        yield nodes
