"""Tables of points of delivery, consents, activations and agreements (D2.3, 2.4 and 2.5)."""

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
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import TSTZRANGE, ExcludeConstraint

from flexiciency.store.columns import Instant, key, metadata, one_of, optional, required

pod = Table(
    "pod",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    required("pod", Text, unique=True),
    required("country", Text),
    required("city", Text),
    required("street", Text),
    optional("load_area", Text),
    required("time_zone", Text),
    comment="PoD: a point of delivery, its place and the IANA zone of its local days",
)

pod_holder = Table(
    "pod_holder",
    metadata,
    required("pod_id", BigInteger, ForeignKey("pod.id"), index=True),
    required("customer_id", Text, index=True),
    required("held", TSTZRANGE),
    # One holder at a time. The range around pod_id makes do with core GiST: btree_gist is not on every server.
    ExcludeConstraint(
        (text("int8range(pod_id, pod_id, '[]')"), "="), ("held", "&&"), name="ex_pod_holder_held", using="gist"
    ),
    CheckConstraint("NOT isempty(held)", name="held"),
    comment="Which customer held a PoD, and when",
)

# No foreign keys to registrations: a refused consent may name any.
consent = Table(
    "consent",
    metadata,
    key("id", Text),
    required("customer_id", Text, index=True),
    required("dso_id", Text),
    required("eso_id", Text, index=True),
    required("start_date", Date),
    required("end_date", Date),
    required("validation_date", Instant),
    required("data_details", Text),
    required("processing_details", Text),
    required("channel_id", Text, ForeignKey("customer_channel.id")),
    required("authentication_method", Text),
    required("authenticated_at", Instant),
    required("given_at", Instant),
    required("acknowledgement_id", Text, unique=True),
    required("acknowledged_at", Instant),
    optional("message_id", Text),
    comment="CUS-CON-DES (in message_id) and its CUS-CON-ACK; end_date is exclusive",
)

consent_scope = Table(
    "consent_scope",
    metadata,
    key("consent_id", Text, ForeignKey("consent.id")),
    key("quantity", Text),
    required("finest_step", Integer),
    comment="CUS-CON-DES Scope: finest_step in seconds",
)

consent_pod = Table(
    "consent_pod",
    metadata,
    key("consent_id", Text, ForeignKey("consent.id")),
    key("pod", Text),
    optional("pod_id", BigInteger, ForeignKey("pod.id")),
    required("customer_id", Text),
    required("eso_id", Text),
    required("status", Text),
    optional("reason_code", Text),
    optional("reason_text", Text),
    optional("covered", TSTZRANGE),
    optional("revoked_at", Instant),
    Index("ix_consent_pod_acknowledged", "pod_id", "eso_id", postgresql_where=text("status = 'Acknowledged'")),
    one_of("status", "Acknowledged", "Rejected", "Revoked"),
    CheckConstraint("status = 'Rejected' OR num_nulls(pod_id, covered) = 0", name="known"),
    CheckConstraint("NOT isempty(covered)", name="covered"),
    CheckConstraint("(status = 'Revoked') = (revoked_at IS NOT NULL)", name="revoked"),
    comment="CUS-CON-ACK by PoD: covered are the consent's local days at the PoD, in UTC; customer and third party as "
    "in consent, so that the release rule finds all in one place",
)

consent_revocation = Table(
    "consent_revocation",
    metadata,
    key("id", Text),
    required("consent_id", Text, ForeignKey("consent.id"), index=True),
    required("customer_id", Text),
    required("revoked_at", Instant),
    required("pods", ARRAY(Text)),
    optional("channel_id", Text),
    optional("authentication_method", Text),
    optional("authenticated_at", Instant),
    optional("message_id", Text),
    comment="CUS-CON-REV (in message_id)",
)

activation = Table(
    "activation",
    metadata,
    key("id", Text),
    required("confirmation_id", Text, unique=True),
    required("requester_id", Text, ForeignKey("market_player_registration.id"), index=True),
    required("service_description_id", Text, ForeignKey("service_description.id")),
    required("status", Text),
    optional("reason_code", Text),
    required("received_at", Instant),
    optional("stopped_at", Instant),
    required("kind", Text, server_default="DSO-REQ"),
    optional("reason_text", Text),
    optional("selection_id", Text),
    one_of("status", "Received", "OK", "Partial", "KO", "Stopped"),
    one_of("kind", "DSO-REQ", "USP-REQ"),
    comment="DSO-REQ or USP-REQ (id) and its DSO-CNF or USP-CNF (confirmation_id); once Stopped, the reason is that of "
    "the stop, if one was given",
)

# No foreign keys: one statement inserts an activation and its PoDs, and takes pod_id from pod.
activation_pod = Table(
    "activation_pod",
    metadata,
    key("activation_id", Text),
    key("pod", Text),
    optional("pod_id", BigInteger),
    required("confirmed", Boolean),
    optional("reason_code", Text),
    optional("reason_text", Text),
    comment="DSO-CNF by PoD",
)

agreement = Table(
    "agreement",
    metadata,
    key("id", Text),
    required("version", Integer),
    required("status", Text),
    required("requester_id", Text, ForeignKey("market_player_registration.id"), index=True),
    required("service_description_id", Text, ForeignKey("service_description.id")),
    required("subscription_id", Text, ForeignKey("b2b_service_subscription.id")),
    optional("activation_id", Text, ForeignKey("activation.id")),
    required("data_details", Text),
    required("processing_details", Text),
    required("start_date", Date),
    required("end_date", Date),
    optional("validation_date", Instant),
    required("quantity", Text),
    required("time_step", Integer),
    one_of("status", "Proposed", "Countered", "Validated", "Suspended", "Ended"),
    CheckConstraint("start_date <= end_date", name="dates"),
    comment="SRV-ACT-AGR, its latest version; end_date is exclusive, time_step in seconds",
)

agreement_pod = Table(
    "agreement_pod",
    metadata,
    key("agreement_id", Text, ForeignKey("agreement.id")),
    key("pod_id", BigInteger, ForeignKey("pod.id")),
    required("covered", TSTZRANGE),
    Index(None, "pod_id"),
    comment="SRV-ACT-AGR by PoD: covered are the agreement's local days at the PoD, in UTC",
)

agreement_consent = Table(
    "agreement_consent",
    metadata,
    key("agreement_id", Text, ForeignKey("agreement.id")),
    key("consent_id", Text, ForeignKey("consent.id")),
    Index(None, "consent_id"),
    comment="SRV-ACT-AGR → CUS-CON-DES",
)

agreement_selection = Table(
    "agreement_selection",
    metadata,
    key("agreement_id", Text, ForeignKey("agreement.id")),
    key("selection_id", Text),
    comment="SRV-ACT-AGR → IND-DAT-SEL or AGG-DAT-SEL",
)
