"""Apache Beam's pipeline options, for the components that read rows with it."""

from __future__ import annotations

from pipeline.config.cluster import BeamConfig

BEAM_ARGUMENTS = (
    # By name: what Beam calls DirectRunner first looks for Prism, a Go binary that it downloads.
    "--runner=FnApiRunner",
    # One worker, in this process: 50,000 Alpaca rows take ImportExampleGen, StatisticsGen and Transform 14 s so, and
    # 43 s with two worker processes on two cores.
    "--direct_running_mode=in_memory",
    "--direct_num_workers=1",
    # An in-process worker needs no image and gets none, but without an answer TFX packs its own source code into an
    # archive for the workers, anew for every component.
    "--sdk_container_image=none",
)

# A word of the configuration and the runner's name at Beam. What each of them needs besides (a job endpoint, a
# master, a project and a region) is in beam.arguments.
BEAM_RUNNERS = {
    "portable": "PortableRunner",
    "flink": "FlinkRunner",
    "spark": "SparkRunner",
    "dataflow": "DataflowRunner",
}


def beam_arguments(beam: BeamConfig) -> list[str]:
    """Returns Beam's pipeline options, the configured ones last, so that they win."""
    chosen = BEAM_ARGUMENTS if beam.runner == "direct" else (f"--runner={BEAM_RUNNERS[beam.runner]}",)
    return [*chosen, *beam.arguments]
