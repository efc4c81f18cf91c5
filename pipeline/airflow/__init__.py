"""The same pipeline under Airflow 3, which keeps an environment of its own.

The modules:

    __main__.py    writes a DAG file: one task for each component
    dag_file.py    what is in it; its text is templates/dag.py.j2
    preflight.py   its first task: everything that can be checked before time is spent
    run_node.py    its other tasks: one component of a run
"""
