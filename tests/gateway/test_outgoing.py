"""What a caller's address may lead to."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis.strategies import integers, ip_addresses

from gateway.outgoing import Outgoing, Refused, is_allowed

LOOPBACK = [ip_network("127.0.0.0/8")]
PRIVATE = [ip_network(each) for each in "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16".split()] + [
    ip_network(each) for each in "172.16.0.0/12 192.168.0.0/16 198.18.0.0/15 224.0.0.0/3 192.0.2.0/24".split()
]


def unreachable(tried: list[str]):
    """Stands in for the network: notes whom a connection would be made to, and makes none."""

    def refuse(self, info):
        tried.append(info[4][0])
        raise ConnectionRefusedError

    return refuse


@pytest.fixture
async def outgoing():
    made = Outgoing()
    await made.begin()
    yield made
    await made.close()


@pytest.fixture
async def server():
    """Counts who came, and redirects to itself."""
    came: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        came.append(request.path)
        return web.Response(status=302, headers={"location": "/elsewhere", "set-cookie": "a=b"})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1], came
    await runner.cleanup()


@pytest.mark.parametrize(
    "written",
    "127.0.0.1 10.1.2.3 172.31.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 192.0.0.1 192.0.2.1 198.18.0.1 "
    "224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 ::1 :: fe80::1 fe80::1%eth0 fc00::1 fd00:ec2::254 fec0::1 ff02::1 "
    "ff0e::1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::127.0.0.1 2002:7f00:1:: 2002:a9fe:a9fe::1 64:ff9b::7f00:1 "
    "64:ff9b::a9fe:a9fe 64:ff9b:1::1 2001:db8::1 2001::1 3fff::1 5f00::1 100::1".split(),
)
def test_no_address_is_called_that_is_not_everybodys(written):
    assert not is_allowed(ip_address(written))


@pytest.mark.parametrize(
    "written", "8.8.8.8 93.184.216.34 2606:4700::1 2a00:1450::1 ::ffff:8.8.8.8 2002:808:808:: 64:ff9b::808:808".split()
)
def test_public_addresses_are_called(written):
    assert is_allowed(ip_address(written))


def test_an_allowed_network_is_called_and_no_other_is():
    assert is_allowed(ip_address("127.0.0.1"), LOOPBACK)
    assert is_allowed(ip_address("::ffff:127.0.0.1"), LOOPBACK)
    assert not is_allowed(ip_address("10.0.0.1"), LOOPBACK)
    assert not is_allowed(ip_address("::1"), LOOPBACK)


@given(ip_addresses(v=4))
def test_an_address_in_another_ones_clothes_is_judged_as_itself(inner: IPv4Address):
    judged = is_allowed(inner)
    number = int(inner)
    for clothed in (0xFFFF << 32 | number, 0x2002 << 112 | number << 80, 0x64FF9B << 96 | number):
        assert is_allowed(IPv6Address(clothed)) == judged


@given(integers(0, 2**32 - 1))
def test_nothing_in_a_private_network_is_public(number):
    address = IPv4Address(number)
    assert not (is_allowed(address) and any(address in network for network in PRIVATE))


@given(ip_addresses(v=6))
def test_only_global_unicast_is_public(address: IPv6Address):
    if is_allowed(address) and address.ipv4_mapped is None and address not in ip_network("64:ff9b::/96"):
        assert address in ip_network("2000::/3")


@pytest.mark.parametrize(
    "host",
    "127.0.0.1 127.1 2130706433 0x7f000001 0x7f.1 0177.0.0.1 017700000001 localhost 127.0.0.1. "
    "[::1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::] 0 0.0.0.0 example.com@127.0.0.1 example.com%40@localhost "
    "①②⑦.0.0.1 [64:ff9b::7f00:1] [2002:7f00:1::]".split(),
)
async def test_no_way_of_writing_it_leads_to_this_machine(outgoing, server, host):
    port, came = server
    with pytest.raises(Refused):
        async with outgoing.request("GET", f"http://{host}:{port}/secret"):
            pass
    assert came == []


@pytest.mark.parametrize(
    "host",
    "127.0.0.1 127.1 2130706433 0x7f000001 0x7f.1 0177.0.0.1 017700000001 127.0.0.1. 0 0.0.0.0 10.1.2.3 "
    "169.254.169.254 me:secret@192.168.1.1 [::1] [::ffff:7f00:1] [::] [fe80::1%25eth0] [64:ff9b::7f00:1]".split(),
)
def test_a_number_that_is_not_called_is_objected_to_before_anybody_calls(host):
    why = Outgoing().objection(f"http://{host}:80/hook?token=secret")
    assert why is not None and why.endswith("is not a public address, and this server calls no others.")
    assert "secret" not in why


@pytest.mark.parametrize("host", "127.0.0.1 127.1 8.8.8.8 [2606:4700::1] localhost unknown.example 1.2.3.4.5".split())
def test_nothing_is_objected_to_in_a_name_or_in_what_is_allowed(host, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("a name was looked up"))
    assert Outgoing(LOOPBACK).objection(f"https://{host}/") is None


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.com/", "ws://example.com/", "//example.com", ""])
async def test_nothing_but_http_is_spoken(outgoing, url):
    with pytest.raises(Refused):
        async with outgoing.request("GET", url):
            pass


async def test_what_is_connected_to_is_what_was_looked_at(server, monkeypatch):
    """A name server that answers with a public address first and with this machine's after that."""
    port, came = server
    answers = ["93.184.216.34", "127.0.0.1"]
    tried: list[str] = []

    async def resolve(self, host, port=0, family=socket.AF_INET):
        found = answers.pop(0)
        return [{"hostname": host, "host": found, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}]

    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", resolve)
    monkeypatch.setattr(Outgoing, "_socket", unreachable(tried))
    made = Outgoing()
    await made.begin()
    with pytest.raises(aiohttp.ClientConnectorError):
        async with made.request("GET", f"http://rebinding.example:{port}/"):
            pass
    assert answers == ["127.0.0.1"], "one look for one connection"
    with pytest.raises(Refused, match=r"rebinding\.example is not a public address"):
        async with made.request("GET", f"http://rebinding.example:{port}/"):
            pass
    await made.close()
    assert tried == ["93.184.216.34"]
    assert came == []


async def test_a_name_with_one_public_address_is_called_there_alone(outgoing, monkeypatch):
    async def resolve(self, host, port=0, family=socket.AF_INET):
        each = {"hostname": host, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
        return [{**each, "host": "10.0.0.1"}, {**each, "host": "93.184.216.34"}]

    tried: list[str] = []
    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", resolve)
    monkeypatch.setattr(Outgoing, "_socket", unreachable(tried))
    made = Outgoing()
    await made.begin()
    with pytest.raises(aiohttp.ClientConnectorError):
        async with made.request("GET", "http://both.example/"):
            pass
    await made.close()
    assert tried == ["93.184.216.34"]


async def test_allowed_networks_are_reached_redirects_not_followed_and_cookies_not_kept(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    port, came = server
    made = Outgoing(LOOPBACK)
    await made.begin()
    for _ in range(2):
        async with made.request("GET", f"http://localhost:{port}/here") as response:
            assert response.status == 302
            assert "cookie" not in response.request_info.headers
    await made.close()
    assert came == ["/here", "/here"]
