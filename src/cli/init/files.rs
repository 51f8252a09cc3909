//! What `lagoa init` writes, as plain texts.

use std::borrow::Cow;

use crate::report::json;
use crate::{kinds, schema as stack_schema};

/// A file to be written.
pub struct Draft {
    /// Where, from the current folder.
    pub path: Cow<'static, str>,
    /// What is in it.
    pub text: String,
    /// What it is, in words.
    pub about: &'static str,
}

/// What the files for GitHub Actions are filled in with.
pub struct GitHub {
    /// Who has the repository.
    pub owner: String,
    /// Its name.
    pub repository: String,
    /// Both as a token's subject names them.
    pub subject: String,
    /// The subject holds ids.
    pub ids: bool,
    /// The branch that is applied.
    pub branch: String,
    /// The environment of the job that applies.
    pub environment: String,
    /// Where the workflows find lagoa.
    pub action: String,
    /// A person said where.
    pub named: bool,
}

impl GitHub {
    /// What begins the names of the roles, which an account has once: AWS takes 64 characters, of
    /// which the longest ending has 9.
    fn roles(&self) -> String {
        let repository: String = self.repository.chars().take(40).collect();
        format!("github-{repository}")
    }

    /// The stack that has the roles. It isn't the same for two repositories: each would take the
    /// other's roles for what it has to delete.
    fn stack(&self) -> String {
        let name: String = lower(&self.repository).chars().take(40).collect();
        format!("github-access-{}", name.trim_end_matches('-'))
    }

    fn fill(&self, text: &str) -> String {
        text.replace("@OWNER@", &self.owner)
            .replace("@REPO@", &self.repository)
            .replace("@SUBJECT@", &self.subject)
            .replace("@BRANCH@", &self.branch)
            .replace("@ENVIRONMENT@", &self.environment)
            .replace("@ACTION@", &self.action)
            .replace("@ROLES@", &self.roles())
            .replace("@STACK@", &self.stack())
    }
}

/// Any name in lower-case letters, digits and single dashes.
pub fn lower(name: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let dashed: String = name.chars().map(allowed).collect();
    dashed.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// A first stack.
pub fn starter(name: &str) -> Draft {
    Draft {
        path: format!("stacks/{name}.yaml").into(),
        text: include_str!("starter.yaml").replace("@NAME@", name),
        about: ": a bucket, and a policy to read it",
    }
}

/// The schema that the first line of the stacks names.
pub fn schema() -> Draft {
    Draft {
        path: "lagoa.schema.json".into(),
        text: json::text(&stack_schema::stack_file(&kinds::written())),
        about: ": completes and checks stacks in editors",
    }
}

/// What to do with a first stack.
pub fn after_starter(name: &str) -> String {
    format!(
        "Next:\n  lagoa check stacks/{name}.yaml\n  lagoa apply stacks/{name}.yaml --sandbox    \
         without an account; without --sandbox in yours\n"
    )
}

/// Workflows, and the stack with their roles.
pub fn github(github: &GitHub) -> Vec<Draft> {
    let draft = |path, text: &str, about| Draft {
        path: Cow::Borrowed(path),
        text: github.fill(text),
        about,
    };
    vec![
        draft(
            ".github/workflows/lagoa-plan.yaml",
            include_str!("lagoa-plan.yaml"),
            ": plans what a pull request touches",
        ),
        draft(
            ".github/workflows/lagoa-apply.yaml",
            include_str!("lagoa-apply.yaml"),
            ": applies it once it is merged and approved",
        ),
        draft(
            "stacks/github-access.yaml",
            include_str!("github-access.yaml"),
            ": the roles that the workflows work with",
        ),
        draft(
            "policies/github-plan.json",
            include_str!("github-plan.json"),
            ": what plans may read",
        ),
        draft(
            "policies/github-apply.json",
            include_str!("github-apply.json"),
            ": what applies may change: a start",
        ),
        draft(
            "policies/github-boundary.json",
            include_str!("github-boundary.json"),
            ": what applies may change at most",
        ),
    ]
}

/// What is left to do for GitHub Actions.
pub fn after_github(github: &GitHub) -> String {
    let GitHub { owner, repository, environment, branch, action, .. } = github;
    let mut steps = vec![
        "Read stacks/github-access.yaml and its policies, and apply it as an administrator:\n     \
         lagoa apply stacks/github-access.yaml"
            .to_owned(),
        format!(
            "Put the two ARNs that it prints into the repository's variables:\n     gh variable set \
             LAGOA_PLAN_ROLE --repo {owner}/{repository} --body ARN\n     gh variable set \
             LAGOA_APPLY_ROLE --repo {owner}/{repository} --body ARN"
        ),
        format!(
            "On GitHub, make the environment `{environment}`: required reviewers, and {branch} as the \
             only\n     branch that may deploy. Without these rules anyone who can push applies."
        ),
        "For each stack, give the role that applies what the stack needs, and no more:\n     lagoa \
         policy stacks/NAME.yaml --for apply > policies/NAME-apply.json\n     and name that file in \
         stacks/github-access.yaml."
            .to_owned(),
    ];
    if !github.named {
        steps.push(format!(
            "The workflows build lagoa from {action}: put lagoa's repository there, or say where it \
             is\n     with --action OWNER/NAME@SHA."
        ));
    }
    if !github.ids {
        steps.push(format!(
            "GitHub puts ids into the subjects of repositories made or renamed since July 2026, and \
             the\n     roles above trust names alone. If yours has them, write the files again with:\n     \
             lagoa init --ci github --force --repository \"$(gh api repos/{owner}/{repository} \\\n       \
             --jq '\"\\(.owner.login)@\\(.owner.id)/\\(.name)@\\(.id)\"')\""
        ));
    }
    let numbered = steps.iter().enumerate().map(|(at, step)| format!("  {}. {step}\n", at + 1));
    format!("Next, for GitHub Actions:\n{}", numbered.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn github_of(repository: &str) -> GitHub {
        GitHub {
            owner: "acme".to_owned(),
            repository: repository.to_owned(),
            subject: format!("acme/{repository}"),
            ids: false,
            branch: "main".to_owned(),
            environment: "production".to_owned(),
            action: "acme/lagoa@main".to_owned(),
            named: false,
        }
    }

    #[test]
    fn nothing_is_left_to_fill_in() {
        let hole = regex::Regex::new("@[A-Z]+@").expect("a pattern");
        for draft in github(&github_of("lake")).iter().chain([&starter("coins")]) {
            assert!(!hole.is_match(&draft.text), "{}", draft.path);
        }
    }

    #[test]
    fn names_fit_whatever_the_repository_is_called() {
        let long = github_of(&"Big.Lake_".repeat(12));
        assert!(long.roles().len() + "-boundary".len() <= 64);
        assert!(long.stack().len() <= 63 && !long.stack().ends_with('-'), "{}", long.stack());
        assert_eq!(github_of("Big.Lake").stack(), "github-access-big-lake");
    }
}
