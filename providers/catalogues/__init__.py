"""Catalogues of prices that others keep of many clouds -> listings."""
