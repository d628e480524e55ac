"""What is entered by hand, checked against its XSD type before it is stored: else replies would break the contract.

Apart from `options`, which needs the client: that is slow to import.
"""

from dataclasses import dataclass
from typing import Any

import typer

from flexiciency.contract import kinds
from flexiciency.contract.kinds import BEYOND
from flexiciency.soap.posting import check_url


@dataclass(frozen=True, slots=True)
class Kind(kinds.Kind):
    """An XSD type that options and arguments are checked against."""

    @classmethod
    def of(cls, kind: kinds.Kind) -> "Kind":
        """The same type, for options."""
        return cls(kind.pattern, kind.expected)

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


IDENTIFIER = Kind.of(kinds.IDENTIFIER)
TEXT = Kind.of(kinds.text(4_000))
PLACE_NAME = Kind.of(kinds.PLACE_NAME)
URI = Kind(r"(?=.{1,1000}\Z)https?://[!-~]+", "https://…, at most 1,000 printable ASCII characters without spaces")
ADDRESS = Address(URI.pattern, URI.expected)
POD = Kind.of(kinds.POD)
COUNTRY = Kind.of(kinds.COUNTRY)
POSTAL_CODE = Kind.of(kinds.text(20))
EMAIL = Kind(rf"(?=.{{1,254}}\Z)[!-?A{BEYOND}]+@[!-?A{BEYOND}]+", "name@host, at most 254 characters without spaces")
TELEPHONE = Kind(r"\+?[0-9][0-9 ()./-]{2,29}", "a telephone number: +43 1 2345")
