"""Which provider a Market Player's command calls."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from flexiciency.cli.calling import provider
from flexiciency.cli.entered import ADDRESS, IDENTIFIER
from flexiciency.client import MarketPlayer


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """A provider, where it is reached, and perhaps the certificate that alone may sign its replies."""

    provider: Annotated[str, typer.Option(help="The provider's MPL-REG id.", callback=IDENTIFIER.option)]
    url: Annotated[str, typer.Option(help="Where its B2B interface is.", callback=ADDRESS.option)]
    provider_certificate: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="PEM of what alone may sign its replies.")
    ] = None

    def client(self) -> AbstractContextManager[MarketPlayer]:
        """The provider's B2B interface for our registration. Raises SettingMissing, FileInvalid."""
        return provider(self.provider, self.url, self.provider_certificate)
