"""The command `runner inspect`. Each kind of inspection has a file of its own."""
