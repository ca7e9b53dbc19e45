"""One machine that does to Hoist all that the world may do to it, and watches what holds."""
