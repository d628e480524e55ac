"""What the Market Place's objects become in XML and back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from flexiciency.client import (
    Account,
    Company,
    ContactDetails,
    ContactPoint,
    Location,
    Quantity,
    Registration,
    SchemaInvalid,
    ServiceDescription,
    ServiceLocalization,
    ServiceOffer,
    ServiceSubscription,
    Territory,
    TimeStep,
    market_writing,
)
from flexiciency.contract import schemas
from flexiciency.contract.catalogue import object_of
from flexiciency.wire.identity import fingerprint_of
from flexiciency.wire.parse import parse
from tests.client.market import READERS, SAMPLES, known, read, sample, write
from tests.wire.parties import NOW, identity

WRITERS: dict[str, Any] = {
    "MPL-REG": market_writing.registration,
    "MPL-DES": market_writing.company,
    "MPL-AUT": market_writing.account,
    "MPL-ADD": market_writing.location,
    "MKP-SRV-DES": market_writing.service_description,
    "MKP-SRV-OFF": market_writing.offer,
    "MKP-SRV-SUB": market_writing.subscription,
}
NAMES = (
    "Société «Énergie» & fils", "Ηλεκτρισμός", "Електромережа", "חברת החשמל", "شركة الكهرباء", "बिजली कंपनी",
    "ไฟฟ้า", "電力株式会社", "전력공사", "ኤሌክትሪክ", "e\u0301 \u200d 🔌⚡", " spaces  kept ", "<b>&amp;]]></b>", "\t\r\n.",
)  # fmt: skip

identifiers = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=200)
names = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=200
)
countries = st.text(st.characters(min_codepoint=0x41, max_codepoint=0x5A), min_size=2, max_size=2)
emails, telephones = st.just("a@b.example"), st.none() | st.just("+39 051 555-01.44")
pods = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=64)
lists = st.lists(identifiers, max_size=3).map(tuple)
filled = st.lists(identifiers, min_size=1, max_size=3).map(tuple)
instants = st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
periods = st.tuples(instants, instants)
levels, methods = st.sampled_from(["None", "Country", "City", "Street", "Portfolio"]), st.sampled_from(["Sum", "Mean"])
service_types = st.sampled_from(["IndividualDataProvision", "AggregatedDataProvision", "EnergyServiceProvision"])
published = {
    "id": identifiers, "service_type": service_types, "status": st.sampled_from(["Published", "Withdrawn"]),
    "version": st.integers(1, 2**31 - 1),
}  # fmt: skip
localizations = st.builds(
    ServiceLocalization,
    countries=st.lists(countries, min_size=1, max_size=2).map(tuple), cities=st.lists(names, max_size=2).map(tuple),
    streets=st.lists(names, max_size=2).map(tuple), pods=st.lists(pods, max_size=2).map(tuple),
)  # fmt: skip
descriptions = st.builds(
    ServiceDescription,
    id=identifiers, short_description=names, usage_details=names, customer_consent_mandatory=st.booleans(),
    aggregation_level=st.none() | levels, aggregation_method=st.none() | methods,
    quantity=st.none() | st.sampled_from(Quantity), period=st.none() | periods,
    localization=st.none() | localizations, time_step=st.none() | st.sampled_from(TimeStep),
    offer=st.none() | identifiers, subscriptions=lists,
)  # fmt: skip
details = st.lists(descriptions | identifiers, min_size=1, max_size=3).map(tuple)
OBJECTS = {
    "MPL-REG": st.builds(
        Registration,
        id=identifiers, company=identifiers, accounts=filled, locations=lists, offers=lists, subscriptions=lists,
    ),
    "MPL-DES": st.builds(
        Company,
        id=identifiers, information=names, company_subtype=st.just("DSO"), registrations=filled,
        contact_details=st.builds(
            ContactDetails,
            name=names, email=emails, city=names, country=countries, telephone=telephones,
            street=st.none() | names, postal_code=st.none() | st.just("40121"),
        ),
        territories=st.lists(
            st.builds(Territory, country=countries, city=st.none() | names, pod_prefix=st.none() | pods), max_size=3
        ).map(tuple),
    ),
    "MPL-AUT": st.builds(
        Account,
        id=identifiers, contact_point=st.builds(ContactPoint, name=names, email=emails, telephone=telephones),
        certificate=st.builds(lambda: identity().certificate), validity=periods, registration=identifiers,
        market_place_location=identifiers,
    ),
    "MPL-ADD": st.builds(Location, id=identifiers, uri=st.just("https://a.example/b"), registrations=filled),
    "MKP-SRV-DES": descriptions,
    "MKP-SRV-OFF": st.builds(ServiceOffer, **published, supplier=identifiers, details=details),
    "MKP-SRV-SUB": st.builds(ServiceSubscription, **published, requester=identifiers, details=details),
}  # fmt: skip

every_written = pytest.mark.parametrize("bo_id", WRITERS)


def valid(bo_id: str, xml: bytes) -> bool:
    return schemas.schema(object_of(bo_id).namespace.split(":")[2]).validate(parse(xml))


def texts(xml: bytes) -> list[tuple[str, str]]:
    """Each element's tag and text, in order; a boolean as a word, which XML Schema also writes as a digit."""
    words = {"0": "false", "1": "true"}
    found = [(etree.QName(one).localname, (one.text or "").strip()) for one in parse(xml).iter(etree.Element)]
    return [(tag, words.get(text, text) if tag == "CustomerConsentMandatory" else text) for tag, text in found]


@every_written
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_object_survives_writing_and_reading(bo_id: str, data: st.DataObject) -> None:
    one = data.draw(OBJECTS[bo_id])
    xml = write(bo_id, WRITERS[bo_id](one))
    assert valid(bo_id, xml)
    assert read(bo_id, xml) == one


@pytest.mark.parametrize(
    ("bo_id", "name"), [(bo_id, path.stem) for bo_id in WRITERS for path in (SAMPLES / bo_id).glob("valid-*.xml")]
)
def test_every_sample_is_read_and_written_unchanged(bo_id: str, name: str) -> None:
    xml = sample(bo_id, name)
    assert texts(write(bo_id, WRITERS[bo_id](read(bo_id, xml)))) == texts(xml)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_any_script_is_kept_letter_by_letter(name: str) -> None:
    company = Company(
        information=name,
        contact_details=ContactDetails(name=name, email="a@b.example", city=name, country="IT", street=name),
        company_type="PublicBody",
        company_subtype="Other",
        registrations=("urn:uuid:1",),
        territories=(Territory(country="IT", city=name),),
    )
    assert read("MPL-DES", write("MPL-DES", market_writing.company(company))) == company


@pytest.mark.parametrize("character", ["\0", "\x07", "\x1b", "\ufffe", "\ud800"])
def test_a_character_that_xml_has_not_is_refused_before_anything_is_sent(character: str) -> None:
    with pytest.raises(ValueError, match=r"XML compatible|surrogates"):
        write("MPL-ADD", {"Id": "urn:uuid:1", "Uri": f"https://a{character}", "MarketPlayerRegistrationRef": ["1"]})


def test_each_part_is_read_from_its_own_element() -> None:
    """Where two parts have the same form, writing and reading could swap them unnoticed."""
    registration = read("MPL-REG", sample("MPL-REG", "valid-dso-active"))
    xml = parse(sample("MPL-REG", "valid-dso-active"))
    for name, part in {"Location": "locations", "Authentication": "accounts"}.items():
        assert list(getattr(registration, part)) == [one.text for one in xml.iterfind(f"{{*}}MarketPlayer{name}Ref")]
    assert registration.company == xml.findtext("{*}MarketPlayerDescriptionRef")
    assert list(registration.offers) == [one.text for one in xml.iterfind("{*}MarketPlaceServiceOfferRef")]
    b2b, xml = known("B2B-SRV-SUB"), parse(sample("B2B-SRV-SUB"))
    for name, part in {"Description": "descriptions", "Offer": "offers", "Subscription": "subscriptions"}.items():
        assert list(getattr(b2b, part)) == [one.text for one in xml.iterfind(f"{{*}}MarketPlaceService{name}Ref")]
    assert (b2b.provider, b2b.requester) == (xml.findtext("{*}Provider"), xml.findtext("{*}Requester"))
    assert (b2b.data_details, b2b.processing_details) == (
        xml.findtext("{*}DataDetails"),
        xml.findtext("{*}ProcessingDetails"),
    )
    assert (b2b.validated_at, b2b.status, b2b.version) == (
        datetime(2025, 2, 11, 9, 30, 5, 250000, tzinfo=UTC),
        "Validated",
        3,
    )
    assert read("B2B-SRV-SUB", sample("B2B-SRV-SUB", "valid-proposed")).validated_at is None


def test_a_description_is_read_in_d23s_words() -> None:
    description = known("MKP-SRV-DES")
    assert (description.short_description, description.usage_details) == (
        "Daily consumption of a city, summed up.",
        "Groups of fewer than five points of delivery are not served.",
    )
    assert (description.aggregation_level, description.aggregation_method) == ("City", "Sum")
    assert (description.quantity, description.time_step) == (Quantity.ENERGY_CONSUMPTION, TimeStep.P1D)
    assert description.localization == ServiceLocalization(countries=("IT",), cities=("Bologna",))
    assert description.customer_consent_mandatory is False
    individual = read("MKP-SRV-DES", sample("MKP-SRV-DES", "valid-individual-data"))
    assert individual.aggregation_level == "None"
    assert individual.aggregation_method is None


def test_a_company_is_read_in_d23s_words() -> None:
    company = known("MPL-DES")
    assert company.contact_details == ContactDetails(
        name="Rete Adriatica Distribuzione S.p.A.",
        email="flexiciency@rete-adriatica.example",
        telephone="+39 051 555 01 44",
        street="Via dell'Energia 12/B",
        postal_code="40121",
        city="Bologna",
        country="IT",
    )
    assert company.territories == (
        Territory(country="IT", city="Bologna", pod_prefix="IT001E"),
        Territory(country="IT", city="Forlì"),
        Territory(country="SM"),
    )
    assert (company.company_type, company.company_subtype) == ("EnergyRegulatedPlayer", "DSO")


def test_an_account_holds_its_certificate() -> None:
    account = known("MPL-AUT")
    assert account.certificate.subject.rfc4514_string() == "CN=Rete Adriatica Distribuzione S.p.A."
    assert account.contact_point == ContactPoint(name="Giulia Bianchi", email="giulia.bianchi@rete-adriatica.example")
    assert account.validity == (datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    other = Account(
        contact_point=account.contact_point,
        certificate=identity().certificate,
        validity=(NOW, NOW + timedelta(days=1)),
        registration="urn:uuid:1",
        market_place_location="urn:uuid:2",
    )
    again = read("MPL-AUT", write("MPL-AUT", market_writing.account(other)))
    assert fingerprint_of(again.certificate) == identity().fingerprint


def test_a_certificate_that_is_none_names_its_element() -> None:
    arguments = market_writing.account(known("MPL-AUT")) | {"Certificate": b"no certificate"}
    with pytest.raises(SchemaInvalid, match=f"certificate of {known('MPL-AUT').id}") as caught:
        read("MPL-AUT", write("MPL-AUT", arguments))
    assert caught.value.path == "MarketPlayerAuthentication/Certificate"


def test_a_localization_that_bounds_nothing_is_written_though_read_as_none() -> None:
    description = replace(known("MKP-SRV-DES"), localization=ServiceLocalization())
    xml = write("MKP-SRV-DES", market_writing.service_description(description))
    assert parse(xml).find("{*}Localization") is not None
    assert read("MKP-SRV-DES", xml) == replace(description, localization=None)


def test_an_object_made_here_has_an_identifier_of_its_own() -> None:
    made = [Location(uri="https://a.example", registrations=("urn:uuid:1",)) for _ in range(2)]
    assert made[0].id != made[1].id
    assert all(one.id.startswith("urn:uuid:") for one in made)


def test_all_that_is_written_is_read() -> None:
    assert set(WRITERS) == set(READERS) - {"B2B-SRV-SUB"}
