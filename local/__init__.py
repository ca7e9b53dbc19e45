"""The local stack: stands in for the outside world on a developer's machine. Never deployed."""
