"""The 26 business objects, held object by object to the agreed content and cardinalities."""

import pytest

from flexiciency.contract.catalogue import BUSINESS_OBJECTS, BusinessObject, object_of
from tests.contract.published import XS, cardinality, children, documentation, global_element, type_of, xsd

CONTENT = {
    "MKP-ADD": "Id Uri MarketPlaceDescriptionRef MarketPlayerAuthenticationRef[0..*]",
    "MKP-DES": "Id Purpose LegalInformation ContactDetails StakeholderAndCommunity Help UsageCondition"
    " MarketPlaceLocationRef[1..*]",
    "MPL-REG": "Id Role MarketPlayerLocationRef[0..*] MarketPlayerDescriptionRef MarketPlayerAuthenticationRef[1..*]"
    " MarketPlaceServiceOfferRef[0..*] MarketPlaceServiceSubscriptionRef[0..*] Status",
    "MPL-ADD": "Id Uri MarketPlayerRegistrationRef[1..*]",
    "MPL-DES": "Id CompanyInformation ContactDetails CompanyType CompanySubtype Territory[0..*]"
    " MarketPlayerRegistrationRef[1..*]",
    "MPL-AUT": "Id ContactPoint Certificate Validity MarketPlayerRegistrationRef MarketPlaceLocationRef",
    "MKP-SRV-OFF": "Id ServiceType Supplier ServiceDetails[1..*] Status Version",
    "MKP-SRV-SUB": "Id ServiceType Requester ServiceDetails[1..*] Status Version",
    "B2B-SRV-SUB": "Id ValidationDate[0..1] Provider Requester DataDetails ProcessingDetails"
    " MarketPlaceServiceDescriptionRef[1..*] MarketPlaceServiceOfferRef[1..*]"
    " MarketPlaceServiceSubscriptionRef[1..*] Status Version",
    "MKP-SRV-DES": "Id ShortDescription UsageDetails AggregationLevel[0..1] AggregationMethod[0..1] Quantity[0..1]"
    " Period[0..1] Localization[0..1] TimeStep[0..1] CustomerConsentMandatory MarketPlaceServiceOfferRef[0..1]"
    " MarketPlaceServiceSubscriptionRef[0..*]",
    "CUS-CON-DES": "Id CustomerId PoD[1..*] DataDetails Scope[1..*] ProcessingDetails ValidationDate StartDate EndDate"
    " Dso Eso CustomerConsentRevocationRef[0..*] ServiceActivationAgreementRef[0..*]",
    "CUS-CON-ACK": "Id CustomerId PoD[0..*] RefusedPoD[0..*] AcknowledgementDate CustomerConsentDescriptionRef"
    " StartDate EndDate Scope[1..*] DataDetails ProcessingDetails",
    "CUS-CON-REV": "Id CustomerId PoD[1..*] RevocationDate CustomerConsentDescriptionRef",
    "DSO-REQ": "Id MarketPlaceServiceDescriptionRef Requester PoD[0..*] Selection[0..1]",
    "DSO-CNF": "Id DsoServiceActivationRequestRef Status PoD[0..*] RefusedPoD[0..*] Reason[0..1] Selection[0..1]",
    "USP-REQ": "Id MarketPlaceServiceDescriptionRef Requester",
    "USP-CNF": "Id UnregulatedServiceActivationRequestRef Status Reason[0..1]",
    "IND-DAT-SEL": "Id Quantity Period Localization TimeStep Encoding[0..1] MarketPlaceServiceDescriptionRef",
    "AGG-DAT-SEL": "Id AggregationLevel AggregationMethod Quantity Period Localization TimeStep Encoding[0..1]"
    " MarketPlaceServiceDescriptionRef",
    "SRV-ACT-AGR": "Id PoD[0..*] DataDetails ProcessingDetails ValidationDate[0..1] StartDate EndDate"
    " MarketPlaceServiceDescriptionRef CustomerConsentDescriptionRef[0..*] B2BServiceSubscriptionRef"
    " SelectionRef[0..*] DsoServiceActivationRequestRef[0..1] Status Version RefusedPoD[0..*] Reason[0..1]",
    "IND-DAT-VAL": "Id ServiceActivationAgreementRef IndividualDataSelectionRef[0..1] Quantity Unit TimeStep Period"
    " Version PodValues[1..*]",
    "IND-DAT-ACK": "Id IndividualDataValueRef PodAcknowledgement[1..*]",
    "AGG-DAT-VAL": "Id ServiceActivationAgreementRef AggregatedDataSelectionRef[0..1] AggregationLevel"
    " AggregationMethod Quantity Unit TimeStep Period Version AggregateValues[1..*]",
    "AGG-DAT-ACK": "Id AggregatedDataValueRef AggregateAcknowledgement[1..*]",
    "TECH-FLEX-REQ": "Id StartTime PowerCurve EndTime LoadArea",
    "TECH-FLEX-RESP": "Id TechnicalValidationRequestRef CurtailmentFactor DsoFactor TsoFactor LimitingElement[0..1]"
    " Reason[0..1]",
}

PARTS = {
    ("common", "Period"): "Start End",
    ("common", "RefusedPoD"): "PoD Reason",
    ("market-place", "ContactDetails"): "Name Email Telephone[0..1] Street[0..1] PostalCode[0..1] City Country",
    ("market-place", "Territory"): "Country City[0..1] PodPrefix[0..1]",
    ("service", "ServiceDetails"): "MarketPlaceServiceDescription MarketPlaceServiceDescriptionRef",
    ("consent", "ConsentScope"): "Quantity FinestTimeStep",
    ("activation", "ActivationSelection"): "IndividualDataSelection AggregatedDataSelection",
    ("activation", "SelectionLocalization"): "CustomerId[0..*] PoD[0..*]",
    ("provision", "PodValues"): "PoD Series",
    ("provision", "AggregateValues"): "AggregationId PodCount Series",
    ("provision", "ValueSeries"): "Value[1..*] CompactValues",
    ("provision", "CompactValues"): "Start TimeStep Values Qualities[0..1]",
    ("provision", "PodAcknowledgement"): "PoD Acknowledgement[1..*]",
    ("provision", "AggregateAcknowledgement"): "AggregationId Acknowledgement[1..*]",
    ("provision", "Acknowledgement"): "Timestamp Status ValuePeriod[0..1] Reason[0..1]",
}

ENUMERATIONS = {
    ("market-place", "Role"): "RegulatedDataProvider UnregulatedDataProvider UnregulatedServiceProvider"
    " UnregulatedDataRequester",
    ("market-place", "CompanyType"): "EnergyRegulatedPlayer EnergyUnregulatedPlayer IndustrialPlayer ResearchInstitute"
    " PublicBody",
    ("market-place", "CompanySubtype"): "DSO TSO MeteringDataManager Retailer ESCO Aggregator",
    ("market-place", "RegistrationStatus"): "Pending Active Suspended Withdrawn",
    ("service", "PublicationStatus"): "Published Withdrawn",
    ("service", "B2BServiceSubscriptionStatus"): "Proposed Validated Declined Ended",
    ("activation", "AgreementStatus"): "Proposed Countered Validated Suspended Ended",
    ("provision", "AcknowledgementStatus"): "OK KO",
    ("common", "ServiceType"): "IndividualDataProvision AggregatedDataProvision EnergyServiceProvision",
    ("common", "AggregationLevel"): "None Country City Street Portfolio",
    ("common", "AggregationMethod"): "Sum Mean",
    ("common", "Quantity"): "EnergyConsumption EnergyGeneration Power",
    ("common", "Unit"): "kWh kW",
    ("common", "TimeStep"): "PT10M PT15M PT30M PT1H P1D",
    ("common", "Status"): "OK KO Partial",
    ("common", "Quality"): "Measured Estimated Calculated Incomplete Missing",
    ("common", "Encoding"): "Explicit Compact",
}

ROLES_OF_PARTIES = {"Requester", "Provider", "Supplier", "Dso", "Eso"}

every_object = pytest.mark.parametrize("row", BUSINESS_OBJECTS, ids=lambda row: row.bo_id)


def _qualified(row: BusinessObject) -> str:
    return f"{{{row.namespace}}}{row.name}"


def _content(file: str, type_name: str) -> str:
    found = xsd(file).find(f"{XS}complexType[@name='{type_name}']")
    assert found is not None
    words = []
    for child in children(found):
        name = child.get("name") or child.get("ref", "").rpartition(":")[2]
        words.append(name if cardinality(child) == "1" else f"{name}[{cardinality(child)}]")
    return " ".join(words)


def test_there_are_26_in_the_order_of_table_2() -> None:
    assert [row.bo_id for row in BUSINESS_OBJECTS] == [
        "MKP-ADD", "MKP-DES", "MPL-REG", "MPL-ADD", "MPL-DES", "MPL-AUT",
        "MKP-SRV-OFF", "MKP-SRV-SUB", "B2B-SRV-SUB", "MKP-SRV-DES",
        "CUS-CON-DES", "CUS-CON-ACK", "CUS-CON-REV",
        "DSO-REQ", "DSO-CNF", "USP-REQ", "USP-CNF", "IND-DAT-SEL", "AGG-DAT-SEL", "SRV-ACT-AGR",
        "IND-DAT-VAL", "IND-DAT-ACK", "AGG-DAT-VAL", "AGG-DAT-ACK", "TECH-FLEX-REQ", "TECH-FLEX-RESP",
    ]  # fmt: skip
    assert len({_qualified(row) for row in BUSINESS_OBJECTS}) == 26
    assert all(object_of(row.bo_id) is row for row in BUSINESS_OBJECTS)


@every_object
def test_it_is_a_global_element_of_the_type_of_its_name(row: BusinessObject) -> None:
    assert global_element(_qualified(row)).get("type", "").rpartition(":")[2] == row.name
    assert type_of(global_element(_qualified(row))).get("name") == row.name


@every_object
def test_its_documentation_starts_with_its_id_and_names_its_section(row: BusinessObject) -> None:
    assert documentation(global_element(_qualified(row))).startswith(f"{row.bo_id}. ")
    words = documentation(type_of(global_element(_qualified(row))))
    assert words.startswith(f"{row.bo_id}. ")
    assert f"D2.3, {row.section}" in words


@every_object
def test_its_content_is_what_was_agreed(row: BusinessObject) -> None:
    assert _content(row.namespace.split(":")[2], row.name) == CONTENT[row.bo_id]


@every_object
def test_it_starts_with_its_identifier(row: BusinessObject) -> None:
    first = children(type_of(global_element(_qualified(row))))[0]
    assert (first.get("name"), first.get("type"), cardinality(first)) == ("Id", "com:Identifier", "1")


@every_object
def test_it_refers_to_other_objects_by_identifier(row: BusinessObject) -> None:
    names = {other.name for other in BUSINESS_OBJECTS}
    for child in children(type_of(global_element(_qualified(row)))):
        name = child.get("name", "")
        if name.endswith("Ref"):
            assert name.removesuffix("Ref") in names | {"Selection"}
        if name.endswith("Ref") or name in ROLES_OF_PARTIES:
            assert child.get("type") == "com:Identifier"


@pytest.mark.parametrize(("file", "name"), PARTS)
def test_a_part_of_an_object_is_what_was_agreed(file: str, name: str) -> None:
    assert _content(file, name) == PARTS[file, name]


@pytest.mark.parametrize(("file", "name"), ENUMERATIONS)
def test_an_enumeration_has_at_least_the_agreed_values(file: str, name: str) -> None:
    found = xsd(file).find(f"{XS}simpleType[@name='{name}']")
    assert found is not None
    values = [value.get("value") for value in found.iter(f"{XS}enumeration")]
    assert values[: len(ENUMERATIONS[file, name].split())] == ENUMERATIONS[file, name].split()
    assert len(values) == len(set(values))


def test_a_value_carries_its_timestamp_and_quality_as_attributes() -> None:
    found = xsd("provision").find(f"{XS}complexType[@name='TimestampedValue']/{XS}simpleContent/{XS}extension")
    assert found is not None
    assert found.get("base") == "com:DataValue"
    assert [(a.get("name"), a.get("type"), a.get("use")) for a in found.iter(f"{XS}attribute")] == [
        ("timestamp", "com:Timestamp", "required"),
        ("quality", "com:Quality", None),
    ]
