"""Options that several commands share: dataclasses whose fields are options, and the objects that they describe.

`expanded` turns a command with a parameter of such a class into one with an option for each of its fields.
"""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import UTC, datetime
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, get_type_hints

import typer

from flexiciency.cli.entered import COUNTRY, EMAIL, PLACE_NAME, POD, POSTAL_CODE, TELEPHONE, TEXT
from flexiciency.client import Company, ContactDetails, Criteria, ServiceDescription, ServiceLocalization, Territory
from flexiciency.client.market_objects import AggregationLevel, AggregationMethod, CompanyType, Period
from flexiciency.contract.ids import new_id
from flexiciency.contract.series import Quantity, TimeStep


def expanded(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each field of its parameters that are dataclasses."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}

    @wraps(command)
    def run(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        command(**given)

    own = signature(command).parameters.values()
    shown = [one for parameter in own for one in _shown(parameter, hints[parameter.name])]
    run.__signature__ = Signature(shown)  # type: ignore[attr-defined]  # Typer reads it
    return run


def _shown(parameter: Parameter, hint: Any) -> list[Parameter]:
    """What the command line offers for a parameter."""
    if not is_dataclass(hint):
        return [parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=hint)]
    hints = get_type_hints(hint, include_extras=True)
    return [
        Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(hint)
    ]


def instant(text: str) -> datetime:
    """A UTC instant, or the UTC midnight at which a date begins; for options."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is not None and len(text) == len("2025-01-01"):
        return found.replace(tzinfo=UTC)
    if found is None or found.tzinfo is None:
        raise typer.BadParameter(f"{text!r}: write a date, 2025-01-01, or an instant, 2025-01-01T00:00:00Z")
    return found.astimezone(UTC)


def territory(text: str) -> Territory:
    """COUNTRY[:CITY[:POD_PREFIX]], a part being empty where it is not known; for options."""
    country, city, pod_prefix = [*text.split(":", 2), "", ""][:3]
    COUNTRY.option(country)
    PLACE_NAME.option(city or None)
    POD.option(pod_prefix or None)
    return Territory(country=country, city=city or None, pod_prefix=pod_prefix or None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOptions:
    """What a service description says, or must say to be found."""

    level: Annotated[AggregationLevel | None, typer.Option(help="AggregationLevel; None: individual data.")] = None
    method: Annotated[AggregationMethod | None, typer.Option(help="AggregationMethod of aggregated data.")] = None
    quantity: Annotated[Quantity | None, typer.Option(help="Quantity.")] = None
    step: Annotated[TimeStep | None, typer.Option(help="TimeStep.")] = None
    start: Annotated[
        datetime | None, typer.Option("--from", parser=instant, metavar="TIME", help="Period: a date or instant, UTC.")
    ] = None
    end: Annotated[
        datetime | None, typer.Option("--until", parser=instant, metavar="TIME", help="Its end, not included.")
    ] = None
    country: Annotated[
        list[str] | None, typer.Option(help="Localization: a country (AT); repeatable.", callback=COUNTRY.option)
    ] = None
    city: Annotated[
        list[str] | None, typer.Option(help="Localization: a city; repeatable.", callback=PLACE_NAME.option)
    ] = None
    street: Annotated[
        list[str] | None, typer.Option(help="Localization: a street; repeatable.", callback=PLACE_NAME.option)
    ] = None
    pod: Annotated[
        list[str] | None, typer.Option(help="Localization: a PoD; * and ? mask; repeatable.", callback=POD.option)
    ] = None
    consent: Annotated[bool | None, typer.Option("--consent/--no-consent", help="CustomerConsentMandatory.")] = None

    def criteria(self) -> Criteria | None:
        """To find descriptions by; None: all."""
        wanted = Criteria(
            aggregation_level=self.level,
            aggregation_method=self.method,
            quantity=self.quantity,
            period=self._period(),
            localization=self._localization(),
            time_step=self.step,
            customer_consent_mandatory=self.consent,
        )
        return None if wanted == Criteria() else wanted

    def description(self, short_description: str, usage: str, identifier: str | None = None) -> ServiceDescription:
        """A description (MKP-SRV-DES) to be published; consent is mandatory unless said otherwise."""
        return ServiceDescription(
            short_description=short_description,
            usage_details=usage,
            customer_consent_mandatory=self.consent is not False,
            aggregation_level=self.level,
            aggregation_method=self.method,
            quantity=self.quantity,
            period=self._period(),
            localization=self._localization(),
            time_step=self.step,
            id=identifier or new_id(),
        )

    def _period(self) -> Period | None:
        if (self.start is None) != (self.end is None):
            raise typer.BadParameter("a period has both ends: give --from and --until")
        return None if self.start is None or self.end is None else (self.start, self.end)

    def _localization(self) -> ServiceLocalization | None:
        places = (self.country, self.city, self.street, self.pod)
        if not any(places):
            return None
        countries, cities, streets, pods = (tuple(place or ()) for place in places)
        return ServiceLocalization(countries=countries, cities=cities, streets=streets, pods=pods)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyOptions:
    """A company (MPL-DES) that enrols."""

    company: Annotated[str, typer.Option(help="Name of the company.", callback=PLACE_NAME.option)]
    company_type: Annotated[CompanyType, typer.Option(help="CompanyType.")]
    subtype: Annotated[str, typer.Option(help="CompanySubtype: DSO, Retailer, ESCO, Aggregator, …, Other.")]
    email: Annotated[str, typer.Option(help="E-mail address.", callback=EMAIL.option)]
    city: Annotated[str, typer.Option(help="City of the company.", callback=PLACE_NAME.option)]
    country: Annotated[str, typer.Option(help="Its country (AT).", callback=COUNTRY.option)]
    information: Annotated[
        str | None, typer.Option(help="CompanyInformation; by default the name.", callback=TEXT.option)
    ] = None
    street: Annotated[str | None, typer.Option(help="Street and number.", callback=PLACE_NAME.option)] = None
    postal_code: Annotated[str | None, typer.Option(help="Postal code.", callback=POSTAL_CODE.option)] = None
    telephone: Annotated[str | None, typer.Option(help="Telephone number.", callback=TELEPHONE.option)] = None
    territories: Annotated[
        list[Territory] | None,
        typer.Option(
            "--territory", parser=territory, metavar="COUNTRY[:CITY[:POD_PREFIX]]", help="Area served; repeatable."
        ),
    ] = None

    def of(self, registration_id: str) -> Company:
        """The company of a registration (MPL-REG id)."""
        contact = ContactDetails(
            name=self.company,
            email=self.email,
            city=self.city,
            country=self.country,
            telephone=self.telephone,
            street=self.street,
            postal_code=self.postal_code,
        )
        return Company(
            information=self.information or self.company,
            contact_details=contact,
            company_type=self.company_type,
            company_subtype=self.subtype,
            registrations=(registration_id,),
            territories=tuple(self.territories or ()),
        )
