import stat
from pathlib import Path

import pytest

from flexiciency.wire.authority import Authority, KeyType
from flexiciency.wire.identity import Identity
from flexiciency.wire.trust import TrustAnchors
from tests.wire.parties import DAY, NOW


@pytest.mark.parametrize("key_type", ["rsa", "ec"])
def test_what_the_authority_issues_is_trusted_where_it_is(key_type: KeyType) -> None:
    authority = Authority.create("CA", key_type, valid_from=NOW - DAY, valid_until=NOW + DAY)
    issued = authority.issue("Player", key_type, valid_from=NOW - DAY, valid_until=NOW + DAY)
    TrustAnchors([authority.certificate]).check(issued.identity.certificate, NOW)


def test_the_authority_survives_being_written_down(tmp_path: Path) -> None:
    authority = Authority.create("CA", "ec", valid_from=NOW - DAY, valid_until=NOW + DAY)
    authority.issued.write(tmp_path / "ca.pem", tmp_path / "ca.key")
    again = Authority.from_pem((tmp_path / "ca.key").read_bytes(), (tmp_path / "ca.pem").read_bytes())
    issued = again.issue("Player", "ec", valid_from=NOW - DAY, valid_until=NOW + DAY)
    TrustAnchors.from_pem((tmp_path / "ca.pem").read_bytes()).check(issued.identity.certificate, NOW)


def test_private_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    authority = Authority.create("CA", "ec", valid_from=NOW - DAY, valid_until=NOW + DAY)
    issued = authority.issue("Player", "ec", valid_from=NOW - DAY, valid_until=NOW + DAY)
    issued.write(tmp_path / "player.pem", tmp_path / "player.key")
    assert stat.S_IMODE((tmp_path / "player.key").stat().st_mode) == 0o600
    read = Identity.from_pem((tmp_path / "player.key").read_bytes(), (tmp_path / "player.pem").read_bytes())
    assert read.fingerprint == issued.identity.fingerprint
    assert "PRIVATE" not in repr(issued)


@pytest.mark.parametrize("existing", ["player.pem", "player.key"])
def test_no_file_is_overwritten(tmp_path: Path, existing: str) -> None:
    authority = Authority.create("CA", "ec", valid_from=NOW - DAY, valid_until=NOW + DAY)
    (tmp_path / existing).write_text("precious")
    with pytest.raises(FileExistsError):
        authority.issued.write(tmp_path / "player.pem", tmp_path / "player.key")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [(existing, "precious")]
