"""Tests of chalicelib/wire."""
