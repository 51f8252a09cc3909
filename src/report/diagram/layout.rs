//! Where everything goes. dagre gives the places of things and boxes; [`route`] draws the lines
//! around them.

use std::collections::BTreeSet;

use dagre::graph::{Graph, GraphOptions};
use dagre::{EdgeLabel, LayoutOptions, NodeLabel, RankDir};

use super::route::{self, Field};
use super::{Diagram, Edge, Nature, Node};

/// Everything lies on a lattice this fine, so that lines meet things in the middle of nothing.
pub const CELL: i32 = 10;
/// Height of a thing.
const HEIGHT: i32 = 50;
/// From a box's border to what is in it: room for its title.
const INSET: i32 = 30;
/// Room between boxes, for the lines between them.
const BETWEEN: i32 = 30;
/// Room between the columns.
const COLUMNS: i32 = 40;
/// Around everything.
const MARGIN: i32 = 20;
/// A picture that is this much higher than wide is laid out from top to bottom instead.
const SLENDER: f64 = 1.3;
/// Characters of a name that are shown, and of the line below it.
pub const TITLE: usize = 24;
pub const SUBTITLE: usize = 30;

/// A rectangle on the lattice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rect {
    /// Left edge.
    pub x: i32,
    /// Upper edge.
    pub y: i32,
    /// Width.
    pub w: i32,
    /// Height.
    pub h: i32,
}

impl Rect {
    /// Right edge.
    pub fn right(self) -> i32 {
        self.x + self.w
    }

    /// Lower edge.
    pub fn bottom(self) -> i32 {
        self.y + self.h
    }

    fn around(self, other: Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let (right, bottom) = (self.right().max(other.right()), self.bottom().max(other.bottom()));
        Self { x, y, w: right - x, h: bottom - y }
    }

    fn moved(self, x: i32, y: i32) -> Self {
        Self { x: self.x + x, y: self.y + y, ..self }
    }
}

/// Which way lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From left to right.
    Right,
    /// From top to bottom.
    Down,
}

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Of the whole.
    pub width: i32,
    /// Of the whole.
    pub height: i32,
    /// Of each thing.
    pub nodes: Vec<Rect>,
    /// Of each box.
    pub areas: Vec<Rect>,
    /// The corners of each line, its ends included.
    pub lines: Vec<Vec<(i32, i32)>>,
}

/// Lays a diagram out; below `top` pixels.
pub fn layout(diagram: &Diagram, top: i32) -> Layout {
    let mut places = places(diagram, Direction::Right);
    let mut direction = Direction::Right;
    let (width, height) = size(&places.1);
    if f64::from(height) > f64::from(width) * SLENDER {
        let other = self::places(diagram, Direction::Down);
        let (other_width, other_height) = size(&other.1);
        // The one whose sides differ less.
        let ratio = |w: i32, h: i32| f64::from(w.max(h)) / f64::from(w.min(h).max(1));
        if ratio(other_width, other_height) < ratio(width, height) {
            (places, direction) = (other, Direction::Down);
        }
    }
    let (mut nodes, mut areas) = places;
    let left = areas.iter().map(|area| area.x).min().unwrap_or_default();
    let upper = areas.iter().map(|area| area.y).min().unwrap_or_default();
    for rect in nodes.iter_mut().chain(&mut areas) {
        *rect = rect.moved(MARGIN - left, MARGIN + top - upper);
    }
    let (width, height) = size(&areas);
    let (width, height) = (width + MARGIN, height + MARGIN);
    let field = Field { width, height, top, nodes: &nodes, areas: &areas, direction };
    let lines = route::route(&field, &diagram.edges);
    Layout { width, height, nodes, areas, lines }
}

fn size(areas: &[Rect]) -> (i32, i32) {
    let right = areas.iter().map(|area| area.right()).max().unwrap_or_default();
    let bottom = areas.iter().map(|area| area.bottom()).max().unwrap_or_default();
    (right, bottom)
}

/// Width of the things in each box: of the widest one.
fn widths(diagram: &Diagram) -> Vec<i32> {
    let mut widths = vec![0; diagram.areas.len()];
    for node in &diagram.nodes {
        widths[node.area] = width(node).max(widths[node.area]);
    }
    widths
}

/// Width of a thing: of its name or of the line below, as wide as common fonts are.
fn width(node: &Node) -> i32 {
    let letters = |text: &str, most: usize| text.chars().count().min(most) as f64;
    let title = letters(&node.title(), TITLE) * 7.5 + 24.0;
    let subtitle = letters(&node.subtitle(), SUBTITLE) * 6.3 + 24.0;
    snapped(title.max(subtitle).max(100.0) + f64::from(CELL) / 2.0)
}

fn snapped(at: f64) -> i32 {
    (at / f64::from(CELL)).round() as i32 * CELL
}

/// Things that no line touches stand together in a block.
struct Block {
    area: usize,
    members: Vec<usize>,
    columns: usize,
    cell: i32,
}

impl Block {
    fn new(area: usize, members: Vec<usize>, cell: i32) -> Self {
        let ratio = f64::from(HEIGHT + 20) / f64::from(cell + 20);
        let columns = (members.len() as f64 * ratio * 1.6).sqrt().ceil().max(1.0) as usize;
        Self { area, columns: columns.min(members.len()), members, cell }
    }

    fn size(&self) -> (i32, i32) {
        let rows = self.members.len().div_ceil(self.columns.max(1)) as i32;
        (self.columns as i32 * (self.cell + 20) - 20, rows * (HEIGHT + 20) - 20)
    }

    fn place(&self, nth: usize, corner: (i32, i32)) -> Rect {
        let (column, row) = ((nth % self.columns) as i32, (nth / self.columns) as i32);
        let (x, y) = (corner.0 + column * (self.cell + 20), corner.1 + row * (HEIGHT + 20));
        Rect { x, y, w: self.cell, h: HEIGHT }
    }
}

/// The lines that say what comes before what. Where something stands doesn't, unless both are in
/// one box: it would make the picture wider than what flows does.
fn ranking(diagram: &Diagram) -> impl Iterator<Item = &Edge> {
    let together = |edge: &Edge| diagram.nodes[edge.from].area == diagram.nodes[edge.to].area;
    diagram.edges.iter().filter(move |edge| edge.nature < Nature::Placement || together(edge))
}

fn blocks(diagram: &Diagram, widths: &[i32]) -> Vec<Block> {
    let ends = ranking(diagram).flat_map(|edge| [edge.from, edge.to]);
    let busy: BTreeSet<usize> = ends.collect();
    let areas = 0..diagram.areas.len();
    let blocks = areas.map(|area| {
        let idle = |one: &usize| diagram.nodes[*one].area == area && !busy.contains(one);
        let members = (0..diagram.nodes.len()).filter(idle).collect();
        Block::new(area, members, widths[area])
    });
    blocks.filter(|block| !block.members.is_empty()).collect()
}

/// Where dagre puts things and boxes.
fn places(diagram: &Diagram, direction: Direction) -> (Vec<Rect>, Vec<Rect>) {
    let options = GraphOptions { directed: true, multigraph: false, compound: true };
    let mut graph: Graph<NodeLabel, EdgeLabel> = Graph::with_options(options);
    let area = |index: usize| format!("area {index}");
    let thing = |index: usize| format!("node {index}");
    let sized = |(w, h): (i32, i32)| NodeLabel {
        width: f64::from(w),
        height: f64::from(h),
        ..NodeLabel::default()
    };
    let widths = widths(diagram);
    let blocks = blocks(diagram, &widths);
    let idle: BTreeSet<usize> = blocks.iter().flat_map(|block| &block.members).copied().collect();
    let mut used = vec![false; diagram.areas.len()];
    for node in &diagram.nodes {
        let mut next = Some(node.area);
        while let Some(index) = next.filter(|index| !std::mem::replace(&mut used[*index], true)) {
            next = diagram.areas[index].within;
        }
    }
    for (index, box_) in diagram.areas.iter().enumerate() {
        // An empty VPC is a box all the same: it takes the place of a thing.
        let empty = (120.max(box_.title.chars().count() as i32 * 8 + 30), 40);
        let label = if used[index] { NodeLabel::default() } else { sized(empty) };
        graph.set_node(area(index), Some(label));
        if let Some(outer) = box_.within {
            graph.set_parent(&area(index), Some(&area(outer)));
        }
    }
    for (index, node) in diagram.nodes.iter().enumerate().filter(|(one, _)| !idle.contains(one)) {
        graph.set_node(thing(index), Some(sized((widths[node.area], HEIGHT))));
        graph.set_parent(&thing(index), Some(&area(node.area)));
    }
    for block in &blocks {
        let name = format!("block {}", block.area);
        graph.set_node(name.clone(), Some(sized(block.size())));
        graph.set_parent(&name, Some(&area(block.area)));
    }
    for edge in ranking(diagram) {
        let weight = if edge.nature == Nature::Data { 3 } else { 1 };
        let label = EdgeLabel { weight, ..EdgeLabel::default() };
        graph.set_edge(thing(edge.from), thing(edge.to), Some(label), None);
    }
    dagre::layout(&mut graph, Some(spacing(direction)));
    let rect = |name: &str| {
        let label = graph.node(name).cloned().unwrap_or_default();
        let corner =
            |centre: Option<f64>, size: f64| snapped(centre.unwrap_or_default() - size / 2.0);
        let (x, y) = (corner(label.x, label.width), corner(label.y, label.height));
        Rect { x, y, w: snapped(label.width), h: snapped(label.height) }
    };
    let mut nodes: Vec<Rect> = (0..diagram.nodes.len()).map(|index| rect(&thing(index))).collect();
    for block in &blocks {
        let corner = rect(&format!("block {}", block.area));
        for (nth, member) in block.members.iter().enumerate() {
            nodes[*member] = block.place(nth, (corner.x, corner.y));
        }
    }
    let mut areas: Vec<Rect> = (0..diagram.areas.len()).map(|index| rect(&area(index))).collect();
    enclose(diagram, &nodes, &mut areas);
    (nodes, areas)
}

fn spacing(direction: Direction) -> LayoutOptions {
    LayoutOptions {
        rankdir: match direction {
            Direction::Right => RankDir::LR,
            Direction::Down => RankDir::TB,
        },
        nodesep: f64::from(INSET),
        edgesep: f64::from(BETWEEN),
        ranksep: f64::from(COLUMNS),
        ..LayoutOptions::default()
    }
}

/// Boxes have room for what is in them and for their titles, whatever the lattice moved.
fn enclose(diagram: &Diagram, nodes: &[Rect], areas: &mut [Rect]) {
    let roomy = |inner: Rect| Rect {
        x: inner.x - CELL,
        y: inner.y - INSET,
        w: inner.w + 2 * CELL,
        h: inner.h + INSET + CELL,
    };
    for (node, rect) in diagram.nodes.iter().zip(nodes) {
        areas[node.area] = areas[node.area].around(roomy(*rect));
    }
    // The inner boxes come after the outer ones.
    for index in (0..areas.len()).rev() {
        if let Some(outer) = diagram.areas[index].within {
            areas[outer] = areas[outer].around(roomy(areas[index]));
        }
    }
}
