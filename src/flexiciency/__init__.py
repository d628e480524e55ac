"""SOAP/XML gateway for consents and meter data after FLEXICIENCY D2.3."""

__version__ = "0.1.0"
