"""docs/errors.md, from the code: `python -m tests.errors_page > docs/errors.md` after a change."""

from collections.abc import Iterator

from flexiciency import errors
from flexiciency.domain.reasons import SENTENCES
from flexiciency.errors import GatewayError

HEAD = """# Errors and reasons

Made from `src/flexiciency/errors.py` and `src/flexiciency/domain/reasons.py` by `python -m tests.errors_page`; a test
holds it against them.

## Faults

A message that is not acted on is answered by a SOAP Fault (HTTP 500) whose detail is `env:Error`: Code, Message (what
was found, what was expected, what to do), Path and Line of the element where there is one, Retriable. A fault is signed
when the signature of the request was good. A refused message leaves nothing behind but evidence; its MessageID may be
used again.

| Code | Kind | Means | Same message may succeed later |
|---|---|---|---|"""
REASONS = """
## Reasons

A business refusal is an answer (KO, Partial, a refused PoD), with a reason:

| Code | Text |
|---|---|"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_faults(), REASONS, *_reasons(), ""])


def _faults() -> Iterator[str]:
    for kind in GatewayError.__subclasses__():
        for error in kind.__subclasses__():
            where = "client library only" if kind is errors.PartnerError else kind.__name__
            text = (error.__doc__ or "").splitlines()[0]
            yield f"| {error.__name__} | {where} | {text} | {'yes' if error.retriable else 'no'} |"


def _reasons() -> Iterator[str]:
    for code, text in SENTENCES.items():
        yield f"| {code} | {text} |"


if __name__ == "__main__":
    print(page(), end="")
