//! Some things do nothing by themselves: a cluster of databases answers once a server of it stands.
//! Who seeds such a thing needs its servers too, though it refers to none of them.

use std::collections::BTreeSet;

use super::Resource;
use crate::reference::references;

/// Adds the servers to the needs of the seeds, except those that themselves wait for the seed.
pub(super) fn join(resources: &[Resource], edges: &mut [(String, Vec<String>)]) {
    for server in resources {
        let Some(field) = server.kind.facts().serves else { continue };
        for served in references(&server.fields[field]) {
            for seed in resources.iter().filter(|resource| resource.kind.facts().seed) {
                let seeds = |(key, needs): &&(String, Vec<String>)| {
                    *key == seed.key && needs.contains(&served.key)
                };
                if edges.iter().any(|edge| seeds(&edge)) && !leads(edges, &server.key, &seed.key) {
                    let own = edges.iter_mut().filter(|(key, _)| *key == seed.key);
                    own.for_each(|(_, needs)| needs.push(server.key.clone()));
                }
            }
        }
    }
}

/// Whether the one needs the other, over however many in between.
fn leads(edges: &[(String, Vec<String>)], from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(key) = open.pop() {
        if key == to {
            return true;
        }
        if seen.insert(key) {
            let needs = edges.iter().filter(|(one, _)| one == key);
            open.extend(needs.flat_map(|(_, needs)| needs).map(String::as_str));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::diagnostic::Source;
    use crate::document::document;
    use crate::stack::{Inputs, check};

    const STACK: &str = "
stack: lab
resources:
  cluster:
    kind: rds_cluster
    engine: aurora-postgresql
    username: postgres
    managed_password: true
  writer:
    kind: rds_cluster_instance
    engine: aurora-postgresql
    cluster: cluster
    instance_class: db.r6g.large
  reader:
    kind: rds_cluster_instance
    engine: aurora-postgresql
    cluster: cluster
    instance_class: db.r6g.large
    depends_on: [coins]
  coins:
    kind: postgres_seed
    database: cluster
    scripts: [coins.sql]
";

    #[test]
    fn a_seed_waits_for_the_servers_that_do_not_wait_for_it() {
        let root = std::env::temp_dir().join(format!("lagoa-servers-{}", std::process::id()));
        std::fs::create_dir_all(&root).unwrap();
        std::fs::write(root.join("coins.sql"), "CREATE TABLE coins (id int);").unwrap();
        let document = document(Source::new("lab.yaml", STACK)).unwrap();
        let checked = check(&document, Path::new(&root), &Inputs::default());
        std::fs::remove_dir_all(&root).unwrap();
        let Ok((_, graph)) = checked else { panic!("the stack is sound") };
        let needs = graph.needs("coins");
        assert!(needs.contains("cluster") && needs.contains("writer"), "{needs:?}");
        assert!(!needs.contains("reader"), "{needs:?}");
    }
}
