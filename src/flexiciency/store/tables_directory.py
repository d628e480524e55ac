"""Tables of the directory: Market Players, their services and subscriptions (D2.3, 2.2 and 2.3)."""

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Integer, LargeBinary, Table, Text, false, text
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE

from flexiciency.store.columns import Instant, key, metadata, one_of, optional, required

market_player_description = Table(
    "market_player_description",
    metadata,
    key("id", Text),
    required("company_information", Text),
    required("company_type", Text),
    optional("company_subtype", Text),
    required("contact", JSONB),
    Index(None, "company_type"),
    Index("ix_market_player_description_country", text("(contact ->> 'Country')")),
    comment="MPL-DES: a company; contact has the elements of ContactDetails that are there, by name",
)

market_player_territory = Table(
    "market_player_territory",
    metadata,
    key("description_id", Text, ForeignKey("market_player_description.id")),
    key("number", Integer),
    required("country", Text),
    optional("city", Text),
    optional("pod_prefix", Text),
    Index(None, "pod_prefix", postgresql_ops={"pod_prefix": "text_pattern_ops"}),
    Index(None, "country"),
    comment="MPL-DES Territory, in its order: what DSO mapping looks in",
)

market_player_registration = Table(
    "market_player_registration",
    metadata,
    key("id", Text),
    required("description_id", Text, ForeignKey("market_player_description.id"), index=True),
    required("role", Text),
    required("status", Text),
    required("since", Instant),
    optional("suspended_by", Text),
    Index(None, "role", "id"),
    one_of("suspended_by", "Operator", "Player"),
    one_of(
        "role",
        "RegulatedDataProvider",
        "UnregulatedDataProvider",
        "UnregulatedServiceProvider",
        "UnregulatedDataRequester",
    ),
    one_of("status", "Pending", "Active", "Suspended", "Withdrawn"),
    comment="MPL-REG: a company in one role; since is when it got its status",
)

market_player_authentication = Table(
    "market_player_authentication",
    metadata,
    key("id", Text),
    required("registration_id", Text, ForeignKey("market_player_registration.id")),
    required("contact_point", JSONB),
    optional("market_place_location_id", Text, ForeignKey("market_place_location.id")),
    required("fingerprint", Text, index=True),
    required("certificate", LargeBinary),
    required("valid_from", Instant),
    required("valid_until", Instant),
    optional("withdrawn_at", Instant),
    Index(None, "registration_id", "fingerprint"),
    comment="MPL-AUT: a certificate (DER) bound to the company of a registration; fingerprint is SHA-256 in hex",
)

market_player_location = Table(
    "market_player_location",
    metadata,
    key("id", Text),
    key("registration_id", Text, ForeignKey("market_player_registration.id")),
    required("uri", Text),
    Index(None, "registration_id"),
    comment="MPL-ADD: where a registration receives pushes; a row for each registration served there",
)

customer_channel = Table(
    "customer_channel",
    metadata,
    key("id", Text),
    required("name", Text),
    required("fingerprint", Text, unique=True),
    required("certificate", LargeBinary),
    required("bound_at", Instant),
    optional("withdrawn_at", Instant),
    comment="A customers' front end whose certificate (DER) the DSO's operator has bound",
)

service_description = Table(
    "service_description",
    metadata,
    key("id", Text),
    required("owner_id", Text, ForeignKey("market_player_registration.id"), index=True),
    optional("service_type", Text),
    required("short_description", Text),
    required("usage_details", Text),
    optional("aggregation_level", Text),
    optional("aggregation_method", Text),
    optional("quantity", Text),
    optional("time_step", Text),
    optional("period", TSTZRANGE),
    optional("localization", JSONB),
    required("customer_consent_mandatory", Boolean),
    optional("withdrawn_at", Instant),
    required("by_hand", Boolean, server_default=false()),
    one_of("service_type", "IndividualDataProvision", "AggregatedDataProvision", "EnergyServiceProvision"),
    CheckConstraint(
        "service_type = 'EnergyServiceProvision' OR num_nulls(aggregation_level, quantity, time_step) = 0",
        name="data_service",
    ),
    Index("ix_service_description_alone", "id", postgresql_where=text("service_type IS NULL")),
    comment="MKP-SRV-DES: a service of the registration that published it; its type is that of the offer or "
    "subscription that holds it, if any; time_step as in the contract (PT15M), localization by element name; by_hand: "
    "our operator decides on its activations and agreements",
)

b2b_service_subscription = Table(
    "b2b_service_subscription",
    metadata,
    key("id", Text),
    required("provider_id", Text, ForeignKey("market_player_registration.id")),
    required("requester_id", Text, ForeignKey("market_player_registration.id"), index=True),
    required("status", Text),
    optional("validation_date", Instant),
    required("data_details", Text),
    required("processing_details", Text),
    required("version", Integer),
    optional("validated_by_provider_at", Instant),
    optional("validated_by_requester_at", Instant),
    one_of("status", "Proposed", "Validated", "Declined", "Ended"),
    Index(None, "provider_id", "requester_id"),
    Index(
        "uq_b2b_service_subscription_proposed",
        "provider_id",
        "requester_id",
        unique=True,
        postgresql_where=text("status = 'Proposed'"),
    ),
    comment="B2B-SRV-SUB: what one requester may ask of one provider",
)

b2b_service_subscription_description = Table(
    "b2b_service_subscription_description",
    metadata,
    key("subscription_id", Text, ForeignKey("b2b_service_subscription.id")),
    key("service_description_id", Text, ForeignKey("service_description.id")),
    comment="B2B-SRV-SUB → MKP-SRV-DES",
)
