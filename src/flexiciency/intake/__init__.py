"""What comes from the DSO's own systems, meter values and PoD master data: read, checked and stored (D2.3, 2.6)."""
