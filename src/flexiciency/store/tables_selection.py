"""Table of selections of data (D2.3, 2.5)."""

from sqlalchemy import Boolean, ForeignKey, Table, Text
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE

from flexiciency.store.columns import Instant, key, metadata, optional, required

selection = Table(
    "selection", metadata,
    key("id", Text),
    required("requester_id", Text, ForeignKey("market_player_registration.id"), index=True),
    required("service_description_id", Text, ForeignKey("service_description.id")),
    required("aggregated", Boolean),
    optional("aggregation_level", Text),
    optional("aggregation_method", Text),
    required("quantity", Text),
    required("time_step", Text),
    required("period", TSTZRANGE),
    required("localization", JSONB),
    optional("encoding", Text),
    optional("asked", JSONB),
    required("selected_at", Instant),
    comment="IND-DAT-SEL or AGG-DAT-SEL as it is served, localization by element name; asked: what was asked for "
    "instead, where that was more",
)  # fmt: skip
