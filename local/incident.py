"""The incident that Hoist answers, as its report tells it (all times UTC, 2026)."""

FLAG = "console_heroku_log_drain_alerting"
TARGET = "raxx-console-prod"

TIMELINE = (
    ("05-09 04:28", "promoted; a daemon thread of the console begins"),
    ("05-09 04:28", "PATCH accepted by Heroku: the flag is live"),
    ("05-09 04:29", "the PATCH restarts the dynos, the console's own among them: the thread dies"),
    ("05-09 04:30", "the row reads `deploying`; nothing watches it"),
    ("05-11 14:18", "somebody happens to see it: 57 h 49 min later"),
    ("05-11 14:21", "the row is set to `deployed` by hand, in the database"),
)
