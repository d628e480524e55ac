"""Validation of a Body's child: what is valid passes, what is not is named by path, line and expectation."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from lxml import etree

from flexiciency.contract import schemas
from flexiciency.errors import SchemaInvalid
from flexiciency.wire.parse import parse

B2B = "urn:flexiciency:b2b-operations:1"
PLAYER = "urn:flexiciency:market-player-operations:1"
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'

REQUEST = f"""<RequestDsoServiceActivation xmlns="{B2B}">
<DsoServiceActivationRequest xmlns="urn:flexiciency:activation:1">
<Id>urn:uuid:1</Id>
<MarketPlaceServiceDescriptionRef>urn:uuid:2</MarketPlaceServiceDescriptionRef>
<Requester>urn:uuid:3</Requester>
<PoD>IT001E1</PoD>
<PoD>IT001E2</PoD>
</DsoServiceActivationRequest>
</RequestDsoServiceActivation>"""

TOP = "RequestDsoServiceActivation/DsoServiceActivationRequest"


def values(*texts: str) -> str:
    """A push of one PoD with these values, all at one timestamp, without a line break."""
    series = "".join(f'<Value timestamp="2026-01-01T00:00:00Z">{text}</Value>' for text in texts)
    day = "".join(f'<{t} xmlns="urn:flexiciency:common:1">2026-01-01T00:00:00Z</{t}>' for t in ("Start", "End"))
    return (
        f'<ReceiveIndividualDataValue xmlns="{PLAYER}"><IndividualDataValue xmlns="urn:flexiciency:provision:1">'
        "<Id>a</Id><ServiceActivationAgreementRef>b</ServiceActivationAgreementRef><Quantity>Power</Quantity>"
        f"<Unit>kW</Unit><TimeStep>PT15M</TimeStep><Period>{day}</Period><Version>1</Version><PodValues><PoD>x</PoD>"
        f"<Series>{series}</Series></PodValues></IndividualDataValue></ReceiveIndividualDataValue>"
    )


def refusal(text: str, namespace: str = B2B) -> SchemaInvalid:
    with pytest.raises(SchemaInvalid) as caught:
        schemas.validate(parse(text.encode()), namespace)
    return caught.value


def test_a_valid_body_passes() -> None:
    schemas.validate(parse(REQUEST.encode()), B2B)
    schemas.validate(parse(values("1.000", "-2").encode()), PLAYER)


@pytest.mark.parametrize(
    ("old", "new", "path", "line", "message"),
    [
        ("IT001E2", "IT 2", f"{TOP}/PoD[2]", 7, "'IT 2' is no PoD. PoD (Point of Delivery): address of consumption"),
        ("IT001E1", "", f"{TOP}/PoD[1]", 6, "'' is no PoD. "),
        ("<Id>urn:uuid:1</Id>", "<Id/>", f"{TOP}/Id", 3, "'' is no Identifier. "),
        ("<Id>urn:uuid:1</Id>\n", "", f"{TOP}/MarketPlaceServiceDescriptionRef", 3, "expected Id."),
        ("<PoD>IT001E1</PoD>", "<Pod>IT001E1</Pod>", f"{TOP}/Pod", 6, "Pod is not expected here; expected PoD or Sel"),
        ("<PoD>IT001E1</PoD>", "x", TOP, 2, "DsoServiceActivationRequest holds text; expected elements only."),
        ("IT001E1", "<b/>", f"{TOP}/PoD[1]", 6, "PoD holds elements; expected text only."),
        ("IT001E1", "<PoD/>", f"{TOP}/PoD[1]", 6, "PoD holds elements; expected text only."),
        ("<PoD>IT001E1", f'<PoD {XSI} xsi:nil="no">IT001E1', f"{TOP}/PoD[1]/@nil", 6, "'no' is not a valid value"),
        ("<PoD>IT001E1", '<PoD a="1">IT001E1', f"{TOP}/PoD[1]/@a", 6, "The attribute 'a' is not allowed."),
        ("<PoD>IT001E1", f'<PoD {XSI} xsi:nil="true">IT001E1', f"{TOP}/PoD[1]", 6, "The element is not 'nillable'."),
        ("<PoD>IT001E1", '<PoD xmlns="urn:x">IT001E1', f"{TOP}/PoD", 6, "PoD is of the namespace 'urn:x'; expected"),
        (
            REQUEST[REQUEST.index("<Requester>") : REQUEST.index("</Dso")],
            "",
            TOP,
            2,
            "DsoServiceActivationRequest ends too early: Requester is missing.",
        ),
        (
            "</DsoServiceActivationRequest>",
            "<Selection/></DsoServiceActivationRequest>",
            f"{TOP}/Selection",
            8,
            "Selection ends too early: IndividualDataSelection or AggregatedDataSelection is missing.",
        ),
        (
            "</DsoServiceActivationRequest>\n",
            "</DsoServiceActivationRequest><Extra/>",
            "RequestDsoServiceActivation/Extra",
            8,
            "Extra is not expected here; nothing more was.",
        ),
    ],
)
def test_what_is_wrong_is_named_by_path_line_and_expectation(
    old: str, new: str, path: str, line: int, message: str
) -> None:
    assert old in REQUEST
    found = refusal(REQUEST.replace(old, new, 1))
    assert (found.path, found.line) == (path, line)
    assert message in found.message


@pytest.mark.parametrize(
    ("old", "new", "path", "message"),
    [
        (' timestamp="2026-01-01T00:00:00Z"', "", "/PodValues/Series/Value[1]", "'timestamp' is required but missing"),
        ('T00:00:00Z">', 'T00:00:00">', "/PodValues/Series/Value[1]/@timestamp", "is no Timestamp. Timestamp: string"),
        ("1.000", "1.0001", "/PodValues/Series/Value[1]", "'1.0001' is no DataValue. Data Value: numerical value"),
        ("2.000", "two", "/PodValues/Series/Value[2]", "'two' is no DataValue. Data Value: numerical value"),
        ("<Unit>kW<", "<Unit>MW<", "/Unit", "'MW' is no Unit. Expected one of kWh, kW."),
        ("<Version>1<", "<Version>0<", "/Version", "'0' is no Version. Version of an object, counted from 1."),
    ],
)
def test_a_wrong_value_is_explained_by_the_documentation_of_its_type(
    old: str, new: str, path: str, message: str
) -> None:
    sound = values("1.000", "2.000")
    assert old in sound
    found = refusal(sound.replace(old, new, 1), PLAYER)
    assert found.path == f"ReceiveIndividualDataValue/IndividualDataValue{path}"
    assert message in found.message


def test_one_wrong_item_of_a_list_is_named() -> None:
    compact = "<Start>2026-01-01T00:00:00Z</Start><TimeStep>PT15M</TimeStep><Values>1 2 x 4</Values>"
    text = values("1").replace(
        '<Value timestamp="2026-01-01T00:00:00Z">1</Value>', f"<CompactValues>{compact}</CompactValues>"
    )
    found = refusal(text, PLAYER)
    assert found.path is not None
    assert found.path.endswith("/Series/CompactValues/Values")
    assert found.message.startswith("'x' is no DataValue. ")


@pytest.mark.parametrize(
    ("text", "namespace", "path", "message"),
    [
        (REQUEST, PLAYER, "RequestDsoServiceActivation", f"expected an operation of {PLAYER!r}"),
        (REQUEST.replace(f' xmlns="{B2B}"', "", 1), B2B, "RequestDsoServiceActivation", "of no namespace"),
        (REQUEST.replace("RequestDso", "AskDso"), B2B, "AskDsoServiceActivation", "is no operation of this interface"),
        (
            '<DsoServiceActivationRequest xmlns="urn:flexiciency:activation:1"/>',
            B2B,
            "DsoServiceActivationRequest",
            "of the namespace 'urn:flexiciency:activation:1'",
        ),
    ],
)
def test_a_body_that_is_no_operation_of_the_interface_is_refused(
    text: str, namespace: str, path: str, message: str
) -> None:
    found = refusal(text, namespace)
    assert found.path == path
    assert message in found.message


@pytest.mark.parametrize(
    "spoil",
    [
        lambda long: REQUEST.replace("IT001E1", long),
        lambda long: REQUEST.replace("<PoD>IT001E1</PoD>", f"<{long}/>"),
        lambda long: REQUEST.replace("<PoD>IT001E1", f'<PoD {long}="1">IT001E1'),
        lambda long: REQUEST.replace("<PoD>IT001E1", f'<PoD xmlns="{long}">IT001E1'),
        lambda long: REQUEST.replace("<PoD>IT001E1", f'<PoD {XSI} xsi:type="{long}">IT001E1'),
        lambda long: REQUEST.replace("RequestDsoServiceActivation", long),
        lambda long: REQUEST.replace(B2B, long),
    ],
)
def test_little_of_the_input_is_repeated(spoil: Callable[[str], str]) -> None:
    found = refusal(spoil("Q" * 5_000))
    assert found.message.count("Q") <= 200
    assert (found.path or "").count("Q") <= 200


def test_what_a_value_says_does_not_change_how_it_is_read() -> None:
    found = refusal(REQUEST.replace("IT001E1", "Element 'x': This element is not expected. Expected is ( y )."))
    assert found.path == f"{TOP}/PoD[1]"
    assert found.message.startswith("\"Element 'x': This element is not expected")


def test_the_first_of_several_errors_is_named() -> None:
    assert refusal(values("1", "a", "b"), PLAYER).path == (
        "ReceiveIndividualDataValue/IndividualDataValue/PodValues/Series/Value[2]"
    )


def test_a_body_child_is_read_inside_its_envelope() -> None:
    envelope = parse(f"<Envelope>\n<Body>{REQUEST.replace('IT001E2', 'a b')}</Body></Envelope>".encode())
    with pytest.raises(SchemaInvalid) as caught:
        schemas.validate(envelope[0][0], B2B)
    assert (caught.value.path, caught.value.line) == (f"{TOP}/PoD[2]", 8)


def test_a_long_list_is_validated() -> None:
    schemas.validate(parse(values(*["1.000"] * 5_000).encode()), PLAYER)


def test_a_long_list_of_wrong_values_is_refused_at_the_first_in_reasonable_time() -> None:
    body = parse(values(*["1.000"] * 60_000, *["wrong"] * 60_000).encode())
    start = time.perf_counter()
    with pytest.raises(SchemaInvalid) as caught:
        schemas.validate(body, PLAYER)
    assert time.perf_counter() - start < 15  # about 1 s; a tree validated as a whole takes some 40 s
    assert (caught.value.path or "").endswith("/Series/Value[60001]")


def test_threads_do_not_see_each_others_errors() -> None:
    def check(number: int) -> str:
        return refusal(REQUEST.replace("IT001E1", f"bad {number}")).message

    with ThreadPoolExecutor(8) as pool:
        messages = list(pool.map(check, range(400)))
    assert all(message.startswith(f"'bad {number}' is no PoD.") for number, message in enumerate(messages))


def test_a_schema_is_compiled_once_for_all_threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(schemas.schema, ["b2b-operations"] * 50))
    assert isinstance(found[0], etree.XMLSchema)
    assert all(one is found[0] for one in found)


def test_an_unknown_schema_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        schemas.schema("../pyproject")


def test_the_published_files_are_the_xsds_and_wsdls_of_the_repository() -> None:
    published = schemas.files()
    assert len(published) == 15
    assert {path.partition("/")[0] for path in published} == {"xsd", "wsdl"}
    assert all((schemas.FOLDER / path).read_bytes() == content for path, content in published.items())
