"""What the sandbox was started with."""

import os
from pathlib import Path

# Where this sandbox keeps its own things.
home = Path(os.environ.get("LAGOA_SANDBOX_HOME", "."))
# What all sandboxes of a user share: servers and templates.
cache = Path(os.environ.get("LAGOA_SANDBOX_CACHE", "."))
# Seconds that things spend in each passing state, at least.
delay = float(os.environ.get("LAGOA_SANDBOX_DELAY", "0.5"))
# What AWS's own durations are scaled by, in the place of that; 0 leaves them alone.
latency = float(os.environ.get("LAGOA_SANDBOX_LATENCY", "0"))
# Check lagoa's requests against AWS's service models.
validate = os.environ.get("LAGOA_SANDBOX_VALIDATE") == "1"
# "off" leaves RDS instances without a server behind them, for tests of many instances.
databases = os.environ.get("LAGOA_SANDBOX_DATABASES", "on") != "off"
