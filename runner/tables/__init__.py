"""Tables: typed columns with names, the files that hold them, and the formatting of values for people."""
