"""Everything that turns a table of instructions into TFRecords, and checks the TFRecords."""
