"""docs/errors.md, from the code: `python -m tests.errors_page > docs/errors.md` after a change."""

from collections.abc import Iterator

from flexiciency import errors
from flexiciency.domain.reasons import SENTENCES
from flexiciency.errors import GatewayError
from flexiciency.intake.rejected import REMEDIES

HEAD = """# Errors and reasons

Made from `src/flexiciency/errors.py`, `src/flexiciency/domain/reasons.py` and `src/flexiciency/intake/rejected.py` by
`python -m tests.errors_page`; a test holds it against them.

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


REJECTED = """
## Rejected rows

A row of a file of values or PoDs that cannot be used is left out, and reported with its line, a code and what to do:

| Code | What to do |
|---|---|"""
_ELSEWHERE = {errors.PartnerError: "client library only", errors.IntakeError: "operator's commands only"}


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_faults(), REASONS, *_reasons(), REJECTED, *_remedies(), ""])


def _faults() -> Iterator[str]:
    for kind in GatewayError.__subclasses__():
        for error in kind.__subclasses__():
            where = _ELSEWHERE.get(kind, kind.__name__)
            text = (error.__doc__ or "").splitlines()[0]
            yield f"| {error.__name__} | {where} | {text} | {'yes' if error.retriable else 'no'} |"


def _reasons() -> Iterator[str]:
    for code, text in SENTENCES.items():
        yield f"| {code} | {text} |"


def _remedies() -> Iterator[str]:
    for code, text in REMEDIES.items():
        yield f"| {code} | {text} |"


if __name__ == "__main__":
    print(page(), end="")
