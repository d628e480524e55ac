"""`flexiciency certificate`: a CA for trials, certificates from it, and what a certificate says."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509

from flexiciency.cli.output import Json, done, show
from flexiciency.errors import FileInvalid
from flexiciency.wire.authority import Authority
from flexiciency.wire.identity import fingerprint_of, valid_between

cli = typer.Typer(no_args_is_help=True, help="Certificates: a CA for trials, and what a certificate says.")


class Key(StrEnum):
    """Kinds of key the profile allows."""

    RSA = "rsa"
    EC = "ec"


Folder = Annotated[Path, typer.Option(help="Folder of ca.pem and ca.key.")]
Days = Annotated[int, typer.Option(min=1, help="Days of validity.")]


@cli.command()
def authority(
    folder: Folder = Path(), name: str = "Flexiciency trial CA", key: Key = Key.RSA, days: Days = 3650
) -> None:
    """Make a CA for trials: ca.pem goes to every party as its trust_file, ca.key stays here."""
    now = datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    made = Authority.create(name, key.value, valid_from=now, valid_until=now + timedelta(days=days))
    made.issued.write(folder / "ca.pem", folder / "ca.key")
    done(f"{folder / 'ca.pem'}: {describe(made.certificate)}")


@cli.command()
def issue(name: str, folder: Folder = Path(), key: Key = Key.RSA, days: Days = 365) -> None:
    """Issue NAME.pem and NAME.key from the CA in the folder."""
    now = datetime.now(UTC)
    ca = Authority.from_pem((folder / "ca.key").read_bytes(), (folder / "ca.pem").read_bytes())
    issued = ca.issue(name, key.value, valid_from=now, valid_until=now + timedelta(days=days))
    issued.write(folder / f"{name}.pem", folder / f"{name}.key")
    done(f"{folder / f'{name}.pem'}: {describe(issued.identity.certificate)}")


@cli.command("show")
def show_certificate(file: Path, as_json: Json = False) -> None:
    """What each certificate in a PEM file says, and which registrations and channels of this gateway sign with it."""
    certificates = _all(file)
    bound = _bound(fingerprint_of(certificate) for certificate in certificates)
    rows = [
        (
            certificate.subject.rfc4514_string(), fingerprint_of(certificate), certificate.issuer.rfc4514_string(),
            *valid_between(certificate), bound.get(fingerprint_of(certificate), "no gateway's database is set here"),
        )
        for certificate in certificates
    ]  # fmt: skip
    columns = ("subject", "sha256_fingerprint", "issuer", "valid_from", "valid_until", "bound_to")
    show(str(file), rows, columns, as_json=as_json)


def describe(certificate: x509.Certificate) -> str:
    """A certificate in one line."""
    _, last = valid_between(certificate)
    return f"{certificate.subject.rfc4514_string()}, SHA-256 {fingerprint_of(certificate)}, until {last:%Y-%m-%d}"


def load(file: Path) -> x509.Certificate:
    """The first certificate of a PEM file."""
    return _all(file)[0]


def _all(file: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())
    except ValueError as error:
        raise FileInvalid(f"{file} holds no certificate that can be read ({error}). Give a PEM file.") from None


def _bound(fingerprints: Iterable[str]) -> dict[str, str]:
    """By fingerprint, who signs with it; empty where this installation is no gateway, or has no database yet."""
    try:
        from flexiciency.cli import opening  # noqa: PLC0415  an extra: the client shows certificates without it
        from flexiciency.store import directory  # noqa: PLC0415  likewise
    except ModuleNotFoundError:
        return {}
    if not opening.has_database():
        return {}
    with opening.database() as base, base.begin() as connection:
        return {one: ", ".join(directory.bound_to(connection, one)) or "nobody" for one in fingerprints}
