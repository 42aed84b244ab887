"""Commands in groups: a misspelt one gets a suggestion, and a wrong call is told in the style of all other errors."""

from __future__ import annotations

from collections.abc import Sequence

import click


class Group(click.Group):
    """A group of commands."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:  # fmt: skip
        """Find the command; a misspelt one gets a suggestion."""
        names = self.list_commands(ctx)
        if args and args[0] not in names and not args[0].startswith("-"):
            raise click.UsageError(f"there is no command {args[0]!r}; {_suggestion(args[0], names)}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Call the command; a wrong call says whose it is, which Click leaves out where a value is missing."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            name = ctx.invoked_subcommand
            command = None if name is None or error.ctx is not None else self.get_command(ctx, name)
            if command is not None:
                error.ctx = click.Context(command, parent=ctx, info_name=name)
            raise


def usage_text(error: click.UsageError) -> str:
    """Return what is wrong with a call: the option or argument, what was given, what is allowed, and where to read more."""
    more = "" if error.ctx is None else f"\n  see {error.ctx.command_path} --help"
    return _problem(error, [] if error.ctx is None else error.ctx.command.params) + more


def _problem(error: click.UsageError, parameters: Sequence[click.Parameter]) -> str:
    options = [name for each in parameters if isinstance(each, click.Option) for name in each.opts]
    if isinstance(error, click.NoSuchOption):
        long = [name for name in options if name.startswith("--")]
        return f"there is no option {error.option_name}; {_suggestion(error.option_name, long)}"
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return f"{_called(error.param)}: must be given"
    if isinstance(error, click.BadParameter) and error.param is not None:
        return f"{_called(error.param)}: {error.message}"
    if isinstance(error, click.BadOptionUsage):
        option = next((each for each in parameters if error.option_name in each.opts), None)
        valued = isinstance(option, click.Option) and not option.is_flag
        return f"{error.option_name}: {'needs a value' if valued else 'takes no value'}"
    return error.message[:1].lower() + error.message[1:].rstrip(".")


def _called(parameter: click.Parameter) -> str:
    """Return what people call an option or an argument."""
    return max(parameter.opts, key=len) if isinstance(parameter, click.Option) else parameter.human_readable_name


def _suggestion(name: str, names: Sequence[str]) -> str:
    # NumPy comes with it, and takes longer to load than `runner --help` takes.
    from runner.registry.catalogue import suggestion

    return suggestion(name, names)
