"""A month of Hoist on a virtual clock, with outages: what gets stuck, what it costs, what breaks.

The real use cases run over ports in memory that count what DynamoDB, SQS and Heroku would bill
or refuse. Everything follows from a seed. One stack, with its one Heroku account, is a `Cell`.
"""
