"""Why an offer and a subscription match or do not, as the operator and both parties are shown it."""

from collections.abc import Iterable

from flexiciency.cli.output import show
from flexiciency.domain.matching import Finding

_COLUMNS = ("offered_id", "wanted_id", "attribute", "fits", "offered", "wanted", "text")


def show_findings(pairs: Iterable[tuple[str, str, Iterable[Finding]]], *, as_json: bool) -> None:
    """What the comparison of each pair of an offered and a wanted description found, attribute by attribute."""
    rows = [
        (offered_id, wanted_id, one.attribute, one.fits, one.offered, one.wanted, one.text)
        for offered_id, wanted_id, findings in pairs
        for one in findings
    ]
    show("Why", rows, _COLUMNS, as_json=as_json)
