"""Safe parsing: UTF-8 only, no DTD, no entities, no network, no processing instructions; comments are dropped."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lxml import etree

from flexiciency.errors import ForbiddenXml, MessageTooLarge, NotXml, TooDeep

_PROLOG = re.compile(rb"(?:\xef\xbb\xbf)?(<\?xml\s[^>]*\?>)?(?:[ \t\r\n]++|<!--.*?-->)*+", re.DOTALL)
_ENCODING = re.compile(rb"encoding\s*=\s*[\"']([^\"']*)[\"']")
_UTF_16_OR_32 = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff", b"<\x00", b"\x00<", b"\x00\x00\x00<")
_SMALL = 100_000
_MADE_UP = 1_000_000
"""Bytes of messages of nobody that a thread parses itself; lxml may keep as many for good, as their names."""
_LIBXML2_TOO_DEEP = "Excessive depth"
_LIBXML2_LIMIT = "Resource limit exceeded"


@dataclass(frozen=True)
class Limits:
    """Caps on one message. Sizes in bytes; `canonical_bytes` bounds what C14N may make of one signed element."""

    message_bytes: int = 50_000_000
    canonical_bytes: int = 100_000_000
    depth: int = 40
    # "<": what a tree costs is its elements, and 50 MB of <a/> take 1.7 GB.
    markup: int = 2_000_000
    # C14N sorts attributes and namespaces by insertion: 100,000 on one element would cost half a minute.
    attributes: int = 64
    namespaces: int = 64


DEFAULT = Limits()


def parse(data: bytes, limits: Limits = DEFAULT) -> etree._Element:
    """The root element of one message.

    Raises MessageTooLarge, NotXml, ForbiddenXml or TooDeep, each saying what was found and where.
    """
    if len(data) > limits.message_bytes:
        raise MessageTooLarge(f"The message has {len(data):,} bytes; at most {limits.message_bytes:,} are taken.")
    _check_markup(data, limits)
    prolog_end = _check_prolog(data)
    root = _parse_safely(data)
    if data.find(b"<?", prolog_end) >= 0 and _has_instruction(root):
        raise ForbiddenXml("The document has a processing instruction; send it without.")
    _check_shape(root, data, limits)
    return root


def parse_again(canonical: bytes) -> etree._Element:
    """The root element of canonical bytes that were made from a message `parse` has accepted."""
    return _parse_safely(canonical)


def count_refused(data: bytes) -> None:
    """Say that a message that this thread has parsed was of nobody known, so that its names do not add up."""
    _own.refused += len(data)


def parse_trusted_file(path: Path) -> etree._ElementTree:
    """One of our own files (XSD, WSDL), with its base URL for relative imports; still without DTD and network."""
    return etree.parse(str(path), etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True))


def _check_prolog(data: bytes) -> int:
    """Offset of the root element; a DTD can only stand before it."""
    if data.startswith(_UTF_16_OR_32):
        raise NotXml("The message is UTF-16 or UTF-32; send UTF-8.")
    match = _PROLOG.match(data)
    end = match.end() if match else 0
    declaration = match.group(1) if match else None
    if declaration:
        encoding = _ENCODING.search(declaration)
        if encoding and encoding.group(1).upper() != b"UTF-8":
            raise NotXml(f"The message declares the encoding {encoding.group(1)[:40]!r}; send UTF-8.")
    if data.startswith(b"<!DOCTYPE", end):
        raise ForbiddenXml("The document has a DTD; send it without.")
    if data.startswith(b"<?", end):
        raise ForbiddenXml("The document starts with a processing instruction; send it without.")
    return end


class _PerThread(threading.local):
    """One parser for each thread: a new one costs a third of parsing, a shared one makes threads wait."""

    def __init__(self) -> None:
        self.parser = etree.XMLParser(
            encoding="utf-8",
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            remove_comments=True,
            remove_pis=False,
            huge_tree=False,
            collect_ids=False,
        )
        self.refused = 0


_own = _PerThread()


def _parse_safely(data: bytes) -> etree._Element:
    return _parse(data) if len(data) <= _SMALL and _own.refused <= _MADE_UP else _parse_apart(data)


def _parse(data: bytes) -> etree._Element:
    try:
        return etree.fromstring(data, _own.parser)
    except etree.XMLSyntaxError as error:
        reason = error.msg or "empty document"
        if reason.startswith(_LIBXML2_TOO_DEEP):
            raise TooDeep("Elements are nested deeper than 256 levels.", line=error.lineno) from error
        if reason.startswith(_LIBXML2_LIMIT):
            raise MessageTooLarge("One text, attribute or name is larger than 10 MB.", line=error.lineno) from error
        raise NotXml(f"The message is not well-formed UTF-8 XML: {reason}.", line=error.lineno) from error


def _parse_apart(data: bytes) -> etree._Element:
    """In a thread of its own: lxml keeps every name it meets for as long as the thread lives.

    Anyone may send 50 MB of made-up names, or 50 kB a thousand times; a worker would hold them for good.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(_parse, data).result()


def _check_markup(data: bytes, limits: Limits) -> None:
    """Before anything is built."""
    if data.count(b"<") > limits.markup:
        raise MessageTooLarge(f"The message has more than {limits.markup:,} tags. Split it.")


def _check_shape(root: etree._Element, data: bytes, limits: Limits) -> None:
    try:
        if _deeper_than(limits.depth)(root):
            raise TooDeep(f"Elements are nested deeper than {limits.depth} levels.")
        if _more_attributes_than(limits.attributes)(root):
            raise MessageTooLarge(f"An element has more than {limits.attributes} attributes.")
    except etree.XPathError as error:
        raise MessageTooLarge("The message has more elements than can be looked through. Split it.") from error
    # Only a message with that many declarations in all can have that many in one scope.
    if data.count(b"xmlns") > limits.namespaces and any(len(e.nsmap) > limits.namespaces for e in root.iter()):
        raise MessageTooLarge(f"More than {limits.namespaces} namespace prefixes are in scope at one element.")


_has_instruction = etree.XPath("boolean(//processing-instruction())")


@lru_cache(maxsize=8)
def _deeper_than(depth: int) -> etree.XPath:
    return etree.XPath("boolean(" + "/*" * (depth + 1) + ")")


@lru_cache(maxsize=8)
def _more_attributes_than(count: int) -> etree.XPath:
    return etree.XPath(f"boolean(//*[@*[{count + 1}]])")
