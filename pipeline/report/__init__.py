"""Tells what a run was and what came of it, as one page to look at.

    python -m pipeline.report                  the newest run's page, made anew
    python -m pipeline.report list             all runs
    python -m pipeline.report compare A B      what changed from run A to run B

Everything is read from the metadata store (``store.py``) and from the records that the components left in their
artifacts (``reading/``), put into plain data (``facts.py``), and drawn and written from there by functions that read
nothing more. Nothing is counted here that a component has counted.

The modules:

    facts.py        what is known of a run: plain, frozen data
    store.py        runs and components in ML Metadata
    run_record.py   what only the run itself knows, put into ML Metadata when it ends
    reading/        records in, facts out
    drawing.py      a picture as shapes; svg.py and png.py draw it
    graph.py        the DAG as a picture; charts.py curves and bars
    figures.py      which pictures a report has
    formatting.py      numbers, sizes, times and states to read
    view.py         what the page says that is no fact itself
    page.py         facts and pictures in, HTML out
    comparison.py   two runs side by side
    tables.py       the list of runs, and the comparison, for the terminal
    build.py        all of that, for one run or two
    command.py      the commands
"""
