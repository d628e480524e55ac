"""Bytes in, verified content out, and back: safe parse, addressing, signatures, certificates."""
