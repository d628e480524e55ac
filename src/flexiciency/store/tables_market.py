"""Tables of the Market Place: what it says of itself, what is published, matched and changed (D2.3, 2.2 and 2.3)."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, ForeignKey, Index, Integer, Sequence, Table, Text

from flexiciency.store.columns import Instant, key, metadata, one_of, optional, required

market_place_description = Table(
    "market_place_description",
    metadata,
    key("id", Text),
    required("purpose", Text),
    required("legal_information", Text),
    required("contact_details", Text),
    required("stakeholder_and_community", Text),
    required("help", Text),
    required("usage_condition", Text),
    comment="MKP-DES: one row",
)

market_place_location = Table(
    "market_place_location",
    metadata,
    key("id", Text),
    required("uri", Text),
    comment="MKP-ADD: an access point of the Market Place",
)

company_name_part = Table(
    "company_name_part",
    metadata,
    key("part", Text(collation="C")),
    key("description_id", Text, ForeignKey("market_player_description.id")),
    Index(None, "description_id"),
    comment="Each ending of a company's name in lower case: a part of a name is the beginning of one of them",
)

publication = Table(
    "publication",
    metadata,
    key("id", Text),
    required("kind", Text),
    required("party_id", Text, ForeignKey("market_player_registration.id")),
    required("service_type", Text),
    required("status", Text),
    required("version", Integer),
    required("published_at", Instant),
    one_of("kind", "Offer", "Subscription"),
    one_of("service_type", "IndividualDataProvision", "AggregatedDataProvision", "EnergyServiceProvision"),
    one_of("status", "Published", "Withdrawn"),
    Index(None, "party_id", "kind", "id"),
    Index(None, "kind", "service_type", "id"),
    comment="MKP-SRV-OFF (party_id is its Supplier) or MKP-SRV-SUB (its Requester), the latest version",
)

publication_description = Table(
    "publication_description",
    metadata,
    key("publication_id", Text, ForeignKey("publication.id")),
    key("number", Integer),
    required("description_id", Text, ForeignKey("service_description.id"), index=True),
    required("by_reference", Boolean),
    comment="ServiceDetails of an offer or subscription, in their order",
)

publication_key = Table(
    "publication_key",
    metadata,
    key("key", Text(collation="C")),
    key("kind", Text),
    key("publication_id", Text, ForeignKey("publication.id")),
    key("description_id", Text, ForeignKey("service_description.id")),
    Index(None, "publication_id"),
    comment="By which keys (domain/matching.py) the descriptions of what is Published are found",
)

b2b_service_subscription_match = Table(
    "b2b_service_subscription_match",
    metadata,
    key("b2b_id", Text, ForeignKey("b2b_service_subscription.id")),
    key("offer_id", Text, ForeignKey("publication.id")),
    key("offered_id", Text, ForeignKey("service_description.id")),
    key("subscription_id", Text, ForeignKey("publication.id")),
    key("wanted_id", Text, ForeignKey("service_description.id")),
    required("offer_version", Integer),
    required("subscription_version", Integer),
    Index(None, "offer_id"),
    Index(None, "subscription_id"),
    comment="B2B-SRV-SUB: the offered and wanted descriptions that were matched, and in which versions",
)

directory_number = Sequence("directory_number", metadata=metadata)

directory_change = Table(
    "directory_change",
    metadata,
    key("kind", Text),
    key("object_id", Text),
    key("reader_id", Text),
    required("number", BigInteger, unique=True),
    Index(None, "reader_id", "number"),
    one_of("kind", "MPL-REG", "MPL-DES", "MPL-ADD", "MPL-AUT", "MKP-SRV-DES", "B2B-SRV-SUB"),
    comment="The latest change of each object of the directory, for one reader or for all (empty)",
)

directory_reader = Table(
    "directory_reader",
    metadata,
    key("registration_id", Text, ForeignKey("market_player_registration.id")),
    required("pushed_until", BigInteger),
    comment="Up to which change the directory was pushed to a registration",
)

market_place_mirror = Table(
    "market_place_mirror",
    metadata,
    key("id", Integer),
    optional("cursor", Text),
    optional("read_at", Instant),
    optional("failed_at", Instant),
    optional("failure", Text),
    CheckConstraint("id = 1", name="one"),
    comment="How far this DSO has read the directory of a Market Place elsewhere, and when",
)
