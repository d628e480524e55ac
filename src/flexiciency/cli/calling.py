"""The Market Place, providers and DSOs as the commands of Market Players and customers' channels call them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TypeVar

from cryptography import x509

from flexiciency.client import (
    ClientSettings,
    CustomerChannel,
    Identity,
    MarketPlace,
    MarketPlayer,
    Page,
    ServiceOffer,
    ServiceSubscription,
    TrustAnchors,
    pages,
)
from flexiciency.config import PlayerSettings, SettingMissing
from flexiciency.errors import FileInvalid, GatewayError
from flexiciency.soap.posting import check_url
from flexiciency.wire.identity import fingerprint_of

T = TypeVar("T")

MOST_ON_A_PAGE = 1_000
_AGAIN = ClientSettings(retries=2)
"""A call that got no answer is sent twice more, with its MessageID, so that nothing is done twice."""


@contextmanager
def market_place(newcomer_id: str | None = None) -> Iterator[MarketPlace]:
    """The Market Place for our registration, or for one that is about to enrol. Raises SettingMissing, FileInvalid."""
    settings = PlayerSettings()
    registration_id = _needed("registration_id", newcomer_id or settings.registration_id)
    url = _needed("market_place_url", settings.market_place_url)
    try:
        check_url(url)
    except ValueError as error:
        raise FileInvalid(f"market_place_url: {error}") from None
    identity, anchors = _own_keys()
    pinned = _read("market_place_certificate_file", settings.market_place_certificate_file, _fingerprints)
    with MarketPlace(identity, registration_id, url, anchors, fingerprints=pinned, settings=_AGAIN) as client:
        yield client


@contextmanager
def channel(channel_id: str, dso_id: str, url: str, certificate: Path | None) -> Iterator[CustomerChannel]:
    """A DSO's B2C interface for a customers' channel with our key; `certificate` pins it.

    Raises SettingMissing, FileInvalid.
    """
    identity, anchors = _own_keys()
    pinned = None if certificate is None else _read("--dso-certificate", certificate, _fingerprints)
    with CustomerChannel(
        identity, channel_id, dso_id, url, anchors, dso_fingerprints=pinned, settings=_AGAIN
    ) as client:
        yield client


@contextmanager
def provider(provider_id: str, url: str, certificate: Path | None) -> Iterator[MarketPlayer]:
    """A provider's B2B interface for our registration; `certificate` pins it. Raises SettingMissing, FileInvalid."""
    settings = PlayerSettings()
    registration_id = _needed("registration_id", settings.registration_id)
    identity, anchors = _own_keys()
    pinned = None if certificate is None else _read("--provider-certificate", certificate, _fingerprints)
    with MarketPlayer(
        identity, registration_id, provider_id, url, anchors, provider_fingerprints=pinned, settings=_AGAIN
    ) as client:
        yield client


def _own_keys() -> tuple[Identity, TrustAnchors]:
    """Our key and whom we trust. Raises SettingMissing, FileInvalid."""
    settings = PlayerSettings()
    key = _read("key_file", settings.key_file, bytes)
    identity = _read("certificate_file", settings.certificate_file, lambda pem: Identity.from_pem(key, pem))
    return identity, _read("trust_file", settings.trust_file, TrustAnchors.from_pem)


def own_certificate() -> x509.Certificate:
    """The certificate that we sign with. Raises SettingMissing, FileInvalid."""
    return _read("certificate_file", PlayerSettings().certificate_file, x509.load_pem_x509_certificate)


def every(find: Callable[[str | None], Page[T]]) -> Iterator[T]:
    """All that is found, page by page as it is taken."""
    return chain.from_iterable(page.items for page in pages(find))


def offers_of(client: MarketPlace, supplier: str | None) -> Iterator[ServiceOffer]:
    """The published offers of a registration; None: of all."""
    return every(lambda cursor: client.find_offers(supplier=supplier, page_size=MOST_ON_A_PAGE, cursor=cursor))


def subscriptions_of(client: MarketPlace, requester: str | None) -> Iterator[ServiceSubscription]:
    """The published subscriptions of a registration; None: of all."""
    return every(lambda cursor: client.find_subscriptions(requester=requester, page_size=MOST_ON_A_PAGE, cursor=cursor))


def _fingerprints(pem: bytes) -> list[str]:
    return [fingerprint_of(certificate) for certificate in x509.load_pem_x509_certificates(pem)]


def _read(setting: str, value: Path | None, read: Callable[[bytes], T]) -> T:
    """What a file says that a setting names."""
    file = _needed(setting, value)
    try:
        return read(file.read_bytes())
    except OSError as error:
        raise FileInvalid(f"{setting} {file} cannot be read ({error.strerror}).") from None
    except (ValueError, GatewayError) as error:
        raise FileInvalid(f"{setting} {file} cannot be used: {' '.join(str(error).split())}") from None


def _needed(setting: str, value: T | None) -> T:
    if value is None:
        raise SettingMissing(
            f"{setting} is not set. Set it in flexiciency.toml or as FLEXICIENCY_{setting.upper()}; see docs/run.md."
        )
    return value
