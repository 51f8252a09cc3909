"""What the sandbox was started with."""

import os
from pathlib import Path

# Where this sandbox keeps its own things.
home = Path(os.environ.get("LAGOA_SANDBOX_HOME", "."))
# What all sandboxes of a user share: servers and templates.
cache = Path(os.environ.get("LAGOA_SANDBOX_CACHE", "."))
# Seconds that an RDS instance spends creating, modifying and deleting, at least.
rds_delay = float(os.environ.get("LAGOA_SANDBOX_RDS_DELAY", "1.5"))
# What AWS's own durations are scaled by; 0 makes everything quick instead.
latency = float(os.environ.get("LAGOA_SANDBOX_LATENCY", "0"))
# Check lagoa's requests against AWS's service models.
validate = os.environ.get("LAGOA_SANDBOX_VALIDATE") == "1"
# Seconds that things of DMS spend in each passing state.
dms_delay = float(os.environ.get("LAGOA_SANDBOX_DMS_DELAY", "0.4"))
# "off" leaves RDS instances without a server behind them, for tests of many instances.
databases = os.environ.get("LAGOA_SANDBOX_DATABASES", "on") != "off"
# Seconds that a NAT gateway or an interface endpoint spends coming and going, at least.
ec2_delay = float(os.environ.get("LAGOA_SANDBOX_EC2_DELAY", "0.5"))
# Seconds that an EMR cluster spends in each passing state, and a step running.
emr_delay = float(os.environ.get("LAGOA_SANDBOX_EMR_DELAY", "0.4"))
# Seconds that a cluster, a node group or an add-on of EKS spends in each passing status.
eks_delay = float(os.environ.get("LAGOA_SANDBOX_EKS_DELAY", "0.5"))
# Seconds that things of DMS spend in each passing state.
dms_delay = float(os.environ.get("LAGOA_SANDBOX_DMS_DELAY", "0.4"))
