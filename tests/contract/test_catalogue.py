"""The catalogue against the wrappers in the XSDs and against the directions of D2.3's Tables 4 to 6."""

import pytest
from lxml import etree

from flexiciency.contract.catalogue import (
    BUSINESS_OBJECTS,
    HOSTS,
    MARKET_PLACE,
    OPERATIONS,
    Operation,
    Party,
    operation_of,
    operations,
)
from tests.contract.published import INTERFACES, XS, children, global_element, qualified, type_of, xsd

every_operation = pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: f"{row.interface}:{row.name}")

BO_IDS = {f"{{{row.namespace}}}{row.name}": row.bo_id for row in BUSINESS_OBJECTS}
RECEIPT = "{urn:flexiciency:envelope:1}Receipt"
PARTS_OF_OPERATIONS = tuple(f"urn:flexiciency:{interface}-operations:1" for interface in INTERFACES)


def _travelling(wrapper: etree._Element) -> list[str]:
    """Qualified names of the global elements that may stand in a wrapper, directly or in a type of the operations."""
    found = []
    for child in children(type_of(wrapper)):
        reference = child.get("ref")
        if reference is not None:
            found.append(qualified(child, reference))
        elif etree.QName(qualified(child, child.get("type", ""))).namespace in PARTS_OF_OPERATIONS:
            found += _travelling(child) if _is_complex(child) else []
    return list(dict.fromkeys(found))


def _is_complex(element: etree._Element) -> bool:
    name = etree.QName(qualified(element, element.get("type", "")))
    file = str(name.namespace).split(":")[2]
    return xsd(file).find(f"{XS}complexType[@name='{name.localname}']") is not None


def _sent(interface: str) -> set[str]:
    """Objects that the caller of an interface sends."""
    return {bo_id for row in operations(interface) for bo_id in row.request}


def _answered(interface: str) -> set[str]:
    return {bo_id for row in operations(interface) for bo_id in row.reply}


@every_operation
def test_its_wrappers_carry_exactly_the_objects_of_its_row(row: Operation) -> None:
    request = _travelling(global_element(f"{{{row.namespace}}}{row.name}"))
    reply = _travelling(global_element(f"{{{row.namespace}}}{row.name}Response"))
    assert {BO_IDS[name] for name in request} == set(row.request)
    assert {BO_IDS[name] for name in reply if name != RECEIPT} == set(row.reply)


@every_operation
def test_its_action_leads_back_to_it(row: Operation) -> None:
    assert row.action == f"urn:flexiciency:{row.interface}:1:{row.name}"
    assert row.reply_action == f"{row.action}Response"
    assert operation_of(row.action) is row
    assert operation_of(row.reply_action) is None


@every_operation
def test_its_callers_are_known_roles_or_parties(row: Operation) -> None:
    roles = {str(value.get("value")) for value in _role().iter(f"{XS}enumeration")}
    assert row.callers
    assert row.callers <= roles | {Party.CUSTOMER_CHANNEL.value, Party.MARKET_PLACE.value}


def _role() -> etree._Element:
    found = xsd("market-place").find(f"{XS}simpleType[@name='Role']")
    assert found is not None
    return found


def test_every_wrapper_in_the_xsds_belongs_to_an_operation() -> None:
    for interface in INTERFACES:
        declared = {found.get("name") for found in xsd(f"{interface}-operations").findall(f"{XS}element")}
        assert declared == {row.name + end for row in operations(interface) for end in ("", "Response")}


def test_each_interface_has_a_host() -> None:
    assert dict(HOSTS) == {
        "market-place": Party.MARKET_PLACE,
        "b2b": Party.DSO,
        "b2c": Party.DSO,
        "market-player": Party.MARKET_PLAYER,
    }
    assert {row.interface for row in OPERATIONS} == set(HOSTS)
    assert operations("unknown") == ()


def test_table_4_market_place_interface() -> None:
    both = {"MPL-REG", "MKP-SRV-OFF", "MKP-SRV-SUB", "MKP-SRV-DES"}
    to_market_place = {"MPL-ADD", "MPL-DES", "MPL-AUT"}
    to_market_player = {"MKP-DES", "MKP-ADD", "B2B-SRV-SUB"}
    assert _sent("market-place") == both | to_market_place
    assert _answered("market-place") >= both | to_market_player


def test_table_5_b2b_interface() -> None:
    both = {"IND-DAT-SEL", "AGG-DAT-SEL", "SRV-ACT-AGR", "TECH-FLEX-REQ", "TECH-FLEX-RESP"}
    to_dso = {"DSO-REQ", "USP-REQ", "IND-DAT-ACK", "AGG-DAT-ACK"}
    to_market_player = {"CUS-CON-ACK", "CUS-CON-REV", "DSO-CNF", "USP-CNF", "IND-DAT-VAL", "AGG-DAT-VAL"}
    assert _sent("b2b") | _answered("market-player") == to_dso | both
    assert _answered("b2b") >= to_market_player | both
    assert _sent("market-player") >= to_market_player | both


def test_table_6_b2c_interface() -> None:
    """From the customer to the DSO, then from the DSO to the Market Player: decision 4 on what Table 6 leaves open."""
    assert _sent("b2c") == {"CUS-CON-DES", "CUS-CON-REV"}
    assert _answered("b2c") == {"CUS-CON-ACK", "CUS-CON-DES"}
    assert {"CUS-CON-DES", "CUS-CON-REV"} <= _sent("market-player")


def test_every_object_travels() -> None:
    assert {bo_id for row in OPERATIONS for bo_id in row.request + row.reply} == set(BO_IDS.values())


def test_whatever_is_pushed_can_wait_in_a_mailbox() -> None:
    waiting = {bo_id for row in OPERATIONS if row.name == "PeekMailbox" for bo_id in row.reply}
    assert waiting == _sent("market-player")


def test_what_only_reads_carries_nothing_in_and_releases_no_value() -> None:
    for row in OPERATIONS:
        assert row.reads_only == (row.name == "Ping" or row.name.startswith(("Find", "Read")))
        if row.reads_only:
            assert row.request == ()
            assert not {"IND-DAT-VAL", "AGG-DAT-VAL"} & set(row.reply)


def test_customers_channels_and_market_players_do_not_share_an_interface() -> None:
    for row in OPERATIONS:
        assert (row.callers == {Party.CUSTOMER_CHANNEL.value}) == (row.interface == "b2c")


def test_only_the_market_place_pushes_what_is_its_own() -> None:
    for row in operations("market-player"):
        only_market_place = row.name in {"ReceiveB2BServiceSubscription", "ReceiveDirectoryChanges"}
        assert (row.callers == {Party.MARKET_PLACE.value}) == only_market_place


def test_this_release_offers_the_market_place_consent_activation_values_and_validation() -> None:
    of_market_place = {f"{MARKET_PLACE}:{row.name}" for row in operations(MARKET_PLACE)}
    assert {f"{row.interface}:{row.name}" for row in OPERATIONS if row.offered} == of_market_place | {
        "b2b:Ping",
        "b2b:RequestDsoServiceActivation",
        "b2b:RequestUnregulatedServiceActivation",
        "b2b:StopServiceActivation",
        "b2b:SelectIndividualData",
        "b2b:SelectAggregatedData",
        "b2b:ProposeServiceActivationAgreement",
        "b2b:CounterServiceActivationAgreement",
        "b2b:ValidateServiceActivationAgreement",
        "b2b:EndServiceActivationAgreement",
        "b2b:ReadServiceActivationAgreement",
        "b2b:RequestIndividualDataValues",
        "b2b:AcknowledgeIndividualData",
        "b2b:RequestAggregatedDataValues",
        "b2b:AcknowledgeAggregatedData",
        "b2b:ReadGapReport",
        "b2b:RequestMissingValues",
        "b2b:RequestTechnicalValidation",
        "b2b:AnswerTechnicalValidation",
        "b2b:PeekMailbox",
        "b2b:ConfirmMailbox",
        "b2b:ReadMessageStatus",
        "b2c:GiveCustomerConsent",
        "b2c:RevokeCustomerConsent",
        "b2c:ReadCustomerConsents",
        "market-player:Ping",
        "market-player:ReceiveCustomerConsentDescription",
        "market-player:ReceiveCustomerConsentAcknowledgement",
        "market-player:ReceiveCustomerConsentRevocation",
        "market-player:ReceiveDsoServiceActivationConfirmation",
        "market-player:ReceiveUnregulatedServiceActivationConfirmation",
        "market-player:ReceiveIndividualDataSelection",
        "market-player:ReceiveAggregatedDataSelection",
        "market-player:ReceiveServiceActivationAgreement",
        "market-player:ReceiveIndividualDataValue",
        "market-player:ReceiveTechnicalValidationRequest",
        "market-player:ReceiveAggregatedDataValue",
        "market-player:ReceiveTechnicalValidationResponse",
        "market-player:ReceiveB2BServiceSubscription",
        "market-player:ReceiveDirectoryChanges",
    }
