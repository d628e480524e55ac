"""Signature wrapping: the signed element is still somewhere, but not where it is read."""

import copy

import pytest
from lxml import etree

from flexiciency.errors import (
    AddressingInvalid,
    EnvelopeInvalid,
    GatewayError,
    SignatureIncomplete,
    SignatureInvalid,
    Unsigned,
)
from flexiciency.wire.names import ID
from tests.attacks.forge import Edit, element, find, forged, remove, tampered, unchanged
from tests.wire.parties import CONTENT, verified

EVIL = "<act:RequestDsoServiceActivation><act:PoD>EVIL</act:PoD></act:RequestDsoServiceActivation>"


def evil_body(identifier: str | None = None) -> etree._Element:
    attribute = f' wsu:Id="{identifier}"' if identifier else ""
    return element(f"<soap:Body{attribute}>{EVIL}</soap:Body>")


def move_body_to(path: str, holder: str | None, identifier: str | None) -> Edit:
    """Put the signed Body below `path` (in a holder, or bare) and another one in its place."""

    def edit(root: etree._Element) -> None:
        body = remove(find(root, "soap:Body"))
        root.append(evil_body(identifier))
        target = find(root, path)
        if holder:
            target.append(element(holder))
            target = target[-1]
        target.append(body)

    return edit


def body_beside_body(*, evil_first: bool, identifier: str | None) -> Edit:
    def edit(root: etree._Element) -> None:
        find(root, "soap:Body").addprevious(evil_body(identifier))
        if not evil_first:
            root.append(root[1])

    return edit


def evil_beside_content(*, first: bool) -> Edit:
    def edit(root: etree._Element) -> None:
        find(root, "soap:Body").insert(0 if first else 1, element(EVIL))

    return edit


def signed_body_inside_evil_body(root: etree._Element) -> None:
    body = remove(find(root, "soap:Body"))
    root.append(evil_body("Other"))
    root[-1][0].append(body)


def envelope_in_body(root: etree._Element) -> None:
    inner = copy.deepcopy(root)
    find(root, "soap:Body").clear()
    root[1].append(inner)


def envelope_around(root: etree._Element) -> None:
    """The whole signed envelope becomes a child of another envelope's Header."""
    inner = copy.deepcopy(root)
    for child in list(root):
        root.remove(child)
    root.append(element("<soap:Header/>"))
    root[0].append(inner)
    root.append(evil_body())


def swap_ids(root: etree._Element) -> None:
    body, to = find(root, "soap:Body"), find(root, ".//wsa:To")
    body.set(ID, "To")
    to.set(ID, "Body")


def body_without_id(root: etree._Element) -> None:
    del find(root, "soap:Body").attrib[ID]


def body_with_plain_id(root: etree._Element) -> None:
    body = find(root, "soap:Body")
    body.set("Id", body.attrib.pop(ID))


def same_id_in_content(root: etree._Element) -> None:
    find(root, "soap:Body")[0].set(ID, "Body")


def same_id_on(path: str, identifier: str = "Body") -> Edit:
    def edit(root: etree._Element) -> None:
        find(root, path).set(ID, identifier)

    return edit


def signature_id_like_body(root: etree._Element) -> None:
    find(root, ".//ds:Signature").set("Id", "Body")


def object_in_signature(root: etree._Element) -> None:
    body = remove(find(root, "soap:Body"))
    root.append(evil_body("Other"))
    find(root, ".//ds:Signature").append(element("<ds:Object/>"))
    find(root, ".//ds:Object").append(body)


def move_to_another_header(path: str, replacement: str) -> Edit:
    """The signed header goes into a header of another name, a forged one takes its place."""

    def edit(root: etree._Element) -> None:
        header = find(root, "soap:Header")
        signed = remove(find(root, path))
        header.append(element("<wsa:Metadata/>"))
        header[-1].append(signed)
        header.append(element(replacement))

    return edit


def hide_in_reference_parameters(path: str, replacement: str) -> Edit:
    """The signed header goes inside wsa:From, a forged one takes its place."""

    def edit(root: etree._Element) -> None:
        signed = remove(find(root, path))
        find(root, ".//wsa:From").append(signed)
        find(root, "soap:Header").append(element(replacement))

    return edit


def timestamp_wrapped(root: etree._Element) -> None:
    security = find(root, ".//wsse:Security")
    signed = remove(find(security, "wsu:Timestamp"))
    fresh = "<wsu:Created>2026-11-23T12:00:00Z</wsu:Created><wsu:Expires>2026-11-23T12:05:00Z</wsu:Expires>"
    security.append(element(f'<wsu:Timestamp wsu:Id="Fresh">{fresh}</wsu:Timestamp>'))
    find(root, ".//wsa:From").append(signed)


def second(path: str) -> Edit:
    def edit(root: etree._Element) -> None:
        original = find(root, path)
        original.addnext(copy.deepcopy(original))

    return edit


def second_security_without_signature(root: etree._Element) -> None:
    find(root, "soap:Header").insert(0, element("<wsse:Security/>"))


def security_for_another_actor(root: etree._Element) -> None:
    find(root, ".//wsse:Security").set("{http://schemas.xmlsoap.org/soap/envelope/}actor", "urn:other")


def security_in_body(root: etree._Element) -> None:
    find(root, "soap:Body").append(remove(find(root, ".//wsse:Security")))


def header_after_body(root: etree._Element) -> None:
    root.append(root[0])


def second_header(root: etree._Element) -> None:
    root.insert(1, element("<soap:Header/>"))


def trailing_element(root: etree._Element) -> None:
    root.append(element("<act:Extra/>"))


def token_holds_body(root: etree._Element) -> None:
    body = remove(find(root, "soap:Body"))
    root.append(evil_body("Other"))
    find(root, ".//wsse:BinarySecurityToken").append(body)


WRAPPINGS: list[tuple[str, Edit, type[GatewayError]]] = [
    ("Body in an unknown header", move_body_to("soap:Header", "<act:Old/>", None), EnvelopeInvalid),
    ("Body in an unknown header, same id", move_body_to("soap:Header", "<act:Old/>", "Body"), EnvelopeInvalid),
    ("Body bare in Header", move_body_to("soap:Header", None, "Other"), EnvelopeInvalid),
    ("Body in Security", move_body_to(".//wsse:Security", None, "Other"), EnvelopeInvalid),
    ("Body in a holder in Security", move_body_to(".//wsse:Security", "<act:Old/>", "Other"), EnvelopeInvalid),
    ("Body in wsa:From", move_body_to(".//wsa:From", None, "Other"), SignatureIncomplete),
    ("Body in wsa:From, same id", move_body_to(".//wsa:From", None, "Body"), EnvelopeInvalid),
    ("Body in wsa:To", move_body_to(".//wsa:To", None, "Other"), AddressingInvalid),
    ("Body in Timestamp", move_body_to(".//wsu:Timestamp", None, "Other"), SignatureIncomplete),
    ("Body in KeyInfo", move_body_to(".//ds:KeyInfo", None, "Other"), EnvelopeInvalid),
    ("Body in SignedInfo", move_body_to(".//ds:SignedInfo", None, "Other"), EnvelopeInvalid),
    ("Body in ds:Object", object_in_signature, EnvelopeInvalid),
    ("Body in BinarySecurityToken", token_holds_body, SignatureIncomplete),
    ("Body in the forged Body", signed_body_inside_evil_body, SignatureIncomplete),
    ("Body beside Envelope's Body", body_beside_body(evil_first=False, identifier="Other"), EnvelopeInvalid),
    ("forged Body before Body", body_beside_body(evil_first=True, identifier="Other"), EnvelopeInvalid),
    ("forged Body with the same id", body_beside_body(evil_first=True, identifier="Body"), EnvelopeInvalid),
    ("forged content before content", evil_beside_content(first=True), EnvelopeInvalid),
    ("forged content after content", evil_beside_content(first=False), EnvelopeInvalid),
    ("Envelope in Body", envelope_in_body, EnvelopeInvalid),
    ("Envelope in another Envelope", envelope_around, EnvelopeInvalid),
    ("ids of Body and To swapped", swap_ids, SignatureInvalid),
    ("Body without id", body_without_id, SignatureIncomplete),
    ("Body with an Id of no namespace", body_with_plain_id, SignatureIncomplete),
    ("id of Body on its content", same_id_in_content, EnvelopeInvalid),
    ("id of Body on To", same_id_on(".//wsa:To"), EnvelopeInvalid),
    ("id of Body on Timestamp", same_id_on(".//wsu:Timestamp"), EnvelopeInvalid),
    ("id of Body on the token", same_id_on(".//wsse:BinarySecurityToken"), EnvelopeInvalid),
    ("id of Body on Signature", signature_id_like_body, EnvelopeInvalid),
    ("To in an unknown header", move_to_another_header(".//wsa:To", "<wsa:To>urn:evil</wsa:To>"), EnvelopeInvalid),
    ("To in From", hide_in_reference_parameters(".//wsa:To", "<wsa:To>urn:evil</wsa:To>"), SignatureIncomplete),
    (
        "Action in From",
        hide_in_reference_parameters(".//wsa:Action", '<wsa:Action wsu:Id="A">urn:evil</wsa:Action>'),
        SignatureIncomplete,
    ),
    ("Timestamp in From", timestamp_wrapped, SignatureIncomplete),
    ("second Security", second(".//wsse:Security"), EnvelopeInvalid),
    ("second Security without Signature", second_security_without_signature, EnvelopeInvalid),
    ("second Signature", second(".//ds:Signature"), EnvelopeInvalid),
    ("second token", second(".//wsse:BinarySecurityToken"), EnvelopeInvalid),
    ("second Timestamp", second(".//wsu:Timestamp"), EnvelopeInvalid),
    ("second SignedInfo", second(".//ds:SignedInfo"), EnvelopeInvalid),
    ("second reference to Body", second(".//ds:Reference[@URI='#Body']"), SignatureIncomplete),
    ("second DigestValue", second(".//ds:Reference[@URI='#Body']/ds:DigestValue"), EnvelopeInvalid),
    ("second To", second(".//wsa:To"), AddressingInvalid),
    ("second From", second(".//wsa:From"), AddressingInvalid),
    ("second MessageID", second(".//wsa:MessageID"), AddressingInvalid),
    ("second Header", second_header, EnvelopeInvalid),
    ("Header after Body", header_after_body, EnvelopeInvalid),
    ("element after Body", trailing_element, EnvelopeInvalid),
    ("Security for another actor", security_for_another_actor, EnvelopeInvalid),
    ("Security in Body", security_in_body, Unsigned),
]


@pytest.mark.parametrize(("edit", "error"), [case[1:] for case in WRAPPINGS], ids=[case[0] for case in WRAPPINGS])
def test_a_wrapped_message_is_refused(edit: Edit, error: type[GatewayError]) -> None:
    with pytest.raises(error) as caught:
        verified(tampered(edit))
    assert type(caught.value) is error


# With the ids swapped and all signed anew, the message is simply one with other ids.
MISPLACED = [case for case in WRAPPINGS if case[2] is not SignatureInvalid]


@pytest.mark.parametrize(("edit", "error"), [case[1:] for case in MISPLACED], ids=[case[0] for case in MISPLACED])
def test_the_structure_is_refused_even_when_a_trusted_sender_signed_it_so(
    edit: Edit, error: type[GatewayError]
) -> None:
    with pytest.raises(error) as caught:
        verified(forged(edit))
    assert type(caught.value) is error


def test_the_untouched_message_is_taken_tampered_or_forged() -> None:
    message = verified(tampered(unchanged))
    assert CONTENT in message.canonical_body
    assert verified(forged(unchanged)).canonical_body == message.canonical_body
