"""The rules of promotion, free of I/O: values in, values out."""
