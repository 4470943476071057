"""Senryu: a self-hosted platform that speaks Heroku."""

__version__ = "0.1.0"
