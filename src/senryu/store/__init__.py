"""Rows in, nouns out. The only room that writes SQL."""
