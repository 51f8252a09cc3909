//! Lines between things: right angles on a lattice, around things, with few corners, crossings and
//! shared stretches. Each is the cheapest way by A*, the short ones first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::layout::{CELL, Direction, Rect};
use super::{Edge, Nature};

/// What lines are drawn on.
pub struct Field<'a> {
    /// Of the whole.
    pub width: i32,
    /// Of the whole.
    pub height: i32,
    /// Where the picture begins below its title.
    pub top: i32,
    /// What lines go around.
    pub nodes: &'a [Rect],
    /// What they may go through, but not along.
    pub areas: &'a [Rect],
    /// Which way they go on the whole.
    pub direction: Direction,
}

/// Costs, in steps of the lattice.
const STEP: u32 = 2;
const CORNER: u32 = 12;
const CROSSING: u32 = 10;
const SHARED: u32 = 60;
const NEAR: u32 = 6;
const BORDER: u32 = 16;
const TITLE: u32 = 6;
/// Leaving or entering beside the middle of a side.
const OFF: u32 = 2;
/// Leaving or entering at another side than the one that the direction gives, and at the opposite
/// one; what stands in something has no direction.
const SIDE: (u32, u32) = (14, 40);
const ANY_SIDE: (u32, u32) = (4, 8);

/// Right, down, left, up.
const WAYS: [(i32, i32); 4] = [(1, 0), (0, 1), (-1, 0), (0, -1)];

/// The corners of each line, in the order of the edges.
pub fn route(field: &Field<'_>, edges: &[Edge]) -> Vec<Vec<(i32, i32)>> {
    let mut lattice = Lattice::new(field);
    let mut order: Vec<usize> = (0..edges.len()).collect();
    order.sort_by_key(|index| (edges[*index].nature, distance(field, &edges[*index]), *index));
    let mut lines = vec![Vec::new(); edges.len()];
    for index in order {
        lines[index] = lattice.line(field, &edges[index]);
    }
    lines
}

fn distance(field: &Field<'_>, edge: &Edge) -> i32 {
    let (from, to) = (field.nodes[edge.from], field.nodes[edge.to]);
    (from.right() - to.x).abs() + (from.y - to.y).abs()
}

struct Lattice {
    columns: i32,
    rows: i32,
    /// Points that belong to a thing, its border included.
    taken: Vec<bool>,
    /// What it costs to be at a point.
    toll: Vec<u32>,
    /// The lines that run through a point sideways and up or down, by where they end.
    used: [Vec<Vec<(usize, Nature)>>; 2],
}

/// A point and the way that it was reached by, and what that cost.
type Open = (Reverse<u32>, Reverse<u32>, Reverse<usize>);

impl Lattice {
    fn new(field: &Field<'_>) -> Self {
        let (columns, rows) = (field.width / CELL + 1, field.height / CELL + 1);
        let size = (columns * rows) as usize;
        let mut lattice = Self {
            columns,
            rows,
            taken: vec![false; size],
            toll: vec![0; size],
            used: [vec![Vec::new(); size], vec![Vec::new(); size]],
        };
        for area in field.areas {
            for point in lattice.border(*area, 0) {
                lattice.toll[point] += BORDER;
            }
            for x in area.x / CELL..=(area.x + area.w.min(180)) / CELL {
                for y in area.y / CELL..=area.y / CELL + 2 {
                    lattice.add(x, y, TITLE);
                }
            }
        }
        for node in field.nodes {
            for point in lattice.border(*node, 1) {
                lattice.toll[point] += NEAR;
            }
            for x in node.x / CELL..=node.right() / CELL {
                for y in node.y / CELL..=node.bottom() / CELL {
                    if let Some(point) = lattice.at(x, y) {
                        lattice.taken[point] = true;
                    }
                }
            }
        }
        // Nothing runs around the boxes where there is a way between them, nor through the title.
        for x in 0..columns {
            for y in 0..rows {
                if y <= field.top / CELL || x < 2 || x > columns - 3 || y > rows - 3 {
                    lattice.add(x, y, BORDER);
                }
            }
        }
        lattice
    }

    fn at(&self, x: i32, y: i32) -> Option<usize> {
        let inside = (0..self.columns).contains(&x) && (0..self.rows).contains(&y);
        inside.then_some((y * self.columns + x) as usize)
    }

    fn add(&mut self, x: i32, y: i32, toll: u32) {
        if let Some(point) = self.at(x, y) {
            self.toll[point] += toll;
        }
    }

    /// The points on a rectangle's border, or so far around it.
    fn border(&self, rect: Rect, out: i32) -> Vec<usize> {
        let (left, right) = (rect.x / CELL - out, rect.right() / CELL + out);
        let (top, bottom) = (rect.y / CELL - out, rect.bottom() / CELL + out);
        let sideways = (left..=right).flat_map(|x| [(x, top), (x, bottom)]);
        let upright = (top + 1..bottom).flat_map(|y| [(left, y), (right, y)]);
        sideways.chain(upright).filter_map(|(x, y)| self.at(x, y)).collect()
    }

    /// Where lines may leave a thing: points on its border, the way out, and what that costs.
    fn gates(&self, rect: Rect, forward: usize, side: (u32, u32)) -> Vec<(usize, usize, u32)> {
        let (left, right) = (rect.x / CELL, rect.right() / CELL);
        let (top, bottom) = (rect.y / CELL, rect.bottom() / CELL);
        let (x, y) = ((left + right) / 2, (top + bottom) / 2);
        let mut gates = Vec::new();
        for way in 0..WAYS.len() {
            let cost = match (way + 4 - forward) % 4 {
                0 => 0,
                2 => side.1,
                _ => side.0,
            };
            let points: Vec<(i32, i32)> = match way {
                0 => (top + 1..bottom).map(|y| (right, y)).collect(),
                1 => (left + 1..right).map(|x| (x, bottom)).collect(),
                2 => (top + 1..bottom).map(|y| (left, y)).collect(),
                _ => (left + 1..right).map(|x| (x, top)).collect(),
            };
            for point in points {
                // The middle of a side is the best place.
                let off = if way % 2 == 0 { point.1.abs_diff(y) } else { point.0.abs_diff(x) };
                if let Some(index) = self.at(point.0, point.1) {
                    gates.push((index, way, cost + OFF * off));
                }
            }
        }
        gates
    }

    /// The cheapest line, which is noted as used; a straight one when there is none.
    fn line(&mut self, field: &Field<'_>, edge: &Edge) -> Vec<(i32, i32)> {
        let (from, to) = (field.nodes[edge.from], field.nodes[edge.to]);
        let forward = match field.direction {
            Direction::Right => 0,
            Direction::Down => 1,
        };
        let side = if edge.nature < Nature::Placement { SIDE } else { ANY_SIDE };
        let goals = self.gates(to, (forward + 2) % 4, side);
        let goals: BTreeMap<(usize, usize), u32> =
            goals.into_iter().map(|(point, way, cost)| ((point, (way + 2) % 4), cost)).collect();
        let starts = self.gates(from, forward, side);
        let Some(points) = self.search(&starts, &goals, to, edge) else {
            let middle = |rect: Rect| (rect.x + rect.w / 2, rect.y + rect.h / 2);
            return vec![middle(from), middle(to)];
        };
        for pair in points.windows(2) {
            let sideways = usize::from(pair[1].abs_diff(pair[0]) != 1);
            for point in pair {
                let lines = &mut self.used[sideways][*point];
                if lines.last() != Some(&(edge.to, edge.nature)) {
                    lines.push((edge.to, edge.nature));
                }
            }
        }
        self.corners(&points)
    }

    fn search(
        &self,
        starts: &[(usize, usize, u32)],
        goals: &BTreeMap<(usize, usize), u32>,
        to: Rect,
        edge: &Edge,
    ) -> Option<Vec<usize>> {
        let size = self.taken.len() * WAYS.len();
        let mut best = vec![u32::MAX; size];
        let mut before = vec![usize::MAX; size];
        let mut open: BinaryHeap<Open> = BinaryHeap::new();
        for (point, way, cost) in starts {
            let state = point * WAYS.len() + way;
            best[state] = *cost;
            open.push((Reverse(cost + self.guess(*point, to)), Reverse(*cost), Reverse(state)));
        }
        // The goal is a state of its own, so that entering at a costly side is weighed too.
        let mut reached: Option<(u32, usize)> = None;
        while let Some((Reverse(guess), Reverse(cost), Reverse(state))) = open.pop() {
            if reached.is_some_and(|(least, _)| guess >= least) {
                break;
            }
            if cost > best[state] {
                continue;
            }
            let (point, way) = (state / WAYS.len(), state % WAYS.len());
            for turn in [0, 1, 3] {
                // A line leaves a thing straight.
                if turn != 0 && self.taken[point] {
                    continue;
                }
                let next_way = (way + turn) % WAYS.len();
                let Some(next) = self.step(point, next_way) else { continue };
                let corner = if turn == 0 { 0 } else { CORNER };
                let gate = goals.get(&(next, next_way));
                if self.taken[next] && gate.is_none() {
                    continue;
                }
                let so_far = cost + corner + STEP + self.price(next, next_way, edge);
                let next_state = next * WAYS.len() + next_way;
                if let Some(gate) = gate {
                    let whole = so_far + gate;
                    if reached.is_none_or(|(least, _)| whole < least) {
                        before[next_state] = state;
                        reached = Some((whole, next_state));
                    }
                } else if so_far < best[next_state] {
                    best[next_state] = so_far;
                    before[next_state] = state;
                    let guess = so_far + self.guess(next, to);
                    open.push((Reverse(guess), Reverse(so_far), Reverse(next_state)));
                }
            }
        }
        let mut state = reached?.1;
        let mut points = vec![state / WAYS.len()];
        while before[state] != usize::MAX {
            state = before[state];
            points.push(state / WAYS.len());
        }
        points.reverse();
        Some(points)
    }

    fn step(&self, point: usize, way: usize) -> Option<usize> {
        let (x, y) = (point as i32 % self.columns, point as i32 / self.columns);
        self.at(x + WAYS[way].0, y + WAYS[way].1)
    }

    /// At least this much is still to pay.
    fn guess(&self, point: usize, to: Rect) -> u32 {
        let (x, y) = (point as i32 % self.columns * CELL, point as i32 / self.columns * CELL);
        let apart = |at: i32, low: i32, high: i32| (low - at).max(at - high).max(0);
        let far = apart(x, to.x, to.right()) + apart(y, to.y, to.bottom());
        (far / CELL).unsigned_abs() * STEP
    }

    /// What it costs to go through a point that way: others are crossed or run beside.
    fn price(&self, point: usize, way: usize, edge: &Edge) -> u32 {
        let along = usize::from(way % 2 == 1);
        // Lines that mean the same and end together may come together.
        let foreign = |used: &&(usize, Nature)| **used != (edge.to, edge.nature);
        let beside = self.used[along][point].iter().filter(foreign).count() as u32;
        let across = self.used[1 - along][point].iter().filter(foreign).count() as u32;
        self.toll[point] + beside * SHARED + across * CROSSING
    }

    /// A way's ends and corners, in pixels.
    fn corners(&self, points: &[usize]) -> Vec<(i32, i32)> {
        let place =
            |point: usize| (point as i32 % self.columns * CELL, point as i32 / self.columns * CELL);
        let mut corners: Vec<(i32, i32)> = Vec::new();
        for point in points.iter().map(|point| place(*point)) {
            if let [.., one, other] = corners.as_slice()
                && ((one.0 == other.0 && other.0 == point.0)
                    || (one.1 == other.1 && other.1 == point.1))
            {
                corners.pop();
            }
            corners.push(point);
        }
        corners
    }
}
