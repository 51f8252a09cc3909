//! A diagram as JSON, for other tools.

use serde_json::{Value, json};

use super::{Diagram, Node};

/// Name and version of the form.
const FORMAT: &str = "lagoa.graph/1";

/// Every resource and every line; nothing is folded away.
pub fn json(diagram: &Diagram) -> Value {
    let boxes: Vec<Value> = diagram
        .areas
        .iter()
        .filter_map(|area| Some(resource(diagram, area.resource.as_ref()?)))
        .collect();
    let nodes = diagram.nodes.iter().map(|node| resource(diagram, node));
    let key = |index: usize| diagram.nodes[index].keys.first();
    let edges = diagram.edges.iter().map(|edge| {
        json!({
            "from": key(edge.from), "to": key(edge.to), "nature": edge.nature, "field": edge.field,
        })
    });
    json!({
        "format": FORMAT,
        "stack": diagram.stack,
        "region": diagram.region,
        "resources": boxes.into_iter().chain(nodes).collect::<Vec<_>>(),
        "edges": edges.collect::<Vec<_>>(),
    })
}

fn resource(diagram: &Diagram, node: &Node) -> Value {
    let area = &diagram.areas[node.area];
    let outer = area.within.map_or(area, |outer| &diagram.areas[outer]);
    let mut value = json!({
        "key": node.keys.first(), "kind": node.kind, "group": outer.title,
    });
    if let Some(container) = area.resource.as_ref() {
        value["within"] = json!(container.keys.first());
    }
    if let Some(status) = node.status {
        value["action"] = json!(status.word());
    }
    value
}
