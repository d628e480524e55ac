"""Identifiers of the objects that are made here, as their first sender mints them (contract, business objects)."""

import uuid


def new_id() -> str:
    """A fresh identifier."""
    return f"urn:uuid:{uuid.uuid4()}"


def derived_id(message_id: str, what: str) -> str:
    """Id of an object in a message: the same for the same MessageID, so that a repeated call has the same Body.

    `what` tells objects of one message apart. ValueError if `message_id` is no `urn:uuid:`.
    """
    return f"urn:uuid:{uuid.uuid5(uuid.UUID(message_id), what)}"
