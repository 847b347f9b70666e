"""What `crawler new` writes: first versions of files that people then make their own."""
