"""What holds for every test: the same examples at every run, and nothing left in the tree."""

from hypothesis import settings

# No deadline: the machine is shared. The search for new examples belongs to `make prove`.
settings.register_profile("repeatable", deadline=None, database=None, derandomize=True)
settings.register_profile("explore", deadline=None, database=None, max_examples=2000)
settings.load_profile("repeatable")
