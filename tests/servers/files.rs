//! A folder of seed files.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use lagoa::seed::{
    Decision, Engine, Load, Report, Rule, SeedError, Seeding, Target, Unit, Work, examine,
};

/// A seed of some files, in a folder that goes away with it.
pub struct Seed {
    pub engine: Engine,
    pub root: PathBuf,
    pub files: Vec<(String, Work)>,
}

impl Drop for Seed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

impl Seed {
    pub fn new(engine: Engine) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("lagoa-seed-{}-{number}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        Self { engine, root, files: Vec::new() }
    }

    pub fn script(self, path: &str, text: &str) -> Self {
        self.file(path, text, Work::Script)
    }

    pub fn csv(self, path: &str, text: &str, load: Load) -> Self {
        self.file(path, text, Work::Csv(load))
    }

    fn file(mut self, path: &str, text: &str, work: Work) -> Self {
        self.write(path, text);
        self.files.push((path.to_owned(), work));
        self
    }

    pub fn write(&self, path: &str, text: &str) {
        fs::write(self.root.join(path), text).unwrap();
    }

    pub fn units(&self) -> Vec<Unit> {
        let examine = |(path, work): &(String, Work)| {
            examine(&self.root, path, self.engine, work, &BTreeMap::new())
                .unwrap_or_else(|problems| panic!("{problems:?}"))
        };
        self.files.iter().map(examine).collect()
    }

    pub async fn run(&self, target: &Target, rule: Rule) -> Result<Report, SeedError> {
        self.decided(target, rule, None).await
    }

    pub async fn decided(
        &self,
        target: &Target,
        rule: Rule,
        decision: Option<Decision>,
    ) -> Result<Report, SeedError> {
        let seeding = Seeding::new(self.engine, target, "demo", "data");
        seeding.run(&self.root, &self.units(), rule, decision, &mut |_| {}).await
    }
}
