"""The plugins that come with the runner, one to a file."""
