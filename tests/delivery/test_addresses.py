"""Where we do not send."""

from ipaddress import ip_address

import pytest

from models.delivery.addresses import Allowed, fault_of, is_public

NOWHERE_OUT_THERE = [
    "0.0.0.0",  # noqa: S104  (refused)
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.1.2.3",
    "::ffff:0:a00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "fc00::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", NOWHERE_OUT_THERE)
def test_our_own_network_is_not_out_there(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.215.14", "::ffff:1.1.1.1", "64:ff9b::101:101", "2606:4700::1", "2002:101:101::1"]
)
def test_the_world_is(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example",
        "ftp://hooks.example/",
        "https://",
        "https:///path",
        "https://hooks.example:0/",
        "https://hooks.example:99999/",
        "https://user@hooks.example/",
        "https://user:secret@hooks.example/",
        "https://hooks.example/#part",
        "https://hooks.example/a b",
        "https://hooks.example/\r\nX: y",
        "https://hooks.example\\@127.0.0.1/",
        "https://bücher.example/",
        "https://[::1/",
        "http://hooks.example/",
        "https://127.0.0.1/",
        "https://10.0.0.1:8443/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
    ],
)
def test_a_url_that_will_not_do_is_refused_with_a_reason(url: str) -> None:
    assert fault_of(url, Allowed())


@pytest.mark.parametrize("url", ["https://hooks.example", "https://hooks.example:8443/a?b=c%20d", "https://1.1.1.1/"])
def test_a_url_that_will_do_is_not(url: str) -> None:
    assert fault_of(url, Allowed()) is None


def test_an_installation_may_allow_more() -> None:
    assert fault_of("http://hooks.example/", Allowed(plain_http=True)) is None
    assert fault_of("https://127.0.0.1/", Allowed(private=True)) is None
    assert fault_of("http://127.0.0.1/", Allowed(private=True))
    assert fault_of("http://127.0.0.1/", Allowed(plain_http=True))
