"What scripts/execute.py is made of: what outputs depend on, how a notebook is run, and what is kept of a run."
