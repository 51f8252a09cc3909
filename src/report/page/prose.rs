//! Doc comments as paragraphs and sentences.

/// The paragraphs of a doc comment, each on one line; the lines of a list stay apart.
pub(super) fn paragraphs(text: &str) -> Vec<String> {
    let blocks = text.split("\n\n").map(str::trim).filter(|block| !block.is_empty());
    blocks.map(|block| block.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The sentences of a paragraph. A dot ends one where a space and the beginning of another follow,
/// outside of code.
pub(super) fn sentences(paragraph: &str) -> Vec<String> {
    let mut out = Vec::new();
    let (mut start, mut code) = (0, false);
    for (at, c) in paragraph.char_indices() {
        if c == '`' {
            code = !code;
        }
        let rest = &paragraph[at + c.len_utf8()..];
        let next = rest.strip_prefix(' ').and_then(|rest| rest.chars().next());
        let begins =
            next.is_some_and(|next| next.is_uppercase() || matches!(next, '`' | '[' | '…'));
        if c == '.' && !code && begins {
            out.push(paragraph[start..=at].trim().to_owned());
            start = at + 1;
        }
    }
    out.push(paragraph[start..].trim().to_owned());
    // lagoa's name begins a sentence as it is.
    out.iter().flat_map(|sentence| lagoa(sentence)).filter(|one| !one.is_empty()).collect()
}

fn lagoa(sentence: &str) -> Vec<String> {
    let parts: Vec<&str> = sentence.split(". lagoa ").collect();
    let last = parts.len() - 1;
    let whole = |(number, part): (usize, &&str)| {
        let begin = if number > 0 { "lagoa " } else { "" };
        let end = if number < last { "." } else { "" };
        format!("{begin}{part}{end}")
    };
    parts.iter().enumerate().map(whole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_join_and_paragraphs_stay() {
        assert_eq!(paragraphs("One\ntwo.\n\nThree."), ["One two.", "Three."]);
    }

    #[test]
    fn sentences_end_where_others_begin() {
        let text = "Sizes as in `a. B`, 1.5 of them. lagoa adds more. `x` is one.";
        let expected = ["Sizes as in `a. B`, 1.5 of them.", "lagoa adds more.", "`x` is one."];
        assert_eq!(sentences(text), expected);
    }
}
