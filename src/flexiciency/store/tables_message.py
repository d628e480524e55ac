"""Tables of what travels and what proves it: meter values, deliveries, messages (D2.3, 2.6; docs/decisions.md)."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Sequence,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import TSTZMULTIRANGE, TSTZRANGE

from flexiciency.store.columns import Instant, key, metadata, one_of, optional, required

# No foreign key to pod: it would cost a look-up per block on import, where pod_id has just been read from pod.
meter_value_block = Table(
    "meter_value_block",
    metadata,
    key("pod_id", BigInteger),
    key("quantity", SmallInteger),
    key("day", Date),
    key("version", Integer),
    required("start", Instant),
    required("step", Integer),
    required("count", Integer),
    required("values", LargeBinary),
    optional("qualities", LargeBinary),
    required("stored_at", Instant, server_default=func.now()),
    Index("ix_meter_value_block_corrected", "quantity", "day", "version", postgresql_where=text("version > 1")),
    postgresql_partition_by="RANGE (day)",
    comment="IND-DAT-VAL: one PoD, quantity, local day and version; step in seconds, the rest as in values.py",
)

Sequence("meter_value_version", data_type=Integer, start=2, metadata=metadata)

value_day = Table(
    "value_day",
    metadata,
    key("quantity", SmallInteger),
    key("day", Date),
    required("changes", BigInteger),
    comment="Local days of which any value is stored; changes grows with each transaction that stores one",
)

value_correction = Table(
    "value_correction",
    metadata,
    Column("number", BigInteger, Identity(), primary_key=True),
    required("pod_id", BigInteger),
    required("quantity", SmallInteger),
    required("day", Date),
    required("version", Integer),
    comment="Blocks stored in the place of earlier ones, until whoever got those has been sent the new ones",
)

value_import = Table(
    "value_import",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    required("name", Text),
    optional("size", BigInteger),
    optional("modified", Instant),
    required("digest", LargeBinary, index=True),
    required("position", BigInteger),
    required("new", BigInteger),
    required("corrected", BigInteger),
    required("known", BigInteger),
    required("rejected", BigInteger),
    required("started_at", Instant),
    optional("ended_at", Instant),
    comment="Sources of values: content and options by digest, the line up to which all is stored, blocks stored and "
    "rows rejected",
)

delivery = Table(
    "delivery",
    metadata,
    key("id", Uuid),
    # In the order in which one transaction queued them.
    required("number", BigInteger, Identity()),
    required("recipient_id", Text, ForeignKey("market_player_registration.id")),
    required("operation", Text),
    required("state", Text),
    optional("content", LargeBinary),
    optional("agreement_id", Text, ForeignKey("agreement.id"), index=True),
    optional("value_period", TSTZRANGE),
    optional("time_zone", Text),
    optional("pods", ARRAY(Text)),
    optional("cause", Text),
    optional("time_step", Integer),
    required("object_id", Text, index=True),
    required("message_id", Text, unique=True),
    optional("relates_to", Text),
    required("created_at", Instant),
    optional("sent_at", Instant),
    optional("received_at", Instant),
    optional("acknowledged_at", Instant),
    required("resends", Integer, server_default=text("0")),
    optional("resent_at", Instant),
    optional("escalated_at", Instant),
    optional("replaced_by", Uuid, ForeignKey("delivery.id")),
    required("attempts", Integer),
    optional("last_error", Text),
    optional("body_digest", LargeBinary),
    Index(None, "recipient_id", "state", "created_at"),
    Index(
        "ix_delivery_unacknowledged",
        "received_at",
        postgresql_where=text(
            "sent_at IS NOT NULL AND acknowledged_at IS NULL AND escalated_at IS NULL AND replaced_by IS NULL "
            "AND cause <> 'Answered'"
        ),
    ),
    Index(None, "escalated_at", postgresql_where=text("escalated_at IS NOT NULL")),
    one_of(
        "state",
        "Queued",
        "Sent",
        "AcknowledgedOK",
        "AcknowledgedPartly",
        "AcknowledgedKO",
        "Retrying",
        "Dead",
    ),
    one_of("cause", "Scheduled", "Correction", "Requested", "Answered"),
    CheckConstraint("(content IS NULL) = (value_period IS NOT NULL)", name="content"),
    CheckConstraint("value_period IS NULL OR agreement_id IS NOT NULL", name="agreement"),
    comment="An object to push: its canonical XML, or for values the agreement, period, step (null: the agreement's) "
    "and PoDs (null: all) to build it from when sent, and why",
)

delivery_pod = Table(
    "delivery_pod",
    metadata,
    key("delivery_id", Uuid, ForeignKey("delivery.id")),
    key("pod_id", BigInteger, ForeignKey("pod.id")),
    required("value_count", Integer),
    optional("status", Text),
    optional("reason_code", Text),
    optional("consents", ARRAY(Text)),
    optional("version", Integer),
    optional("parts", TSTZMULTIRANGE),
    required("open", Boolean, server_default=text("true")),
    Index(None, "pod_id"),
    Index(None, "consents", postgresql_using="gin"),
    one_of("status", "OK", "KO", "Partly"),
    comment="IND-DAT-VAL by PoD: which part of the period it has values of (null: all), their latest version, the "
    "consents that released them, and what IND-DAT-ACK said, of all of them unless open; of AGG-DAT-VAL, the PoDs "
    "behind it",
)

delivery_aggregate = Table(
    "delivery_aggregate",
    metadata,
    key("delivery_id", Uuid, ForeignKey("delivery.id")),
    key("aggregation_id", Text),
    required("value_count", Integer),
    required("pods", Integer),
    optional("status", Text),
    optional("reason_code", Text),
    optional("parts", TSTZMULTIRANGE),
    required("open", Boolean, server_default=text("true")),
    one_of("status", "OK", "KO", "Partly"),
    comment="AGG-DAT-VAL by aggregate: the number of PoDs behind it, which part of the period it has values of (null: "
    "all), and what AGG-DAT-ACK said, of all of them unless open",
)

delivery_acknowledgement = Table(
    "delivery_acknowledgement",
    metadata,
    Column("number", BigInteger, Identity(), primary_key=True),
    required("delivery_id", Uuid, ForeignKey("delivery.id"), index=True),
    optional("pod_id", BigInteger),
    optional("aggregation_id", Text),
    optional("value_period", TSTZRANGE),
    required("status", Text),
    optional("reason_code", Text),
    optional("reason_text", Text),
    required("status_at", Instant),
    required("received_at", Instant),
    one_of("status", "OK", "KO"),
    CheckConstraint("num_nonnulls(pod_id, aggregation_id) = 1", name="source"),
    comment="IND-DAT-ACK and AGG-DAT-ACK, each statement: of which values (null: all) of a PoD or aggregate in a "
    "message, and when it was so",
)

aggregate_served = Table(
    "aggregate_served",
    metadata,
    key("requester_id", Text, ForeignKey("market_player_registration.id")),
    key("group_hash", LargeBinary),
    required("pods", ARRAY(Text)),
    required("served", TSTZMULTIRANGE),
    comment="Decision 10: the groups of PoDs whose aggregates a requester was served, and for which intervals",
)

aggregate_total = Table(
    "aggregate_total",
    metadata,
    key("agreement_id", Text, ForeignKey("agreement.id")),
    key("time_zone", Text),
    key("step", Integer),
    key("day", Date),
    key("aggregation_id", Text),
    required("members", LargeBinary),
    required("absent", ARRAY(Text)),
    required("sums", LargeBinary),
    required("counts", LargeBinary),
    required("latest", Integer),
    required("seen", Integer),
    comment="AGG-DAT-VAL of a local day as last added up, so that a correction is not a reading anew: a hash of the "
    "PoDs that might leave, those of them without a value, sums and counts by quality as in aggregate_totals.py, the "
    "latest version in them, and the version up to which corrections are in them",
)

# No foreign keys from a reply to its request and from an exchange to its reply: one statement inserts all three.
message = Table(
    "message",
    metadata,
    # "By default", not "always": the chunks of a large message are written before its row.
    Column("id", BigInteger, Identity(), primary_key=True),
    required("direction", Text),
    required("peer", Text),
    optional("message_id", Text),
    optional("relates_to", Text),
    optional("action", Text),
    optional("fingerprint", Text),
    optional("body_digest", LargeBinary),
    required("sha256", LargeBinary),
    required("size", BigInteger),
    optional("code", Text),
    required("verified", Boolean),
    required("at", Instant),
    optional("content", LargeBinary),
    required("chunks", Integer, server_default=text("0")),
    optional("request_row", BigInteger),
    # By instant and MessageID a message is found; BRIN costs the message path next to nothing.
    Index(None, "at", postgresql_using="brin"),
    one_of("direction", "in", "out"),
    comment="Evidence: a message byte for byte (zlib), or digest and size alone of one that was refused unverified",
)

message_chunk = Table(
    "message_chunk",
    metadata,
    key("message_id", BigInteger, ForeignKey("message.id", deferrable=True, initially="DEFERRED")),
    key("number", Integer),
    required("content", LargeBinary),
    comment="Evidence of a large message, 1 MB a chunk (zlib each)",
)

exchange = Table(
    "exchange",
    metadata,
    key("sender", Text),
    key("message_id", Text),
    required("body_digest", LargeBinary),
    required("at", Instant),
    optional("reply_row", BigInteger),
    comment="The replay rule: a MessageID is unique per From; reply_row is what was answered",
)
