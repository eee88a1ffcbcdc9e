"""What clients send to a Redis is told apart from what its scripts run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from redis import Redis

from loadtest.monitor import Sent, count, monitor
from loadtest.redis import Traffic, redis_server
from loadtest.servers import free_port
from tests.waiting import until

TOLD = (
    b'+OK\r\n+1.5 [0 127.0.0.1:1] "evalsha" "f00" "0"\r\n+1.5 [0 lua] "hset" "key" "a\\r\\n+1 [0 lua]x" "b"\r\n'
    b'+1.6 [0 127.0.0.1:1] "get" "key"\r\n'
)


def test_a_command_within_a_script_was_sent_by_nobody() -> None:
    assert count(TOLD) == Sent(by_clients=2, within_scripts=1)


async def test_a_redis_tells_what_it_is_asked(tmp_path: Path) -> None:
    port = free_port()
    with redis_server(port, tmp_path), Redis(port=port, socket_timeout=5) as client, ThreadPoolExecutor(1) as aside:
        before = Traffic.of(client)
        watching = aside.submit(monitor, port, 0.0, 1.0)
        await until(lambda: any(one["cmd"] == "monitor" for one in client.client_list()))
        asked = client.info("stats")["total_commands_processed"]
        for number in range(5):
            client.eval("redis.call('set', KEYS[1], 'x'); redis.call('get', KEYS[1])", 1, f"key {number}")
        sent = watching.result(timeout=10)
        traffic = Traffic.of(client).less(before)
    assert asked and sent.within_scripts == 10
    assert sent.by_clients >= 5
    assert (traffic.commands["eval"], traffic.commands["set"], traffic.commands["get"]) == (5, 5, 5)
    assert "info" not in traffic.commands
    assert traffic.bytes_in > 5 * len("redis.call") and traffic.bytes_out > 0
