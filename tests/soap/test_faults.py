import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from flexiciency.contract.schemas import schema
from flexiciency.errors import GatewayError, IntakeError, InternalError, PartnerError, SchemaInvalid, Unavailable
from flexiciency.soap.faults import (
    ENVELOPE,
    SOAP,
    fault_content,
    internal_error,
    is_fault,
    partner_fault,
    unsigned_fault,
)
from flexiciency.wire.sign import canonical


def subclasses(kind: type[GatewayError]) -> list[type[GatewayError]]:
    """Those that travel in faults."""
    travelling = [one for one in kind.__subclasses__() if one not in (PartnerError, IntakeError)]
    below = [found for one in travelling for found in subclasses(one)]
    return below or [kind]


def read(error: GatewayError) -> etree._Element:
    """The Fault as a partner parses it."""
    return etree.fromstring(unsigned_fault(error))[0][0]


@pytest.mark.parametrize("kind", subclasses(GatewayError), ids=lambda kind: kind.__name__)
def test_each_error_becomes_a_fault_of_the_contract_and_back(kind: type[GatewayError]) -> None:
    fault = read(kind("Why <it> failed & what to do.", path="A/B[2]/C", line=7))
    assert is_fault(fault)
    assert fault.findtext("faultcode") == f"soap:{kind.fault_code}"
    assert fault.findtext("faultstring") == "Why <it> failed & what to do."
    detail = fault.find(f"detail/{{{ENVELOPE}}}Error")
    assert detail is not None
    assert schema("envelope").validate(detail)
    back = partner_fault(fault)
    assert (back.partner_code, back.message) == (kind.__name__, "Why <it> failed & what to do.")
    assert (back.path, back.line, back.partner_says_retriable) == ("A/B[2]/C", 7, kind.retriable)


def test_only_what_may_be_sent_again_is_retriable() -> None:
    assert [kind for kind in subclasses(GatewayError) if kind.retriable] == [Unavailable]


def test_an_error_without_a_place_has_none_in_its_fault() -> None:
    back = partner_fault(read(SchemaInvalid("Wrong.")))
    assert (back.path, back.line) == (None, None)


def test_a_fault_is_canonical_within_a_body() -> None:
    error = SchemaInvalid('Quotes " and \\u00e9 & more', path="A", line=1)
    body = etree.fromstring(b'<soap:Body xmlns:soap="%s">%s</soap:Body>' % (SOAP.encode(), fault_content(error)))
    assert canonical(body) == b'<soap:Body xmlns:soap="%s">%s</soap:Body>' % (SOAP.encode(), fault_content(error))


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=50), st.text(max_size=20))
def test_any_text_makes_a_fault_that_can_be_read(message: str, path: str) -> None:
    fault = read(SchemaInvalid(message, path=path))
    assert partner_fault(fault).partner_code == "SchemaInvalid"


def test_a_long_text_is_cut_to_what_the_contract_takes() -> None:
    fault = read(SchemaInvalid("x" * 100_000))
    assert schema("envelope").validate(fault.find("detail")[0])  # type: ignore[index]


def test_a_fault_without_our_detail_is_understood_by_its_code() -> None:
    text = f'<s:Fault xmlns:s="{SOAP}"><faultcode>s:Server</faultcode><faultstring>Down.</faultstring></s:Fault>'
    back = partner_fault(etree.fromstring(text))
    assert (back.partner_code, back.message, back.partner_says_retriable) == ("s:Server", "Down.", False)


def test_what_is_unforeseen_tells_a_partner_nothing() -> None:
    error = internal_error()
    assert isinstance(error, InternalError)
    assert error.path is None
    assert "operator" in error.message
