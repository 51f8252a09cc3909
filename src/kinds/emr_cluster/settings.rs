//! The settings of a cluster's applications, and the Glue catalog among them.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_emr::types::Configuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Classifications such as `spark-defaults`, each with its properties. A mapping in the place of a
/// property is a classification within: `hadoop-env: { export: { JAVA_HOME: … } }`.
/// What AWS has beyond them doesn't count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settings(pub BTreeMap<String, BTreeMap<String, Setting>>);

/// What stands under a classification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Setting {
    /// A property.
    Value(String),
    /// A classification within, with its properties.
    Within(BTreeMap<String, String>),
}

impl JsonSchema for Settings {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "EmrSettings".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "x-subset": true,
            "additionalProperties": {
                "type": "object",
                "x-subset": true,
                "additionalProperties": { "anyOf": [
                    { "type": "string" },
                    {
                        "type": "object",
                        "x-subset": true,
                        "additionalProperties": { "type": "string" },
                    },
                ] },
            },
        })
    }
}

/// The property that names a metastore's client, and the class of Glue's.
const FACTORY: &str = "hive.metastore.client.factory.class";
const GLUE: &str = "com.amazonaws.glue.catalog.metastore.AWSGlueDataCatalogHiveClientFactory";

impl Settings {
    /// With Glue's catalog as the metastore of Spark and, where it is there, of Hive.
    pub fn with_glue_catalog(mut self, hive: bool) -> Self {
        let sites = ["spark-hive-site"].into_iter().chain(hive.then_some("hive-site"));
        for site in sites {
            let site = self.0.entry(site.to_owned()).or_default();
            site.entry(FACTORY.to_owned()).or_insert_with(|| Setting::Value(GLUE.to_owned()));
        }
        self
    }

    /// Whether Spark's or Hive's metastore is Glue's catalog.
    pub fn has_glue_catalog(&self) -> bool {
        let glue = |site: &BTreeMap<String, Setting>| matches!(site.get(FACTORY), Some(Setting::Value(class)) if class == GLUE);
        ["spark-hive-site", "hive-site"].iter().any(|site| self.0.get(*site).is_some_and(glue))
    }

    /// Whether `live` has all of this.
    pub fn is_within(&self, live: &Self) -> bool {
        let has = |have: &BTreeMap<String, Setting>, name: &str, want: &Setting| match (
            want,
            have.get(name),
        ) {
            (Setting::Within(want), Some(Setting::Within(have))) => {
                want.iter().all(|(name, value)| have.get(name) == Some(value))
            }
            (want, have) => have == Some(want),
        };
        self.0.iter().all(|(name, want)| {
            live.0.get(name).is_some_and(|have| want.iter().all(|(name, one)| has(have, name, one)))
        })
    }

    /// In the shape that the calls take.
    pub fn to_aws(&self) -> Vec<Configuration> {
        let all = self.0.iter().map(|(classification, settings)| {
            let mut properties = HashMap::new();
            let mut within = Vec::new();
            for (name, setting) in settings {
                match setting {
                    Setting::Value(value) => {
                        properties.insert(name.clone(), value.clone());
                    }
                    Setting::Within(inner) => within.push(
                        Configuration::builder()
                            .classification(name)
                            .set_properties(Some(inner.clone().into_iter().collect()))
                            .build(),
                    ),
                }
            }
            Configuration::builder()
                .classification(classification)
                .set_properties(Some(properties))
                .set_configurations((!within.is_empty()).then_some(within))
                .build()
        });
        all.collect()
    }

    /// From the shape that the describe calls give.
    pub fn from_aws(all: &[Configuration]) -> Self {
        let mut settings = Self::default();
        for one in all {
            let name = one.classification().unwrap_or_default().to_owned();
            let entry = settings.0.entry(name).or_default();
            for (name, value) in one.properties().into_iter().flatten() {
                entry.insert(name.clone(), Setting::Value(value.clone()));
            }
            for inner in one.configurations() {
                let properties = inner.properties().cloned().unwrap_or_default();
                let name = inner.classification().unwrap_or_default().to_owned();
                entry.insert(name, Setting::Within(properties.into_iter().collect()));
            }
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: serde_json::Value) -> Settings {
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn settings_come_back_as_they_went() {
        let all = settings(serde_json::json!({
            "spark-defaults": { "spark.executor.memory": "2G" },
            "hadoop-env": { "export": { "JAVA_HOME": "/usr/lib/jvm" } },
        }));
        assert_eq!(Settings::from_aws(&all.to_aws()), all);
    }

    #[test]
    fn the_glue_catalog_is_spark_s_metastore() {
        let all = Settings::default().with_glue_catalog(false);
        assert_eq!(all.0.keys().collect::<Vec<_>>(), ["spark-hive-site"]);
        assert!(all.has_glue_catalog());
        assert!(!Settings::default().has_glue_catalog());
        assert!(Settings::default().with_glue_catalog(true).0.contains_key("hive-site"));
    }
}
