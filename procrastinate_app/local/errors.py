"""What can go wrong locally, told to people."""


class LocalError(RuntimeError):
    """The local stack cannot go on; the message says why and what to do."""
