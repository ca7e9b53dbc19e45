"""What AWS does by itself and MiniStack does not: one process next to it, for the local stack.

- `streams`: delivers a table's stream to its functions by AWS's rules (MiniStack drops the records
  that a function reports as failed, and lets a slow one hold up the queue of wakes).
- `metrics`: takes the metrics out of the functions' logs (EMF) and puts them where alarms look.
- `alarms`: judges the alarms that MiniStack never looks at: those whose data are missing, and
  those on queues, whose metrics nobody emits here.

None of it exists in production. Not stood in for: alarms on AWS/Lambda, AWS/ApiGateway and metric
math, which stay in INSUFFICIENT_DATA (local/gaps.py says why).
"""
