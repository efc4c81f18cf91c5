"""The trainers that are compared: each trains in a process of its own, told what by a file, and says what it took."""
