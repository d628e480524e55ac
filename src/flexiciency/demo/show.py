"""What the demo prints at its end."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from flexiciency.demo.exchanged import TABLE_4
from flexiciency.demo.figures import Figures


def show(console: Console, told: Figures, picture: Path) -> None:
    """A table of the objects exchanged with the Market Place, and a table of everything else."""
    console.print(_objects(told))
    console.print(_happened(told, picture))


def _objects(told: Figures) -> Table:
    table = Table(title="Objects exchanged with the Market Place (D2.3, Table 4)", title_justify="left")
    for column in ("object", "direction", "to Market Place", "from Market Place"):
        table.add_column(column)
    for bo_id, directions in TABLE_4.items():
        counted = told.market.objects_exchanged[bo_id]
        direction = "both" if len(directions) > 1 else directions[0]
        table.add_row(bo_id, direction, str(counted.to_market_place), str(counted.from_market_place))
    return table


def _happened(told: Figures, picture: Path) -> Table:
    january, market, rights, clock = told.january, told.market, told.rights, told.clock
    reasons = ", ".join(f"{code} {count}" for code, count in january.refusal_reasons.items())
    table = Table(title="What happened", title_justify="left", show_header=False)
    for name, value in (
        ("parties", market.parties),
        ("registrations, offers, subscriptions", f"{market.registrations}, {market.offers}, {market.subscriptions}"),
        ("matches, validated by both parties", f"{market.matches}, {market.matches_validated}"),
        ("Market Place stopped", f"{market.market_place_stopped_seconds} s"),
        ("matched after its restart", market.matched_after_restart),
        ("PoDs confirmed", january.pods_confirmed),
        ("PoDs refused", f"{january.pods_refused} ({reasons})"),
        ("messages, each way", january.messages),
        ("signatures verified", january.signatures_verified),
        ("signatures refused", january.signatures_refused),
        ("values acknowledged by the player", f"{january.values_acknowledged_by_player:,}"),
        ("values acknowledged at the DSO", f"{january.values_acknowledged_at_dso:,}"),
        ("values stopped by the revocation", f"{january.values_stopped:,}"),
        ("values sent after the revocation", january.values_after_revocation),
        ("largest difference per PoD", f"{january.kwh_difference:g} kWh"),
        ("values acknowledged in the second country", f"{market.second_country_values_acknowledged:,}"),
        ("values of a PoD revoked alone, then", rights.partly_revoked_values_after),
        ("values of the PoD beside it, then", rights.partly_revoked_values_kept),
        ("values around the clock changes", _by_country(clock.clock_change_values_acknowledged)),
        ("sums around the clock changes", _by_country(clock.clock_change_sums_acknowledged)),
        ("largest difference there", f"{clock.clock_change_kwh_difference:g} kWh"),
        ("values corrected, and sums", f"{clock.corrected_values_acknowledged}, {clock.corrected_sums_acknowledged}"),
        ("values refused, then sent again", f"{clock.gap_values_refused}, {clock.gap_values_sent_again}"),
        ("selection narrowed", rights.narrowed_time_step),
        ("agreement without consent, then with", ", ".join(rights.agreement_states)),
        ("flexibility request curtailed", f"to {rights.curtailment_factor:.2%} by {rights.limiting_element}"),
        ("seconds", told.seconds),
        ("picture of a load curve", picture),
    ):
        table.add_row(name, str(value))
    return table


def _by_country(counts: dict[str, int]) -> str:
    return ", ".join(f"{country} {count:,}" for country, count in counts.items())
