"""Running the pipeline on this machine: preparation, what the terminal shows, what happens when something
fails.

The modules:

    command.py      local_runner.py's command, from arguments to exit status
    logs.py         the log file, and which warnings reach the terminal
    noise.py        keeps third parties' banners, written below Python, off the terminal
    store.py        what an earlier run left unfinished
    interruption.py what Ctrl-C leaves
    dag_runner.py   TFX's LocalDagRunner, observed
    console.py      one line per component
    results.py      what a component's artifacts say in a few words
    imports.py      importing TFX quickly
    reporting.py    the page about the run
    summary.py      the last lines
    failure.py      which message an error gives
"""
