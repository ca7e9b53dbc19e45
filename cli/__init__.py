"""`hoist`, the command line: what the API offers to operators, for people and for scripts."""
