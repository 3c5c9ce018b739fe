"""The version of the program."""


def version() -> str:
    """Return the installed version, or that this is the source."""
    from importlib import metadata

    try:
        return metadata.version("tranche")
    except metadata.PackageNotFoundError:
        return "0+source"
