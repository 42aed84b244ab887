"""Tables as plain data: columns in memory, and the files that hold them."""
