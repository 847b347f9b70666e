"""Fields of a record found by selectors instead of code."""
