"""Pure decisions: messages and looked-up facts in, outcomes out. No I/O, no clock, no SQL, no XML."""
