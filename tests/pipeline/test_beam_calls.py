"""What Beam is made to remember is what it would work out again."""

from __future__ import annotations

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import (
    DebugOptions,
    PipelineOptions,
    SetupOptions,
    StandardOptions,
    TypeOptions,
)
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms import core

from pipeline.local.beam_calls import remember_beam_calls, remembering_arguments, remembering_views

FLAGS = ["--runner=FnApiRunner", "--experiments=one", "--type_check_strictness=ALL_REQUIRED"]
VIEWS = (StandardOptions, TypeOptions, DebugOptions, SetupOptions)
# As Beam has them, whatever ran before in this process.
VIEW_AS = getattr(PipelineOptions.view_as, "__wrapped__", PipelineOptions.view_as)
GET_ARGUMENTS = getattr(core.get_function_args_defaults, "__wrapped__", core.get_function_args_defaults)


@pytest.mark.parametrize("cls", VIEWS)
def test_a_second_view_has_the_values_of_the_first(cls: type[PipelineOptions]) -> None:
    view_as = remembering_views(VIEW_AS)
    for flags in (FLAGS, ["--streaming"]):
        expected = VIEW_AS(PipelineOptions(flags), cls)
        options = PipelineOptions(flags)
        assert str(view_as(options, cls)) == str(view_as(options, cls)) == str(expected)
        assert str(view_as(PipelineOptions(flags), cls)) == str(expected)  # other options with the same flags


def test_what_is_set_on_one_view_is_seen_through_all_and_through_no_other_options() -> None:
    view_as = remembering_views(VIEW_AS)
    options, other = PipelineOptions(FLAGS), PipelineOptions(FLAGS)
    view_as(options, StandardOptions).streaming = True
    view_as(options, DebugOptions).experiments.append("two")

    assert view_as(options, StandardOptions).streaming is True
    assert view_as(options, DebugOptions).experiments == ["one", "two"]
    assert view_as(other, StandardOptions).streaming is VIEW_AS(PipelineOptions(FLAGS), StandardOptions).streaming
    assert view_as(other, DebugOptions).experiments == ["one"]


class Numbered(beam.DoFn):
    def __init__(self, number: int) -> None:
        self.number = number

    def process(self, element: int, key: object = beam.DoFn.TimestampParam, *, more: int = 2) -> list[int]:
        return [element + self.number]


class Renumbered(Numbered):
    def process(self, element: int, other: int = 3) -> list[int]:  # type: ignore[override]
        return [element * self.number + other]


def test_arguments_are_those_of_the_methods_own_function() -> None:
    arguments_of = remembering_arguments(GET_ARGUMENTS)
    functions = [Numbered(1).process, Numbered(2).process, Renumbered(1).process, Renumbered.process, len, str.strip]
    for function in [*functions, *functions]:
        assert arguments_of(function) == GET_ARGUMENTS(function)

    arguments_of(functions[0])[0].clear()  # of the caller's own
    assert arguments_of(functions[0]) == GET_ARGUMENTS(functions[0])


def test_beam_itself_remembers_them_once_and_its_pipelines_compute_the_same() -> None:
    remember_beam_calls()
    remembering = PipelineOptions.view_as
    remember_beam_calls()

    assert PipelineOptions.view_as is remembering
    assert PipelineOptions.view_as.__wrapped__ is VIEW_AS
    assert core.get_function_args_defaults.__wrapped__ is GET_ARGUMENTS
    with beam.Pipeline("FnApiRunner", options=PipelineOptions(["--direct_num_workers=1"])) as pipeline:
        rows = pipeline | beam.Create([1, 2])
        both = (rows | "one" >> beam.ParDo(Numbered(5)), rows | "other" >> beam.ParDo(Renumbered(5)))
        assert_that(both | beam.Flatten(), equal_to([6, 7, 8, 13]))
