//! A diagram as a Mermaid flowchart, as GitHub draws it in Markdown.

use std::fmt::Write;

use super::{Diagram, Nature, Node, Status, fold};

/// Mermaid draws no text longer than this, …
const LETTERS: usize = 50_000;
/// … and no more lines.
const LINES: usize = 500;

/// The flowchart, and whether it had to be folded to fit what Mermaid draws.
pub struct Flowchart {
    /// As it stands in a fenced block.
    pub text: String,
    /// Why it shows less than it was asked to.
    pub folded: Option<String>,
}

/// The flowchart, with less in it when Mermaid wouldn't draw all of it.
pub fn flowchart(diagram: &Diagram) -> Flowchart {
    let text = text(diagram, None);
    if fits(diagram, &text) {
        return Flowchart { text, folded: None };
    }
    let words = "Mermaid draws at most 500 lines and 50,000 characters";
    for smaller in [diagram.clone().folded(), fold::by_kind(diagram.clone())] {
        let words = format!("{words}; what is alike is drawn as one");
        let text = self::text(&smaller, Some(&words));
        if fits(&smaller, &text) {
            return Flowchart { text, folded: Some(words) };
        }
    }
    let bare = Diagram { edges: Vec::new(), ..fold::by_kind(diagram.clone()) };
    let words = format!("{words}; only kinds are drawn, without lines");
    Flowchart { text: self::text(&bare, Some(&words)), folded: Some(words) }
}

fn fits(diagram: &Diagram, text: &str) -> bool {
    diagram.edges.len() <= LINES && text.len() <= LETTERS
}

fn text(diagram: &Diagram, remark: Option<&str>) -> String {
    let mut out = format!("flowchart LR\n  accTitle: The stack {}\n", plain(&diagram.stack));
    let _ = writeln!(out, "  accDescr: {}", plain(&diagram.summary()));
    if let Some(remark) = remark {
        let _ = writeln!(out, "  %% {remark}");
    }
    for (index, area) in diagram.areas.iter().enumerate() {
        if area.within.is_none() {
            box_of(diagram, index, 1, &mut out);
        }
    }
    for edge in &diagram.edges {
        let arrow = match edge.nature {
            Nature::Data => "==>",
            Nature::Permission => "-.->",
            Nature::Placement => "---",
            Nature::Setting => "-.-",
        };
        let _ = writeln!(out, "  n{} {arrow} n{}", edge.from, edge.to);
    }
    out.push_str(&colours(diagram));
    out
}

/// A box with what is in it.
fn box_of(diagram: &Diagram, index: usize, depth: usize, out: &mut String) {
    let area = &diagram.areas[index];
    let indent = "  ".repeat(depth);
    let title = match &area.resource {
        Some(own) => format!("{}{} · {}", marked(own.status), own.title(), own.subtitle()),
        None => area.title.clone(),
    };
    let _ = writeln!(out, "{indent}subgraph g{index}[\"{}\"]", escaped(&title));
    for (node, it) in diagram.nodes.iter().enumerate().filter(|(_, it)| it.area == index) {
        let _ = writeln!(out, "{indent}  n{node}[\"{}\"]{}", label(it), class(it));
    }
    for inner in (0..diagram.areas.len()).filter(|one| diagram.areas[*one].within == Some(index)) {
        box_of(diagram, inner, depth + 1, out);
    }
    let _ = writeln!(out, "{indent}end");
}

fn label(node: &Node) -> String {
    let name = format!("{}{}", marked(node.status), node.title());
    format!("{}<br/><small>{}</small>", escaped(&name), escaped(&node.subtitle()))
}

/// The plan's mark before a name, so that colour isn't the only sign.
fn marked(status: Option<Status>) -> String {
    match status.map(Status::mark) {
        None | Some("") => String::new(),
        Some(mark) => format!("{mark} "),
    }
}

fn class(node: &Node) -> String {
    node.status.map(|status| format!(":::{}", status.colour())).unwrap_or_default()
}

/// The colours that are in use; they carry their own letters, so they hold on dark pages too.
fn colours(diagram: &Diagram) -> String {
    const COLOURS: &[(&str, &str)] = &[
        ("create", "fill:#dafbe1,stroke:#1a7f37,color:#1f2328"),
        ("change", "fill:#fff8c5,stroke:#9a6700,color:#1f2328"),
        ("delete", "fill:#ffebe9,stroke:#cf222e,color:#1f2328"),
        ("blocked", "fill:#ffebe9,stroke:#cf222e,color:#1f2328,stroke-dasharray:4 3"),
        ("same", "fill:#f6f8fa,stroke:#8c959f,color:#59636e"),
    ];
    const BOX: &str = "fill:#ffffff,stroke:#afb8c1,color:#1f2328";
    let used: Vec<&str> = diagram.statuses().into_iter().map(Status::colour).collect();
    let mut out = String::new();
    for index in 0..diagram.areas.len() {
        let _ = writeln!(out, "  style g{index} {BOX}");
    }
    for (name, colour) in COLOURS.iter().filter(|(name, _)| used.contains(name)) {
        let _ = writeln!(out, "  classDef {name} {colour}");
    }
    for (nature, style) in [
        (Nature::Data, "stroke:#0969da,stroke-width:2px"),
        (Nature::Permission, "stroke:#b0476a"),
        (Nature::Placement, "stroke:#8c959f,stroke-width:1px"),
        (Nature::Setting, "stroke:#8c959f,stroke-width:1px"),
    ] {
        let edges = diagram.edges.iter().enumerate().filter(|(_, edge)| edge.nature == nature);
        let numbers: Vec<String> = edges.map(|(number, _)| number.to_string()).collect();
        if !numbers.is_empty() {
            let _ = writeln!(out, "  linkStyle {} {style}", numbers.join(","));
        }
    }
    out
}

/// Every letter that could mean something to Mermaid, Markdown or HTML as its number.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        let harmless = letter.is_alphanumeric() || " -_.:/,·×…".contains(letter);
        if harmless {
            out.push(letter);
        } else {
            let _ = write!(out, "#{};", u32::from(letter));
        }
    }
    out
}

/// A line of text where Mermaid knows no escapes.
fn plain(text: &str) -> String {
    let harmless = |letter: char| letter.is_alphanumeric() || " -_.:/,·".contains(letter);
    text.chars().map(|letter| if harmless(letter) { letter } else { ' ' }).collect()
}
