"""XSD types of single values, for what does not come in a message: else replies with it would break the contract."""

import re
from dataclasses import dataclass

BEYOND = r"-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF"
"""From a character on, what XML 1.0 has; no surrogates, as which Python takes what is not UTF-8."""


@dataclass(frozen=True, slots=True)
class Kind:
    """An XSD type: the pattern of its values, and the same in words."""

    pattern: str
    expected: str

    def fits(self, value: str) -> bool:
        """Whether a value is of this type."""
        return re.fullmatch(self.pattern, value) is not None

    def check(self, value: str) -> None:
        """Raises ValueError."""
        if not self.fits(value):
            raise ValueError(f"expected {self.expected}")


def text(most: int) -> Kind:
    """A string with something to read in it."""
    return Kind(
        rf"(?=\s*\S)[\t\n\r {BEYOND}]{{1,{most}}}", f"1 to {most:,} characters, not all blank and none of control"
    )


IDENTIFIER = Kind(r"[!-~]{1,200}", "1 to 200 printable ASCII characters without spaces")
PLACE_NAME = text(200)
POD = Kind(r"[!-~]{1,64}", "1 to 64 printable ASCII characters without spaces")
COUNTRY = Kind(r"[A-Z]{2}", "a country as two capitals: AT")
