use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use aws_types::request_id::RequestId;
use aws_types::sdk_config::Builder;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use serde::de::DeserializeOwned;

use super::client::EC2;
use super::query::{Form, TagKey};
use super::wire::{Ack, Authorized, CreatedGroup, Page, Reply, Revoked};
use super::*;
use crate::aws::endpoint::ServiceEndpoint;

const NS: &str = r#"xmlns="http://ec2.amazonaws.com/doc/2016-11-15/""#;

// ---- An EC2 that gives prepared answers ----

#[derive(Clone, Debug)]
struct FakeEc2 {
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
    requests: Arc<Mutex<Vec<HttpRequest>>>,
}

impl FakeEc2 {
    fn new(answers: impl IntoIterator<Item = (u16, String)>) -> Self {
        Self {
            answers: Arc::new(Mutex::new(answers.into_iter().collect())),
            requests: Arc::default(),
        }
    }

    fn config(&self) -> Builder {
        let connector = SharedHttpConnector::new(self.clone());
        let http: SharedHttpClient = http_client_fn(move |_, _| connector.clone());
        let retries = RetryConfig::standard()
            .with_initial_backoff(Duration::from_millis(1))
            .with_max_backoff(Duration::from_millis(2));
        base_config().http_client(http).retry_config(retries)
    }

    fn client(&self) -> Client {
        Client::new(&self.config().build())
    }

    fn bodies(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        let text = |request: &HttpRequest| request.body().bytes().unwrap().to_vec();
        requests.iter().map(|request| String::from_utf8(text(request)).unwrap()).collect()
    }
}

impl HttpConnector for FakeEc2 {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.requests.lock().unwrap().push(request);
        let (status, body) = self.answers.lock().unwrap().pop_front().expect("an answer is left");
        let status = status.try_into().unwrap();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
    }
}

fn base_config() -> Builder {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("token".into()), None, "test");
    SdkConfig::builder()
        .region(Region::new("sa-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
}

fn refusal(status: u16, code: &str) -> (u16, String) {
    let body = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>{code}</Code><Message>because</Message></Error></Errors><RequestID>req-1</RequestID></Response>"#
    );
    (status, body)
}

fn vpcs(ids: &[&str], next: &str) -> (u16, String) {
    let items: String = ids
        .iter()
        .map(|id| format!("<item><vpcId>{id}</vpcId><state>available</state></item>"))
        .collect();
    let body = format!(
        "<DescribeVpcsResponse {NS}><requestId>r</requestId><vpcSet>{items}</vpcSet>{next}</DescribeVpcsResponse>"
    );
    (200, body)
}

// ---- Calls ----

#[tokio::test]
async fn a_call_is_a_signed_post() {
    let ec2 = FakeEc2::new([vpcs(&["vpc-1"], "")]);
    let found = ec2.client().describe_vpcs(&[Filter::new("is-default", ["true"])]).await.unwrap();
    assert_eq!(found[0].vpc_id, "vpc-1");

    let requests = ec2.requests.lock().unwrap();
    let request = &requests[0];
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri(), "https://ec2.sa-east-1.amazonaws.com/");
    let header = |name| request.headers().get(name).unwrap_or_default();
    let authorization = header("authorization");
    assert!(
        authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"),
        "{authorization}"
    );
    assert!(authorization.contains("/sa-east-1/ec2/aws4_request,"), "{authorization}");
    assert_eq!(header("x-amz-security-token"), "token");
    assert_eq!(header("content-type"), "application/x-www-form-urlencoded");
    assert!(header("user-agent").contains("api/ec2/"), "{}", header("user-agent"));
    assert!(header("amz-sdk-request").contains("attempt=1"));
    drop(requests);
    assert_eq!(
        ec2.bodies(),
        [
            "Action=DescribeVpcs&Version=2016-11-15&Filter.1.Name=is-default&Filter.1.Value.1=true&MaxResults=1000"
        ]
    );
}

#[tokio::test]
async fn a_refusal_has_code_message_and_request_id() {
    let ec2 = FakeEc2::new([refusal(400, "DependencyViolation")]);
    let error = ec2.client().delete_security_group("sg-1").await.unwrap_err();
    assert_eq!(error.code(), Some("DependencyViolation"));
    assert_eq!(error.message(), Some("because"));
    let refusal = error.into_service_error();
    assert_eq!(refusal.request_id(), Some("req-1"));
    assert_eq!(refusal.meta().request_id(), Some("req-1"));
    assert_eq!(refusal.to_string(), "DependencyViolation: because");
}

#[tokio::test]
async fn throttling_is_retried() {
    let ec2 = FakeEc2::new([
        refusal(503, "RequestLimitExceeded"),
        refusal(400, "EC2ThrottledException"),
        vpcs(&["vpc-1"], ""),
    ]);
    assert_eq!(ec2.client().describe_vpcs(&[]).await.unwrap().len(), 1);
    assert_eq!(ec2.bodies().len(), 3);
}

#[tokio::test]
async fn retries_end_with_what_ec2_said() {
    let ec2 = FakeEc2::new((0..3).map(|_| refusal(503, "RequestLimitExceeded")));
    let error = ec2.client().describe_vpcs(&[]).await.unwrap_err();
    assert_eq!(error.code(), Some("RequestLimitExceeded"));
}

#[tokio::test]
async fn a_page_that_is_no_ec2_reply_is_an_error() {
    let html = || "<html><body>captive portal</body></html>".to_owned();
    let ec2 = FakeEc2::new((0..3).map(|_| (200, html())));
    let error = ec2.client().describe_vpcs(&[]).await.unwrap_err();
    assert!(matches!(error, SdkError::ResponseError(_)), "{error:?}");

    let ec2 = FakeEc2::new([(403, html())]);
    let error = ec2.client().describe_vpcs(&[]).await.unwrap_err();
    assert_eq!(error.code(), None);
    assert_eq!(error.message(), Some("the endpoint answered with HTTP status 403"));
}

#[tokio::test]
async fn all_pages_are_collected() {
    let ec2 = FakeEc2::new([
        vpcs(&["vpc-1", "vpc-2"], "<nextToken>a+b/=</nextToken>"),
        vpcs(&["vpc-3"], "<nextToken/>"),
    ]);
    let found = ec2.client().describe_vpcs(&[]).await.unwrap();
    let ids: Vec<_> = found.iter().map(|vpc| vpc.vpc_id.as_str()).collect();
    assert_eq!(ids, ["vpc-1", "vpc-2", "vpc-3"]);
    assert!(ec2.bodies()[1].ends_with("&MaxResults=1000&NextToken=a%2Bb%2F%3D"));
}

#[tokio::test]
async fn many_names_are_asked_for_in_batches() {
    let empty =
        || (200, format!("<DescribeKeyPairsResponse {NS}><keySet/></DescribeKeyPairsResponse>"));
    let ec2 = FakeEc2::new([empty(), empty()]);
    let names: Vec<_> = (0..201).map(|number| format!("key-{number}")).collect();
    assert!(ec2.client().describe_key_pairs_by("key-name", &names).await.unwrap().is_empty());
    assert!(ec2.bodies()[0].contains("Filter.1.Value.200=key-199&"));
    assert!(ec2.bodies()[1].contains("Filter.1.Value.1=key-200&"));
}

#[tokio::test]
async fn nothing_asked_is_nothing_sent() {
    let ec2 = FakeEc2::new([]);
    let client = ec2.client();
    let ids = ["sg-1".to_owned()];
    client.delete_tags(&ids, &[]).await.unwrap();
    client.create_tags(&ids, &Tags::new()).await.unwrap();
    client.revoke_security_group(Direction::Egress, "sg-1", &[]).await.unwrap();
    client.authorize_security_group(Direction::Egress, "sg-1", &[]).await.unwrap();
    assert!(client.describe_security_groups_by_id(&[]).await.unwrap().is_empty());
    assert!(client.describe_security_group_rules(&[]).await.unwrap().is_empty());
    assert!(ec2.bodies().is_empty());
}

#[tokio::test]
async fn success_that_is_none_is_an_error() {
    let reply =
        |inner: &str| (200, format!("<Response {NS}><requestId>r</requestId>{inner}</Response>"));
    let ec2 = FakeEc2::new([
        reply("<return>false</return>"),
        reply(
            "<return>true</return><unknownIpPermissionSet><item><ipProtocol>tcp</ipProtocol><ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges></item></unknownIpPermissionSet>",
        ),
        reply("<return>true</return><unknownIpPermissionSet/>"),
    ]);
    let client = ec2.client();
    assert!(client.delete_security_group("sg-1").await.is_err());
    let rules = ["sgr-1".to_owned()];
    let revoke = || client.revoke_security_group(Direction::Ingress, "sg-1", &rules);
    assert_eq!(revoke().await.unwrap_err().code(), Some("InvalidPermission.NotFound"));
    revoke().await.unwrap();
}

#[tokio::test]
async fn a_missing_region_is_an_error() {
    let ec2 = FakeEc2::new([]);
    let without_region = ec2.config().region(None).build();
    let error = Client::new(&without_region).describe_vpcs(&[]).await.unwrap_err();
    let error = format!("{:?}", error.into_source());
    assert!(error.contains("no AWS region is set"), "{error}");
}

// ---- Forms ----

fn encoded(form: Form) -> String {
    form.encode().replace("Action=A&Version=2016-11-15", "")
}

#[test]
fn names_are_numbered_and_values_escaped() {
    let tags = Tags::from([
        ("lagoa:stack".to_owned(), "bootcamp".to_owned()),
        ("note".to_owned(), "a b&c=d/é~".to_owned()),
    ]);
    let form = Form::new("A")
        .with("Filter", &vec![Filter::new("vpc-id", ["vpc-1", "vpc-2"]), Filter::new("x", ["y"])])
        .with("Absent", &None::<String>)
        .with("Empty", &Vec::<String>::new())
        .with("Flag", &true)
        .with_blob("Blob", b"\xff\xfe")
        .with_tags_for("security-group", &tags);
    assert_eq!(
        encoded(form),
        "&Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-1&Filter.1.Value.2=vpc-2\
         &Filter.2.Name=x&Filter.2.Value.1=y&Flag=true&Blob=%2F%2F4%3D\
         &TagSpecification.1.ResourceType=security-group\
         &TagSpecification.1.Tag.1.Key=lagoa%3Astack&TagSpecification.1.Tag.1.Value=bootcamp\
         &TagSpecification.1.Tag.2.Key=note&TagSpecification.1.Tag.2.Value=a%20b%26c%3Dd%2F%C3%A9~"
    );
    assert_eq!(encoded(Form::new("A").with_tags_for("key-pair", &Tags::new())), "");
    let key = "k".to_owned();
    assert_eq!(encoded(Form::new("A").with("Tag", &vec![TagKey(&key)])), "&Tag.1.Key=k");
}

#[test]
fn a_permission_goes_where_its_peer_belongs() {
    let permission = |peer| IpPermission {
        protocol: "tcp".to_owned(),
        from_port: Some(5432),
        to_port: Some(5433),
        peer,
        description: Some("db".to_owned()),
    };
    let all = IpPermission {
        protocol: "-1".to_owned(),
        from_port: None,
        to_port: None,
        peer: Peer::Group { group_id: "sg-2".to_owned(), user_id: Some("123".to_owned()) },
        description: None,
    };
    let form = Form::new("A").with(
        "IpPermissions",
        &vec![
            permission(Peer::Ipv4("10.0.0.0/8".to_owned())),
            permission(Peer::Ipv6("::/0".to_owned())),
            permission(Peer::PrefixList("pl-1".to_owned())),
            all,
        ],
    );
    let ports = |n| {
        format!(
            "&IpPermissions.{n}.IpProtocol=tcp&IpPermissions.{n}.FromPort=5432&IpPermissions.{n}.ToPort=5433"
        )
    };
    assert_eq!(
        encoded(form),
        [
            &ports(1),
            "&IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0%2F8&IpPermissions.1.IpRanges.1.Description=db",
            &ports(2),
            "&IpPermissions.2.Ipv6Ranges.1.CidrIpv6=%3A%3A%2F0&IpPermissions.2.Ipv6Ranges.1.Description=db",
            &ports(3),
            "&IpPermissions.3.PrefixListIds.1.PrefixListId=pl-1&IpPermissions.3.PrefixListIds.1.Description=db",
            "&IpPermissions.4.IpProtocol=-1",
            "&IpPermissions.4.Groups.1.GroupId=sg-2&IpPermissions.4.Groups.1.UserId=123",
        ]
        .concat()
    );
}

// ---- Replies ----

fn decoded<T: DeserializeOwned>(inner: &str) -> T {
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<AnyResponse {NS}>\n  <requestId>r</requestId>\n  {inner}\n</AnyResponse>"
    );
    quick_xml::de::from_str(&document).unwrap()
}

#[test]
fn security_groups_are_read() {
    let page: Page<SecurityGroup> = decoded(
        "<securityGroupInfo>
            <item>
                <ownerId>123456789012</ownerId>
                <groupId>sg-1</groupId>
                <groupName>db</groupName>
                <groupDescription>databases &amp; co</groupDescription>
                <vpcId>vpc-1</vpcId>
                <ipPermissions/>
                <ipPermissionsEgress><item><ipProtocol>-1</ipProtocol></item></ipPermissionsEgress>
                <tagSet>
                    <item><key>lagoa:stack</key><value>bootcamp</value></item>
                    <item><key>empty</key><value/></item>
                </tagSet>
            </item>
            <item>
                <groupId>sg-2</groupId><groupName>default</groupName><groupDescription/>
            </item>
        </securityGroupInfo>",
    );
    let [db, default] = page.items.as_slice() else { panic!("two groups") };
    assert_eq!(db.description, "databases & co");
    assert_eq!(db.vpc_id.as_deref(), Some("vpc-1"));
    assert_eq!(db.tags["lagoa:stack"], "bootcamp");
    assert_eq!(db.tags["empty"], "");
    assert_eq!((default.description.as_str(), default.tags.len()), ("", 0));
    assert_eq!(page.next_token, None);
}

#[test]
fn rules_are_read_with_their_peers() {
    let page: Page<SecurityGroupRule> = decoded(
        "<securityGroupRuleSet>
            <item>
                <securityGroupRuleId>sgr-1</securityGroupRuleId><groupId>sg-1</groupId>
                <groupOwnerId>1</groupOwnerId><isEgress>true</isEgress>
                <ipProtocol>-1</ipProtocol><fromPort>-1</fromPort><toPort>-1</toPort>
                <cidrIpv4>0.0.0.0/0</cidrIpv4><tagSet/>
            </item>
            <item>
                <securityGroupRuleId>sgr-2</securityGroupRuleId><groupId>sg-1</groupId>
                <isEgress>false</isEgress>
                <ipProtocol>tcp</ipProtocol><fromPort>5432</fromPort><toPort>5432</toPort>
                <referencedGroupInfo><groupId>sg-2</groupId><userId>1</userId></referencedGroupInfo>
                <description>from the app</description>
            </item>
        </securityGroupRuleSet>",
    );
    let [out, into] = page.items.as_slice() else { panic!("two rules") };
    assert_eq!(out.direction(), Direction::Egress);
    assert_eq!(out.peer(), Some(Peer::Ipv4("0.0.0.0/0".to_owned())));
    assert_eq!((out.from_port, out.description.as_deref()), (Some(-1), None));
    assert_eq!(into.direction(), Direction::Ingress);
    let group = Peer::Group { group_id: "sg-2".to_owned(), user_id: Some("1".to_owned()) };
    assert_eq!(into.peer(), Some(group));
    assert_eq!(into.description.as_deref(), Some("from the app"));
}

#[test]
fn subnets_key_pairs_and_interfaces_are_read() {
    let page: Page<Subnet> = decoded(
        "<subnetSet><item><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId>
         <availabilityZone>sa-east-1a</availabilityZone><mapPublicIpOnLaunch>true</mapPublicIpOnLaunch>
         </item></subnetSet>",
    );
    assert!(page.items[0].map_public_ip_on_launch && !page.items[0].default_for_az);

    let page: Page<KeyPair> = decoded(
        "<keySet><item><keyPairId>key-1</keyPairId><keyFingerprint>1f</keyFingerprint>
         <keyName>laptop</keyName><keyType>ed25519</keyType><publicKey>ssh-ed25519 AAAA\n</publicKey>
         <createTime>2024-01-01T00:00:00.000Z</createTime></item></keySet>",
    );
    assert!(page.items[0].public_key.as_deref().unwrap().starts_with("ssh-ed25519 AAAA"));

    let page: Page<NetworkInterface> = decoded(
        "<networkInterfaceSet><item><networkInterfaceId>eni-1</networkInterfaceId>
         <description>RDSNetworkInterface</description><requesterManaged>true</requesterManaged>
         <attachment><attachmentId>a</attachmentId><instanceOwnerId>amazon-rds</instanceOwnerId>
         <status>attached</status></attachment></item></networkInterfaceSet>",
    );
    let attachment = page.items[0].attachment.as_ref().unwrap();
    assert_eq!(attachment.instance_owner_id.as_deref(), Some("amazon-rds"));
    assert_eq!(attachment.instance_id, None);
}

#[test]
fn acknowledgements_are_read() {
    assert!(decoded::<Ack>("<return>true</return>").refusal().is_none());
    assert!(decoded::<Ack>("").refusal().is_none());
    assert!(decoded::<Ack>("<return>false</return>").refusal().is_some());
    assert!(decoded::<Revoked>("<return>false</return>").refusal().is_some());
    assert_eq!(decoded::<CreatedGroup>("<groupId>sg-1</groupId><tagSet/>").group_id, "sg-1");
    assert!(decoded::<Authorized>("<return>true</return>").rules.is_empty());
}

// ---- Endpoints ----

#[test]
fn endpoints_are_those_of_the_sdk() {
    let regions = [
        "us-east-1",
        "sa-east-1",
        "cn-north-1",
        "us-gov-west-1",
        "us-iso-east-1",
        "us-isob-east-1",
        "eu-isoe-west-1",
        "us-isof-south-1",
        "eusc-de-east-1",
        "mx-central-1",
    ];
    for region in regions {
        for (fips, dual_stack) in [(false, false), (true, false), (false, true), (true, true)] {
            let params = Params::builder()
                .region(region.to_owned())
                .use_fips(fips)
                .use_dual_stack(dual_stack)
                .build()
                .unwrap();
            let sts = futures::executor::block_on(DefaultResolver::new().resolve_endpoint(&params));
            let config = SdkConfig::builder()
                .region(Region::new(region))
                .use_fips(fips)
                .use_dual_stack(dual_stack)
                .build();
            let ec2 = ServiceEndpoint::new(&config, &EC2);
            let expected = sts.unwrap().url().replace("://sts", "://ec2");
            assert_eq!(ec2.url(), Ok(expected.as_str()), "fips {fips}, dual-stack {dual_stack}");
        }
    }
}

#[derive(Debug)]
struct ForEc2Only;

impl LoadServiceConfig for ForEc2Only {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let asked = (key.service_id(), key.env(), key.profile());
        (asked == ("EC2", "AWS_ENDPOINT_URL", "endpoint_url"))
            .then(|| "http://for-ec2:1".to_owned())
    }
}

#[test]
fn a_custom_endpoint_goes_before_the_regional_one() {
    let url =
        |config: Builder| ServiceEndpoint::new(&config.build(), &EC2).url().map(str::to_owned);
    let general = || base_config().endpoint_url("http://for-all:1");
    assert_eq!(url(general()).as_deref(), Ok("http://for-all:1"));
    let specific = general().service_config(ForEc2Only);
    assert_eq!(url(specific).as_deref(), Ok("http://for-ec2:1"));
    assert!(url(general().use_fips(true)).is_err());
    assert!(url(base_config().region(Region::new("x.evil.example/"))).is_err());
}
