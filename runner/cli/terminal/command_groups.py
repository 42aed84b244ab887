"""Groups of commands, and the message for a wrong call, in the style of all other errors."""

from __future__ import annotations

from collections.abc import Sequence

import click


class Group(click.Group):
    """A group of commands that suggests a name for a misspelt command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:  # fmt: skip
        """Find the command; for an unknown name, raise an error that suggests one."""
        names = self.list_commands(ctx)
        if args and args[0] not in names and not args[0].startswith("-"):
            raise click.UsageError(f"there is no command {args[0]!r}; {_suggestion(args[0], names)}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Call the command, and add it to the context of a usage error that has no context."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            # click sets no context on the error for an option without a value.
            name = ctx.invoked_subcommand
            command = None if name is None or error.ctx is not None else self.get_command(ctx, name)
            if command is not None:
                error.ctx = click.Context(command, parent=ctx, info_name=name)
            raise


def usage_message(error: click.UsageError) -> str:
    """Return the message for a wrong call: the option or argument, its value, what is allowed, and the help to read."""
    parameters: Sequence[click.Parameter] = [] if error.ctx is None else error.ctx.command.params
    match error:
        case click.NoSuchOption():
            names = [name for each in parameters if isinstance(each, click.Option) for name in each.opts]
            long_names = [name for name in names if name.startswith("--")]
            problem = f"there is no option {error.option_name}; {_suggestion(error.option_name, long_names)}"
        case click.MissingParameter(param=click.Parameter() as parameter):
            problem = f"{_displayed_name(parameter)}: must be given"
        case click.BadParameter(param=click.Parameter() as parameter):
            problem = f"{_displayed_name(parameter)}: {error.message}"
        case click.BadOptionUsage():
            option = next((each for each in parameters if error.option_name in each.opts), None)
            takes_value = isinstance(option, click.Option) and not option.is_flag
            problem = f"{error.option_name}: {'needs a value' if takes_value else 'takes no value'}"
        case _:
            problem = error.message[:1].lower() + error.message[1:].rstrip(".")
    return problem if error.ctx is None else f"{problem}\n  see {error.ctx.command_path} --help"


def _displayed_name(parameter: click.Parameter) -> str:
    """Return the long name of an option, or the name that the help shows for an argument."""
    return max(parameter.opts, key=len) if isinstance(parameter, click.Option) else parameter.human_readable_name


def _suggestion(name: str, names: Sequence[str]) -> str:
    # This import loads NumPy, which takes longer than the whole of `runner --help`.
    from runner.registry.catalogue import suggestion

    return suggestion(name, names)
