"""Events as files: JSON lines, which can be delivered again, and tables as CSV and Parquet.

`columns` is the only place that knows which columns a kind has and where their values come from.
"""
