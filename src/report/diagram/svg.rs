//! A diagram as an SVG that stands by itself: no fonts, scripts or files of others; readable on
//! light and dark pages; the same diagram gives the same bytes.

use std::fmt::Write;

use super::layout::{Layout, Rect, SUBTITLE, TITLE, layout};
use super::{Area, Diagram, Edge, Nature, Node, Status};

/// Height of the title.
const TOP: i32 = 60;
/// Height of the explanations below.
const LEGEND: i32 = 40;
/// How round the corners of lines are.
const ROUND: f64 = 7.0;
/// Lines that are described in words for who can't see them.
const DESCRIBED: usize = 100;
/// Keys of things drawn as one that are named when pointed at.
const NAMED: usize = 40;

const STYLE: &str = include_str!("svg.css");

/// The picture.
pub fn svg(diagram: &Diagram) -> String {
    let layout = layout(diagram, TOP);
    let legend = legend(diagram);
    let width = layout.width.max(legend.width + 40).max(text_width(&diagram.summary(), 6.8) + 40);
    let height = layout.height + LEGEND;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" \
         aria-labelledby=\"lagoa-title lagoa-desc\">\n\
         <title id=\"lagoa-title\">{title}</title>\n<desc id=\"lagoa-desc\">{desc}</desc>\n\
         <style>{STYLE}</style>\n{MARKERS}\
         <rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n\
         <text class=\"heading\" x=\"20\" y=\"32\">{heading}</text>\n\
         <text class=\"faint\" x=\"20\" y=\"52\">{summary}</text>\n",
        title = escaped(&format!("The stack {}", diagram.stack)),
        desc = escaped(&described(diagram)),
        heading = escaped(&diagram.stack),
        summary = escaped(&diagram.summary()),
    );
    for (area, rect) in diagram.areas.iter().zip(&layout.areas) {
        out.push_str(&box_of(area, *rect));
    }
    out.push_str(&lines(diagram, &layout));
    for (node, rect) in diagram.nodes.iter().zip(&layout.nodes) {
        out.push_str(&thing(node, diagram.areas[node.area].tint, *rect));
    }
    let _ = writeln!(
        out,
        "<g transform=\"translate(20 {})\">{}</g>\n</svg>",
        layout.height + 14,
        legend.text
    );
    out
}

const MARKERS: &str = "<defs>\
<marker id=\"lagoa-data\" class=\"head data\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"9\" markerHeight=\"9\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0L10 5L0 10Z\"/></marker>\
<marker id=\"lagoa-permission\" class=\"head permission\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"8\" markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0L10 5L0 10Z\"/></marker>\
<marker id=\"lagoa-placement\" class=\"head placement\" viewBox=\"0 0 10 10\" refX=\"5\" refY=\"5\" markerWidth=\"5\" markerHeight=\"5\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><circle cx=\"5\" cy=\"5\" r=\"4\"/></marker>\
<marker id=\"lagoa-setting\" class=\"head setting\" viewBox=\"0 0 10 10\" refX=\"5\" refY=\"5\" markerWidth=\"5\" markerHeight=\"5\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><circle cx=\"5\" cy=\"5\" r=\"4\"/></marker>\
</defs>\n";

/// What the picture shows, in words.
fn described(diagram: &Diagram) -> String {
    let mut words = vec![diagram.summary()];
    for (index, area) in diagram.areas.iter().enumerate() {
        let nodes = diagram.nodes.iter().filter(|node| node.area == index);
        let named: Vec<String> = nodes.map(spoken).collect();
        let own = area.resource.as_ref().map_or_else(|| area.title.clone(), spoken);
        words.push(format!("{own}: {}", named.join(", ")));
    }
    let title = |index: usize| diagram.nodes[index].title();
    let telling = diagram.edges.iter().filter(|edge| edge.nature < Nature::Placement);
    let telling = telling.take(DESCRIBED).map(|edge| {
        format!("{} from {} to {}", edge.nature.words(), title(edge.from), title(edge.to))
    });
    words.extend(telling);
    words.join(". ")
}

fn spoken(node: &Node) -> String {
    let status = node.status.map(|status| format!(", {}", status.words())).unwrap_or_default();
    format!("{} ({}{status})", node.title(), node.subtitle())
}

fn box_of(area: &Area, rect: Rect) -> String {
    let Rect { x, y, w, h } = rect;
    let inner = if area.within.is_some() { " inner" } else { "" };
    let mut out = format!(
        "<g class=\"area {}{inner}\"><rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"8\"/>",
        area.tint
    );
    let most = ((w - 20) / 8).max(4) as usize;
    let title = match &area.resource {
        Some(own) => format!("{} · {}", own.title(), own.subtitle()),
        None => area.title.clone(),
    };
    let _ = write!(
        out,
        "<text x=\"{}\" y=\"{}\">{}</text>",
        x + 12,
        y + 19,
        escaped(&clipped(&title, most))
    );
    if let Some(status) = area.resource.as_ref().and_then(|own| own.status) {
        out.push_str(&badge(status, (x + w - 4, y + 4)));
    }
    out.push_str("</g>\n");
    out
}

fn lines(diagram: &Diagram, layout: &Layout) -> String {
    // What tells most lies on top.
    let mut order: Vec<(&Edge, &Vec<(i32, i32)>)> =
        diagram.edges.iter().zip(&layout.lines).collect();
    order.sort_by_key(|(edge, _)| std::cmp::Reverse(edge.nature));
    let mut out = String::new();
    for (edge, corners) in order {
        let class = edge.nature.class();
        let (from, to) = (diagram.nodes[edge.from].title(), diagram.nodes[edge.to].title());
        let _ = writeln!(
            out,
            "<path class=\"line {class}\" marker-end=\"url(#lagoa-{class})\" d=\"{}\">\
             <title>{}</title></path>",
            rounded(corners),
            escaped(&format!("{}: {from} → {to} ({})", edge.nature.words(), edge.field)),
        );
    }
    out
}

/// A line with its corners rounded.
fn rounded(corners: &[(i32, i32)]) -> String {
    let mut path = String::new();
    for (index, corner) in corners.iter().enumerate() {
        let (x, y) = (f64::from(corner.0), f64::from(corner.1));
        let neighbours = index.checked_sub(1).and_then(|one| corners.get(one));
        let Some((before, after)) = neighbours.zip(corners.get(index + 1)) else {
            let _ = write!(path, "{}{x} {y}", if index == 0 { "M" } else { "L" });
            continue;
        };
        let towards = |other: &(i32, i32)| {
            let (dx, dy) = (f64::from(other.0) - x, f64::from(other.1) - y);
            let far = dx.hypot(dy).max(1.0);
            let part = ROUND.min(far / 2.0) / far;
            (x + dx * part, y + dy * part)
        };
        let (start, end) = (towards(before), towards(after));
        let _ = write!(path, "L{} {}Q{x} {y} {} {}", start.0, start.1, end.0, end.1);
    }
    path
}

fn thing(node: &Node, tint: &str, rect: Rect) -> String {
    let Rect { x, y, w, h } = rect;
    let colour = node.status.map(|status| format!(" {}", status.colour())).unwrap_or_default();
    let mut out = format!("<g class=\"thing {tint}{colour}\"><title>{}</title>", named(node));
    if node.keys.len() > 1 {
        let _ = write!(
            out,
            "<rect class=\"card\" x=\"{}\" y=\"{}\" width=\"{w}\" height=\"{h}\" rx=\"6\"/>",
            x + 4,
            y + 4
        );
    }
    let _ = write!(
        out,
        "<rect class=\"card\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"6\"/>\
         <rect class=\"stripe\" x=\"{x}\" y=\"{}\" width=\"4\" height=\"{}\"/>\
         <text class=\"name\" x=\"{left}\" y=\"{}\">{}</text>\
         <text class=\"kind\" x=\"{left}\" y=\"{}\">{}</text>",
        y + 6,
        h - 12,
        y + 22,
        escaped(&clipped(&node.title(), TITLE)),
        y + 39,
        escaped(&clipped(&node.subtitle(), SUBTITLE)),
        left = x + 13,
    );
    if let Some(status) = node.status {
        out.push_str(&badge(status, (x + w, y)));
    }
    out.push_str("</g>\n");
    out
}

/// The plan's mark at a corner.
fn badge(status: Status, (x, y): (i32, i32)) -> String {
    if status.mark().is_empty() {
        return String::new();
    }
    format!(
        "<g class=\"badge {}\"><circle cx=\"{x}\" cy=\"{y}\" r=\"9\"/>\
         <text x=\"{x}\" y=\"{}\">{}</text></g>",
        status.colour(),
        y + 5,
        escaped(status.mark())
    )
}

fn named(node: &Node) -> String {
    let mut words = node.keys.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if node.keys.len() > NAMED {
        let _ = write!(words, " and {} more", node.keys.len() - NAMED);
    }
    let _ = write!(words, ": {}", node.subtitle());
    if let Some(status) = node.status {
        let _ = write!(words, "; {}", status.words());
    }
    escaped(&words)
}

struct Legend {
    text: String,
    width: i32,
}

/// What the lines and the marks mean; only those that there are.
fn legend(diagram: &Diagram) -> Legend {
    let mut legend = Legend { text: String::new(), width: 0 };
    let mut word = |mark: String, room: i32, words: &str, width: &mut i32| {
        let _ = write!(
            legend.text,
            "<g transform=\"translate({width} 0)\">{mark}\
             <text class=\"faint\" x=\"{room}\" y=\"4\">{}</text></g>",
            escaped(words)
        );
        *width += room + text_width(words, 7.0) + 22;
    };
    let mut width = 0;
    for nature in diagram.natures() {
        let class = nature.class();
        let line = format!(
            "<path class=\"line {class}\" marker-end=\"url(#lagoa-{class})\" d=\"M0 0L34 0\"/>"
        );
        word(line, 42, nature.words(), &mut width);
    }
    for status in diagram.statuses() {
        let mark = if status == Status::Unchanged {
            "<g class=\"thing same\"><rect class=\"card\" x=\"0\" y=\"-8\" width=\"18\" \
             height=\"16\" rx=\"3\"/></g>"
                .to_owned()
        } else {
            badge(status, (9, 0))
        };
        word(mark, 24, status.words(), &mut width);
    }
    legend.width = width;
    legend
}

fn text_width(text: &str, letter: f64) -> i32 {
    (text.chars().count() as f64 * letter).ceil() as i32
}

/// The text in at most so many letters; its end says more than its middle.
fn clipped(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let (head, tail) = (most.saturating_sub(1) * 2 / 3, most.saturating_sub(1) / 3);
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(count - tail).collect();
    format!("{start}…{end}")
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").chars().filter(|letter| !letter.is_control()).collect()
}
