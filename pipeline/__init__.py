"""FILES: what each stage reads and writes. Knows neither Prefect nor DVC; every stage runs without both."""
