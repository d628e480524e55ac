"""The story of consent and load curve on one machine, with real load data."""
