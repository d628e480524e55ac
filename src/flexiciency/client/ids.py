"""Identifiers of what a client sends."""

import uuid


def new_id() -> str:
    """A fresh identifier of an object, as its first sender mints it."""
    return f"urn:uuid:{uuid.uuid4()}"


def derived_id(message_id: str, what: str) -> str:
    """Id of an object in a message: the same for the same MessageID, so that a repeated call has the same Body.

    `what` tells objects of one message apart. ValueError if `message_id` is no `urn:uuid:`.
    """
    return f"urn:uuid:{uuid.uuid5(uuid.UUID(message_id), what)}"
