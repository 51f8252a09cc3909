//! A GitHub that keeps comments in memory and holds to the limits of the real one.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::server::{Request, Server};

pub const TOKEN: &str = "ghs_a-token-of-this-run";
/// The account that the token belongs to, as it is for every workflow.
pub const BOT: u64 = 41_898_282;
/// Characters of a comment.
const LIMIT: usize = 65_536;

/// How it misbehaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    #[default]
    Well,
    /// The token of a fork's pull request: it reads only.
    Fork,
    /// The next write is too soon after another.
    Limited,
    /// Does the next write, and loses the answer.
    Loses,
    /// The next read fails.
    Stumbles,
}

#[derive(Default)]
pub struct State {
    pub comments: Vec<Value>,
    pub mood: Mood,
    /// It doesn't say whose token it is.
    pub no_viewer: bool,
    pub writes: usize,
    pub pages: usize,
}

pub struct GitHub {
    pub state: Arc<Mutex<State>>,
    pub server: Server,
}

impl GitHub {
    pub fn new() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let inner = Arc::clone(&state);
        let server = Server::new(move |request| {
            let mut state = inner.lock().expect("nobody else failed");
            Some(answer(request, &mut state))
        });
        Self { state, server }
    }

    pub fn with(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().expect("nobody else failed"));
    }

    pub fn comments(&self) -> Vec<Value> {
        self.state.lock().expect("nobody else failed").comments.clone()
    }

    /// Somebody writes something.
    pub fn written(&self, user: u64, kind: &str, body: &str) -> u64 {
        let mut id = 0;
        self.with(|state| id = state.add(user, kind, body));
        id
    }
}

impl State {
    /// Whether it is in this mood, which then passes.
    fn once(&mut self, mood: Mood) -> bool {
        let is = self.mood == mood;
        if is {
            self.mood = Mood::Well;
        }
        is
    }

    fn add(&mut self, user: u64, kind: &str, body: &str) -> u64 {
        let id = 1_000 + self.comments.len() as u64;
        let login =
            if user == BOT { "github-actions[bot]".to_owned() } else { format!("user{user}") };
        self.comments.push(json!({
            "id": id, "body": body, "user": { "id": user, "login": login, "type": kind },
            "html_url": format!("https://github.example/acme/lake/pull/7#issuecomment-{id}"),
        }));
        id
    }
}

fn reply(status: &str, headers: &[(&str, String)], body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n{more}content-length: \
         {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn refused(status: &str, message: &str) -> Vec<u8> {
    reply(
        status,
        &[],
        &json!({ "message": message, "documentation_url": "https://docs.github.com/rest" }),
    )
}

fn answer(request: &Request, state: &mut State) -> Vec<u8> {
    if request.header("user-agent").is_none() {
        return refused("403 Forbidden", "Request forbidden by administrative rules.");
    }
    if request.header("authorization").as_deref() != Some(&format!("Bearer {TOKEN}")) {
        return refused("401 Unauthorized", "Bad credentials");
    }
    let mut words = request.line.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let body: Value = serde_json::from_str(&request.body).unwrap_or(Value::Null);
    match (method, path) {
        ("POST", "/graphql") if state.no_viewer => refused("404 Not Found", "Not Found"),
        ("POST", "/graphql") => {
            reply("200 OK", &[], &json!({ "data": { "viewer": { "databaseId": BOT } } }))
        }
        ("GET", "/user") => refused("403 Forbidden", "Resource not accessible by integration"),
        ("GET", "/repos/acme/lake/issues/7/comments") => list(query, request, state),
        ("POST", "/repos/acme/lake/issues/7/comments") => write(state, None, &body),
        ("PATCH", path) if path.starts_with("/repos/acme/lake/issues/comments/") => {
            let id = path.rsplit('/').next().and_then(|id| id.parse().ok());
            write(state, id, &body)
        }
        _ => refused("404 Not Found", "Not Found"),
    }
}

fn list(query: &str, request: &Request, state: &mut State) -> Vec<u8> {
    if state.once(Mood::Stumbles) {
        return reply("502 Bad Gateway", &[], &json!({ "message": "Server Error" }));
    }
    let number = |name: &str| -> Option<usize> {
        let pair = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        pair?.parse().ok()
    };
    state.pages += 1;
    let (size, page) = (number("per_page").unwrap_or(30).min(100), number("page").unwrap_or(1));
    let some: Vec<Value> =
        state.comments.iter().skip((page - 1) * size).take(size).cloned().collect();
    let host = request.header("host").unwrap_or_default();
    let next = format!(
        "<http://{host}/repos/acme/lake/issues/7/comments?per_page={size}&page={}>; rel=\"next\", \
         <http://{host}/x>; rel=\"last\"",
        page + 1
    );
    match state.comments.len() > page * size {
        true => reply("200 OK", &[("link", next)], &some.into()),
        false => reply("200 OK", &[], &some.into()),
    }
}

fn write(state: &mut State, id: Option<u64>, body: &Value) -> Vec<u8> {
    if state.mood == Mood::Fork {
        return refused("403 Forbidden", "Resource not accessible by integration");
    }
    if state.once(Mood::Limited) {
        let message = "You have exceeded a secondary rate limit. Please wait a few minutes.";
        return reply(
            "403 Forbidden",
            &[("retry-after", "1".to_owned())],
            &json!({ "message": message }),
        );
    }
    let text = body["body"].as_str().unwrap_or_default();
    if text.is_empty() || text.chars().count() > LIMIT {
        let error = json!({ "message": "Validation Failed", "errors": [{
            "resource": "IssueComment", "code": "unprocessable", "field": "data",
            "message": "Body is too long (maximum is 65536 characters)" }] });
        return reply("422 Unprocessable Entity", &[], &error);
    }
    state.writes += 1;
    let id = match id {
        None => state.add(BOT, "Bot", text),
        Some(id) => id,
    };
    let Some(comment) = state.comments.iter_mut().find(|one| one["id"] == id) else {
        return refused("404 Not Found", "Not Found");
    };
    comment["body"] = text.into();
    let comment = comment.clone();
    match state.once(Mood::Loses) {
        true => reply("502 Bad Gateway", &[], &json!({ "message": "Server Error" })),
        false => reply("201 Created", &[], &comment),
    }
}
