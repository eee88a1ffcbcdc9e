"""What is shown of a webhook's address."""

from __future__ import annotations

import pytest

from gateway.webhooks import address


@pytest.mark.parametrize(
    ("url", "host", "shown"),
    [
        ("https://a.example/hook?token=s3cret", "a.example", "https://a.example/hook"),
        ("https://A.example:8443/a/b#s3cret", "a.example:8443", "https://A.example:8443/a/b"),
        ("https://me:s3cret@a.example", "a.example", "https://a.example"),
        ("https://me:s3@cret@a.example/p", "a.example", "https://a.example/p"),
        ("http://[::1]:80/p?s3cret", "[::1]:80", "http://[::1]:80/p"),
        ("http://a.example?s3cret@b.example/", "a.example", "http://a.example"),
        ("s3cret", "", ""),
    ],
)
def test_no_secret_of_an_address_is_shown(url, host, shown):
    assert (address.host(url), address.shown(url)) == (host, shown)
