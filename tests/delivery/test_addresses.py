"""Where pushes may go: https and public, unless the operator allows the host."""

import pytest

from flexiciency.delivery.addresses import PushAddresses
from flexiciency.errors import PartnerUnreachable

STRICT = PushAddresses(frozenset())
ALLOWING = PushAddresses(frozenset({"10.0.0.1", "localhost", "::1"}))


@pytest.mark.parametrize("host", ["8.8.8.8", "[2001:4860:4860::8888]", "8.8.8.8:8443"])
def test_a_public_host_may_be_pushed_to_over_https(host: str) -> None:
    STRICT.check(f"https://{host}/v1/services/market-player")


@pytest.mark.parametrize("url", ["http://8.8.8.8/", "ftp://8.8.8.8/", "https:///nothing", "8.8.8.8"])
def test_nothing_but_https_leaves_the_machine(url: str) -> None:
    for addresses in (STRICT, ALLOWING):
        with pytest.raises(PartnerUnreachable, match="https"):
            addresses.check(url)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.1",
        "[::1]", "[::ffff:10.0.0.1]", "[fd00::1]", "[fe80::1]", "2130706433", "0x7f.1",
    ],
)  # fmt: skip
def test_a_host_in_a_private_network_may_not_be_pushed_to(host: str) -> None:
    with pytest.raises(PartnerUnreachable, match="not public"):
        STRICT.check(f"https://{host}/")


@pytest.mark.parametrize("url", ["https://10.0.0.1/", "https://localhost/", "http://localhost:1/", "https://[::1]/"])
def test_a_host_that_the_operator_allows_may_be_pushed_to(url: str) -> None:
    ALLOWING.check(url)


def test_a_host_that_is_allowed_allows_no_other() -> None:
    with pytest.raises(PartnerUnreachable, match="not public"):
        ALLOWING.check("https://10.0.0.1@192.168.0.1/")


@pytest.mark.parametrize("host", ["nobody.invalid", "a..example", "a" * 64 + ".example"])
def test_a_host_without_an_address_is_unreachable(host: str) -> None:
    with pytest.raises(PartnerUnreachable, match="No address is known"):
        STRICT.check(f"https://{host}/")
