"""ds:Signature as the profile allows it, and which elements it covers."""

import base64
import binascii
import hashlib
import hmac
import io
from dataclasses import dataclass

from lxml import etree

from flexiciency.errors import (
    AlgorithmRefused,
    EnvelopeInvalid,
    MessageTooLarge,
    SignatureIncomplete,
    SignatureInvalid,
)
from flexiciency.wire import names
from flexiciency.wire.parse import Limits
from flexiciency.wire.structure import Structure
from flexiciency.wire.xml import check_attributes, children_of, expect_children, label, text_of

_SIGNED_INFO = f"{{{names.DS}}}SignedInfo"
_SIGNATURE_VALUE = f"{{{names.DS}}}SignatureValue"
_KEY_INFO = f"{{{names.DS}}}KeyInfo"
_C14N_METHOD = f"{{{names.DS}}}CanonicalizationMethod"
_SIGNATURE_METHOD = f"{{{names.DS}}}SignatureMethod"
_REFERENCE = f"{{{names.DS}}}Reference"
_TRANSFORMS = f"{{{names.DS}}}Transforms"
_TRANSFORM = f"{{{names.DS}}}Transform"
_DIGEST_METHOD = f"{{{names.DS}}}DigestMethod"
_DIGEST_VALUE = f"{{{names.DS}}}DigestValue"
_INCLUSIVE = f"{{{names.EXCLUSIVE_C14N}}}InclusiveNamespaces"
_TOKEN_REFERENCE = f"{{{names.WSSE}}}SecurityTokenReference"
_DIRECT_REFERENCE = f"{{{names.WSSE}}}Reference"
_TOKEN_TYPE = f"{{{names.WSSE11}}}TokenType"
_SIGNATURE_METHODS = (names.RSA_SHA256, names.ECDSA_SHA256)
# C14N looks each of them up at each element.
_MOST_PREFIXES = 32


@dataclass(frozen=True)
class Canonicalization:
    """Exclusive C14N with its InclusiveNamespaces prefixes."""

    prefixes: tuple[str, ...]

    def apply(self, element: etree._Element, limits: Limits) -> bytes:
        """The canonical bytes. MessageTooLarge beyond the cap: repeated namespaces can multiply a message."""
        try:
            if not len(element):
                # Without children nothing is repeated, and this is the shorter way.
                return etree.tostring(
                    element,
                    method="c14n",
                    exclusive=True,
                    with_comments=False,
                    inclusive_ns_prefixes=self.prefixes or None,
                )
            return self.apply_within(element, b"", limits).whole()
        except etree.C14NError as error:
            raise _no_canonical_form(element) from error

    def apply_within(self, element: etree._Element, message: bytes, limits: Limits) -> "Canonical":
        """The canonical bytes, of which no copy is kept where they stand in the message as they are; as `apply`."""
        tag = f"<{element.prefix}:" if element.prefix else "<"
        canonical = Canonical(
            limits.canonical_bytes, message, message.find(f"{tag}{etree.QName(element).localname}".encode())
        )
        try:
            etree.ElementTree(element).write_c14n(
                canonical, exclusive=True, with_comments=False, inclusive_ns_prefixes=self.prefixes or None
            )
        except etree.C14NError as error:
            raise _no_canonical_form(element) from error
        return canonical


class Canonical:
    """Takes what C14N writes, up to a cap: as a piece of `message` from `start` on for as long as the two agree."""

    def __init__(self, cap: int, message: bytes, start: int) -> None:
        self._left = cap
        self._message = message
        self._start = self._end = start
        self._own = io.BytesIO() if start < 0 else None

    def write(self, chunk: bytes, /) -> int:
        """Called by lxml."""
        self._left -= len(chunk)
        if self._left < 0:
            raise MessageTooLarge("The canonical form of a signed element is larger than the cap.")
        if self._own is None and self._message.startswith(chunk, self._end):
            self._end += len(chunk)
            return len(chunk)
        if self._own is None:
            self._own = io.BytesIO(self.view())
            self._own.seek(0, io.SEEK_END)
        return self._own.write(chunk)

    def view(self) -> memoryview:
        """The bytes, not copied."""
        return memoryview(self._message)[self._start : self._end] if self._own is None else self._own.getbuffer()

    def whole(self) -> bytes:
        """The bytes."""
        return bytes(self.view()) if self._own is None else self._own.getvalue()


@dataclass(frozen=True)
class Reference:
    """What one ds:Reference says of the element with this id."""

    identifier: str
    canonicalization: Canonicalization
    digest: bytes

    def is_of(self, canonical: bytes | memoryview) -> bool:
        """Whether these are the bytes that were digested."""
        return hmac.compare_digest(hashlib.sha256(canonical).digest(), self.digest)

    def check(self, element: etree._Element, limits: Limits) -> bytes:
        """The canonical bytes of the element; SignatureInvalid unless they are those that were digested."""
        canonical = self.canonicalization.apply(element, limits)
        if not self.is_of(canonical):
            raise _changed(element)
        return canonical

    def check_within(self, element: etree._Element, message: bytes, limits: Limits) -> Canonical:
        """The same of a large element of a message."""
        canonical = self.canonicalization.apply_within(element, message, limits)
        if not self.is_of(canonical.view()):
            raise _changed(element)
        return canonical


def _changed(element: etree._Element) -> SignatureInvalid:
    return SignatureInvalid(
        f"The digest of {label(element.tag)} does not match: it was changed after signing, or its exclusive "
        "C14N differs. Send the very bytes that were signed; do not indent or re-serialize them."
    )


def _no_canonical_form(element: etree._Element) -> EnvelopeInvalid:
    return EnvelopeInvalid(f"{label(element.tag)} has no canonical form; are all namespace names absolute URIs?")


@dataclass(frozen=True)
class Signature:
    """ds:Signature, read and found to be within the profile; nothing is verified yet."""

    signed_info: etree._Element
    canonicalization: Canonicalization
    algorithm: str
    value: bytes
    references: dict[str, Reference]
    """By the id they point to."""

    def reference_to(self, element: etree._Element) -> Reference:
        """The reference to an element that must be signed; SignatureIncomplete when there is none."""
        reference = self.references.get(element.get(names.ID, ""))
        if reference is None:
            raise SignatureIncomplete(
                f"{label(element.tag)} is not signed; give it a wsu:Id and refer to it from ds:SignedInfo."
            )
        return reference


def read_signature(structure: Structure) -> Signature:
    """Raises EnvelopeInvalid, AlgorithmRefused, SignatureInvalid (no base64) or SignatureIncomplete."""
    check_attributes(structure.signature, ("Id",))
    signed_info, value, key_info = expect_children(structure.signature, _SIGNED_INFO, _SIGNATURE_VALUE, _KEY_INFO)
    check_attributes(signed_info, ("Id",))
    check_attributes(value, ("Id",))
    signature = _read_signed_info(signed_info, value)
    _check_key_info(key_info, structure.token)
    _check_coverage(signature, structure)
    return signature


def _read_signed_info(signed_info: etree._Element, value: etree._Element) -> Signature:
    children = children_of(signed_info)
    if [child.tag for child in children[:2]] != [_C14N_METHOD, _SIGNATURE_METHOD]:
        raise EnvelopeInvalid("ds:SignedInfo must start with ds:CanonicalizationMethod and ds:SignatureMethod.")
    references: dict[str, Reference] = {}
    for child in children[2:]:
        reference = _read_reference(child)
        if reference.identifier in references:
            raise SignatureIncomplete(f"Two ds:Reference point to #{reference.identifier[:80]}; expected one.")
        references[reference.identifier] = reference
    return Signature(
        signed_info=signed_info,
        canonicalization=_read_canonicalization(children[0]),
        algorithm=_read_algorithm(children[1], _SIGNATURE_METHODS),
        value=decode_base64(value),
        references=references,
    )


def _read_reference(element: etree._Element) -> Reference:
    if element.tag != _REFERENCE:
        raise EnvelopeInvalid(f"ds:SignedInfo contains {label(element.tag)}; expected ds:Reference.")
    check_attributes(element, ("URI", "Id", "Type"))
    uri = element.get("URI", "")
    if not uri.startswith("#") or len(uri) == 1:
        raise SignatureIncomplete(f"ds:Reference has the URI {uri[:80]!r}; expected # and the wsu:Id of an element.")
    if len(element) and element[0].tag != _TRANSFORMS:
        raise AlgorithmRefused(f"ds:Reference {uri[:80]} has no ds:Transforms; expected {names.EXCLUSIVE_C14N}.")
    transforms, method, value = expect_children(element, _TRANSFORMS, _DIGEST_METHOD, _DIGEST_VALUE)
    check_attributes(transforms, ())
    steps = children_of(transforms)
    if len(steps) != 1 or steps[0].tag != _TRANSFORM:
        raise AlgorithmRefused(
            f"ds:Reference {uri[:80]} has {len(steps)} transforms; expected one, {names.EXCLUSIVE_C14N}."
        )
    _read_algorithm(method, (names.SHA256,))
    check_attributes(value, ())
    return Reference(uri[1:], _read_canonicalization(steps[0]), decode_base64(value))


def _read_algorithm(element: etree._Element, allowed: tuple[str, ...]) -> str:
    algorithm = element.get("Algorithm", "")
    if algorithm not in allowed:
        raise AlgorithmRefused(
            f"{label(element.tag)} is {algorithm[:120]!r}; expected {' or '.join(allowed)}. Change the signing policy."
        )
    check_attributes(element, ("Algorithm",))
    expect_children(element)
    return algorithm


def _read_canonicalization(element: etree._Element) -> Canonicalization:
    algorithm = element.get("Algorithm", "")
    if algorithm != names.EXCLUSIVE_C14N:
        raise AlgorithmRefused(
            f"{label(element.tag)} is {algorithm[:120]!r}; expected exclusive C14N without comments, "
            f"{names.EXCLUSIVE_C14N}."
        )
    check_attributes(element, ("Algorithm",))
    if not children_of(element):
        return Canonicalization(())
    (inclusive,) = expect_children(element, _INCLUSIVE)
    check_attributes(inclusive, ("PrefixList",))
    expect_children(inclusive)
    prefixes = tuple(inclusive.get("PrefixList", "").split())
    if len(prefixes) > _MOST_PREFIXES:
        raise AlgorithmRefused(f"InclusiveNamespaces lists {len(prefixes)} prefixes; at most {_MOST_PREFIXES}.")
    return Canonicalization(prefixes)


def _check_key_info(key_info: etree._Element, token: etree._Element) -> None:
    """KeyInfo refers directly to the BinarySecurityToken of this Security header."""
    check_attributes(key_info, ("Id",))
    (holder,) = expect_children(key_info, _TOKEN_REFERENCE)
    check_attributes(holder, (names.ID, "Id", _TOKEN_TYPE))
    (reference,) = expect_children(holder, _DIRECT_REFERENCE)
    check_attributes(reference, ("URI", "ValueType"))
    identifier = token.get(names.ID)
    if not identifier or reference.get("URI") != f"#{identifier}":
        raise EnvelopeInvalid("ds:KeyInfo does not refer to the wsse:BinarySecurityToken of this header by its wsu:Id.")
    if reference.get("ValueType", names.X509_V3) != names.X509_V3:
        raise EnvelopeInvalid(f"The ValueType of wsse:Reference is not {names.X509_V3}.")


def _check_coverage(signature: Signature, structure: Structure) -> None:
    """What must be signed is signed, and nothing else but, where the sender likes, the token."""
    known = {structure.token.get(names.ID, "")}
    for element in structure.must_be_signed:
        known.add(signature.reference_to(element).identifier)
    unknown = signature.references.keys() - known
    if unknown:
        raise SignatureIncomplete(
            f"ds:Reference points to #{min(unknown)[:80]}; expected only soap:Body, wsu:Timestamp, the wsa headers, "
            "wsse11:SignatureConfirmation and wsse:BinarySecurityToken, each in its own place."
        )


def decode_base64(element: etree._Element) -> bytes:
    """The bytes of a base64 text, white space left out; SignatureInvalid when it is none."""
    return from_base64(text_of(element), label(element.tag))


def from_base64(text: str, where: str) -> bytes:
    """The bytes of a base64 text; SignatureInvalid, naming `where`, when it is none."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureInvalid(f"{where} is not base64 ({error}).") from error
