"""Settings: frozen, from flexiciency.toml (or the file that FLEXICIENCY_CONFIG names) and FLEXICIENCY_… variables.

A variable wins over the file. docs/run.md lists every setting; a test holds the list against this class.
"""

import os
import re
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from flexiciency.domain.aggregation import SMALLEST_GROUP
from flexiciency.domain.portions import DEFAULT_CAPS, Caps
from flexiciency.errors import GatewayError


class ConfigMissing(GatewayError):  # noqa: N818  named like the coded errors
    """FLEXICIENCY_CONFIG names a file that is not there."""


class SettingMissing(GatewayError):  # noqa: N818  named like the coded errors
    """A setting that a command needs is not there; the message names it."""


class FileSettings(BaseSettings):
    """Settings from variables, then from the TOML file; what is not asked for is ignored."""

    model_config = SettingsConfigDict(env_prefix="FLEXICIENCY_", frozen=True, extra="ignore")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  likewise
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then the TOML file."""
        named = os.environ.get("FLEXICIENCY_CONFIG")
        file = Path("flexiciency.toml" if named is None else named)
        if named is not None and (file.is_dir() or not file.exists()):
            raise ConfigMissing(f"FLEXICIENCY_CONFIG names {named!r}, and there is no such file.")
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=file)


class DatabaseSettings(FileSettings):
    """Where the data is: all that an operator's commands need."""

    database_url: SecretStr | None = Field(default=None, description="PostgreSQL URL; none runs the embedded server.")
    data: Path | None = Field(
        default=None,
        description="Embedded server's folder; none: /var/lib/flexiciency, or ~/.local/share/flexiciency if not root.",
    )

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.match(r"postgres(ql)?(\+\w+)?://", value.get_secret_value()):
            raise ValueError("expected postgresql://user:password@host/name")
        return value

    @property
    def url(self) -> str | None:
        """The PostgreSQL URL, password and all."""
        return None if self.database_url is None else self.database_url.get_secret_value()


class HostSettings(FileSettings):
    """Whether this is a Market Place: what its operator's commands need beside the database."""

    hosts_market_place: bool = Field(default=False, description="Whether this gateway hosts the Market Place.")


class PlayerSettings(FileSettings):
    """What the commands of a Market Player need, by the names of `Settings`: a DSO's file serves both."""

    registration_id: str | None = Field(default=None, description="MPL-REG id that we speak for.")
    key_file: Path | None = Field(default=None, description="PEM private key that signs what we send.")
    certificate_file: Path | None = Field(default=None, description="PEM certificate of that key.")
    trust_file: Path | None = Field(default=None, description="PEM bundle of the CAs that we trust.")
    market_place_url: str | None = Field(
        default=None, description="Where the Market Place is: https://host/v1/services/market-place."
    )
    market_place_certificate_file: Path | None = Field(
        default=None, description="PEM certificates that the Market Place signs with."
    )


class DeliverySettings(DatabaseSettings):
    """What goes out when, and in how large messages: what `deliver` needs beside the database."""

    delivery_schedule: bool = Field(
        default=True, description="Whether workers queue values by themselves, as soon as a day is complete."
    )
    delivery_minutes: int = Field(
        default=5, ge=1, le=59, description="Minutes between two looks at what is due, of all workers together."
    )
    delivery_grace: float = Field(
        default=259_200.0, ge=0, description="How long after its end a day that is not complete is waited for."
    )
    delivery_message_values: int = Field(
        default=DEFAULT_CAPS.values, ge=150, description="Values in one message of values at most."
    )
    delivery_message_bytes: int = Field(
        default=DEFAULT_CAPS.size, ge=150_000, description="Cap on one message of values, before gzip."
    )

    @property
    def caps(self) -> Caps:
        """How much one message of values holds."""
        return Caps(self.delivery_message_values, self.delivery_message_bytes)


class Settings(DeliverySettings):
    """Everything an operator may set. Times are seconds, sizes bytes."""

    model_config = SettingsConfigDict(extra="forbid")

    registration_id: str | None = Field(
        default=None, description="MPL-REG id of the DSO that this gateway speaks for; none: the Market Place alone."
    )
    hosts_market_place: bool = Field(default=False, description="Whether this gateway hosts the Market Place.")
    market_place_url: str | None = Field(
        default=None, description="Where the Market Place is, if elsewhere: https://host/v1/services/market-place."
    )
    market_place_certificate_file: Path | None = Field(
        default=None, description="PEM certificates that the Market Place elsewhere signs with."
    )
    key_file: Path = Field(description="PEM private key that signs what this gateway sends.")
    certificate_file: Path = Field(description="PEM certificate of that key.")
    trust_file: Path = Field(description="PEM bundle of the CAs that partners' certificates must chain to.")
    public_url: str | None = Field(
        default=None, description="Address that the published WSDLs name; none: that which is listened on."
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8080, ge=1, le=65535, description="Port to listen on.")
    tls_certificate_file: Path | None = Field(
        default=None, description="PEM certificate for HTTPS; needed off loopback."
    )
    tls_key_file: Path | None = Field(default=None, description="PEM private key for HTTPS.")
    workers: int = Field(default=2, ge=1, description="Gateway processes.")
    threads: int = Field(
        default=6, ge=1, le=16, description="Calls a process works on at once, each with a connection."
    )
    worker_megabytes: int = Field(
        default=1000, ge=100, description="Resident memory, in MB, above which a gateway process is replaced."
    )
    delivery_workers: int = Field(default=1, ge=0, description="Delivery processes that serve starts; 0 runs none.")
    message_bytes: int = Field(default=50_000_000, ge=10_000, description="Cap on one incoming message, unpacked.")
    timestamp_lifetime: int = Field(default=300, ge=1, le=300, description="Longest lifetime of a message's Timestamp.")
    clock_skew: int = Field(default=60, ge=0, le=60, description="How far a partner's clock may be ahead.")
    push_hosts: frozenset[str] = Field(
        default=frozenset(), description="Hosts that may be pushed to though they are not public."
    )
    push_timeout: float = Field(default=60.0, gt=0, description="How long a push may take in all.")
    push_attempts: int = Field(
        default=12, ge=1, le=20, description="Attempts of a push before it is Dead (kept, resendable)."
    )
    acknowledgement_timeout: int = Field(
        default=3600, ge=1, description="Seconds without an acknowledgement after which values are sent again."
    )
    acknowledgement_resends: int = Field(
        default=3, ge=0, le=10, description="Re-sends, after twice the pause each, before they are escalated."
    )
    aggregate_minimum: int = Field(
        default=SMALLEST_GROUP,
        ge=1,
        description="PoDs of a group whose aggregate may leave without the consent of all, and by which groups differ.",
    )

    @model_validator(mode="after")
    def _speaks_for_somebody(self) -> Self:
        if self.registration_id is None and not self.hosts_market_place:
            raise ValueError("registration_id is missing, or hosts_market_place: for whom does this gateway speak?")
        if self.market_place_url is None:
            return self
        if self.hosts_market_place or self.registration_id is None or self.market_place_certificate_file is None:
            raise ValueError(
                "market_place_url is of a Market Place elsewhere: it needs registration_id and "
                "market_place_certificate_file, and no hosts_market_place"
            )
        return self

    @property
    def provider_id(self) -> str:
        """The DSO's MPL-REG id. Raises SettingMissing where this gateway is the Market Place alone."""
        if self.registration_id is None:
            raise SettingMissing("registration_id is not set: this gateway is the Market Place alone, and no DSO.")
        return self.registration_id

    @property
    def published_url(self) -> str:
        """Address that the published WSDLs name."""
        scheme = "http" if self.tls_certificate_file is None else "https"
        return self.public_url or f"{scheme}://{self.host}:{self.port}"
