"""Adapters against engines: moto in this process, the Heroku simulator on a loopback port."""
