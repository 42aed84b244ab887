"""The output of `runner inspect OBJECTIVE --taylor N --around A`: pictures and wrong options."""

from __future__ import annotations

import pytest

from tests.support.command_line import Done


class TestOptions:
    @pytest.mark.parametrize(("arguments", "error"), [
        (("--taylor", "3", "--spacings"), "--spacings and --taylor are different inspections; choose one of them"),
        (("--around", "3"), "--around is allowed only with --taylor"),
        (("--taylor", "3", "--at", "1"), "--at is not allowed with --taylor; give the point with --around"),
        (("--taylor", "0"), "--taylor: must be a whole number from 1 to 20, not '0'"),
    ])  # fmt: skip
    def test_options_that_exclude_each_other(self, call, arguments: tuple[str, ...], error: str):
        assert call("inspect", "quadratic", *arguments) == Done(2, "", f"error: {error}\n  see runner inspect --help\n")


@pytest.mark.parametrize(
    "arguments",
    [("sin_quadratic", "--taylor", "8"), ("sin_quadratic", "--taylor", "2"), ("himmelblau", "--taylor", "2", "--around", "0.5")],
)
def test_pictures(call, tmp_path, arguments: tuple[str, ...]):
    done = call("inspect", *arguments, "-o", "t.png")
    assert (done.code, done.err, done.out.splitlines()[-1]) == (0, "", "picture: t.png")
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")
