"""What the sandbox was started with."""

import os
from pathlib import Path

# Where this sandbox keeps its own things.
home = Path(os.environ.get("LAGOA_SANDBOX_HOME", "."))
# What all sandboxes of a user share: servers and templates.
cache = Path(os.environ.get("LAGOA_SANDBOX_CACHE", "."))
# Seconds that an RDS instance spends creating, modifying and deleting, at least.
rds_delay = float(os.environ.get("LAGOA_SANDBOX_RDS_DELAY", "1.5"))
# Seconds that things of DMS spend in each passing state.
dms_delay = float(os.environ.get("LAGOA_SANDBOX_DMS_DELAY", "0.4"))
# "off" leaves RDS instances without a server behind them, for tests of many instances.
databases = os.environ.get("LAGOA_SANDBOX_DATABASES", "on") != "off"
