"""What we claim, measured. `make bench` prints the tables of docs/performance.md."""
