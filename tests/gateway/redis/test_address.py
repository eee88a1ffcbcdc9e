"""Addresses of Redis: every form, what is wrong with the others, and passwords that stay unseen."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.redis.address import Address, AddressError


def test_one_server_by_host() -> None:
    address = Address.parse("redis://example.org")
    assert (address.kind, address.hosts, address.db, address.tls) == ("single", (("example.org", 6379),), 0, False)
    assert (address.username, address.password) == (None, None)


def test_one_server_with_everything() -> None:
    address = Address.parse("rediss://ann:p%40ss%2Fword@[::1]:6380/3?ssl_ca_certs=/ca.pem&ssl_check_hostname=no")
    assert (address.hosts, address.db, address.tls) == ((("::1", 6380),), 3, True)
    assert (address.username, address.password) == ("ann", "p@ss/word")
    assert address.options == {"ssl_ca_certs": "/ca.pem", "ssl_check_hostname": False}
    assert address.shown == "rediss://ann:***@[::1]:6380/3"


def test_one_server_by_its_socket() -> None:
    address = Address.parse("unix://:secret@/run/red%20is.sock?db=2")
    assert (address.kind, address.path, address.hosts, address.db) == ("single", "/run/red is.sock", (), 2)
    assert address.password == "secret"
    assert Address.parse("unix:///a?username=ann&password=x").username == "ann"


def test_sentinel_names_a_service() -> None:
    address = Address.parse("redis+sentinel://:pw@a,b:5000/mymaster/1?sentinel_password=other")
    assert (address.kind, address.hosts) == ("sentinel", (("a", 26379), ("b", 5000)))
    assert (address.service, address.db, address.password) == ("mymaster", 1, "pw")
    assert address.options == {"sentinel_password": "other"}
    assert address.shown == "redis+sentinel://:***@a:26379,b:5000/mymaster/1"


def test_cluster_has_many_nodes_and_one_database() -> None:
    address = Address.parse("rediss+cluster://ann:pw@a:7000,b:7001")
    assert (address.kind, address.tls, address.hosts) == ("cluster", True, (("a", 7000), ("b", 7001)))
    assert Address.parse("redis+cluster://a/0").db == 0
    with pytest.raises(AddressError, match="database 0 alone"):
        Address.parse("redis+cluster://a/1")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "begins with redis://"),
        ("localhost:6379", "begins with redis://"),
        ("http://localhost", "begins with redis://"),
        ("redis://", r"redis://\[\[USER\]:PASSWORD@\]HOST\[:PORT\]"),
        ("redis://:6379", "reads redis://"),
        ("redis://host:99999", "reads redis://"),
        ("redis://host:0", "reads redis://"),
        ("redis://host/1/2", "reads redis://"),
        ("redis://host/first", "is a number"),
        ("redis://a,b", "names one server"),
        ("unix://run/redis.sock", "three slashes"),
        ("unix://", "three slashes"),
        ("redis+sentinel://a,b", "/SERVICE"),
        ("redis+cluster://a,,b", "HOST:PORT|HOST\\[:PORT\\]"),
        ("redis://host?ssl_ca_certs=x", "go with rediss"),
        ("rediss://host?protocol=3", "may stand username, password, db, ssl_ca_certs"),
        ("rediss://host?ssl_cert_reqs=maybe", "required, optional or none"),
        ("rediss://host?ssl_check_hostname=maybe", "true or false"),
        ("redis://:pass/word@host", "as %3A %2F"),
        ("redis://:pass#word@host", "as %3A %2F"),
        ("redis://:pass?word@host", "as %3A %2F"),
        ("redis://:pass[word@host", "as %3A %2F"),
    ],
)
def test_a_url_that_will_not_do_is_answered_with_what_to_write(url: str, told: str) -> None:
    with pytest.raises(AddressError, match=told):
        Address.parse(url)


SECRET = "Xq7Zw9"


@given(
    scheme=st.sampled_from(["redis", "rediss", "unix", "redis+sentinel", "redis+cluster", "http", ""]),
    before=st.text(":/?#[]@%, a", max_size=4),
    after=st.text(":/?#[]@%, a", max_size=6),
    place=st.sampled_from(["host", "host:1", "h,h", "/path", "host/x", "host/0?ssl=1", ""]),
)
@example(scheme="redis", before=":", after="", place="host")
@example(scheme="unix", before=":", after="", place="/path")
def test_a_password_is_never_shown(scheme: str, before: str, after: str, place: str) -> None:
    url = f"{scheme}://:{before}{SECRET}{after}@{place}"
    try:
        address = Address.parse(url)
    except AddressError as error:
        assert SECRET not in str(error) + repr(error)
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None
    else:
        assert address.password is None or SECRET not in str(address) + repr(address) + address.shown + f"{address}"


def test_parsing_needs_no_client() -> None:
    told = "import sys, gateway.redis.address as a; a.Address.parse('redis://h'); print('redis' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "False"
