"""The sandbox: moto, taught to behave as AWS does, with real databases behind RDS."""
