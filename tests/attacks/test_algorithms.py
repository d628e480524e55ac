"""Algorithms outside the profile are refused before anything is computed with them."""

import pytest
from lxml import etree

from flexiciency.errors import AlgorithmRefused, EnvelopeInvalid, GatewayError
from flexiciency.wire.names import ECDSA_SHA256, EXCLUSIVE_C14N
from tests.attacks.forge import Edit, element, find, forged, tampered
from tests.wire.parties import verified

DSIG = "http://www.w3.org/2000/09/xmldsig#"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
BODY_REFERENCE = ".//ds:Reference[@URI='#Body']"
TRANSFORMS = f"{BODY_REFERENCE}/ds:Transforms"
TRANSFORM = f"{TRANSFORMS}/ds:Transform"


def algorithm(path: str, uri: str) -> Edit:
    def edit(root: etree._Element) -> None:
        find(root, path).set("Algorithm", uri)

    return edit


def inside(path: str, markup: str) -> Edit:
    """Add an element inside the one at the path."""

    def edit(root: etree._Element) -> None:
        find(root, path).append(element(markup))

    return edit


def second_transform(uri: str, *, first: bool) -> Edit:
    def edit(root: etree._Element) -> None:
        find(root, TRANSFORMS).insert(0 if first else 1, element(f'<ds:Transform Algorithm="{uri}"/>'))

    return edit


def without_transforms(root: etree._Element) -> None:
    reference = find(root, BODY_REFERENCE)
    reference.remove(reference[0])


def without_algorithm(root: etree._Element) -> None:
    del find(root, ".//ds:SignatureMethod").attrib["Algorithm"]


def prefixes(path: str, prefix_list: str) -> Edit:
    return inside(path, f'<ec:InclusiveNamespaces PrefixList="{prefix_list}"/>')


SIGNATURE_METHODS = [
    "",
    "none",
    f"{DSIG}hmac-sha1",
    f"{MORE}hmac-sha256",
    f"{DSIG}rsa-sha1",
    f"{DSIG}dsa-sha1",
    f"{MORE}rsa-md5",
    f"{MORE}rsa-sha512",
    f"{MORE}ecdsa-sha1",
    f"{MORE}ecdsa-sha512",
    "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
    f"{ECDSA_SHA256} ",
    ECDSA_SHA256.upper(),
]
DIGEST_METHODS = ["", f"{DSIG}sha1", f"{MORE}md5", f"{MORE}sha224", "http://www.w3.org/2001/04/xmlenc#sha512"]
CANONICALIZATIONS = [
    "",
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments",
    "http://www.w3.org/2006/12/xml-c14n11",
    f"{EXCLUSIVE_C14N}WithComments",
]
TRANSFORMATIONS = [
    *CANONICALIZATIONS,
    f"{DSIG}enveloped-signature",
    f"{DSIG}base64",
    "http://www.w3.org/TR/1999/REC-xpath-19991116",
    "http://www.w3.org/2002/06/xmldsig-filter2",
    "http://www.w3.org/TR/1999/REC-xslt-19991116",
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform",
]


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        *[(".//ds:SignatureMethod", uri) for uri in SIGNATURE_METHODS],
        *[(f"{BODY_REFERENCE}/ds:DigestMethod", uri) for uri in DIGEST_METHODS],
        *[(".//ds:CanonicalizationMethod", uri) for uri in CANONICALIZATIONS],
        *[(TRANSFORM, uri) for uri in TRANSFORMATIONS],
    ],
)
def test_an_algorithm_outside_the_profile_is_refused_and_named(path: str, uri: str) -> None:
    with pytest.raises(AlgorithmRefused, match="expected") as caught:
        verified(forged(algorithm(path, uri)))
    assert repr(uri[:120]) in caught.value.message


@pytest.mark.parametrize(
    ("edit", "error"),
    [
        (second_transform(f"{DSIG}enveloped-signature", first=True), AlgorithmRefused),
        (second_transform(EXCLUSIVE_C14N, first=False), AlgorithmRefused),
        (without_transforms, AlgorithmRefused),
        (without_algorithm, AlgorithmRefused),
        (inside(TRANSFORM, "<ds:XPath>self::soap:Body</ds:XPath>"), EnvelopeInvalid),
        (inside(".//ds:SignatureMethod", "<ds:HMACOutputLength>1</ds:HMACOutputLength>"), EnvelopeInvalid),
        (inside(f"{BODY_REFERENCE}/ds:DigestMethod", "<act:x/>"), EnvelopeInvalid),
        (inside(f"{BODY_REFERENCE}/ds:DigestValue", "<act:x/>"), EnvelopeInvalid),
        (inside(".//ds:KeyInfo", "<ds:KeyName>key</ds:KeyName>"), EnvelopeInvalid),
        (inside(".//ds:KeyInfo", "<ds:KeyValue/>"), EnvelopeInvalid),
        (inside(".//ds:KeyInfo/*", "<wsse:KeyIdentifier>AAAA</wsse:KeyIdentifier>"), EnvelopeInvalid),
        (inside(".//ds:SignedInfo", "<ds:Manifest/>"), EnvelopeInvalid),
        (prefixes(TRANSFORM, " ".join(f"p{number}" for number in range(33))), AlgorithmRefused),
    ],
)
def test_a_signature_of_another_shape_is_refused(edit: Edit, error: type[GatewayError]) -> None:
    with pytest.raises(error) as caught:
        verified(forged(edit))
    assert type(caught.value) is error


@pytest.mark.parametrize("path", [TRANSFORM, ".//ds:CanonicalizationMethod"])
@pytest.mark.parametrize("prefix_list", ["", "soap", "wsu soap", "#default act", "unknown"])
def test_inclusive_namespaces_are_allowed(path: str, prefix_list: str) -> None:
    assert verified(forged(prefixes(path, prefix_list))).body[0].text == "ES0031000000000001"


def test_inclusive_namespaces_are_part_of_what_is_signed() -> None:
    with pytest.raises(GatewayError) as caught:
        verified(tampered(prefixes(TRANSFORM, "soap")))
    assert caught.value.code == "SignatureInvalid"
