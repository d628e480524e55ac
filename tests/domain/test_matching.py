from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest

from flexiciency.domain import matching
from flexiciency.domain.matching import (
    MOST_PLACES,
    Description,
    Finding,
    Localization,
    Offer,
    Pairing,
    Subscription,
    Wanted,
    compare,
    lookup_keys,
    matches,
    pairings,
    search_keys,
)

Period = tuple[datetime, datetime]

JANUARY = (datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC))
FEBRUARY = (datetime(2025, 2, 1, tzinfo=UTC), datetime(2025, 3, 1, tzinfo=UTC))
WINTER = (datetime(2024, 12, 1, tzinfo=UTC), datetime(2025, 3, 1, tzinfo=UTC))
VIENNA = Localization(countries=("AT",), cities=("Wien",))
CURVES = Description(
    "urn:curves", "IndividualDataProvision", "None", None, "EnergyConsumption", 900, JANUARY, VIENNA,
)  # fmt: skip
SUMS = replace(
    CURVES, id="urn:sums", service_type="AggregatedDataProvision", aggregation_level="City", aggregation_method="Sum"
)
ATTRIBUTES = [
    "ServiceType", "AggregationLevel", "AggregationMethod", "Quantity", "TimeStep", "Period", "Localization/Country",
    "Localization/City", "Localization/Street", "Localization/PoD",
]  # fmt: skip


def wanted(description: Description = CURVES, **changes: object) -> Wanted:
    return Wanted(replace(description, id="urn:wanted", **changes), by_reference=False)  # type: ignore[arg-type]


def found(attribute: str, offered: Description, asked: Wanted) -> Finding:
    (finding,) = [finding for finding in compare(offered, asked) if finding.attribute == attribute]
    others = [finding for finding in compare(offered, asked) if finding.attribute != attribute]
    assert all(other.fits for other in others)
    assert matches(offered, asked) is finding.fits
    return finding


def located(**places: tuple[str, ...]) -> Description:
    return replace(CURVES, localization=Localization(**places))


def test_a_comparison_tells_of_every_attribute_in_the_same_order() -> None:
    assert [finding.attribute for finding in compare(CURVES, wanted())] == ATTRIBUTES
    assert [finding.attribute for finding in compare(CURVES, wanted(SUMS, period=FEBRUARY))] == ATTRIBUTES
    by_reference = compare(CURVES, Wanted(CURVES, by_reference=True))
    assert [finding.attribute for finding in by_reference] == ["ServiceDescription", *ATTRIBUTES]
    assert all(finding.text.endswith(".") for finding in by_reference)


@pytest.mark.parametrize(
    ("attribute", "changes", "offered", "asked"),
    [
        ("ServiceType", {"service_type": "EnergyServiceProvision"}, "AggregatedDataProvision",
         "EnergyServiceProvision"),
        ("AggregationLevel", {"aggregation_level": "Street"}, "City", "Street"),
        ("AggregationMethod", {"aggregation_method": "Mean"}, "Sum", "Mean"),
        ("Quantity", {"quantity": "Power"}, "EnergyConsumption", "Power"),
        ("AggregationLevel", {"aggregation_level": None}, "City", "absent"),
        ("AggregationMethod", {"aggregation_method": None}, "Sum", "absent"),
        ("Quantity", {"quantity": None}, "EnergyConsumption", "absent"),
    ],
)  # fmt: skip
def test_type_level_method_and_quantity_must_be_equal(
    attribute: str, changes: dict[str, str | None], offered: str, asked: str
) -> None:
    text = f"Offered is {offered}, wanted is {asked}; they must be equal."
    finding = found(attribute, SUMS, wanted(SUMS, **changes))
    assert finding == Finding(attribute, fits=False, offered=offered, wanted=asked, text=text)
    same = replace(SUMS, **changes)  # type: ignore[arg-type]
    assert found(attribute, same, wanted(same)) == Finding(attribute, True, asked, asked, f"Both are {asked}.")  # noqa: FBT003  fits


@pytest.mark.parametrize(
    ("offered", "asked", "fits", "text"),
    [
        (900, 900, True, "PT15M divides PT15M."),
        (900, 3600, True, "PT15M divides PT1H."),
        (600, 86400, True, "PT10M divides P1D."),
        (600, 900, False, "PT10M does not divide PT15M."),
        (3600, 900, False, "PT1H does not divide PT15M."),
        (900, None, True, "Any time step is wanted."),
        (None, None, True, "Any time step is wanted."),
        (None, 900, False, "PT15M is wanted, but the offer states no time step."),
    ],
)
def test_the_offered_time_step_divides_the_wanted_one(
    offered: int | None, asked: int | None, text: str, *, fits: bool
) -> None:
    finding = found("TimeStep", replace(CURVES, time_step=offered), wanted(time_step=asked))
    assert (finding.fits, finding.text) == (fits, text)


@pytest.mark.parametrize(
    ("offered", "asked", "fits"),
    [
        (JANUARY, WINTER, True),
        (JANUARY, FEBRUARY, False),  # the end is exclusive
        (FEBRUARY, JANUARY, False),
        (None, JANUARY, True),
        (JANUARY, None, True),
        (None, None, True),
    ],
)
def test_periods_overlap(offered: Period | None, asked: Period | None, *, fits: bool) -> None:
    assert found("Period", replace(CURVES, period=offered), wanted(period=asked)).fits is fits


def test_a_period_is_shown_as_an_interval() -> None:
    finding = found("Period", CURVES, wanted(period=None))
    assert finding.offered == "2025-01-01T00:00:00+00:00/2025-02-01T00:00:00+00:00"
    assert (finding.wanted, finding.text) == ("absent", "Absent on one side or both, so that it sets no limit.")


@pytest.mark.parametrize(("attribute", "part"), [
    ("Localization/Country", "countries"), ("Localization/City", "cities"), ("Localization/Street", "streets"),
])  # fmt: skip
@pytest.mark.parametrize(
    ("offered", "asked", "fits"),
    [
        (("Wien",), ("Linz", "WIEN"), True),
        (("STRASSE",), ("Straße",), True),
        (("Zürich",), ("Zu\N{COMBINING DIAERESIS}rich",), True),
        (("Αθήνας",), ("ΑΘΉΝΑΣ",), True),
        (("東京", "Київ"), ("КИЇВ",), True),
        (
            ("\N{GREEK SMALL LETTER IOTA WITH DIALYTIKA AND TONOS}",),
            ("\N{GREEK CAPITAL LETTER IOTA WITH DIALYTIKA}\N{COMBINING ACUTE ACCENT}",),
            True,
        ),  # no composed capital
        (("Wien",), ("Linz",), False),
        (("Wien",), ("Wi*", "W?en"), False),  # masks are for PoDs
        ((), ("Linz",), True),
        (("Wien",), (), True),
        ((), (), True),
    ],
)
def test_names_of_places_overlap_without_case(
    attribute: str, part: str, offered: tuple[str, ...], asked: tuple[str, ...], *, fits: bool
) -> None:
    assert found(attribute, located(**{part: offered}), wanted(located(**{part: asked}))).fits is fits


def test_names_are_folded_once_for_all_comparisons(monkeypatch: pytest.MonkeyPatch) -> None:
    folded = Counter[str]()

    def counted(name: str) -> str:
        folded[name] += 1
        return name

    monkeypatch.setattr(matching, "name_key", counted)
    here = located(cities=("Folded once", "Once folded"))
    for number in range(3):
        assert not matches(here, wanted(located(cities=(f"Elsewhere {number}",))))
    assert folded["Folded once"] == folded["Once folded"] == 1


@pytest.mark.parametrize(
    ("offered", "asked", "fits"),
    [
        (("AT001",), ("AT001",), True),
        (("AT001",), ("at001",), False),
        (("AT001",), ("AT002",), False),
        (("AT*",), ("AT001",), True),
        (("AT*",), ("AT",), True),
        (("AT00?",), ("AT001",), True),
        (("AT00?",), ("AT00",), False),
        (("AT*1",), ("AT0*",), True),
        (("AT*1",), ("DE*1",), False),
        (("*A",), ("B*",), True),  # BA
        (("?",), ("*AB*",), False),
        (("DE1", "AT?0*9"), ("FR2", "AT00119"), True),
        (("AT[0-9]*",), ("AT1",), False),  # a bracket is a bracket
        (("AT[0-9]*",), ("AT[0-9]7",), True),
        ((), ("AT001",), True),
        (("AT001",), (), True),
    ],
)
def test_pods_overlap_where_some_pod_fits_both_masks(
    offered: tuple[str, ...], asked: tuple[str, ...], *, fits: bool
) -> None:
    assert found("Localization/PoD", located(pods=offered), wanted(located(pods=asked))).fits is fits
    assert found("Localization/PoD", located(pods=asked), wanted(located(pods=offered))).fits is fits


@pytest.mark.parametrize("other", ["A" * 64, "A" * 63 + "?", "*A" * 31 + "C"])
def test_a_mask_made_to_take_for_ever_is_decided(other: str) -> None:
    assert not matches(located(pods=("*A" * 31 + "BB",)), wanted(located(pods=(other,))))


def test_a_long_localization_is_shown_shortened() -> None:
    finding = found("Localization/PoD", located(pods=tuple(f"AT{i}" for i in range(10_000))), wanted())
    assert finding.offered == "AT0, AT1, AT2, AT3, AT4 and 9,995 more"


def test_a_description_without_localization_has_no_limits() -> None:
    nowhere = replace(CURVES, localization=None)
    assert matches(nowhere, wanted())
    assert matches(CURVES, wanted(nowhere))


def test_a_description_wanted_by_reference_is_matched_by_that_one_only() -> None:
    assert matches(CURVES, Wanted(CURVES, by_reference=True))
    twin = replace(CURVES, id="urn:twin")
    assert matches(twin, Wanted(CURVES, by_reference=False))
    finding = found("ServiceDescription", twin, Wanted(CURVES, by_reference=True))
    assert (finding.offered, finding.wanted) == ("urn:twin", "urn:curves")
    assert finding.text == "The subscription refers to another description."


def test_pairings_are_all_that_match_with_the_versions_in_which_they_do() -> None:
    offer = Offer("urn:offer", 3, "urn:dso", (CURVES, SUMS))
    subscription = Subscription(
        "urn:subscription", 7, "urn:esco", (wanted(), wanted(quantity="Power"), Wanted(SUMS, by_reference=True))
    )
    assert pairings(offer, subscription) == (
        Pairing("urn:offer", 3, "urn:curves", "urn:subscription", 7, "urn:wanted"),
        Pairing("urn:offer", 3, "urn:sums", "urn:subscription", 7, "urn:sums"),
    )


def test_a_registration_is_not_matched_with_itself() -> None:
    offer = Offer("urn:offer", 1, "urn:dso", (CURVES,))
    assert pairings(offer, Subscription("urn:subscription", 1, "urn:dso", (wanted(),))) == ()


def test_keys_hold_the_equal_attributes_then_country_and_city() -> None:
    head = "AggregatedDataProvision|City|Sum|EnergyConsumption|"
    assert search_keys(SUMS) == {head + place for place in ("at|wien", "at|+", "+|wien", "+|+")}
    assert lookup_keys(SUMS) == {head + place for place in ("at|wien", "at|*", "*|wien", "*|*")}


@pytest.mark.parametrize(
    ("localization", "stored", "asked"),
    [
        (Localization(countries=("AT",)), {"at|*", "at|+", "+|*", "+|+"}, {"at|+", "*|+"}),
        (Localization(cities=("Wien",)), {"*|wien", "*|+", "+|wien", "+|+"}, {"+|wien", "+|*"}),
        (None, {"*|*", "*|+", "+|*", "+|+"}, {"+|+"}),
    ],
)
def test_a_place_that_is_absent_is_found_by_all_and_finds_all(
    localization: Localization | None, stored: set[str], asked: set[str]
) -> None:
    anywhere = replace(CURVES, localization=localization)
    assert {"|".join(key.split("|")[4:]) for key in search_keys(anywhere)} == stored
    assert {"|".join(key.split("|")[4:]) for key in lookup_keys(anywhere)} == asked


def test_above_the_most_places_cities_are_not_told_apart_and_still_found() -> None:
    many = located(countries=("AT", "DE"), cities=tuple(f"City {i}" for i in range(MOST_PLACES // 2 + 1)))
    assert len(search_keys(many)) == 6
    few = located(countries=("DE",), cities=("City 7",))
    nowhere = replace(CURVES, localization=None)
    for one, other in product((many, few, nowhere), repeat=2):
        assert lookup_keys(one) & search_keys(other)
    elsewhere = located(countries=("FR",), cities=("City 7",))
    assert not lookup_keys(elsewhere) & search_keys(many)


def test_at_the_most_places_cities_are_told_apart() -> None:
    many = located(countries=("AT", "DE"), cities=tuple(f"City {i}" for i in range(MOST_PLACES // 2)))
    assert not lookup_keys(located(countries=("AT",), cities=("Town",))) & search_keys(many)
    assert lookup_keys(located(countries=("AT",), cities=(f"CITY {MOST_PLACES // 2 - 1}",))) & search_keys(many)
