"""Imported before moto, to make that import quicker."""

import functools

import boto3

# moto asks several fresh sessions for the list of regions; each would read it from disk.
boto3.Session = functools.cache(boto3.Session)
