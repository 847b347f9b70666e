"""Records as tables of Arrow, which pandas, polars, DuckDB and Parquet share."""
