"""Where pushes may go: https and public, unless the operator allows the host (no requests into the DSO's network)."""

import ipaddress
import socket
from urllib.parse import urlsplit

from flexiciency.errors import PartnerUnreachable
from flexiciency.soap.posting import check_url


class PushAddresses:
    """The addresses that may be pushed to; `allowed` names hosts that need not be public."""

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed

    def check(self, url: str) -> None:
        """Raises PartnerUnreachable for an address that may not be pushed to, or that no name server knows."""
        try:
            check_url(url)
        except ValueError as error:
            raise PartnerUnreachable(f"{error} Change the MPL-ADD.") from error
        host = urlsplit(url).hostname or ""
        if host in self._allowed:
            return
        private = [address for address in _addresses(host) if not ipaddress.ip_address(address).is_global]
        if private:
            raise PartnerUnreachable(
                f"{host!r} is at {private[0]}, which is not public. The operator may allow the host (push_hosts)."
            )


def _addresses(host: str) -> set[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: a label that is empty or too long
        raise PartnerUnreachable(f"No address is known for {host!r}.") from error
    return {str(entry[4][0]) for entry in found}
