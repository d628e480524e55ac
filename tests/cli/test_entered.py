"""What is entered by hand fits its XSD type, whatever it is."""

from pathlib import Path

import pytest
from lxml import etree

from flexiciency.cli.entered import (
    ADDRESS,
    COUNTRY,
    EMAIL,
    IDENTIFIER,
    PLACE_NAME,
    POD,
    POSTAL_CODE,
    TELEPHONE,
    TEXT,
    URI,
    Kind,
)

XSD = Path(__file__).parents[2] / "xsd" / "market-place.xsd"
SAMPLES = (
    "", " ", "\n", "a", "\na", "two words", "Νέα Εταιρεία 😀", "x" * 64, "x" * 65, "x" * 200, "x" * 201, "x" * 4_000,
    "x" * 4_001, "bell\a", "nul\0", "\x85a", "\ufffe", "\udc80", "a\n", "AT", "at", "AT\n", "https://a", "https://",
    "http://[::1]/a", "https://[", "HTTPS://a", "https://ä", "https://a\n", "https://" + "a" * 992,
    "https://" + "a" * 993, "a@b", "a@b@c", "a @b", "a@b\n", "a\a@b", "a\x1c@b", "a\u2028@b", "a@" + "b" * 252,
    "a@" + "b" * 253, "+43 (1) 23/4-5.6", "+", "12", "123", "1" * 30, "1" * 31, "+" + "1" * 30, "٣٣٣", "1\n2",
)  # fmt: skip


def accepted(kind: Kind) -> set[str]:
    found = set()
    for sample in SAMPLES:
        try:
            kind.check(sample)
        except ValueError:
            continue
        found.add(sample)
    return found


def valid(xsd_type: str) -> set[str]:
    schema = etree.XMLSchema(
        etree.fromstring(
            '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:com="urn:flexiciency:common:1" '
            f'xmlns:mkp="urn:flexiciency:market-place:1"><xs:import namespace="urn:flexiciency:market-place:1" '
            f'schemaLocation="{XSD.as_uri()}"/><xs:import namespace="urn:flexiciency:common:1" '
            f'schemaLocation="{XSD.with_name("common.xsd").as_uri()}"/><xs:element name="X" type="{xsd_type}"/>'
            "</xs:schema>"
        )
    )
    found = set()
    for sample in SAMPLES:
        element = etree.Element("X")
        try:
            element.text = sample
        except ValueError:
            continue
        if schema.validate(element):
            found.add(sample)
    return found


BLANK = {" ", "\n"}
UNCALLED = {"https://["}  # nobody can be reached there


@pytest.mark.parametrize(
    ("kind", "xsd_type", "refused_too"),
    [
        (IDENTIFIER, "com:Identifier", set()), (TEXT, "com:Text", BLANK), (PLACE_NAME, "com:PlaceName", BLANK),
        (URI, "com:Uri", set()), (ADDRESS, "com:Uri", UNCALLED), (POD, "com:PoD", set()),
        (POD, "com:CustomerId", set()),
        (COUNTRY, "com:CountryCode", set()), (POSTAL_CODE, "mkp:PostalCode", BLANK), (EMAIL, "mkp:Email", set()),
        (TELEPHONE, "mkp:Telephone", set()),
    ],
)  # fmt: skip
def test_what_is_taken_is_what_the_xsd_takes_but_for_blank_texts_and_no_addresses(
    kind: Kind, xsd_type: str, refused_too: set[str]
) -> None:
    assert accepted(kind) == valid(xsd_type) - refused_too
