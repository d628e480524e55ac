"""What is entered by hand, checked against its XSD type before it is stored: else replies would break the contract.

Apart from `options`, which needs the client: that is slow to import.
"""

import re
from dataclasses import dataclass
from typing import Any

import typer

from flexiciency.soap.posting import check_url

_BEYOND = r"-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF"
"""From a character on, what XML 1.0 has; no surrogates, as which Python takes arguments that are not UTF-8."""


@dataclass(frozen=True, slots=True)
class Kind:
    """An XSD type: the pattern of its values, and the same in words."""

    pattern: str
    expected: str

    def check(self, value: str) -> None:
        """Raises ValueError."""
        if not re.fullmatch(self.pattern, value):
            raise ValueError(f"expected {self.expected}")

    def option(self, given: Any) -> Any:
        """A callback of an option or argument, which may be absent or repeatable. Raises BadParameter."""
        try:
            for value in given if isinstance(given, list | tuple) else [given]:
                if value is not None:
                    self.check(value)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        return given


class Address(Kind):
    """A URI that we send messages to: over https, or http on loopback."""

    __slots__ = ()

    def check(self, value: str) -> None:
        """Raises ValueError."""
        super().check(value)
        check_url(value)


def _text(most: int) -> Kind:
    """A string with something to read in it."""
    return Kind(
        rf"(?=\s*\S)[\t\n\r {_BEYOND}]{{1,{most}}}", f"1 to {most:,} characters, not all blank and none of control"
    )


IDENTIFIER = Kind(r"[!-~]{1,200}", "1 to 200 printable ASCII characters without spaces")
TEXT = _text(4_000)
PLACE_NAME = _text(200)
URI = Kind(r"(?=.{1,1000}\Z)https?://[!-~]+", "https://…, at most 1,000 printable ASCII characters without spaces")
ADDRESS = Address(URI.pattern, URI.expected)
POD = Kind(r"[!-~]{1,64}", "1 to 64 printable ASCII characters without spaces")
COUNTRY = Kind(r"[A-Z]{2}", "a country as two capitals: AT")
POSTAL_CODE = _text(20)
EMAIL = Kind(rf"(?=.{{1,254}}\Z)[!-?A{_BEYOND}]+@[!-?A{_BEYOND}]+", "name@host, at most 254 characters without spaces")
TELEPHONE = Kind(r"\+?[0-9][0-9 ()./-]{2,29}", "a telephone number: +43 1 2345")
