//! GitHub and STS as they are: a bearer token for a token, a token for credentials that end.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::server::{Request, Server};
use super::support::{Ran, Site};
use super::{bare, ran};

const BEARER: &str = "Planted-bearer-81c2";
const SECRET: &str = "Planted-secret-77ab";
const ROLE: &str = "arn:aws:iam::123456789012:role/plan";
const SUBJECT: &str = "repo:acme/lake:ref:refs/heads/main";

/// How GitHub and AWS are set up.
#[derive(Clone)]
struct World {
    /// The subject that the role's trust policy lets in.
    trusted: &'static str,
    /// The account knows GitHub as a provider.
    provider: bool,
    /// The job may ask for tokens.
    permitted: bool,
    /// Tokens that GitHub fails to give before it gives one.
    faults: usize,
    /// How long credentials are said to last, and how long they do.
    lifetime: Duration,
    honoured: Duration,
    /// How long each bucket takes.
    slow: Duration,
}

impl Default for World {
    fn default() -> Self {
        Self {
            trusted: SUBJECT,
            provider: true,
            permitted: true,
            faults: 0,
            lifetime: Duration::from_secs(3600),
            honoured: Duration::from_secs(3600),
            slow: Duration::ZERO,
        }
    }
}

/// What has been given out.
#[derive(Default)]
struct Given {
    faults: usize,
    /// Tokens that nobody has used.
    tokens: Vec<String>,
    exchanged: usize,
    sessions: BTreeSet<String>,
    /// When each key was given.
    keys: Vec<Instant>,
    /// Keys that signed a call.
    signed: BTreeSet<usize>,
    /// Calls that were refused because their key had ended.
    expired: usize,
}

struct Stage {
    server: Server,
    given: Arc<Mutex<Given>>,
}

impl Stage {
    /// GitHub's token service, STS, and everything else in the sandbox behind them.
    fn new(world: World, sandbox: &str) -> Self {
        let given = Arc::new(Mutex::new(Given::default()));
        let (shared, sandbox) = (Arc::clone(&given), sandbox.to_owned());
        let server = Server::new(move |request| {
            if request.line.starts_with("GET /job//idtoken?") {
                return Some(github(request, &world, &mut shared.lock().expect("whole")));
            }
            if request.body.contains("Action=AssumeRoleWithWebIdentity") {
                return Some(sts(request, &world, &mut shared.lock().expect("whole")));
            }
            if let Err(refusal) = sign(request, &world, &mut shared.lock().expect("whole")) {
                return Some(refusal);
            }
            if request.line.starts_with("PUT /vouched-") && !request.line.contains('?') {
                std::thread::sleep(world.slow);
            }
            request.forward(&sandbox)
        });
        Self { server, given }
    }

    /// lagoa in a job that GitHub vouches for.
    fn job(&self, site: &Site, arguments: &[&str]) -> Command {
        let mut command = site.command(arguments);
        bare(&mut command);
        let endpoint = &self.server.endpoint;
        command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_ROLE_ARN", ROLE);
        command.env("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{endpoint}/job//idtoken?api=2"));
        command.env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", BEARER);
        command.env("GITHUB_REPOSITORY", "acme/lake").env("GITHUB_RUN_ID", "4711");
        command
    }

    fn run(&self, site: &Site, arguments: &[&str]) -> Ran {
        let ran = ran(&mut self.job(site, arguments));
        let said = format!("{}{}", ran.stdout(), ran.stderr());
        for secret in [BEARER, SECRET, "eyJ", "Planted-session"] {
            assert!(!said.contains(secret), "{secret} is in what it says:\n{said}");
        }
        ran
    }
}

fn answer(status: u16, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Answer\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Gives a token to who shows the bearer token, for the audience that is asked for.
fn github(request: &Request, world: &World, given: &mut Given) -> Vec<u8> {
    let bearer = request.header("authorization").unwrap_or_default();
    if !world.permitted || bearer != format!("Bearer {BEARER}") {
        return answer(403, r#"{"message":"Resource not accessible by integration"}"#);
    }
    if given.faults < world.faults {
        given.faults += 1;
        return answer(503, "upstream connect error");
    }
    let query = request.line.split(['?', ' ']).nth(2).unwrap_or_default();
    assert!(query.contains("api=2"), "the query of the address is kept: {}", request.line);
    let audience = query.split('&').find_map(|pair| pair.strip_prefix("audience="));
    let audience = audience.unwrap_or("https://github.com/acme").replace("%2E", ".");
    let number = given.exchanged + given.tokens.len();
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(json!({ "alg": "RS256" }));
    let payload = part(json!({
        "iss": "https://token.actions.githubusercontent.com",
        "sub": SUBJECT,
        "aud": audience,
        "jti": number,
    }));
    let token = format!("{header}.{payload}.c2lnbmF0dXJl");
    given.tokens.push(token.clone());
    answer(200, &json!({ "count": 1, "value": token }).to_string())
}

fn refusal(code: &str, message: &str) -> Vec<u8> {
    answer(
        if code == "AccessDenied" { 403 } else { 400 },
        &format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>\
             <Message>{message}</Message></Error><RequestId>r-1</RequestId></ErrorResponse>"
        ),
    )
}

/// Gives credentials for a token that GitHub gave for STS, once.
fn sts(request: &Request, world: &World, given: &mut Given) -> Vec<u8> {
    assert!(request.header("authorization").is_none(), "there is nothing to sign with yet");
    let field = |name: &str| {
        let pair = request.body.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        pair.unwrap_or_default().replace("%3A", ":").replace("%2F", "/")
    };
    let token = field("WebIdentityToken");
    let Some(at) = given.tokens.iter().position(|one| *one == token) else {
        return refusal("ExpiredTokenException", "Token expired or used before");
    };
    given.tokens.remove(at);
    given.exchanged += 1;
    if !world.provider {
        return refusal("InvalidIdentityToken", "No OpenIDConnect provider found in your account");
    }
    let payload = token.split('.').nth(1).expect("a token has parts");
    let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).expect("it can be read");
    let claims: Value = serde_json::from_slice(&payload).expect("it is JSON");
    if claims["aud"] != "sts.amazonaws.com" || claims["sub"] != world.trusted {
        let message = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
        return refusal("AccessDenied", message);
    }
    assert_eq!(field("RoleArn"), ROLE);
    let session = field("RoleSessionName");
    given.keys.push(Instant::now());
    let key = format!("ASIA{:016}", given.keys.len() - 1);
    let lifetime = jiff::SignedDuration::try_from(world.lifetime).expect("a time");
    let ends = jiff::Timestamp::now() + lifetime;
    let body = format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{key}</AccessKeyId>\
         <SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>Planted-session-{key}</SessionToken>\
         <Expiration>{ends}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>AROA:{session}\
         </AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/plan/{session}</Arn>\
         </AssumedRoleUser></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    );
    given.sessions.insert(session);
    answer(200, &body)
}

/// Lets a call pass that is signed with a key that hasn't ended, and shows its session.
fn sign(request: &Request, world: &World, given: &mut Given) -> Result<(), Vec<u8>> {
    let signed = request.header("authorization").unwrap_or_default();
    let key = signed.split("Credential=").nth(1).and_then(|rest| rest.split('/').next());
    let key = key.unwrap_or_default();
    let number: Option<usize> = key.strip_prefix("ASIA").and_then(|number| number.parse().ok());
    let since = number.and_then(|number| given.keys.get(number));
    let session = request.header("x-amz-security-token").unwrap_or_default();
    let (Some(number), Some(since)) = (number, since) else {
        return Err(refusal("InvalidClientTokenId", "The security token is invalid"));
    };
    assert_eq!(session, format!("Planted-session-{key}"));
    if since.elapsed() > world.honoured {
        given.expired += 1;
        return Err(refusal(
            "ExpiredToken",
            "The security token included in the request is expired",
        ));
    }
    given.signed.insert(number);
    Ok(())
}

/// Buckets that stand one after the other.
fn chain(site: &Site, buckets: usize) {
    let entry = |at: usize| {
        let needs: Vec<String> =
            at.checked_sub(1).map(|one| format!("vouched-{one}")).into_iter().collect();
        (format!("vouched-{at}"), json!({ "kind": "s3_bucket", "depends_on": needs }))
    };
    site.stack("vouched", &(0..buckets).map(entry).collect());
}

#[test]
fn github_vouches_and_credentials_are_renewed_while_work_goes_on() {
    let site = Site::new("vouched");
    chain(&site, 6);

    let stage = Stage::new(World { faults: 2, ..World::default() }, &site.endpoint());
    let plan = stage.run(&site, &["plan", "stack.yaml", "--json", "-vv"]).success();
    assert_eq!(plan.json()["total"]["create"], 6);
    {
        let given = stage.given.lock().expect("whole");
        assert_eq!((given.exchanged, given.faults), (1, 2), "one exchange serves all services");
        assert_eq!(given.sessions, BTreeSet::from(["lagoa-lake-4711".to_owned()]));
    }

    // They are renewed one to two minutes before they end: here, after two seconds at the latest.
    let world = World {
        lifetime: Duration::from_secs(62),
        honoured: Duration::from_secs(4),
        slow: Duration::from_secs(2),
        ..World::default()
    };
    let stage = Stage::new(world, &site.endpoint());
    stage.run(&site, &["apply", "stack.yaml", "--yes", "-vv"]).success();
    {
        let given = stage.given.lock().expect("whole");
        assert!(given.signed.len() >= 3, "{} keys signed calls", given.signed.len());
        assert_eq!(given.expired, 0, "no call was signed with a key that had ended");
        assert_eq!(given.exchanged, given.keys.len(), "each with a token of its own");
    }
    site.stack_command("plan", &["--detailed-exitcode"]).success();

    refusals(&site);
}

/// Each refusal names what is missing, and where.
fn refusals(site: &Site) {
    let told = |world: World, more: &dyn Fn(&mut Command)| {
        let stage = Stage::new(world, &site.endpoint());
        let mut command = stage.job(site, &["plan", "stack.yaml"]);
        more(&mut command);
        let ran = ran(&mut command).ends_with(1);
        // What is masked is told to GitHub alone.
        let told = ran.stderr();
        let told: Vec<&str> =
            told.lines().filter(|line| !line.starts_with("::add-mask::")).collect();
        let told = told.join("\n");
        assert!(!told.contains("eyJ") && !told.contains(BEARER), "{told}");
        println!("{told}");
        told
    };
    let as_it_is = |_: &mut Command| ();
    let told_of_trust = told(
        World { trusted: "repo:acme/lake:environment:production", ..World::default() },
        &as_it_is,
    );
    for part in [
        "AccessDenied",
        SUBJECT,
        "\"token.actions.githubusercontent.com:sub\"",
        "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com",
        "lagoa init --ci github",
    ] {
        assert!(told_of_trust.contains(part), "{part}: {told_of_trust}");
    }
    let told_of_provider = told(World { provider: false, ..World::default() }, &as_it_is);
    assert!(told_of_provider.contains("iam_oidc_provider"), "{told_of_provider}");

    let told_of_permission = told(World { permitted: false, ..World::default() }, &as_it_is);
    assert!(told_of_permission.contains("id-token: write"), "{told_of_permission}");
    assert!(
        told_of_permission.contains("HTTP 403: Resource not accessible"),
        "{told_of_permission}"
    );

    let told_of_role = told(World::default(), &|job| {
        job.env("AWS_ROLE_ARN", "plan");
    });
    assert!(told_of_role.contains("`plan`, which is no ARN of a role"), "{told_of_role}");

    let told_of_no_role = told(World::default(), &|job| {
        job.env("AWS_ROLE_ARN", "").env("GITHUB_ACTIONS", "true");
    });
    assert!(told_of_no_role.contains("AWS_ROLE_ARN"), "{told_of_no_role}");
    assert!(!told_of_no_role.contains("id-token"), "{told_of_no_role}");

    let told_of_no_token = told(World::default(), &|job| {
        job.env_remove("ACTIONS_ID_TOKEN_REQUEST_URL").env("GITHUB_ACTIONS", "true");
    });
    assert!(told_of_no_token.contains("id-token: write"), "{told_of_no_token}");
}
