"""What Hoist can do, one verb per file."""
