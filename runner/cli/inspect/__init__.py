"""The command `runner inspect`: one file for each thing that it inspects."""
