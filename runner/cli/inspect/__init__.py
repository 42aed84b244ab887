"""The command `runner inspect`. Each kind of inspection has its own file."""
