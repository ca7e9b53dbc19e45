"""`python -m cli` is `hoist`."""

from cli.main import hoist

if __name__ == "__main__":
    hoist(prog_name="hoist")
