"""Promotions through kills, measured on the local stack: `python -m bench.kills --trials 300`.

Everything at its production rate: leases, heartbeats, the queue, the watchdog. What is killed is
real processes. What came of each promotion is read from the API and from the Heroku simulator's
own log of what it took; nothing is taken from what Hoist says of itself alone.
"""
