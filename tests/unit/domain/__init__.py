"""Tests of chalicelib/domain."""
