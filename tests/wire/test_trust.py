from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from flexiciency.errors import AlgorithmRefused, CertificateExpired, CertificateUntrusted
from flexiciency.wire.trust import TrustAnchors
from tests.wire.certificates import Made, ca, make, usage, with_sha_1
from tests.wire.parties import DAY, NOW, authority, identity


def check(leaf: Made, *anchors: Made, now: datetime = NOW) -> None:
    TrustAnchors([anchor.certificate for anchor in anchors]).check(leaf.certificate, now)


ROOT = ca("Root")
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
MIDDLE = ca("Middle", ROOT)
LEAF = make("Leaf", MIDDLE, usage("digital_signature"))


@pytest.mark.parametrize("anchors", [(ROOT, MIDDLE), (MIDDLE, ROOT), (MIDDLE,), (LEAF,), (LEAF, ROOT)])
def test_a_chain_up_to_what_is_trusted_is_accepted(anchors: tuple[Made, ...]) -> None:
    check(LEAF, *anchors)


def test_key_usage_may_be_absent() -> None:
    check(make("Leaf", ROOT), ROOT)


def test_a_renewed_ca_of_the_same_name_is_accepted_beside_the_old_one() -> None:
    old = ca("Root", until=NOW - DAY)
    check(make("Leaf", ROOT), old, ROOT)
    check(make("Leaf", ROOT), ROOT, old)


def refusals() -> Iterator[tuple[str, Made, tuple[Made, ...], type[Exception], str]]:
    untrusted, expired, refused = CertificateUntrusted, CertificateExpired, AlgorithmRefused
    past = NOW - DAY
    yield "no anchors", LEAF, (), untrusted, "none are configured"
    yield "missing intermediate", LEAF, (ROOT,), untrusted, 'issuer "CN=Middle".*Trusted issuers: "CN=Root"'
    yield "self-signed", make("Leaf"), (ROOT,), untrusted, "No trusted CA issued"
    yield "same name, other key", make("Leaf", ca("Root")), (ROOT,), untrusted, "No trusted CA issued"
    yield "issuer is no CA", make("L", LEAF), (LEAF, MIDDLE), untrusted, "issuer is no CA"
    no_ca = make("No CA", None, x509.BasicConstraints(ca=False, path_length=None))
    yield "issuer says it is no CA", make("L", no_ca), (no_ca,), untrusted, "issuer is no CA"
    cannot = make("Cannot", None, x509.BasicConstraints(ca=True, path_length=None), usage("digital_signature"))
    yield "issuer may not issue", make("L", cannot), (cannot,), untrusted, "keyUsage does not allow"
    flat = ca("Flat", length=0)
    below = ca("Below", flat)
    yield "chain too long", make("L", below), (below, flat), untrusted, "path length"
    yield "key usage", make("L", ROOT, usage("key_encipherment")), (ROOT,), untrusted, "lacks digitalSignature"
    constrained = make("L", ROOT, x509.InhibitAnyPolicy(0))
    yield "unknown critical extension", constrained, (ROOT,), untrusted, "critical extensions"
    yield "expired", make("L", ROOT, until=past), (ROOT,), expired, r'expired.*"CN=L".*to 2026-11-22T12:00:00Z'
    outdated = make("L", until=past)
    yield "expired, trusted directly", outdated, (outdated,), expired, "has expired"
    yield "not valid yet", make("L", ROOT, since=NOW + DAY), (ROOT,), expired, "not valid yet"
    old = ca("Old", until=past)
    yield "issuer expired", make("L", old), (old,), expired, 'subject "CN=Old"'
    new = ca("New", old)
    yield "root expired", make("L", new), (new, old), expired, 'subject "CN=Old"'
    old_ca = make("Root", None, x509.BasicConstraints(ca=True, path_length=None), key=RSA)
    yield "SHA-1", with_sha_1(make("L", old_ca)), (old_ca,), refused, "signed with sha1"
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 -- it must be refused
    yield "RSA-1024", make("L", ROOT, key=weak), (ROOT,), refused, "RSA of 1024 bits"
    weak_ca = make("Weak", None, x509.BasicConstraints(ca=True, path_length=None), key=weak)
    yield "RSA-1024 of the issuer", make("L", weak_ca), (weak_ca,), refused, "RSA of 1024 bits"
    curve = ec.generate_private_key(ec.SECP256K1())
    yield "curve", make("L", ROOT, key=curve), (ROOT,), refused, "secp256k1"


REFUSALS = list(refusals())


@pytest.mark.parametrize(
    ("leaf", "anchors", "error", "reason"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS]
)
def test_a_certificate_is_refused_with_the_reason(
    leaf: Made, anchors: tuple[Made, ...], error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason) as caught:
        check(leaf, *anchors)
    assert type(caught.value) is error


def test_a_chain_of_more_than_five_issuers_is_refused() -> None:
    chain = [ROOT]
    for number in range(5):
        chain.append(ca(f"CA {number}", chain[-1]))
    check(make("L", chain[-2]), *chain[:-1])
    with pytest.raises(CertificateUntrusted, match="more than 5 issuers"):
        check(make("L", chain[-1]), *chain)


def test_a_refusal_shows_subject_fingerprint_issuer_and_dates() -> None:
    own = identity()
    with pytest.raises(CertificateUntrusted) as caught:
        TrustAnchors([ROOT.certificate]).check(own.certificate, NOW)
    message = caught.value.message
    for part in ('"CN=Retailer"', own.fingerprint, '"CN=Test CA"', "2026-11-13T12:00:00Z", "2027-03-03T12:00:00Z"):
        assert part in message


def test_an_accepted_certificate_is_refused_once_it_has_expired() -> None:
    anchors = TrustAnchors([authority().certificate])
    certificate = identity().certificate
    anchors.check(certificate, NOW)
    anchors.check(certificate, NOW + timedelta(days=100, seconds=59))
    for moment in (NOW + timedelta(days=100, seconds=61), NOW - timedelta(days=10, seconds=61)):
        with pytest.raises(CertificateExpired):
            anchors.check(certificate, moment)
    anchors.check(certificate, NOW)


def test_an_accepted_certificate_is_refused_once_its_issuer_has_expired() -> None:
    short = ca("Short", until=NOW + DAY)
    anchors = TrustAnchors([short.certificate])
    leaf = make("Leaf", short).certificate
    anchors.check(leaf, NOW)
    with pytest.raises(CertificateExpired, match="CN=Short"):
        anchors.check(leaf, NOW + 2 * DAY)
