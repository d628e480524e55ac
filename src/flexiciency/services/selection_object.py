"""IND-DAT-SEL and AGG-DAT-SEL, from the message and into it (D2.3, 2.5)."""

from types import SimpleNamespace
from typing import Any

from flexiciency.contract.series import TimeStep
from flexiciency.domain.selection import Selection

INDIVIDUAL, AGGREGATED = "IndividualDataSelection", "AggregatedDataSelection"


def asked(found: Any) -> Selection:
    """What an IND-DAT-SEL or AGG-DAT-SEL asks for."""
    aggregated, place = found.get_type_name() == AGGREGATED, found.Localization
    fields: dict[str, Any] = {}
    if aggregated:
        fields = {
            "level": found.AggregationLevel, "method": found.AggregationMethod, "countries": tuple(place.Country or ()),
            "cities": tuple(place.City or ()), "streets": tuple(place.Street or ()),
        }  # fmt: skip
    return Selection(
        aggregated=aggregated, quantity=found.Quantity, time_step=TimeStep(found.TimeStep), start=found.Period.Start,
        end=found.Period.End, pods=tuple(place.PoD or ()), customers=tuple(place.CustomerId or ()),
        encoding=found.Encoding, **fields,
    )  # fmt: skip


def chosen(choice: Any) -> Any:
    """The selection in a DSO-REQ's Selection, None where there is none."""
    return choice and (choice.IndividualDataSelection or choice.AggregatedDataSelection)


def element_of(selection: Selection) -> str:
    """The name of its element."""
    return AGGREGATED if selection.aggregated else INDIVIDUAL


def written_selection(types: SimpleNamespace, selection_id: str, service_id: str, served: Selection) -> Any:
    """The selection as it is served."""
    fields: dict[str, Any] = {
        "Id": selection_id, "Quantity": served.quantity,
        "Period": types.Period(Start=served.start, End=served.end), "TimeStep": served.time_step.value,
        "Encoding": served.encoding, "MarketPlaceServiceDescriptionRef": service_id,
    }  # fmt: skip
    place: dict[str, Any] = {"CustomerId": list(served.customers), "PoD": list(served.pods)}
    if not served.aggregated:
        return types.IndividualDataSelection(Localization=types.SelectionLocalization(**place), **fields)
    place |= {"Country": list(served.countries), "City": list(served.cities), "Street": list(served.streets)}
    return types.AggregatedDataSelection(
        AggregationLevel=served.level, AggregationMethod=served.method,
        Localization=types.AggregatedLocalization(**place), **fields,
    )  # fmt: skip


def written_choice(types: SimpleNamespace, selection_id: str, service_id: str, served: Selection) -> Any:
    """The Selection of a DSO-CNF."""
    written = written_selection(types, selection_id, service_id, served)
    return types.ActivationSelection(**{element_of(served): written})
