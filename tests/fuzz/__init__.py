"""Contract fuzzing: what `/openapi.json` promises, tried on a running stack by every caller."""
