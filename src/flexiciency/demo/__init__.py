"""The story from enrolment to acknowledged load curves on one machine, with real load data."""
