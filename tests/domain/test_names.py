"""How names compare."""

from unicodedata import normalize

from hypothesis import given
from hypothesis import strategies as st

from flexiciency.domain.names import name_key

NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), min_size=1, max_size=200)


@given(NAMES)
def test_case_and_composition_make_no_difference(name: str) -> None:
    key = name_key(name)
    assert {name_key(normalize(form, name)) for form in ("NFC", "NFD")} == {key}
    assert name_key(key) == key
