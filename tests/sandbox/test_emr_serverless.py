"""EMR Serverless: applications come up, change while they are stopped, and go."""

from support import SandboxTest, client


class EmrServerless(SandboxTest):
    def setUp(self):
        super().setUp()
        self.emr = client("emr-serverless")

    def create(self, **more):
        request = {"name": "jobs", "releaseLabel": "emr-7.9.0", "type": "SPARK"}
        answer = self.emr.create_application(**{**request, "tags": {"a": "b"}, **more})
        return answer["applicationId"]

    def get(self, application):
        return self.emr.get_application(applicationId=application)["application"]

    def reaches(self, application, state):
        self.eventually(lambda: self.get(application)["state"] == state)

    def test_a_token_makes_one(self):
        one = self.create(clientToken="t")
        self.assertEqual(one, self.create(clientToken="t"))
        self.assertNotEqual(one, self.create())
        self.assertEqual(len(self.emr.list_applications()["applications"]), 2)

    def test_what_aws_fills_in(self):
        worker = {"cpu": "2 vCPU", "memory": "4 GB"}
        capacity = {"Driver": {"workerCount": 1, "workerConfiguration": worker}}
        one = self.get(self.create(initialCapacity=capacity))
        self.assertEqual(one["state"], "CREATING")
        self.assertEqual(one["architecture"], "X86_64")
        self.assertEqual(one["autoStopConfiguration"]["idleTimeoutMinutes"], 15)
        self.assertEqual(
            one["initialCapacity"]["Driver"]["workerConfiguration"], {**worker, "disk": "20 GB"}
        )

    def test_it_changes_only_while_it_is_stopped(self):
        application = self.create()
        self.reaches(application, "CREATED")
        self.emr.start_application(applicationId=application)
        self.reaches(application, "STARTED")
        change = {"applicationId": application, "releaseLabel": "emr-7.10.0"}
        update = self.emr.update_application
        self.assertRefused("ValidationException", update, clientToken="a", **change)
        delete = self.emr.delete_application
        self.assertRefused("ValidationException", delete, applicationId=application)
        self.emr.stop_application(applicationId=application)
        self.reaches(application, "STOPPED")
        update(clientToken="b", **change)
        self.assertEqual(self.get(application)["releaseLabel"], "emr-7.10.0")
        delete(applicationId=application)
        self.assertEqual(self.get(application)["state"], "TERMINATED")

    def test_tags(self):
        arn = self.get(self.create())["arn"]
        self.emr.tag_resource(resourceArn=arn, tags={"c": "d"})
        self.emr.untag_resource(resourceArn=arn, tagKeys=["a"])
        self.assertEqual(self.emr.list_tags_for_resource(resourceArn=arn)["tags"], {"c": "d"})
        tagging = client("resourcegroupstaggingapi")
        found = tagging.get_resources(TagFilters=[{"Key": "c"}])["ResourceTagMappingList"]
        self.assertEqual([one["ResourceARN"] for one in found], [arn])
