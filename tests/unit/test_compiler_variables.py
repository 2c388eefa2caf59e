"""Compiler and flags by make's variable names, from the command line and the environment."""

from __future__ import annotations

import pytest

from layermatrix.build import compiler_variables
from layermatrix.core.errors import SelectionError


def test_the_command_line_goes_before_the_environment() -> None:
    tools = compiler_variables.read({"CFLAGS": "-O1"}, {"CFLAGS": "-O3", "CC": "gcc-12", "HOME": "/root"})
    assert tools.texts == {"CC": "gcc-12", "CFLAGS": "-O1"}
    assert (tools.origin("CFLAGS"), tools.origin("CC")) == ("the command line", "the environment")


def test_an_empty_value_is_none_and_undoes_that_of_the_environment() -> None:
    assert compiler_variables.read({"CFLAGS": ""}, {"CFLAGS": "-O3", "LDFLAGS": " "}).texts == {}


def test_values_are_split_as_a_shell_does() -> None:
    tools = compiler_variables.read({"CFLAGS": "-DA='b c' -DQ=\\\"x\\\""}, {})
    assert tools.words("CFLAGS") == ["-DA=b c", '-DQ="x"']
    assert tools.words("LDFLAGS") == []
    assert tools.flags == "CFLAGS='-DA=b c' '-DQ=\"x\"'"


def test_what_no_shell_could_split_is_refused() -> None:
    with pytest.raises(SelectionError, match="CFLAGS='x: no closing quotation"):
        compiler_variables.read({}, {"CFLAGS": "'x"})


def test_a_child_build_is_given_what_was_typed() -> None:
    tools = compiler_variables.read({"CC": "gcc-12", "CFLAGS": "-DA='b c'"}, {"LDFLAGS": "-s"})
    assert tools.arguments() == ["CC=gcc-12", "CFLAGS=-DA='b c'"]


def test_an_empty_value_that_was_typed_is_handed_on() -> None:
    assert compiler_variables.read({"CFLAGS": ""}, {"CFLAGS": "-O3"}).arguments() == ["CFLAGS="]
