"""What can go wrong in solving."""


class InfeasibleError(Exception):
    """No plan meets the demand within the limits."""


class SolverError(Exception):
    """HiGHS gave up: a fault of the program, not of its input."""


class AbandonedError(Exception):
    """Nobody waits for this solve any more."""
