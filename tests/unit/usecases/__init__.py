"""Tests of chalicelib/usecases."""
