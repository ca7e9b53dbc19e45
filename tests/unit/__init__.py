"""Rules and use cases, over fakes: no I/O."""
