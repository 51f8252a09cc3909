//! Turns the parser's events into a flat tree in which aliases are still aliases.
//!
//! The tree is flat (an index instead of a box) so that an anchor costs nothing until it is
//! used, and so that an alias of something unfinished is seen at once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span, StructureStyle, Tag, options};

use super::refusal;
use super::{DEPTH_LIMIT, NODE_LIMIT};
use crate::diagnostic::{Place, Problem, Source};

/// Problems after which a file is not read on: it is not what it was taken for.
const PROBLEM_LIMIT: usize = 1_000;
/// Anchors that an unknown alias is compared with.
const NAMES_COMPARED: usize = 100;

/// A whole text as written, before aliases and merges.
pub(super) struct Flat<'a> {
    nodes: Vec<FlatNode<'a>>,
    pub(super) root: usize,
}

impl<'a> Flat<'a> {
    pub(super) fn node(&self, index: usize) -> &FlatNode<'a> {
        &self.nodes[index]
    }
}

pub(super) struct FlatNode<'a> {
    pub(super) value: FlatValue<'a>,
    pub(super) range: Range<usize>,
}

pub(super) enum FlatValue<'a> {
    Null,
    Scalar {
        text: Cow<'a, str>,
        plain: bool,
    },
    Sequence(Vec<usize>),
    Mapping(Vec<(FlatKey<'a>, usize)>),
    /// Stands for the node with this index.
    Alias(usize),
}

#[derive(Clone)]
pub(super) struct FlatKey<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) plain: bool,
    pub(super) range: Range<usize>,
}

/// The flat tree of the only document in `source`, or nothing if it cannot be read at all.
pub(super) fn flatten<'a>(source: &'a Rc<Source>, problems: &mut Vec<Problem>) -> Option<Flat<'a>> {
    let mut builder = Builder::new(source);
    for item in Parser::new_from_str_with_options(&source.text, parser_options()) {
        let taken = match item {
            Ok((event, span)) => builder.take(event, span),
            Err(error) => {
                let bracket = builder.open_bracket();
                Err(refusal::scan_error(source, &error, bracket))
            }
        };
        match taken {
            Ok(Flow::Continue) if builder.problems.len() < PROBLEM_LIMIT => {}
            Ok(Flow::Continue) => {
                problems.append(&mut builder.problems);
                return None;
            }
            Ok(Flow::Stop) => break,
            Err(problem) => {
                problems.append(&mut builder.problems);
                problems.push(problem);
                return None;
            }
        }
    }
    problems.append(&mut builder.problems);
    match builder.root.filter(|root| !builder.is_blank(*root)) {
        Some(root) => Some(Flat { nodes: builder.nodes, root }),
        None => {
            problems.push(refusal::empty(source));
            None
        }
    }
}

fn parser_options() -> Options {
    options! {
        emit_anchor_events: true,
        emit_unresolved_aliases: true,
        emit_comments: false,
        flow_nesting_limit: DEPTH_LIMIT,
        block_nesting_limit: DEPTH_LIMIT,
    }
}

enum Flow {
    Continue,
    Stop,
}

/// A collection whose end has not come yet.
struct Open<'a> {
    index: usize,
    flow: bool,
    /// Where its last child ends; a block collection ends there, not where its indentation does.
    end: usize,
    children: Children<'a>,
}

enum Children<'a> {
    Sequence(Vec<usize>),
    Mapping(Entries<'a>),
}

#[derive(Default)]
struct Entries<'a> {
    entries: Vec<(FlatKey<'a>, usize)>,
    seen: HashMap<Cow<'a, str>, Range<usize>>,
    waiting: Option<Waiting<'a>>,
}

/// What the next value of a mapping belongs to.
enum Waiting<'a> {
    Key(FlatKey<'a>),
    /// A key that was refused: its value is read and dropped.
    Refused,
}

struct Builder<'a> {
    source: &'a Rc<Source>,
    nodes: Vec<FlatNode<'a>>,
    open: Vec<Open<'a>>,
    anchors: HashMap<usize, usize>,
    anchor_names: Vec<Cow<'a, str>>,
    documents: usize,
    root: Option<usize>,
    problems: Vec<Problem>,
}

impl<'a> Builder<'a> {
    fn new(source: &'a Rc<Source>) -> Self {
        Self {
            source,
            nodes: Vec::new(),
            open: Vec::new(),
            anchors: HashMap::new(),
            anchor_names: Vec::new(),
            documents: 0,
            root: None,
            problems: Vec::new(),
        }
    }

    fn take(&mut self, event: Event<'a>, span: Span) -> Result<Flow, Problem> {
        let range = span.byte_range().unwrap_or(0..0);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let place = self.place(range);
                    self.problems.push(refusal::several_documents(&place));
                    return Ok(Flow::Stop);
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = tag.as_deref().is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                if !is_text {
                    self.refuse_tag(tag.as_deref(), &span);
                }
                let plain = style == ScalarStyle::Plain && !is_text;
                self.scalar(text, plain, anchor, range)?;
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &span);
                self.start(FlatValue::Sequence(Vec::new()), style, anchor, range)?;
            }
            Event::MappingStart(style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &span);
                self.start(FlatValue::Mapping(Vec::new()), style, anchor, range)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(range),
            Event::Alias(id) => self.alias(id, range)?,
            Event::UnresolvedAlias(name) => self.unknown_alias(&name, range)?,
            Event::Anchor(_, name) => self.anchor_names.push(name),
            _ => {}
        }
        Ok(Flow::Continue)
    }

    fn scalar(
        &mut self,
        text: Cow<'a, str>,
        plain: bool,
        anchor: usize,
        range: Range<usize>,
    ) -> Result<(), Problem> {
        let null = range.is_empty() || matches!(&*text, "~" | "null" | "Null" | "NULL");
        let value = match plain && null {
            true => FlatValue::Null,
            false => FlatValue::Scalar { text, plain },
        };
        let index = self.add(value, anchor, range)?;
        self.attach(index);
        Ok(())
    }

    fn start(
        &mut self,
        value: FlatValue<'a>,
        style: StructureStyle,
        anchor: usize,
        range: Range<usize>,
    ) -> Result<(), Problem> {
        if self.open.len() >= DEPTH_LIMIT {
            return Err(refusal::too_deep(&self.place(range)));
        }
        let children = match value {
            FlatValue::Mapping(_) => Children::Mapping(Entries::default()),
            _ => Children::Sequence(Vec::new()),
        };
        let end = range.end;
        let index = self.add(value, anchor, range)?;
        let flow = style == StructureStyle::Flow;
        self.open.push(Open { index, flow, end, children });
        Ok(())
    }

    fn end(&mut self, range: Range<usize>) {
        let Some(open) = self.open.pop() else { return };
        let node = &mut self.nodes[open.index];
        node.range.end = if open.flow { range.end } else { open.end };
        node.value = match open.children {
            Children::Sequence(items) => FlatValue::Sequence(items),
            Children::Mapping(mapping) => FlatValue::Mapping(mapping.entries),
        };
        self.attach(open.index);
    }

    fn alias(&mut self, id: usize, range: Range<usize>) -> Result<(), Problem> {
        let target = self.anchors.get(&id).copied();
        let unfinished = |target| self.open.iter().any(|open| open.index == target);
        let value = match target {
            Some(target) if !unfinished(target) => FlatValue::Alias(target),
            _ => {
                let place = self.place(range.clone());
                self.problems.push(refusal::alias_of_itself(&place));
                FlatValue::Null
            }
        };
        let index = self.add(value, 0, range)?;
        self.attach(index);
        Ok(())
    }

    fn unknown_alias(&mut self, name: &str, range: Range<usize>) -> Result<(), Problem> {
        let place = self.place(range.clone());
        let nearby = self.anchor_names.iter().rev().take(NAMES_COMPARED);
        let names = nearby.map(AsRef::as_ref);
        self.problems.push(refusal::unknown_alias(name, names, &place));
        let index = self.add(FlatValue::Null, 0, range)?;
        self.attach(index);
        Ok(())
    }

    fn add(
        &mut self,
        value: FlatValue<'a>,
        anchor: usize,
        range: Range<usize>,
    ) -> Result<usize, Problem> {
        if self.nodes.len() >= NODE_LIMIT {
            return Err(refusal::too_many_nodes(&self.place(range)));
        }
        let index = self.nodes.len();
        self.nodes.push(FlatNode { value, range });
        if anchor != 0 {
            self.anchors.insert(anchor, index);
        }
        Ok(index)
    }

    /// Hands a finished node to the collection it stands in.
    fn attach(&mut self, index: usize) {
        let Some(mut open) = self.open.pop() else {
            self.root = self.root.or(Some(index));
            return;
        };
        open.end = open.end.max(self.nodes[index].range.end);
        match &mut open.children {
            Children::Sequence(items) => items.push(index),
            Children::Mapping(mapping) => match mapping.waiting.take() {
                None => mapping.waiting = Some(self.key(index, &mut mapping.seen)),
                Some(Waiting::Key(key)) => mapping.entries.push((key, index)),
                Some(Waiting::Refused) => {}
            },
        }
        self.open.push(open);
    }

    fn key(&mut self, index: usize, seen: &mut HashMap<Cow<'a, str>, Range<usize>>) -> Waiting<'a> {
        let range = self.nodes[index].range.clone();
        let place = self.place(range.clone());
        let Some((text, plain)) = self.key_text(index) else {
            self.problems.push(refusal::not_a_key(&place));
            return Waiting::Refused;
        };
        if let Some(first) = seen.get(&text) {
            let first = self.place(first.clone());
            self.problems.push(refusal::repeated_key(&text, &place, &first));
            return Waiting::Refused;
        }
        seen.insert(text.clone(), range.clone());
        Waiting::Key(FlatKey { text, plain, range })
    }

    fn key_text(&self, index: usize) -> Option<(Cow<'a, str>, bool)> {
        let node = &self.nodes[index];
        match &node.value {
            FlatValue::Scalar { text, plain } => Some((text.clone(), *plain)),
            FlatValue::Null if !node.range.is_empty() => {
                let written = self.source.text.get(node.range.clone())?;
                Some((Cow::Borrowed(written), true))
            }
            FlatValue::Alias(target) => self.key_text(*target),
            _ => None,
        }
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, span: &Span) {
        let Some(tag) = tag else { return };
        let range = span.tag_span().and_then(|span| span.byte_range());
        let place = self.place(range.or_else(|| span.byte_range()).unwrap_or(0..0));
        self.problems.push(refusal::tag(&tag.original(), &place));
    }

    /// Where the innermost bracket that is still open stands.
    fn open_bracket(&self) -> Option<usize> {
        let innermost = self.open.last().filter(|open| open.flow)?;
        Some(self.nodes[innermost.index].range.start)
    }

    /// Whether the text says nothing at all; `null` and `~` say something.
    fn is_blank(&self, index: usize) -> bool {
        let node = &self.nodes[index];
        matches!(node.value, FlatValue::Null) && node.range.is_empty()
    }

    fn place(&self, range: Range<usize>) -> Place {
        Place::new(self.source, range)
    }
}
