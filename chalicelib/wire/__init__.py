"""HTTP and queue spelled as values: untrusted JSON in, values out; values in, JSON out."""
