"""Messages that are signed well, by someone who may not."""

import base64
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from flexiciency.errors import (
    AlgorithmRefused,
    CertificateExpired,
    CertificateUntrusted,
    GatewayError,
    MessageExpired,
    SecurityError,
    SignatureInvalid,
)
from flexiciency.wire.trust import TrustAnchors
from flexiciency.wire.verify import verify
from tests.attacks.forge import find, tampered
from tests.wire.certificates import Made, ca, make, usage
from tests.wire.parties import DAY, NOW, request

ROOT = ca("Root")
ANCHORS = TrustAnchors([ROOT.certificate])
WEAK = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 -- it must be refused
PLAYER = make("Player", ROOT, usage("digital_signature"))
SIGNERS: list[tuple[str, Made, type[SecurityError]]] = [
    ("self-signed", make("Player"), CertificateUntrusted),
    ("self-signed with the CA's name", make("Root"), CertificateUntrusted),
    ("of an unknown CA", make("Player", ca("Unknown")), CertificateUntrusted),
    ("of a CA with the same name", make("Player", ca("Root")), CertificateUntrusted),
    ("issued by a partner", make("Player", PLAYER), CertificateUntrusted),
    ("of an intermediate that is not trusted", make("Player", ca("Middle", ROOT)), CertificateUntrusted),
    ("expired", make("Player", ROOT, until=NOW - DAY), CertificateExpired),
    ("not valid yet", make("Player", ROOT, since=NOW + DAY), CertificateExpired),
    ("for encryption", make("Player", ROOT, usage("key_encipherment")), CertificateUntrusted),
    ("the CA itself", ROOT, CertificateUntrusted),
    ("with a critical extension", make("Player", ROOT, x509.InhibitAnyPolicy(0)), CertificateUntrusted),
    ("RSA-1024", make("Player", ROOT, key=WEAK), AlgorithmRefused),
    ("EC on P-224", make("Player", ROOT, key=ec.generate_private_key(ec.SECP224R1())), AlgorithmRefused),
]


@pytest.mark.parametrize(("signer", "error"), [case[1:] for case in SIGNERS], ids=[case[0] for case in SIGNERS])
def test_a_message_with_this_certificate_is_refused(signer: Made, error: type[SecurityError]) -> None:
    with pytest.raises(error) as caught:
        verify(request(signer=signer.identity), anchors=ANCHORS, now=NOW)
    assert type(caught.value) is error


def test_a_message_of_a_trusted_player_is_taken() -> None:
    assert verify(request(signer=PLAYER.identity), anchors=ANCHORS, now=NOW).certificate == PLAYER.certificate


def test_trust_is_decided_before_the_timestamp() -> None:
    later = NOW + timedelta(hours=1)
    with pytest.raises(CertificateUntrusted):
        verify(request(signer=make("Player").identity), anchors=ANCHORS, now=later)
    with pytest.raises(MessageExpired):
        verify(request(signer=PLAYER.identity), anchors=ANCHORS, now=later)


def test_being_refused_once_or_accepted_once_changes_nothing_for_others() -> None:
    anchors = TrustAnchors([ROOT.certificate])
    good, bad = request(signer=PLAYER.identity), request(signer=make("Player").identity)
    for _ in range(2):
        assert verify(good, anchors=anchors, now=NOW).fingerprint == PLAYER.identity.fingerprint
        with pytest.raises(CertificateUntrusted):
            verify(bad, anchors=anchors, now=NOW)


def test_another_certificate_over_the_same_name_is_no_substitute() -> None:
    namesake = make("Player", ROOT, usage("digital_signature"))
    data = tampered(
        lambda root: setattr(find(root, ".//wsse:BinarySecurityToken"), "text", namesake.identity.token),
        request(signer=PLAYER.identity),
    )
    with pytest.raises(SignatureInvalid):
        verify(data, anchors=ANCHORS, now=NOW)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_a_damaged_certificate_is_refused_wherever_the_damage_is() -> None:
    """One bit flipped in each byte of the DER in turn; only padding bits of the signature go unnoticed."""
    data, der = request(signer=PLAYER.identity), PLAYER.certificate.public_bytes(Encoding.DER)
    for position in range(len(der)):
        damaged = der[:position] + bytes([der[position] ^ 1]) + der[position + 1 :]
        token = base64.b64encode(damaged)
        try:
            message = verify(data.replace(PLAYER.identity.token.encode(), token), anchors=ANCHORS, now=NOW)
        except GatewayError:
            continue
        assert message.certificate.tbs_certificate_bytes == PLAYER.certificate.tbs_certificate_bytes
