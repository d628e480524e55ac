"""Why something is refused in a business answer: the reason codes, each with the sentence a partner reads."""

from dataclasses import dataclass
from enum import StrEnum


class ReasonCode(StrEnum):
    """Codes of com:Reason. Refusals are answers (KO, Partial, refused PoD), never faults."""

    POD_UNKNOWN = "PodUnknown"
    POD_REPEATED = "PodRepeated"
    POD_NOT_HELD = "PodNotHeld"
    PERIOD_EMPTY = "PeriodEmpty"
    DSO_NOT_HERE = "DsoNotHere"
    THIRD_PARTY_UNKNOWN = "ThirdPartyUnknown"
    THIRD_PARTY_NOT_ACTIVE = "ThirdPartyNotActive"
    THIRD_PARTY_NOT_ELIGIBLE = "ThirdPartyNotEligible"
    OCCUPANT_CHANGED = "OccupantChanged"
    NO_CONSENT = "NoConsent"
    CONSENT_SCOPE = "ConsentScope"
    SERVICE_UNKNOWN = "ServiceUnknown"
    SERVICE_NOT_SUBSCRIBED = "ServiceNotSubscribed"
    SERVICE_TYPE_MISMATCH = "ServiceTypeMismatch"
    SELECTION_NOT_SERVED = "SelectionNotServed"
    SELECTION_NARROWED = "SelectionNarrowed"
    USE_DSO_REQUEST = "UseDsoRequest"
    USE_UNREGULATED_REQUEST = "UseUnregulatedRequest"
    REFUSED_BY_PROVIDER = "RefusedByProvider"
    STOPPED_BY_PROVIDER = "StoppedByProvider"
    SERVICE_LIMITED = "ServiceLimited"
    POD_NOT_CONFIRMED = "PodNotConfirmed"
    VALUES_MISSING = "ValuesMissing"
    VALUES_UNREADABLE = "ValuesUnreadable"
    GROUP_TOO_SMALL = "GroupTooSmall"
    GROUP_OVERLAPS = "GroupOverlaps"
    CURVE_INVALID = "CurveInvalid"
    LOAD_AREA_UNKNOWN = "LoadAreaUnknown"
    HEADROOM_UNKNOWN = "HeadroomUnknown"
    BASE_CASE_INFEASIBLE = "BaseCaseInfeasible"
    GRID_LIMIT = "GridLimit"
    TSO_LIMIT = "TsoLimit"
    GRID_UNKNOWN = "GridUnknown"
    GAPS_CUT = "GapsCut"


SENTENCES: dict[ReasonCode, str] = {
    ReasonCode.POD_UNKNOWN: "This DSO has no such PoD. Check the PoD's spelling and its DSO.",
    ReasonCode.POD_REPEATED: "The PoD is listed more than once. List each PoD once.",
    ReasonCode.POD_NOT_HELD: "This customer does not hold the PoD in the period. Check customer, PoD and dates.",
    ReasonCode.PERIOD_EMPTY: "EndDate, which is exclusive, must be later than StartDate.",
    ReasonCode.DSO_NOT_HERE: "Dso names another registration than the one asked. Send the consent to that DSO.",
    ReasonCode.THIRD_PARTY_UNKNOWN: "Eso names no registration known here. The third party must enrol first.",
    ReasonCode.THIRD_PARTY_NOT_ACTIVE: "The third party's registration is not Active. Have it approved or reactivated.",
    ReasonCode.THIRD_PARTY_NOT_ELIGIBLE: "The third party's role may not receive data. Name one whose role may.",
    ReasonCode.OCCUPANT_CHANGED: "The customer no longer holds the PoD. Its new holder must consent anew.",
    ReasonCode.NO_CONSENT: "No valid consent of the PoD's customer names this requester. Ask the customer for one.",
    ReasonCode.CONSENT_SCOPE: "The consent covers another quantity, a coarser time step or another period.",
    ReasonCode.SERVICE_UNKNOWN: "MarketPlaceServiceDescriptionRef names no service that this provider offers.",
    ReasonCode.SERVICE_NOT_SUBSCRIBED: "No validated B2B service subscription covers this requester and service.",
    ReasonCode.SERVICE_TYPE_MISMATCH: "The service is of another type than this request activates.",
    ReasonCode.SELECTION_NOT_SERVED: "The selection asks for another quantity or time step than the service has.",
    ReasonCode.SELECTION_NARROWED: "Less of the service is served than the selection asked for.",
    ReasonCode.USE_DSO_REQUEST: "The service is a regulated provider's. Activate it by DSO-REQ.",
    ReasonCode.USE_UNREGULATED_REQUEST: "The service is an unregulated provider's. Activate it by USP-REQ.",
    ReasonCode.REFUSED_BY_PROVIDER: "The provider decided against it. Ask the provider why.",
    ReasonCode.STOPPED_BY_PROVIDER: "The provider stopped the activation. Ask the provider why.",
    ReasonCode.SERVICE_LIMITED: "The service is activated within limits. Ask the provider which.",
    ReasonCode.POD_NOT_CONFIRMED: "The PoD was not confirmed in the activation. List confirmed PoDs only.",
    ReasonCode.VALUES_MISSING: "Values of this period did not arrive. They are asked for again.",
    ReasonCode.VALUES_UNREADABLE: "The values could not be read or stored by the receiver.",
    ReasonCode.GROUP_TOO_SMALL: "The group has too few PoDs, and not all have consented. Ask for a larger group.",
    ReasonCode.GROUP_OVERLAPS: "A group already served for this time differs by too few PoDs. Ask for that one again.",
    ReasonCode.CURVE_INVALID: "The power curve is none: points rise from StartTime on, all before EndTime.",
    ReasonCode.LOAD_AREA_UNKNOWN: "This DSO has no such load area. Check its code and its DSO.",
    ReasonCode.HEADROOM_UNKNOWN: "The headroom of the load area is not known at some time of the curve.",
    ReasonCode.BASE_CASE_INFEASIBLE: "The grid is beyond its limits there without any exchange. Choose another time.",
    ReasonCode.GRID_LIMIT: "The DSO's grid takes no more than this part of the exchange.",
    ReasonCode.TSO_LIMIT: "The TSO takes no more than this part of the exchange.",
    ReasonCode.GRID_UNKNOWN: "What the grid takes could not be computed, so nothing is allowed. Ask again later.",
    ReasonCode.GAPS_CUT: "There are more gaps than one report lists. Ask for a shorter period.",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """com:Reason."""

    code: ReasonCode
    text: str


def reason(code: ReasonCode, text: str | None = None) -> Reason:
    """The reason with its standard sentence, or a more exact one."""
    return Reason(code, text or SENTENCES[code])


@dataclass(frozen=True, slots=True)
class RefusedPod:
    """com:RefusedPoD."""

    pod: str
    reason: Reason
