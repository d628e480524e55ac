import re
from pathlib import Path

import pytest

from flexiciency.domain.reasons import SENTENCES, ReasonCode, reason

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("code", ReasonCode)
def test_each_code_is_a_code_of_the_contract_with_a_sentence_of_its_own(code: ReasonCode) -> None:
    assert re.fullmatch("[A-Z][A-Za-z0-9]{2,63}", code.value)
    assert SENTENCES[code].endswith(".")
    assert reason(code).text == SENTENCES[code]


def test_no_two_codes_say_the_same() -> None:
    assert len(set(SENTENCES.values())) == len(ReasonCode)


def test_a_reason_can_say_it_more_exactly() -> None:
    assert reason(ReasonCode.POD_UNKNOWN, "No PoD AT9.").text == "No PoD AT9."


@pytest.mark.parametrize("code", ReasonCode)
def test_each_code_is_given_in_a_test_or_a_sample(code: ReasonCode) -> None:
    files = [file for file in (*ROOT.glob("tests/**/*.py"), *ROOT.glob("samples/**/*.xml")) if file != Path(__file__)]
    assert any(code.value in text or code.name in text for text in (file.read_text("utf-8") for file in files))
