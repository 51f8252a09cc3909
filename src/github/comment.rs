//! One comment per stack on a pull request: found again by a mark, changed in place.

use std::fmt::Write;

use serde_json::{Value, json};

use super::api::{Api, Method, Trouble};

/// Characters that GitHub takes in a comment. It counts characters; lagoa counts bytes, of which
/// there are never fewer.
pub const LIMIT: usize = 65_536;
/// Comments in one answer; GitHub gives no more.
const PER_PAGE: usize = 100;
/// Pages that are looked through.
const PAGES: usize = 200;
/// How often it is begun anew when nobody knows whether a comment was made.
const ROUNDS: usize = 3;
/// Who writes with the token that every workflow has. Nobody can register such a name.
const ACTIONS_BOT: &str = "github-actions[bot]";

/// What a comment is about. It stands at the very start of the comment, where nobody sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The stack; unknown when the file is too broken to tell.
    pub stack: Option<String>,
    /// The stack file, from the root of the repository.
    pub file: String,
    /// The run that wrote it.
    pub run: Option<u64>,
}

impl Mark {
    /// As the first line of a comment.
    pub fn line(&self) -> String {
        let mut line = String::new();
        if let Some(stack) = &self.stack {
            let _ = write!(line, "<!-- lagoa:plan:{} -->", inside(stack));
        }
        let _ = write!(line, "<!-- lagoa:file:{} -->", inside(&self.file));
        if let Some(run) = self.run {
            let _ = write!(line, "<!-- lagoa:run:{run} -->");
        }
        line.push('\n');
        line
    }

    /// The mark of a comment; `None` when it doesn't begin with one.
    fn of(body: &str) -> Option<Self> {
        let line = body.lines().next()?;
        let rest = line.strip_prefix("<!-- lagoa:")?;
        let mut words = rest.strip_suffix(" -->")?.split(" --><!-- lagoa:").peekable();
        let stack = words.next_if(|word| word.starts_with("plan:"));
        let file = words.next()?.strip_prefix("file:")?.to_owned();
        let run = words.next().and_then(|word| word.strip_prefix("run:")?.parse().ok());
        Some(Self { stack: stack.map(|word| word[5..].to_owned()), file, run })
    }

    /// Whether a comment with the other mark is this stack's: one of the same stack, or of the same
    /// file when it was too broken to tell.
    fn fits(&self, other: &Self) -> bool {
        match (&self.stack, &other.stack) {
            (Some(own), Some(other)) => inside(own) == *other,
            _ => inside(&self.file) == other.file,
        }
    }
}

/// Text that can't end the HTML comment that it stands in.
fn inside(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    text.chars().map(|c| if plain(c) { c } else { '~' }).collect()
}

/// What is to be said.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What it is about.
    pub mark: Mark,
    /// The whole body; its first line is the mark.
    pub body: String,
    /// It is worth a comment of its own; otherwise it only replaces one.
    pub worth_saying: bool,
}

/// What became of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There is a new comment, at this address.
    Created(String),
    /// The comment at this address was changed.
    Updated(String),
    /// There was none, and it wasn't worth one.
    Needless,
    /// A later run has written already.
    Outrun,
}

/// Says it on a pull request: in the comment that is there, or in a new one.
pub async fn keep(
    api: &Api,
    repository: &str,
    number: u64,
    draft: &Draft,
) -> Result<Outcome, Trouble> {
    let author = Author::of(api).await?;
    let mut round = 1;
    loop {
        match once(api, repository, number, draft, &author).await {
            // The comment may be there now; the next look finds it.
            Err(Trouble::Unanswered(_)) if round < ROUNDS => round += 1,
            outcome => return outcome,
        }
    }
}

async fn once(
    api: &Api,
    repository: &str,
    number: u64,
    draft: &Draft,
    author: &Author,
) -> Result<Outcome, Trouble> {
    let found = find(api, repository, number, &draft.mark, author).await?;
    let body = json!({ "body": draft.body });
    let address = |answer: &Value| answer["html_url"].as_str().unwrap_or_default().to_owned();
    let Some((id, run)) = found else {
        if !draft.worth_saying {
            return Ok(Outcome::Needless);
        }
        let path = format!("/repos/{repository}/issues/{number}/comments");
        let answer = api.call(Method::Post, &path, Some(&body)).await?;
        return Ok(Outcome::Created(address(&answer.body)));
    };
    if run > draft.mark.run && draft.mark.run.is_some() {
        return Ok(Outcome::Outrun);
    }
    let path = format!("/repos/{repository}/issues/comments/{id}");
    let answer = api.call(Method::Patch, &path, Some(&body)).await?;
    Ok(Outcome::Updated(address(&answer.body)))
}

/// The oldest comment of this stack that the token's own author wrote, and the run it is of.
async fn find(
    api: &Api,
    repository: &str,
    number: u64,
    mark: &Mark,
    author: &Author,
) -> Result<Option<(u64, Option<u64>)>, Trouble> {
    let mut page = format!("/repos/{repository}/issues/{number}/comments?per_page={PER_PAGE}");
    for _ in 0..PAGES {
        let answer = api.call(Method::Get, &page, None).await?;
        for comment in answer.body.as_array().into_iter().flatten() {
            let found = comment["body"].as_str().and_then(Mark::of);
            let Some(found) = found.filter(|other| mark.fits(other)) else { continue };
            if let (true, Some(id)) = (author.wrote(comment), comment["id"].as_u64()) {
                return Ok(Some((id, found.run)));
            }
        }
        match answer.next {
            Some(next) => page = next,
            None => break,
        }
    }
    Ok(None)
}

/// Whose token it is. A mark is only text, so a comment counts as lagoa's only when the same
/// account wrote it: a token may change everybody's comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Author {
    /// The account of this number.
    Account(u64),
    /// GitHub doesn't tell; the token that every workflow has is the likeliest.
    ActionsBot,
}

impl Author {
    async fn of(api: &Api) -> Result<Self, Trouble> {
        // The REST API tells a person who they are, but not an app; GraphQL tells both.
        let viewer = match api.ask("query { viewer { databaseId } }").await {
            Ok(answer) => answer["data"]["viewer"]["databaseId"].as_u64(),
            Err(Trouble::Refused { status: 401, message }) => {
                return Err(Trouble::Refused { status: 401, message });
            }
            Err(_) => None,
        };
        if let Some(id) = viewer {
            return Ok(Self::Account(id));
        }
        let user = api.call(Method::Get, "/user", None).await.ok();
        let id = user.and_then(|answer| answer.body["id"].as_u64());
        Ok(id.map_or(Self::ActionsBot, Self::Account))
    }

    fn wrote(self, comment: &Value) -> bool {
        let user = &comment["user"];
        match self {
            Self::Account(id) => user["id"].as_u64() == Some(id),
            Self::ActionsBot => user["login"] == ACTIONS_BOT && user["type"] == "Bot",
        }
    }
}

/// What to do about a refusal, where lagoa knows.
pub fn remedy(trouble: &Trouble) -> Option<&'static str> {
    let Trouble::Refused { status, message } = trouble else { return None };
    match status {
        401 => {
            Some("give the step a valid token: `env: { GITHUB_TOKEN: \"${{ github.token }}\" }`")
        }
        403 if message.contains("locked") => Some("the conversation is locked; unlock it"),
        403 | 404 => Some(
            "the job needs `permissions: { contents: read, pull-requests: write }`; a pull request \
             from a fork never gets that, so look at the run's summary there",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(stack: Option<&str>, file: &str, run: Option<u64>) -> Mark {
        Mark { stack: stack.map(str::to_owned), file: file.to_owned(), run }
    }

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        for mark in [
            mark(Some("shop"), "stacks/shop.yaml", Some(7)),
            mark(None, "stacks/shop.yaml", None),
            mark(Some("shop"), "shop.yaml", None),
        ] {
            let body = format!("{}### and so on", mark.line());
            assert_eq!(Mark::of(&body), Some(mark));
        }
        assert_eq!(
            mark(Some("shop"), "a", None).line(),
            "<!-- lagoa:plan:shop --><!-- lagoa:file:a -->\n"
        );
    }

    #[test]
    fn a_mark_stands_at_the_start_or_is_none() {
        for body in ["", "text", "> <!-- lagoa:plan:a --><!-- lagoa:file:b -->", "<!-- lagoa:"] {
            assert_eq!(Mark::of(body), None, "{body}");
        }
    }

    #[test]
    fn no_file_name_ends_the_html_comment() {
        let line = mark(None, "a --> <script> <!-- lagoa:run:9 -->.yaml", None).line();
        assert_eq!(line.matches("-->").count(), 1, "{line}");
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn a_broken_file_finds_its_stacks_comment_and_the_other_way_round() {
        let whole = mark(Some("shop"), "shop.yaml", None);
        let broken = mark(None, "shop.yaml", None);
        assert!(whole.fits(&broken) && broken.fits(&whole));
        assert!(whole.fits(&mark(Some("shop"), "moved.yaml", None)));
        assert!(!whole.fits(&mark(Some("lake"), "shop.yaml", None)));
        assert!(!broken.fits(&mark(Some("lake"), "lake.yaml", None)));
    }

    #[test]
    fn who_wrote_it_counts_not_what_they_wrote() {
        let by = |id: u64, login: &str, kind: &str| json!({ "user": { "id": id, "login": login, "type": kind } });
        assert!(Author::Account(1).wrote(&by(1, "x", "User")));
        assert!(!Author::Account(1).wrote(&by(2, ACTIONS_BOT, "Bot")));
        assert!(Author::ActionsBot.wrote(&by(2, ACTIONS_BOT, "Bot")));
        assert!(!Author::ActionsBot.wrote(&by(2, "mallory", "User")));
        assert!(!Author::ActionsBot.wrote(&json!({ "user": null })));
    }
}
