"""TECH-FLEX-REQ and TECH-FLEX-RESP as a Market Player's program sees them (D2.3, 2.6)."""

from dataclasses import dataclass
from decimal import Decimal

from flexiciency.client.objects import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class TechnicalValidation:
    """TechnicalValidationResponse (TECH-FLEX-RESP): allowed is `factor` times what was proposed; 1 all, 0 nothing.

    `factor` is the lesser of `dso_factor` and `tso_factor`; `limiting_element` is None where nothing limits.
    """

    id: str
    request_id: str
    factor: Decimal
    dso_factor: Decimal
    tso_factor: Decimal
    limiting_element: str | None
    reason: Reason | None
