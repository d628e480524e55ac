"""Names of companies as they are compared, and the tables behind a look-up by a part of one."""

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from flexiciency.domain.names import name_key
from flexiciency.store.database import Database
from flexiciency.store.registrations import Company, find, name_parts, put_company
from flexiciency.store.transaction import Transaction, transaction

LONGEST = 200
CROWD = (
    """INSERT INTO market_player_description (id, company_information, company_type, contact)
    SELECT 'd' || i, 'x', 'PublicBody', '{}' FROM generate_series(1, :n) i""",
    """INSERT INTO market_player_registration (id, description_id, role, status, since)
    SELECT 'r' || i, 'd' || i, 'UnregulatedDataRequester', 'Active', now() FROM generate_series(1, :n) i""",
    """INSERT INTO company_name_part
    SELECT part, 'd' || i FROM generate_series(1, :n) i, LATERAL (VALUES ('netz ' || i), (i::text)) AS parts(part)""",
)
NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), min_size=1, max_size=LONGEST)


@given(NAMES, st.data())
def test_a_part_of_a_name_is_the_beginning_of_one_of_its_endings(name: str, data: st.DataObject) -> None:
    key = name_key(name)
    start = data.draw(st.integers(0, len(key) - 1))
    end = data.draw(st.integers(start + 1, len(key)))
    assert any(part.startswith(key[start:end]) for part in name_parts(name))


def test_the_longest_name_in_the_widest_characters_fits_the_index(database: Database) -> None:
    widest = [chr(0x1D160) * LONGEST, "\u0390" * LONGEST, "\uac01" * LONGEST, "\U00020000" * LONGEST]
    for number, name in enumerate(widest):
        company = Company(f"{number:0200d}", "Wide", {"Name": name}, "PublicBody", "Other", ())
        with transaction(database) as tx:
            put_company(tx, company)
    with database.begin() as connection:
        stored = connection.execute(text("SELECT count(DISTINCT description_id) FROM company_name_part")).scalar_one()
    assert stored == len(widest)


def test_many_companies_of_one_name_are_walked_and_few_are_sorted_with_one_result(database: Database) -> None:
    number = 2100
    with database.begin() as connection:
        for statement in CROWD:
            connection.execute(text(statement), {"n": number})
    with transaction(database) as tx:
        walked, few = _found(tx, "netz"), _found(tx, "NETZ 210")
        assert _found(tx, "netz", after=walked[9], limit=5) == walked[10:15]
    assert len(walked) == number
    assert few == [f"r{i}" for i in (210, 2100)]
    assert set(few) < set(walked)


def _found(tx: Transaction, name: str, *, after: str | None = None, limit: int = 5000) -> list[str]:
    return find(tx, role=None, company_type="PublicBody", name=name, country=None, after=after, limit=limit)
