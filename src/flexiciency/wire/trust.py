"""Which certificates we accept: issued by, or being, one of the anchors, and valid now."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtensionOID

from flexiciency.errors import AlgorithmRefused, CertificateExpired, CertificateUntrusted, SecurityError
from flexiciency.wire.identity import describe, fingerprint_of, valid_between
from flexiciency.wire.keys import PublicKey, usable_public_key

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)

CLOCK_SKEW = timedelta(seconds=60)
_LONGEST_CHAIN = 5
_MOST_REMEMBERED = 10_000
_MOST_NAMED = 5
_HASHES = ("sha256", "sha384", "sha512")
_UNDERSTOOD = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.CERTIFICATE_POLICIES,
    }
)


@dataclass(frozen=True)
class _Window:
    """When every certificate of a chain is valid."""

    first: datetime
    last: datetime


class TrustAnchors:
    """The CA, intermediate and single certificates that the operator trusts.

    A sender's certificate is accepted when it is an anchor itself or is issued by one; the chain is followed as far
    up as the anchors go, and each certificate on it must be valid. Accepted ones are remembered until
    the first of their chain expires. Revocation lists are not read: an operator withdraws the MPL-AUT instead.
    """

    def __init__(self, certificates: Iterable[x509.Certificate], *, clock_skew: timedelta = CLOCK_SKEW) -> None:
        self._anchors = {fingerprint_of(certificate): certificate for certificate in certificates}
        self._clock_skew = clock_skew
        self._accepted: dict[x509.Certificate, _Window] = {}

    @classmethod
    def from_pem(cls, *bundles: bytes, clock_skew: timedelta = CLOCK_SKEW) -> "TrustAnchors":
        """From PEM texts of one or more certificates each; ValueError when one cannot be read."""
        certificates = [one for bundle in bundles for one in x509.load_pem_x509_certificates(bundle)]
        return cls(certificates, clock_skew=clock_skew)

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """The anchors, in the order given."""
        return tuple(self._anchors.values())

    def check(self, certificate: x509.Certificate, now: datetime) -> None:
        """Raises CertificateUntrusted, CertificateExpired or AlgorithmRefused; `now` is aware."""
        window = self._accepted.get(certificate)
        if window is None or not self._covers(window, now):
            window = self._examine(certificate, now)
            if len(self._accepted) >= _MOST_REMEMBERED:
                self._accepted.clear()
            self._accepted[certificate] = window

    def _covers(self, window: _Window, now: datetime) -> bool:
        return window.first - self._clock_skew <= now <= window.last + self._clock_skew

    def _examine(self, certificate: x509.Certificate, now: datetime) -> _Window:
        check_readable(certificate)
        key_of(certificate)
        _check_extensions(certificate)
        _check_may_sign(certificate)
        if fingerprint_of(certificate) in self._anchors:
            self._check_valid(certificate, now)
            return _Window(*valid_between(certificate))
        _check_hash(certificate)
        return self._check_chain(certificate, now, 0)

    def _check_chain(self, certificate: x509.Certificate, now: datetime, issuers_below: int) -> _Window:
        """The window of the certificate and the chain above it; the first complaint when no chain will do."""
        self._check_valid(certificate, now)
        own = _Window(*valid_between(certificate))
        complaint: SecurityError | None = None
        for issuer in self._issuers(certificate):
            try:
                _check_may_issue(issuer, certificate, issuers_below)
                above = self._check_chain(issuer, now, issuers_below + 1)
                return _Window(max(own.first, above.first), min(own.last, above.last))
            except SecurityError as error:
                complaint = complaint or error
        if complaint:
            raise complaint
        if fingerprint_of(certificate) in self._anchors:
            return own
        raise CertificateUntrusted(self._no_issuer(certificate))

    def _issuers(self, certificate: x509.Certificate) -> Iterator[x509.Certificate]:
        """Anchors whose key signed the certificate; none above a self-signed one."""
        if certificate.issuer == certificate.subject:
            return
        for anchor in self._anchors.values():
            if anchor.subject == certificate.issuer and _issued_by(certificate, anchor):
                yield anchor

    def _check_valid(self, certificate: x509.Certificate, now: datetime) -> None:
        first, last = valid_between(certificate)
        if not self._covers(_Window(first, last), now):
            state = "is not valid yet" if now < first else "has expired"
            raise CertificateExpired(
                f"A certificate {state} at {now:%Y-%m-%dT%H:%M:%SZ}: {describe(certificate)}. "
                "Sign with a certificate that is valid now, or correct the clock."
            )

    def _no_issuer(self, certificate: x509.Certificate) -> str:
        names = sorted({anchor.subject.rfc4514_string() for anchor in self._anchors.values()})
        expected = "; ".join(f'"{name}"' for name in names[:_MOST_NAMED]) or "none are configured"
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        return (
            f"No trusted CA issued the certificate: {describe(certificate)}. Trusted issuers: {expected}{more}. Have "
            "the certificate issued by one of them, or have its issuer (an intermediate with its own name) trusted."
        )


def _issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _check_may_issue(issuer: x509.Certificate, certificate: x509.Certificate, issuers_below: int) -> None:
    """RFC 5280, 4.2.1.3 and 4.2.1.9."""
    check_readable(issuer)
    key_of(issuer)
    _check_extensions(issuer)
    constraints = _extension(issuer, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        raise CertificateUntrusted(
            f"The issuer is no CA (basicConstraints): {describe(issuer)}; it cannot issue {describe(certificate)}."
        )
    if constraints.path_length is not None and constraints.path_length < issuers_below:
        raise CertificateUntrusted(f"The chain is longer than its CA allows (path length): {describe(issuer)}.")
    if issuers_below >= _LONGEST_CHAIN:
        raise CertificateUntrusted(f"The chain has more than {_LONGEST_CHAIN} issuers, up to {describe(issuer)}.")
    usage = _extension(issuer, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        raise CertificateUntrusted(
            f"The issuer's keyUsage does not allow it to issue certificates: {describe(issuer)}."
        )


def _check_hash(certificate: x509.Certificate) -> None:
    hash_ = certificate.signature_hash_algorithm
    if hash_ is None or hash_.name not in _HASHES:
        raise AlgorithmRefused(
            f"The certificate is signed with {hash_.name if hash_ else 'an unknown hash'}; expected SHA-256 or better: "
            f"{describe(certificate)}. Have it issued anew."
        )


def _check_may_sign(certificate: x509.Certificate) -> None:
    usage = _extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.digital_signature:
        raise CertificateUntrusted(
            f"The certificate's keyUsage lacks digitalSignature: {describe(certificate)}. "
            "Have a certificate issued for signing."
        )


def check_readable(certificate: x509.Certificate) -> None:
    """Raises CertificateUntrusted when a field is malformed; the library reads them only when asked."""
    try:
        describe(certificate)
        _ = certificate.extensions, certificate.signature_hash_algorithm
    except (
        TypeError,
        ValueError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise CertificateUntrusted(
            f"The certificate with the SHA-256 fingerprint {fingerprint_of(certificate)} is malformed ({error}). "
            "Have it issued anew."
        ) from error


def key_of(certificate: x509.Certificate) -> PublicKey:
    """The key of a readable certificate; AlgorithmRefused when it is outside the profile."""
    try:
        return usable_public_key(certificate.public_key())
    except (UnsupportedAlgorithm, ValueError) as error:
        raise AlgorithmRefused(f"The certificate's key cannot be used ({error}): {describe(certificate)}.") from error


def _check_extensions(certificate: x509.Certificate) -> None:
    critical = {extension.oid for extension in certificate.extensions if extension.critical}
    unknown = sorted(oid.dotted_string for oid in critical - _UNDERSTOOD)
    if unknown:
        raise CertificateUntrusted(
            f"The certificate has critical extensions that are not supported ({', '.join(unknown)}): "
            f"{describe(certificate)}."
        )


def _extension(certificate: x509.Certificate, kind: type[_Kind]) -> _Kind | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
