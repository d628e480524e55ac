"""All tables under one name, for queries: `from flexiciency.store import tables`.

Identifiers are those of the contract (`urn:uuid:…`, text). Times are UTC instants; ranges are half-open [start, end).
A list of states stands once, as the check of its column.
"""

from flexiciency.store.columns import metadata
from flexiciency.store.tables_consent import (
    activation,
    activation_pod,
    agreement,
    agreement_consent,
    agreement_pod,
    agreement_selection,
    consent,
    consent_pod,
    consent_revocation,
    consent_scope,
    pod,
    pod_holder,
)
from flexiciency.store.tables_directory import (
    b2b_service_subscription,
    b2b_service_subscription_description,
    customer_channel,
    market_player_authentication,
    market_player_description,
    market_player_location,
    market_player_registration,
    market_player_territory,
    service_description,
)
from flexiciency.store.tables_flexibility import load_area, load_area_headroom, technical_validation
from flexiciency.store.tables_market import (
    b2b_service_subscription_match,
    company_name_part,
    directory_change,
    directory_number,
    directory_reader,
    market_place_description,
    market_place_location,
    market_place_mirror,
    publication,
    publication_description,
    publication_key,
)
from flexiciency.store.tables_message import (
    delivery,
    delivery_pod,
    exchange,
    message,
    message_chunk,
    meter_value_block,
)
from flexiciency.store.tables_selection import selection

__all__ = [
    "activation",
    "activation_pod",
    "agreement",
    "agreement_consent",
    "agreement_pod",
    "agreement_selection",
    "b2b_service_subscription",
    "b2b_service_subscription_description",
    "b2b_service_subscription_match",
    "company_name_part",
    "consent",
    "consent_pod",
    "consent_revocation",
    "consent_scope",
    "customer_channel",
    "delivery",
    "delivery_pod",
    "directory_change",
    "directory_number",
    "directory_reader",
    "exchange",
    "load_area",
    "load_area_headroom",
    "market_place_description",
    "market_place_location",
    "market_place_mirror",
    "market_player_authentication",
    "market_player_description",
    "market_player_location",
    "market_player_registration",
    "market_player_territory",
    "message",
    "message_chunk",
    "metadata",
    "meter_value_block",
    "pod",
    "pod_holder",
    "publication",
    "publication_description",
    "publication_key",
    "selection",
    "service_description",
    "technical_validation",
]
