"""Makes the helpers of this folder importable by their bare names, wherever pytest was started."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

for name in ("reference", "instances"):
    if name not in sys.modules:
        spec = spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
