"""Hoist's tests."""
