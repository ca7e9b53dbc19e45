"""What every implementation of a port promises: each test runs against the fake and the real one."""
