"""How names of companies and places compare (com:Localization, ContactDetails)."""

from unicodedata import normalize


def name_key(name: str) -> str:
    """A name as it is compared: upper and lower case alike, and composed and combining characters."""
    return normalize("NFC", normalize("NFC", name).casefold())
