"""What every implementation of a port promises, tested against the fake and the real one."""
