"""Copies of the sandbox, and the count of what is in it."""

import json
import unittest
import urllib.request

import boto3
from botocore.exceptions import ClientError
from support import SandboxTest, server


def ask(method, path, endpoint=None):
    request = urllib.request.Request((endpoint or server().endpoint) + path, method=method)
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


def iam(endpoint):
    return boto3.client(
        "iam",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


class Fork(SandboxTest):
    def test_a_copy_begins_where_the_original_stands_and_goes_its_own_way(self):
        original = iam(server().endpoint)
        original.create_group(GroupName="before")
        self.addCleanup(original.delete_group, GroupName="before")
        copy = ask("POST", "/_lagoa/fork")
        self.addCleanup(ask, "POST", "/_lagoa/stop", copy["endpoint"])
        other = iam(copy["endpoint"])
        other.create_group(GroupName="after")
        names = [group["GroupName"] for group in other.list_groups()["Groups"]]
        self.assertEqual(sorted(names), ["after", "before"])
        names = [group["GroupName"] for group in original.list_groups()["Groups"]]
        self.assertEqual(names, ["before"])

    def test_a_copy_enforces_policies_for_itself_alone(self):
        copy = ask("POST", "/_lagoa/fork")
        self.addCleanup(ask, "POST", "/_lagoa/stop", copy["endpoint"])
        ask("POST", "/_lagoa/enforce", copy["endpoint"])
        with self.assertRaises(ClientError):
            iam(copy["endpoint"]).list_groups()
        iam(server().endpoint).list_groups()

    def test_the_census_counts_whatever_there_is(self):
        client = iam(server().endpoint)
        client.list_groups()
        before = ask("GET", "/_lagoa/census")["things"]
        client.create_group(GroupName="counted")
        during = ask("GET", "/_lagoa/census")["things"]
        client.delete_group(GroupName="counted")
        path = "moto.iam.models.IAMBackend.groups"
        self.assertEqual(during[path], before.get(path, 0) + 1)
        self.assertEqual(ask("GET", "/_lagoa/census")["things"], before)


if __name__ == "__main__":
    unittest.main()
