"""Hoist: promotes feature flags to Heroku apps; a promotion cannot get stuck unnoticed."""
