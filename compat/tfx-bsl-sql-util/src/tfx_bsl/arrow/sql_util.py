"""Stand-in for the module that tfx-bsl removed in 1.21.

tensorflow-data-validation 1.16.1 imports ``RecordBatchSQLSliceQuery`` at start-up but uses it only for SQL
slices (``SlicingConfig.slicing_sql``), which this project does not use.
"""


class RecordBatchSQLSliceQuery:
    """Refuses to be made: SQL slicing needs native code that tfx-bsl no longer has.

    Raises:
        RuntimeError: Always.
    """

    def __init__(self, sql: str, arrow_schema: object) -> None:
        raise RuntimeError(
            "SQL slices are not supported: tfx-bsl 1.21 removed their implementation. "
            f"Received: sql={sql!r}. Slice by feature values (slicing features) instead."
        )
