"""Tables of the schedule of deliveries (D2.3, 2.6; docs/decisions.md)."""

from sqlalchemy import BigInteger, Boolean, Column, Date, ForeignKey, Identity, Integer, Table, Text

from flexiciency.store.columns import Instant, key, metadata, optional, required

agreement_day = Table(
    "agreement_day",
    metadata,
    key("agreement_id", Text, ForeignKey("agreement.id")),
    key("day", Date),
    key("time_zone", Text),
    required("changes", BigInteger),
    required("expected", Integer),
    required("there", Integer),
    required("complete", Boolean),
    optional("look_at", Instant),
    optional("queued_at", Instant),
    comment="The schedule: a local day of the PoDs of an agreement in one zone as last looked at, at "
    "value_day.changes: how many PoDs may leave, of how many all values are there, and when (look_at) it is looked at "
    "again though nothing was stored; one that is complete is not",
)

agreement_more = Table(
    "agreement_more",
    metadata,
    Column("number", BigInteger, Identity(), primary_key=True),
    required("agreement_id", Text),
    required("pod_id", BigInteger),
    comment="PoDs of which more may leave under an agreement, by a consent or a holder, until the schedule has looked "
    "at the days it knows",
)
