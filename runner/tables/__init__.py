"""Tables: named, typed columns in memory, the files that hold them, and values as text for people."""
