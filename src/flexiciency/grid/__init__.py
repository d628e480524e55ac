"""AC power flow on a DSO's own grid model. Needs the extra `grid`."""
