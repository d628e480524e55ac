"""Tables of flexibility (D2.3, 2.6): load areas with their headroom, and technical validations."""

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Integer, Numeric, Table, Text

from flexiciency.store.columns import Instant, key, metadata, one_of, optional, required

_KW = Numeric(18, 3)
_ASKED_KW = Numeric(21, 3)
"""What com:DataValue can hold: 18 digits before the point or 3 of them behind it."""
_FACTOR = Numeric(7, 6)

load_area = Table(
    "load_area", metadata,
    key("code", Text),
    required("owner_id", Text),
    required("name", Text),
    required("time_zone", Text),
    optional("network", Text),
    comment="Load areas of this DSO; the zone is that of its times of day, network the file of a grid model",
)  # fmt: skip

load_area_headroom = Table(
    "load_area_headroom", metadata,
    key("load_area", Text, ForeignKey("load_area.code")),
    key("party", Text),
    key("first_minute", Integer),
    required("until_minute", Integer),
    required("import_kw", _KW),
    required("export_kw", _KW),
    required("limiting_element", Text),
    one_of("party", "DSO", "TSO"),
    CheckConstraint("0 <= first_minute AND first_minute < until_minute AND until_minute <= 1440", name="minutes"),
    comment="What DSO and TSO allow each day in [first, until), minutes of the local day; negative: violated already",
)  # fmt: skip

technical_validation = Table(
    "technical_validation", metadata,
    key("id", Text),
    optional("response_id", Text),
    required("player_id", Text, ForeignKey("market_player_registration.id")),
    required("direction", Text),
    required("status", Text),
    required("load_area", Text),
    required("start_at", Instant),
    required("end_at", Instant),
    required("times", ARRAY(Instant)),
    required("powers_kw", ARRAY(_ASKED_KW)),
    optional("dso_factor", _FACTOR),
    optional("tso_factor", _FACTOR),
    optional("limiting_element", Text),
    optional("reason_code", Text),
    optional("reason_text", Text),
    required("asked_at", Instant),
    optional("answered_at", Instant),
    one_of("direction", "FromPlayer", "ToPlayer"),
    one_of("status", "Received", "Asked", "Answered"),
    CheckConstraint(
        "num_nonnulls(response_id, dso_factor, tso_factor, answered_at) = "
        "CASE status WHEN 'Answered' THEN 4 ELSE 0 END",
        name="answer",
    ),
    comment="TECH-FLEX-REQ with its TECH-FLEX-RESP: of a Market Player, Received until Answered, or of us to one, "
    "Asked until Answered; the load area is what was asked, known or not",
)  # fmt: skip
